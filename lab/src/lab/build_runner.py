# SPDX-License-Identifier: GPL-3.0-or-later
"""The kubelet of the image builds, ``python -m lab.build_runner FOLDER``: runs the pods that machine-os-builder makes.

Scripted: that there is a kubelet at all, and the machine's own root in place of the containers' images. Real: the
pod's shipped commands, its ConfigMaps, Secrets and environment, buildah, the push with the pod's credentials, the
digest the registry gave, the ConfigMap with it.
"""

from __future__ import annotations

import base64
import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.api_time import now
from lab.build_sandbox import Container, Mount, Pod
from lab.container_log import ContainerLog, log_folder
from lab.debug_pods import DebugPods
from lab.facts import Facts
from lab.kube_rest import Api, ApiError, Change
from lab.pod_status import ContainerEnd, status_after
from lab.release import V1
from lab.v1alpha1.objects import BUILD_POD_LABEL

log = logging.getLogger(__name__)

NAMESPACE = "openshift-machine-config-operator"
SERVICE_ACCOUNT = "machine-os-builder"

# The builder's own pod has the same account.
_JOB_LABEL = "job-name"

# Real builds last minutes. The operator cleans up after an earlier build of the same name some ten seconds after the
# next one began, by name: a digest written before that would be taken away, which no real cluster shows.
SHORTEST_BUILD = 12.0

_PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
_CONFIG_MAPS = f"/api/v1/namespaces/{NAMESPACE}/configmaps"


class Stopped(Exception):
    """The pod is deleted; nothing has to be done for it."""


@dataclass(frozen=True)
class BuildPod:
    """A pod of a build."""

    object: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.object["metadata"]["name"])

    @property
    def uid(self) -> str:
        """The pod's uid; a pod of the same name may come after it."""
        return str(self.object["metadata"]["uid"])

    @property
    def deleted(self) -> bool:
        """Whether its deletion was requested."""
        return "deletionTimestamp" in self.object["metadata"]

    @property
    def keeps_last_words(self) -> bool:
        """Whether the end of a container's log becomes its message. Bare pods do not ask for it."""
        return BUILD_POD_LABEL not in (self.object["metadata"].get("labels") or {})

    @property
    def runs(self) -> bool:
        """Whether it is the pod of a build, and it is running on a node."""
        builds = self.object["spec"].get("serviceAccountName") == SERVICE_ACCOUNT
        return builds and not self.deleted and self.object.get("status", {}).get("phase") == "Running"


class Volumes:
    """Read the volumes of a pod from the API, as a kubelet does before it starts a container."""

    def __init__(self, api: Api, pod: BuildPod) -> None:
        self._api = api
        self._pod = pod

    def read(self) -> dict[str, dict[str, str]]:
        """Return base64 content by path for each volume. Raises ApiError for a missing object."""
        return {volume["name"]: self._files(volume) for volume in self._pod.object["spec"].get("volumes", [])}

    def _files(self, source: Mapping[str, Any]) -> dict[str, str]:
        if "configMap" in source:
            return self._selected(source["configMap"], self._config_map)
        if "secret" in source:
            chosen = {**source["secret"], "name": source["secret"].get("secretName")}
            return self._selected(chosen, self._secret)
        if "projected" in source:
            files: dict[str, str] = {}
            for part in source["projected"]["sources"]:
                files.update(self._projected(part))
            return files
        return {}

    def _projected(self, part: Mapping[str, Any]) -> dict[str, str]:
        if "configMap" in part:
            return self._selected(part["configMap"], self._config_map)
        if "secret" in part:
            return self._selected(part["secret"], self._secret)
        if "serviceAccountToken" in part:
            return {part["serviceAccountToken"]["path"]: _encode(self._token(part["serviceAccountToken"]))}
        metadata = self._pod.object["metadata"]
        return {
            item["path"]: _encode(str(metadata[item["fieldRef"]["fieldPath"].removeprefix("metadata.")]))
            for item in part.get("downwardAPI", {}).get("items", [])
        }

    def _selected(self, chosen: Mapping[str, Any], read: Callable[[str], dict[str, str]]) -> dict[str, str]:
        try:
            content = read(str(chosen["name"]))
        except ApiError as error:
            if error.status == 404 and chosen.get("optional"):
                return {}
            raise
        if "items" not in chosen:
            return content
        return {item["path"]: content[item["key"]] for item in chosen["items"] if item["key"] in content}

    def _config_map(self, name: str) -> dict[str, str]:
        config_map = self._api.get(f"{_CONFIG_MAPS}/{name}")
        text = {key: _encode(value) for key, value in config_map.get("data", {}).items()}
        return {**text, **config_map.get("binaryData", {})}

    def _secret(self, name: str) -> dict[str, str]:
        return dict(self._api.get(f"/api/v1/namespaces/{NAMESPACE}/secrets/{name}").get("data", {}))

    def _token(self, asked: Mapping[str, Any]) -> str:
        spec = {"audiences": [asked["audience"]] if "audience" in asked else [], "expirationSeconds": 3607}
        request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{SERVICE_ACCOUNT}/token"
        return str(self._api.create(account, request)["status"]["token"])


class Run:
    """A running pod, in a thread of its own."""

    def __init__(self, api: Api, pod: BuildPod, pods_dir: Path) -> None:
        self._api = api
        self._pod = pod
        self._pods_dir = pods_dir
        self._stop = threading.Event()
        self._ends: dict[str, ContainerEnd] = {}
        self._sandbox: subprocess.Popen[str] | None = None
        self._started = time.monotonic()
        # A pod that has logs was begun by a runner that is no more; its containers ended with it.
        self._again = self._folder.exists()
        self._thread = threading.Thread(target=self._run, name=pod.name, daemon=True)

    @property
    def _folder(self) -> Path:
        return log_folder(self._pods_dir, NAMESPACE, self._pod.name, self._pod.uid, "container").parent

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the containers of a deleted pod and delete its logs. Nothing more is written to the API."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._end_sandbox()
        self._thread.join(timeout=10)
        shutil.rmtree(self._folder, ignore_errors=True)
        log.info("pod %s: gone", self._pod.name)

    def _run(self) -> None:
        scratch = self._folder / ".scratch"
        log.info("pod %s: %s", self._pod.name, "once more, after a restart" if self._again else "begins")
        try:
            self._in_sandbox(scratch)
            self._end_as_lost()
        except Stopped:
            log.info("pod %s: stopped", self._pod.name)
        finally:
            self._end_sandbox()
            shutil.rmtree(scratch, ignore_errors=True)

    def _in_sandbox(self, scratch: Path) -> None:
        try:
            self._run_in_sandbox(scratch)
        except (OSError, ValueError, KeyError):
            log.exception("pod %s: could not be run", self._pod.name)

    def _run_in_sandbox(self, scratch: Path) -> None:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700, parents=True)
        volumes = self._insist("mount its volumes", Volumes(self._api, self._pod).read)
        pod = Pod(str(scratch), volumes, [self._container(spec) for spec in self._pod.object["spec"]["containers"]])
        self._sandbox = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", sys.executable, "-m", "lab.build_sandbox"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._check()
        assert self._sandbox.stdout is not None  # noqa: S101 - it is a pipe
        self._send(pod.to_line())
        for line in self._sandbox.stdout:
            self._hear(json.loads(line))

    def _container(self, spec: Mapping[str, Any]) -> Container:
        return Container(
            name=spec["name"],
            command=[*spec.get("command", []), *spec.get("args", [])],
            environment={
                "HOSTNAME": self._pod.name,
                **{item["name"]: item.get("value", "") for item in spec.get("env", [])},
            },
            mounts=[
                Mount(mount["name"], mount["mountPath"], mount.get("subPath", ""))
                for mount in spec.get("volumeMounts", [])
            ],
            log_folder=str(log_folder(self._pods_dir, NAMESPACE, self._pod.name, self._pod.uid, spec["name"])),
        )

    def _hear(self, message: Mapping[str, Any]) -> None:
        self._check()
        if message["event"] == "exited":
            self._exited(
                message["container"],
                ContainerEnd(
                    exit_code=message["exit_code"],
                    reason=message["reason"],
                    started=_whole_seconds(message["started"]),
                    finished=_whole_seconds(message["finished"]),
                    last_words=message["last_words"] if self._pod.keeps_last_words else "",
                ),
            )
            return
        # It may have to wait, and the other container's end is to be heard of meanwhile.
        threading.Thread(target=self._answer_oc, args=(message,), daemon=True).start()

    def _answer_oc(self, message: Mapping[str, Any]) -> None:
        try:
            exit_code, text = self._oc(message["verb"], message["name"], message["namespace"], message["data"])
        except Stopped:
            # Whoever noticed that the pod is gone may be this thread alone.
            self._end_sandbox()
            return
        self._send(json.dumps({"number": message["number"], "exit_code": exit_code, "text": text}) + "\n")

    def _end_as_lost(self) -> None:
        """End the remaining containers with a failure of the runtime, so that the Job continues."""
        for spec in self._pod.object["spec"]["containers"]:
            self._check()
            if spec["name"] in self._ends:
                continue
            folder = log_folder(self._pods_dir, NAMESPACE, self._pod.name, self._pod.uid, spec["name"])
            container_log = ContainerLog(folder)
            container_log.write(b"the lab's build sandbox ended before this container did\n", "stderr")
            container_log.end()
            moment, words = now(), container_log.last_words
            self._exited(spec["name"], ContainerEnd(137, "ContainerStatusUnknown", moment, moment, words))

    def _exited(self, container: str, end: ContainerEnd) -> None:
        self._ends[container] = end
        log.info("pod %s: %s exited with %d", self._pod.name, container, end.exit_code)
        self._insist("report its status", self._report)

    def _report(self) -> None:
        present = self._present()
        self._api.patch(f"{_PODS}/{self._pod.name}/status", {"status": status_after(present, self._ends, now())})

    def _oc(self, verb: str, name: str, namespace: str, data: Mapping[str, str]) -> tuple[int, str]:
        if namespace != NAMESPACE:
            return 1, f"Error from server (Forbidden): the build may not write to namespace {namespace}"
        try:
            if verb == "label":
                self._api.patch(f"{_CONFIG_MAPS}/{name}", {"metadata": {"labels": dict(data)}})
                return 0, f"configmap/{name} labeled"
            self._stop.wait(max(0.0, self._started + SHORTEST_BUILD - time.monotonic()))
            # Asked for at the last moment: a build whose pod is gone must leave no digest.
            self._present()
            self._create_config_map(name, data)
            return 0, f"configmap/{name} created"
        except ApiError as error:
            return 1, f"Error from server: {error}"

    def _create_config_map(self, name: str, data: Mapping[str, str]) -> None:
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}
        try:
            self._api.create(_CONFIG_MAPS, config_map)
        except ApiError as error:
            # The runner may have died between this ConfigMap and the pod's end; then the digest is renewed.
            if error.status != 409 or not self._again:
                raise
            self._api.patch(f"{_CONFIG_MAPS}/{name}", {"data": dict(data)})

    def _present(self) -> dict[str, Any]:
        """Return the current pod. Raises Stopped if it is deleted or another pod has its name."""
        self._check()
        try:
            present = self._api.get(f"{_PODS}/{self._pod.name}")
        except ApiError as error:
            if error.status == 404:
                raise Stopped from error
            raise
        if BuildPod(present).uid != self._pod.uid or BuildPod(present).deleted:
            raise Stopped
        return present

    def _insist(self, doing: str, action: Callable[[], Any]) -> Any:
        """Retry until it succeeds or the pod is deleted, as a kubelet does."""
        while True:
            self._check()
            try:
                return action()
            except ApiError as error:
                log.warning("pod %s: could not %s: %s", self._pod.name, doing, error)
            self._stop.wait(1.0)

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped

    def _send(self, line: str) -> None:
        if self._sandbox is None or self._sandbox.stdin is None:
            return
        try:
            self._sandbox.stdin.write(line)
            self._sandbox.stdin.flush()
        except OSError as error:
            log.warning("pod %s: its sandbox is gone: %s", self._pod.name, error)

    def _end_sandbox(self) -> None:
        if self._sandbox is not None and self._sandbox.poll() is None:
            # unshare takes the sandbox's first process with it, and that one all others.
            self._sandbox.kill()
            self._sandbox.wait()


class BuildRunner:
    """Run every build pod of the cluster, side by side."""

    def __init__(self, api: Api, pods_dir: Path, label: str) -> None:
        self._api = api
        self._pods_dir = pods_dir
        self._label = label
        self._runs: dict[str, Run] = {}

    def serve(self) -> None:
        """Watch the pods, for ever."""
        self._forget_old_pods()
        for event in self._api.follow(_PODS, labelSelector=self._label):
            pod = BuildPod(event.object)
            if event.change is Change.GONE or pod.deleted:
                run = self._runs.pop(pod.uid, None)
                if run is not None:
                    # Ending takes a moment, and other pods are waiting to be heard of.
                    threading.Thread(target=run.stop, daemon=True).start()
            elif pod.runs and pod.uid not in self._runs:
                self._runs[pod.uid] = Run(self._api, pod, self._pods_dir)
                self._runs[pod.uid].start()

    def _forget_old_pods(self) -> None:
        self._pods_dir.mkdir(parents=True, exist_ok=True)
        present = {item["metadata"]["uid"] for item in self._api.insist(_PODS)["items"]}
        for folder in self._pods_dir.iterdir():
            if folder.name.rpartition("_")[2] not in present:
                shutil.rmtree(folder, ignore_errors=True)


def _encode(text: str) -> str:
    return base64.b64encode(text.encode("utf-8")).decode("ascii")


def _whole_seconds(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def main() -> None:
    """Run the builds of the lab whose folder is the first argument."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    facts = Facts.load(sys.argv[1])
    api, pods_dir = Api(facts.kubeconfigs.build_runner), facts.folder / "pods"
    DebugPods(api, pods_dir, facts.nodes_dir).start()
    BuildRunner(api, pods_dir, _JOB_LABEL if facts.api == V1 else BUILD_POD_LABEL).serve()


if __name__ == "__main__":
    main()
