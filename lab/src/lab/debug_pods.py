# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet of the debug pods: runs the command of a pod that ``oc debug node/...`` made, in the node's file system.

The pod's log is what the command wrote, and the pod ends when the command does.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.api_time import now
from lab.container_log import ContainerLog, log_folder
from lab.kube_rest import Api, ApiError, Change
from lab.node_root import NodeRoot
from lab.pod_status import ContainerEnd, status_after

log = logging.getLogger(__name__)

_SOURCE = "debug.openshift.io/source-resource"


class DebugPods:
    """Runs every debug pod of the cluster, side by side."""

    def __init__(self, api: Api, pods_dir: Path, nodes_dir: Path) -> None:
        self._api = api
        self._pods_dir = pods_dir
        self._nodes_dir = nodes_dir
        self._running: dict[str, _Run] = {}

    def start(self) -> None:
        """Begin, in a thread of its own."""
        threading.Thread(target=self._serve, name="debug-pods", daemon=True).start()

    def _serve(self) -> None:
        # Pods that are not to be started again: few, and those of builds among them.
        for event in self._api.follow("/api/v1/pods", fieldSelector="spec.restartPolicy=Never"):
            pod = event.object
            uid = str(pod["metadata"]["uid"])
            if event.change is Change.GONE or "deletionTimestamp" in pod["metadata"]:
                run = self._running.pop(uid, None)
                if run is not None:
                    threading.Thread(target=run.stop, daemon=True).start()
            elif _is_to_be_run(pod) and uid not in self._running:
                self._running[uid] = _Run(self._api, pod, self._pods_dir, self._nodes_dir)
                self._running[uid].start()


def _is_to_be_run(pod: Mapping[str, Any]) -> bool:
    notes = pod["metadata"].get("annotations") or {}
    # oc prints the whole resource: "/v1, Resource=nodes/worker-0".
    return "nodes/" in str(notes.get(_SOURCE, "")) and pod.get("status", {}).get("phase") == "Running"


class _Run:
    def __init__(self, api: Api, pod: Mapping[str, Any], pods_dir: Path, nodes_dir: Path) -> None:
        metadata = pod["metadata"]
        self._api = api
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self._container: Mapping[str, Any] = pod["spec"]["containers"][0]
        self._log_folder = log_folder(
            pods_dir, metadata["namespace"], metadata["name"], metadata["uid"], self._container["name"]
        )
        self._root = NodeRoot(nodes_dir / pod["spec"]["nodeName"])
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=metadata["name"], daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """The pod is gone: end its command and forget its log."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._thread.join(timeout=10)
        shutil.rmtree(self._log_folder.parent, ignore_errors=True)

    def _run(self) -> None:
        started = now()
        container_log = ContainerLog(self._log_folder)
        exit_code = self._run_command(container_log)
        container_log.end()
        if self._stopped.is_set():
            return
        end = ContainerEnd(exit_code, "Completed" if exit_code == 0 else "Error", started, now())
        try:
            present = self._api.get(self._path)
            status = status_after(present, {self._container["name"]: end}, now())
            self._api.patch(f"{self._path}/status", {"status": status})
        except ApiError as error:
            if error.status != 404:
                log.warning("%s: could not report its end: %s", self._path, error)

    def _run_command(self, container_log: ContainerLog) -> int:
        command = [*self._container.get("command", []), *self._container.get("args", [])]
        named = {item["name"]: item.get("value", "") for item in self._container.get("env", [])}
        try:
            self._process = subprocess.Popen(
                ["chroot", str(self._root.path), *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._root.environment(named),
                start_new_session=True,
            )
        except OSError as error:
            container_log.write(f"{error}\n".encode(), "stderr")
            return 128
        streams = ((self._process.stdout, "stdout"), (self._process.stderr, "stderr"))
        copying = [
            threading.Thread(target=container_log.copy, args=(stream, name), daemon=True) for stream, name in streams
        ]
        for thread in copying:
            thread.start()
        for thread in copying:
            thread.join()
        return self._process.wait()
