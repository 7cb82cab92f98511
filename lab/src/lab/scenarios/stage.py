# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of a scenario: one lab, one pool, one node, and access to their objects."""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

from lab.api_time import now
from lab.build import OPERATOR_NAMESPACE
from lab.components import components
from lab.errors import LabError
from lab.facts import Facts
from lab.kube_rest import Api, ApiError
from lab.node_annotations import PREFIX
from lab.supervision import State, Supervisor

GROUP = "machineconfiguration.openshift.io"
POOLS = f"/apis/{GROUP}/v1/machineconfigpools"
CONFIGS = f"/apis/{GROUP}/v1/machineosconfigs"
BUILDS = f"/apis/{GROUP}/v1/machineosbuilds"
NODES = "/api/v1/nodes"
JOBS = f"/apis/batch/v1/namespaces/{OPERATOR_NAMESPACE}/jobs"
PODS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"
SECRETS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets"
CURRENT_BUILD = f"{PREFIX}current-machine-os-build"
_BUILDER = "openshift:machine-os-builder"
_PATIENCE = 300.0
Found = TypeVar("Found")
BEFORE = "lab.imagemode.openshift/before"
"""The annotation that keeps the previous content of an object for the undo."""


@dataclass(frozen=True)
class Stage:
    """One lab; ``pool`` and ``chosen_node`` are what the command's options name."""

    facts: Facts
    api: Api
    pool: str
    chosen_node: str = ""

    def evict_builder(self) -> None:
        """Kill machine-os-builder; its Deployment starts another."""
        if self._builder_state() is State.RUNNING:
            self._supervisor.kill(_BUILDER)

    def stop_builder(self) -> None:
        """Stop machine-os-builder for good, as an operator does that does not start it."""
        if self._builder_state() in (State.RUNNING, State.STARTING, State.BACKING_OFF):
            self._supervisor.stop(_BUILDER)

    def start_builder(self) -> None:
        """Start machine-os-builder if it is stopped."""
        if self._builder_state() is State.STOPPED:
            # The folder of manifests is for other components' command lines.
            parts = components(self.facts, self.facts.folder)
            self._supervisor.start(next(part for part in parts if f"{part.tier}:{part.name}" == _BUILDER))

    @contextlib.contextmanager
    def builder_away(self) -> Iterator[None]:
        """Stop machine-os-builder for as long as objects are written that it is to find, not to watch come into being.

        It would answer each step, five seconds later: a build without conditions gets a Job, and one that becomes
        Succeeded is written into its MachineOSConfig.
        """
        was_there = self._builder_state() is not State.STOPPED
        self.stop_builder()
        try:
            yield
        finally:
            if was_there:
                self.start_builder()

    def _builder_state(self) -> State:
        return self._supervisor.states()[_BUILDER.partition(":")[2]].state

    @cached_property
    def _supervisor(self) -> Supervisor:
        return Supervisor.of(self.facts)

    @cached_property
    def node(self) -> str:
        """The node: the chosen one, else the first of the pool, else the first worker."""
        if self.chosen_node:
            self.read(NODES, "Node", self.chosen_node)
            return self.chosen_node
        members = self.members()
        return members[0] if members else "worker-0"

    def members(self) -> list[str]:
        """The nodes of the pool, by name."""
        selector = self.read(POOLS, "MachineConfigPool", self.pool)["spec"]["nodeSelector"]["matchLabels"]
        chosen = ",".join(f"{key}={value}" for key, value in selector.items())
        return sorted(item["metadata"]["name"] for item in self.api.get(NODES, labelSelector=chosen)["items"])

    def role(self, pool: str = "") -> str:
        """The label that puts a node into a pool."""
        return f"node-role.kubernetes.io/{pool or self.pool}"

    def read(self, path: str, kind: str, name: str) -> dict[str, Any]:
        """Return an object. Raises LabError if it does not exist."""
        found = self.find(path, name)
        if found is None:
            raise LabError(f"Could not play on {kind} {name}: it does not exist. Create it first, or name another.")
        return found

    def find(self, path: str, name: str) -> dict[str, Any] | None:
        """Return an object, or None."""
        return self.api.find(path, name)

    def remove(self, path: str, name: str) -> bool:
        """Delete an object and its dependents, as `oc delete` does. Return False if it did not exist."""
        return self.api.remove(path, f"{name}?propagationPolicy=Background")

    def wait_for(self, what: str, value: Callable[[], Found]) -> Found:
        """Return the first true value, which is read ten times a second. Raises LabError if none comes."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := value()):
            if time.monotonic() > deadline:
                raise LabError(f"Could not play on: no {what} within {_PATIENCE:.0f} s. See 'lab logs'.")
            time.sleep(0.1)
        return found

    def ensure(self, path: str, body: Mapping[str, Any]) -> None:
        """Create an object, unless it exists."""
        try:
            self.api.create(path, body)
        except ApiError as error:
            if error.status != 409:
                raise

    def ensure_pool(self, pool: str = "", **spec: Any) -> None:
        """Create the custom pool as documented for OpenShift, unless it exists."""
        name = pool or self.pool
        roles = {"key": f"{GROUP}/role", "operator": "In", "values": ["worker", name]}
        self.ensure(
            POOLS,
            {
                "apiVersion": f"{GROUP}/v1",
                "kind": "MachineConfigPool",
                "metadata": {"name": name},
                "spec": {
                    "machineConfigSelector": {"matchExpressions": [roles]},
                    "nodeSelector": {"matchLabels": {self.role(name): ""}},
                    **spec,
                },
            },
        )

    def config(self) -> dict[str, Any]:
        """Return the MachineOSConfig of the pool. Raises LabError if it does not exist."""
        return self.read(CONFIGS, "MachineOSConfig", self.pool)

    def apply_config(self, *lines: str, **spec: Any) -> str:
        """Have the pool's image built from these lines: change its MachineOSConfig, or create it and the pool.

        What the spec was before is kept on the object. Returns what was done.
        """
        self.ensure_pool()
        present = self.find(CONFIGS, self.pool)
        content = "\n".join(["FROM configs AS final", *lines]) + "\n"
        wanted = {
            "machineConfigPool": {"name": self.pool},
            "imageBuilder": {"imageBuilderType": "Job"},
            "renderedImagePushSecret": {"name": "push"},
            "renderedImagePushSpec": f"{self.facts.registry_host}/lab/{self.pool}:latest",
            **({} if present is None else present["spec"]),
            "containerFile": [{"containerfileArch": "NoArch", "content": content}],
            **spec,
        }
        if present is None:
            body = {"apiVersion": f"{GROUP}/v1", "kind": "MachineOSConfig", "metadata": {"name": self.pool}}
            self.api.create(CONFIGS, {**body, "spec": wanted})
            return f"created MachineOSConfig {self.pool}"
        before = present["metadata"].get("annotations", {}).get(BEFORE) or json.dumps(present["spec"])
        self.api.patch(f"{CONFIGS}/{self.pool}", {"metadata": {"annotations": {BEFORE: before}}, "spec": wanted})
        return f"changed MachineOSConfig {self.pool}"

    def restore_config(self) -> str:
        """Give the pool's MachineOSConfig the spec back that it had, or delete one that a scenario created."""
        present = self.config()
        before = present["metadata"].get("annotations", {}).get(BEFORE)
        if before is None:
            self.api.delete(f"{CONFIGS}/{self.pool}")
            return f"deleted MachineOSConfig {self.pool}"
        self.api.patch(
            f"{CONFIGS}/{self.pool}", {"metadata": {"annotations": {BEFORE: None}}, "spec": json.loads(before)}
        )
        return f"gave MachineOSConfig {self.pool} its spec back"

    def named_build(self) -> str:
        """Return the name of the build in the annotation of the MachineOSConfig, or an empty string."""
        return str(self.config()["metadata"].get("annotations", {}).get(CURRENT_BUILD, ""))

    def current_build(self) -> dict[str, Any]:
        """Return the build that the MachineOSConfig names. Raises LabError if it does not exist."""
        name = self.named_build()
        if not name:
            raise LabError(
                f"Could not find the build of MachineConfigPool {self.pool}: its MachineOSConfig names none yet. "
                "Wait until its Job exists, about ten seconds."
            )
        return self.read(BUILDS, "MachineOSBuild", name)

    def builds(self) -> list[dict[str, Any]]:
        """Return the builds of the pool's MachineOSConfig, the oldest first."""
        found = self.api.get(BUILDS, labelSelector=f"{PREFIX}machine-os-config={self.pool}")["items"]
        return sorted(found, key=lambda build: str(build["metadata"]["creationTimestamp"]))

    def write_build(self, name: str, status: Mapping[str, Any], labels: Mapping[str, str] | None = None) -> None:
        """Create a build for the pool's present rendered config beside the operator's own, with a status.

        Only while the builder is away.
        """
        config = self.config()
        rendered = self.read(POOLS, "MachineConfigPool", self.pool)["spec"]["configuration"]["name"]
        repository = config["spec"]["renderedImagePushSpec"].rpartition(":")[0]
        owner = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "MachineOSConfig",
            "name": self.pool,
            "uid": config["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
        marks = {
            f"{PREFIX}machine-os-config": self.pool,
            f"{PREFIX}rendered-machine-config": rendered,
            f"{PREFIX}target-machine-config-pool": self.pool,
            **(labels or {}),
        }
        self.ensure(
            BUILDS,
            {
                "apiVersion": f"{GROUP}/v1",
                "kind": "MachineOSBuild",
                "metadata": {"name": name, "labels": marks, "ownerReferences": [owner]},
                "spec": {
                    "machineConfig": {"name": rendered},
                    "machineOSConfig": {"name": self.pool},
                    "renderedImagePushSpec": f"{repository}:{name}",
                },
            },
        )
        self.api.patch(f"{BUILDS}/{name}/status", {"status": dict(status)})

    def pull_secret(self) -> dict[str, Any]:
        """The nodes' pull secret as the registry's users know it."""
        content = self.facts.registry_auth_files.puller.read_bytes()
        parsed: dict[str, Any] = json.loads(content)
        return parsed

    def write_secret(self, path: str, name: str, auths: Mapping[str, Any]) -> None:
        """Create a pull or push secret, or change the one of that name."""
        data = {".dockerconfigjson": base64.b64encode(json.dumps(auths).encode()).decode()}
        if self.find(path, name) is not None:
            self.api.patch(f"{path}/{name}", {"data": data})
            return
        body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
        self.api.create(path, {**body, "metadata": {"name": name}, "data": data})

    def refused_login(self) -> dict[str, Any]:
        """Return credentials that the registry of the lab denies."""
        auth = base64.b64encode(b"pusher:expired").decode()
        return {"auths": {self.facts.registry_host: {"auth": auth}}}


def is_true(build: Mapping[str, Any], condition: str) -> bool:
    """Whether a condition of a build is True."""
    conditions = build.get("status", {}).get("conditions", [])
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)


_REASONS = {"Succeeded": "Ready"}
_MESSAGES = {
    "Prepared": "Build Prepared and Pending",
    "Building": "Image Build In Progress",
    "Failed": "Build Failed",
    "Interrupted": "Build Interrupted",
    "Succeeded": "Build Ready",
}


def build_conditions(true: str, reason: str = "", message: str = "") -> list[dict[str, Any]]:
    """The five conditions of a build of which one is true; its reason and message, where they are not the usual."""
    moment = now()
    return [
        {
            "type": kind,
            "status": "True" if kind == true else "False",
            "reason": (reason if kind == true else "") or _REASONS.get(kind, kind),
            "message": (message if kind == true else "") or usual,
            "lastTransitionTime": moment,
        }
        for kind, usual in _MESSAGES.items()
    ]
