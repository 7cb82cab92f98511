# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine-config-daemons of all the lab's nodes, and the machines below them: ``python -m lab.node_daemon FOLDER``.

Scripted: nothing is installed and nothing boots. Real: what is asked of the controllers (drain and uncordon), and that
the image's manifest comes from the registry with the credentials the node has at that moment, so that a wrong digest,
a removed image or a missing login shows on the node as it would.

An idle node costs nothing: a thread follows a node only while something is wanted of it. What a thread needs to know
stands in the node's annotations and files, so a daemon that is started again goes on where the one before stopped.
"""

from __future__ import annotations

import base64
import logging
import shutil
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab import node_annotations as says
from lab.api_time import now
from lab.components import REBOOTING_ANNOTATION
from lab.facts import Facts
from lab.kube_rest import STRATEGIC_PATCH, Api, ApiError, Change
from lab.machine_config import needs_reboot
from lab.node_annotations import NodeView, State, Target
from lab.node_state import Deployment, Host, NodeFolder
from lab.oci_registry import Credentials, FetchedImage, ImageName, Registry, RegistryRefused

log = logging.getLogger(__name__)

# Seconds. A real node takes minutes for the first two; the others are what the real daemon waits.
STAGING = 1.0
REBOOT = 4.0
DRAIN_TIMEOUT = 3600.0
UNCORDON_TIMEOUT = 600.0
RETRY_DELAYS = (2.0, 4.0, 8.0, 15.0)
# How long the deployment before the present one can be seen after a boot: the daemon removes it when it starts.
ROLLBACK_SEEN = 1.0

_NODES = "/api/v1/nodes"
_MACHINE_CONFIG_NODES = "/apis/machineconfiguration.openshift.io/v1/machineconfignodes"


class UpdateFailed(Exception):
    """The node could not be updated; the text is the reason."""


class NotInstalled(Exception):
    """The image of a new node is not available yet."""


class Gone(Exception):
    """The node left the cluster."""


class Sources:
    """The sources of nodes: their rendered MachineConfigs, and images with the credentials of a node."""

    def __init__(self, api: Api, folder: Path) -> None:
        self._folder = folder
        self._api = api
        self._registry = Registry(Facts.load(folder).ca_cert)
        self._lock = threading.Lock()
        self._specs: dict[str, dict[str, Any]] = {}
        self._known: dict[str, FetchedImage] = {}

    def name(self, target: Target) -> str:
        """Return the image of ``target``: its own, or the one that its MachineConfig names."""
        if target.image:
            return target.image
        named = str(self.spec(target.config).get("osImageURL") or "") if target.config else ""
        base_image = named or Facts.load(self._folder).base_image
        if not base_image:
            raise NotInstalled("the base image has not been pushed yet")
        return base_image

    def spec(self, config: str) -> dict[str, Any]:
        """Return the spec of a rendered MachineConfig, which never changes."""
        with self._lock:
            if config not in self._specs:
                path = f"/apis/machineconfiguration.openshift.io/v1/machineconfigs/{config}"
                self._specs[config] = self._api.get(path)["spec"]
            return self._specs[config]

    def fetch(self, name: str, node: str) -> FetchedImage:
        """Fetch the manifest of an image with the current credentials of a node. Raises UpdateFailed."""
        return self._fetch(name, self.credentials(node))

    def _fetch(self, name: str, credentials: Credentials) -> FetchedImage:
        try:
            image = self._registry.fetch(ImageName.parse(name), credentials)
        except RegistryRefused as refused:
            raise UpdateFailed(says.rebase_failure(name, str(refused))) from refused
        except ValueError as error:
            raise UpdateFailed(says.rebase_failure(name, f"invalid reference format: {error}")) from error
        self._known[name] = image
        return image

    def installed(self, name: str) -> FetchedImage:
        """Return the image of newly installed nodes, fetched once for all of them. Raises NotInstalled."""
        with self._lock:
            try:
                return self._known.get(name) or self._fetch(name, self._global_credentials())
            except UpdateFailed as failed:
                raise NotInstalled(str(failed)) from failed

    def credentials(self, node: str) -> Credentials:
        """Return the credentials that a node has now: the global pull secret."""
        return self._global_credentials()

    def _global_credentials(self) -> Credentials:
        secret = self._api.find("/api/v1/namespaces/openshift-config/secrets", "pull-secret")
        if secret is None:
            return Credentials({})
        return Credentials.parse(base64.b64decode(secret.get("data", {}).get(".dockerconfigjson", "")))


class Watched:
    """The last known state of a node, and a way to wait for its changes."""

    def __init__(self, view: NodeView) -> None:
        self._view = view
        self._gone = False
        self._changed = threading.Condition()

    def see(self, view: NodeView) -> None:
        """Update the node, unless a newer version is known: responses to writes overtake the watch."""
        with self._changed:
            if view.version >= self._view.version:
                self._view = view
                self._changed.notify_all()

    def leave(self) -> None:
        """The node left the cluster."""
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    @property
    def view(self) -> NodeView:
        """The current state of the node. Raises Gone."""
        with self._changed:
            return self._present()

    def wait(self, until: Callable[[NodeView], bool], timeout: float) -> bool:
        """Wait until the condition is true, or ``timeout`` seconds. Raises Gone."""
        with self._changed:
            return self._changed.wait_for(lambda: until(self._present()), timeout)

    def _present(self) -> NodeView:
        if self._gone:
            raise Gone
        return self._view


class Machine:
    """One node: its daemon and its machine. It uses one thread, and only while there is work."""

    def __init__(self, api: Api, sources: Sources, nodes_dir: Path, view: NodeView) -> None:
        self._api = api
        self._sources = sources
        self._name = view.name
        self._path = f"{_NODES}/{view.name}"
        self._folder = NodeFolder(nodes_dir, view.name)
        self._seen = Watched(view)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._installed = False

    def see(self, view: NodeView) -> None:
        """Record a change of the node, and start to work if necessary."""
        self._seen.see(view)
        with self._lock:
            if self._at_rest() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def leave(self) -> None:
        """Remove the files of a node that left the cluster."""
        self._seen.leave()
        self._folder.remove()

    def _at_rest(self) -> bool:
        try:
            view = self._seen.view
        except Gone:
            return True
        return self._installed and view.settled and REBOOTING_ANNOTATION not in view.annotations

    def _work(self) -> None:
        attempt = 0
        try:
            while True:
                # Decided under the lock of see(): a change that comes now starts another thread.
                with self._lock:
                    if self._at_rest():
                        self._thread = None
                        return
                target = self._seen.view.desired
                if self._worked_for(target):
                    attempt = 0
                    continue
                self._wait_for_another(target, RETRY_DELAYS[min(attempt, len(RETRY_DELAYS) - 1)])
                attempt += 1
        except Gone:
            log.info("%s: left the cluster", self._name)
            self._folder.remove()

    def _worked_for(self, target: Target) -> bool:
        """Return whether the update succeeded; the node reports the reason if not."""
        try:
            self._install_once()
            self._follow(target)
        except NotInstalled as missing:
            log.warning("%s: could not be installed: %s", self._name, missing)
        except UpdateFailed as failed:
            self._degrade(str(failed))
        except ApiError as error:
            log.warning("%s: %s", self._name, error)
        else:
            return True
        return False

    def _wait_for_another(self, target: Target, delay: float) -> None:
        self._seen.wait(lambda view: view.desired != target, delay)

    def _install_once(self) -> None:
        """Create the files of a new node, which has booted the image of its annotations."""
        if self._installed:
            return
        view = self._seen.view
        known = self._folder.host
        if known is None or known.node_uid != view.uid:
            self._folder.remove()
            image = self._sources.installed(self._sources.name(view.current))
            boot_id = view.boot_id or str(uuid.uuid4())
            self._folder.root.make()
            self._write(Host(view.uid, Deployment.of(self._name, image), boot_id, view.current.config))
            if not view.boot_id:
                self._publish_boot(self._host)
        if REBOOTING_ANNOTATION in view.annotations:
            # The daemon before this one was stopped in the middle of a reboot.
            self._come_back()
        self._installed = True

    def _follow(self, target: Target) -> None:
        view = self._seen.view
        if view.settled:
            return
        if refusal := self._folder.refusal:
            raise UpdateFailed(refusal)
        self._check_target(view, target)
        if not self._runs(target):
            log.info("%s: to %s %s", self._name, target.config, target.image or "(the OS of its MachineConfig)")
            if view.state not in (State.WORKING, State.DEGRADED):
                self._annotate(says.working())
            if self._needs_reboot(target):
                self._drain(target)
                self._rebase(self._sources.name(target))
                self._write(self._host.configured(target.config))
                self._reboot()
            else:
                self._write(self._host.reconfigured(target.config))
        self._uncordon(target)
        self._tell_machine_config_node(target)
        self._annotate(says.done(target))
        log.info("%s: done", self._name)

    def _check_target(self, view: NodeView, target: Target) -> None:
        """Reject a target before anything is done for it, by raising UpdateFailed."""

    def _tell_machine_config_node(self, target: Target) -> None:
        """Write the configuration and no image, as the daemon does without its feature gate."""
        reached = {"configVersion": {"current": target.config, "desired": target.config}}
        try:
            self._api.patch(f"{_MACHINE_CONFIG_NODES}/{self._name}/status", {"status": reached})
        except ApiError as error:
            # The controller makes it with the first update that it wants of a node.
            if error.status != 404:
                raise

    def _runs(self, target: Target) -> bool:
        host = self._host
        return host.config == target.config and host.booted.image == self._sources.name(target)

    def _needs_reboot(self, target: Target) -> bool:
        host = self._host
        if host.booted.image != self._sources.name(target):
            return True
        return needs_reboot(self._sources.spec(host.config), self._sources.spec(target.config))

    def _drain(self, target: Target) -> None:
        if not self._controller_did(target.drain, DRAIN_TIMEOUT):
            raise UpdateFailed(says.drain_failure(self._name))

    def _uncordon(self, target: Target) -> None:
        if not self._controller_did(target.uncordon, UNCORDON_TIMEOUT):
            raise UpdateFailed(says.uncordon_failure(self._name))

    def _controller_did(self, request: str, timeout: float) -> bool:
        if self._seen.view.last_applied_drain == request:
            return True
        self._annotate(says.drain_request(request))
        return self._seen.wait(lambda view: view.last_applied_drain == request, timeout)

    def _rebase(self, image: str) -> None:
        """Stage ``image``, unless it is booted or staged."""
        host = self._host
        if host.booted.image == image:
            return
        self._write(host.during("rebase"))
        try:
            fetched = self._sources.fetch(image, self._name)
            time.sleep(STAGING)
        finally:
            self._write(host.idle())
        self._write(host.staging(Deployment.of(self._name, fetched)))

    def _reboot(self) -> None:
        log.info("%s: reboots", self._name)
        self._annotate({REBOOTING_ANNOTATION: "true"})
        moment = now()
        self._patch_status(
            {
                "conditions": [
                    {
                        "type": "Ready",
                        "status": "False",
                        "reason": "KubeletNotReady",
                        "message": "the node is rebooting",
                        "lastHeartbeatTime": moment,
                        "lastTransitionTime": moment,
                    }
                ]
            }
        )
        self._folder.set_down(True)
        time.sleep(REBOOT)
        self._come_back()

    def _come_back(self) -> None:
        """Boot the staged deployment with a new boot id, and restart the containers."""
        while self._folder.boot_is_held:
            # Asked so that the thread of a node that left the cluster ends.
            _ = self._seen.view
            time.sleep(0.5)
        host = self._host.rebooted(str(uuid.uuid4()))
        self._write(host)
        self._folder.set_down(False)
        self._publish_boot(host)
        # KWOK makes the node Ready as soon as nobody holds it.
        self._annotate({REBOOTING_ANNOTATION: None})
        if not self._seen.wait(lambda view: view.ready, timeout=60):
            log.warning("%s: is still not Ready 60 s after its reboot", self._name)
        self._restart_pods()
        time.sleep(ROLLBACK_SEEN)
        self._write(host.cleaned())

    def _publish_boot(self, host: Host) -> None:
        node_info = {"bootID": host.boot_id}
        if host.booted.version:
            node_info["osImage"] = f"Red Hat Enterprise Linux CoreOS {host.booted.version} (lab)"
        self._patch_status({"nodeInfo": node_info})

    def _restart_pods(self) -> None:
        """Set the status of the node's pods as a kubelet does after a boot."""
        moment = now()
        for pod in self._api.get("/api/v1/pods", fieldSelector=f"spec.nodeName={self._name}")["items"]:
            if pod["status"].get("phase") != "Running" or "deletionTimestamp" in pod["metadata"]:
                continue
            path = f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}/status"
            try:
                self._api.patch(path, {"status": restarted_pod(pod["status"], moment)})
            except ApiError as error:
                if error.status != 404:
                    raise

    def _degrade(self, reason: str) -> None:
        view = self._seen.view
        if view.state == State.DEGRADED and view.reason == says.cut_reason(reason):
            return
        log.warning("%s: degraded: %s", self._name, reason)
        try:
            self._annotate(says.degraded(reason))
        except ApiError as error:
            log.warning("%s: could not say that it is degraded: %s", self._name, error)

    @property
    def _host(self) -> Host:
        host = self._folder.host
        if host is None:
            raise Gone
        return host

    def _write(self, host: Host) -> None:
        # A node that left has no folder any more, and gets none.
        _ = self._seen.view
        self._folder.write_host(host)

    def _annotate(self, annotations: Mapping[str, str | None]) -> None:
        node = self._api.patch(self._path, {"metadata": {"uid": self._seen.view.uid, "annotations": annotations}})
        self._seen.see(NodeView.of(node))

    def _patch_status(self, status: Mapping[str, Any]) -> None:
        node = self._api.patch(f"{self._path}/status", {"status": status}, STRATEGIC_PATCH)
        self._seen.see(NodeView.of(node))


def restarted_pod(status: Mapping[str, Any], now: str) -> dict[str, Any]:
    """Return the status of a running pod after a reboot: every container has restarted."""
    containers = [
        {
            **container,
            "ready": True,
            "started": True,
            "restartCount": container.get("restartCount", 0) + 1,
            "lastState": {
                "terminated": {
                    "exitCode": 255,
                    "reason": "Error",
                    "startedAt": container["state"]["running"]["startedAt"],
                    "finishedAt": now,
                }
            },
            "state": {"running": {"startedAt": now}},
        }
        if "running" in container.get("state", {})
        else container
        for container in status.get("containerStatuses", [])
    ]
    conditions = [
        {**condition, "status": "True", "lastTransitionTime": now}
        if condition["type"] in ("Ready", "ContainersReady")
        else condition
        for condition in status.get("conditions", [])
    ]
    return {"containerStatuses": containers, "conditions": conditions}


class NodeDaemon:
    """The daemons of all nodes; ``machine`` makes the one of a node."""

    def __init__(self, api: Api, nodes_dir: Path, machine: Callable[[NodeView], Machine]) -> None:
        self._api = api
        self._nodes_dir = nodes_dir
        self._machine = machine
        self._machines: dict[str, Machine] = {}

    def serve(self) -> None:
        """Watch the nodes, for ever."""
        self._forget_old_nodes()
        for event in self._api.follow(_NODES):
            if event.change is Change.GONE:
                machine = self._machines.pop(event.name, None)
                if machine is not None:
                    machine.leave()
                continue
            view = NodeView.of(event.object)
            if view.name not in self._machines:
                self._machines[view.name] = self._machine(view)
            self._machines[view.name].see(view)

    def _forget_old_nodes(self) -> None:
        self._nodes_dir.mkdir(parents=True, exist_ok=True)
        present = {item["metadata"]["name"] for item in self._api.insist(_NODES)["items"]}
        for folder in self._nodes_dir.iterdir():
            if folder.is_dir() and folder.name not in present:
                shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run the daemons of the lab whose folder is the first argument."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    facts = Facts.load(sys.argv[1])
    api = Api(facts.kubeconfigs.node_daemon)
    sources = Sources(api, facts.folder)
    NodeDaemon(api, facts.nodes_dir, lambda view: Machine(api, sources, facts.nodes_dir, view)).serve()


if __name__ == "__main__":
    main()
