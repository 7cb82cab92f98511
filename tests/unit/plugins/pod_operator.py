# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated operator of OpenShift 4.16 or 4.17 beside the API server, which builds with single pods.

It has the delays and the faults of the real one (docs/operator-behavior.md, "Rebuild in v1alpha1"). It knows the truth:
the Containerfile from which each image was built. Time passes only while its clock is used: with each request, and
while the session sleeps.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import heapq
import itertools
import json
import typing as t
from datetime import datetime, timedelta, timezone

from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CONFIG_MAP,
    MACHINE_CONFIG_POOL,
    OPERATOR_NAMESPACE,
    POD,
    SECRET,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import MCO, machine_config_pool
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, Request
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    ALL_CONDITIONS,
    NOT_SERVED,
    OLDER_BUILD,
    OLDER_CONFIG,
    machine_os_build,
    machine_os_config,
)

Object = dict[str, t.Any]

POOL = "layered"
REPOSITORY = "registry.example.com/os/layered"
REACTION = 0.07
"""Seconds between a change of a MachineOSConfig and the MachineOSBuild."""
POD_DELAY = 0.4
POD_EVENT = 5.0
"""Seconds between a change of a pod and the reaction to it."""
RECHECK = 60.0
"""Seconds between two reactions to a failed pod."""
GRACE = 30.0
"""Seconds that a deleted pod with a running container takes to end."""
REQUEST = 0.05
"""Seconds that a request takes."""


def rendered(number: int) -> str:
    """Return the name of a rendered config of the pool."""
    return f"rendered-{POOL}-{number:032x}"


class PodOperator:
    """The build controller, the kubelet and the clock of a cluster.

    :param release: 4.16 or 4.17, which differ in the labels of their objects
    """

    def __init__(self, api: ApiServer, release: str = "4.16", build_seconds: float = 12.0) -> None:
        self.api = api
        self.images: dict[str, str] = {}
        """Image -> the Containerfile that it was built from."""
        self.registry_works = True
        self.grace = GRACE
        self.has_nodes = False
        self.unprotected = 0
        """How often the pool was observed with nodes, without its build, and not paused."""
        self._release = release
        self._build_seconds = build_seconds
        self._is_up = False
        self._tasks: list[tuple[float, int, t.Callable[[], None]]] = []
        self._numbers = itertools.count(1)
        self._now = 0.0
        self._texts: dict[str, str] = {}  # uid of a pod -> its Containerfile
        self._known: dict[str, str] = {}  # name of a MachineOSConfig -> its inputs
        self._known_rendered = ""
        api.not_served.update(NOT_SERVED)
        api.graceful.add(POD.plural)
        api.before_each(self._request_comes)
        self.start()

    # What tests do

    def clock(self) -> float:
        """Return the seconds that passed."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Let time pass. The operator notices what changed before, and what it changes itself."""
        end = self._now + seconds
        self._observe()
        while self._tasks and self._tasks[0][0] <= end:
            self._advance(max(self._now, self._tasks[0][0]))
            self._observe()
        self._advance(end)

    def start(self) -> None:
        """Start the build controller, which reads all MachineOSConfigs and all pods."""
        self._is_up = True
        self._known = {c["metadata"]["name"]: _inputs(c) for c in self.api.all_kept(OLDER_CONFIG)}
        for name in self._known:
            self._after(REACTION, functools.partial(self._sync, name))
        for pod in self._pods():
            self._after(POD_EVENT, functools.partial(self._pod_event, pod["metadata"]["uid"]))

    def stop(self) -> None:
        """Stop the build controller. Pods run on."""
        self._is_up = False

    def create(self, text: str, **more: t.Any) -> None:
        """Create the MachineOSConfig as a user does with oc."""
        config = machine_os_config(containerFile=[{"containerfileArch": "noarch", "content": text}], **more)
        config["metadata"].update({"uid": f"config-{next(self._numbers)}", "creationTimestamp": self._stamp()})
        config["metadata"]["managedFields"] = [self._entry("kubectl-create")]
        self.api.keep(OLDER_CONFIG, config)

    def edit(self, text: str) -> None:
        """Change the Containerfile as a user does with oc."""
        config = copy.deepcopy(self.config)
        config["spec"]["buildInputs"]["containerFile"][0]["content"] = text
        config["metadata"]["generation"] += 1
        config["metadata"]["managedFields"] = [*config["metadata"]["managedFields"], self._entry("kubectl-edit")]
        self.api.keep(OLDER_CONFIG, config)

    def render(self, number: int) -> None:
        """Give the pool another rendered config, as after a new MachineConfig."""
        pool = copy.deepcopy(self.pool)
        pool["spec"]["configuration"]["name"] = rendered(number)
        self.api.keep(MACHINE_CONFIG_POOL, pool)

    def evict(self) -> None:
        """Remove the build pods, as the drain of their node does."""
        for pod in self._pods():
            self._drop_pod(pod["metadata"]["uid"])

    @property
    def config(self) -> Object:
        """The MachineOSConfig."""
        return self.api.kept(OLDER_CONFIG, POOL)

    @property
    def pool(self) -> Object:
        """The MachineConfigPool."""
        return self.api.kept(MACHINE_CONFIG_POOL, POOL)

    @property
    def build(self) -> Object | None:
        """The build of the pool's rendered config."""
        return self._build(self._rendered)

    @property
    def state(self) -> str:
        """The condition of this build that is True."""
        return _true(self.build) if self.build else "absent"

    @property
    def left(self) -> list[str]:
        """All build pods and ConfigMaps."""
        maps = self.api.all_kept(CONFIG_MAP, OPERATOR_NAMESPACE)
        return [obj["metadata"]["name"] for obj in (*self._pods(), *maps)]

    @property
    def built(self) -> str:
        """The Containerfile of the image that the nodes get. Empty if there is none."""
        build, image = self.build, self.config["status"].get("currentImagePullspec", "")
        is_ready = build is not None and _true(build) == "Succeeded" and build["status"]["finalImagePullspec"] == image
        return self.images[image] if is_ready else ""

    # Time

    def _request_comes(self, request: Request) -> None:
        self._observe()
        self._advance(self._now + REQUEST)

    def _advance(self, end: float) -> None:
        while self._tasks and self._tasks[0][0] <= end:
            at, dummy, task = heapq.heappop(self._tasks)
            self._now = max(self._now, at)
            self.api.time = self._stamp()
            task()
        self._now = end
        self.api.time = self._stamp()

    def _after(self, seconds: float, task: t.Callable[[], None]) -> None:
        heapq.heappush(self._tasks, (self._now + seconds, next(self._numbers), task))

    def _stamp(self) -> str:
        at = datetime(2026, 3, 1, 12, tzinfo=timezone.utc) + timedelta(seconds=int(self._now))
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def _entry(self, manager: str) -> Object:
        return {"manager": manager, "time": self._stamp(), "fieldsV1": {"f:spec": {"f:buildInputs": {}}}}

    # The build controller

    def _observe(self) -> None:
        """Notice what changed since the last time. The controller hears of no change of a build or deleted pod."""
        if self.has_nodes and self.build is None and not self.pool["spec"].get("paused"):
            self.unprotected += 1
        if not self._is_up:
            return
        present = {c["metadata"]["name"]: _inputs(c) for c in self.api.all_kept(OLDER_CONFIG)}
        for name in present:
            if present[name] != self._known.get(name):
                self._after(REACTION, functools.partial(self._sync, name))
        if self._known.keys() - present.keys():
            self._after(REACTION, self._config_deleted)
        self._known = present
        if self._rendered != self._known_rendered:
            self._known_rendered = self._rendered
            self._after(REACTION, self._pool_changed)

    @property
    def _rendered(self) -> str:
        return str(self.pool["spec"]["configuration"]["name"])

    def _sync(self, name: str) -> None:
        """React to a new or changed MachineOSConfig."""
        if not self._is_up or name not in self._known:
            return
        build = self.build
        if build is None:
            self._create_build()
            return
        conditions = [c for c in build["status"].get("conditions", []) if c["type"] != "Failed"]
        self._write_build(build, {**build["status"], "conditions": [*conditions, _condition("Failed", False)]})

    def _pool_changed(self) -> None:
        if self._is_up and self._known and self.build is None:
            self._create_build()

    def _config_deleted(self) -> None:
        if not self._is_up or self.build is None:
            return
        for pod in self._pods():
            if pod["metadata"]["name"] == f"build-{self._rendered}":
                self._end_pod(pod)
                self._drop_maps(self._rendered, "digest")
        self.api.drop(OLDER_BUILD, self.build["metadata"]["name"])

    def _create_build(self) -> None:
        build = machine_os_build(POOL, self._rendered, true="", uid=f"build-{next(self._numbers)}")
        build["metadata"]["creationTimestamp"] = self._stamp()
        build["status"] = {}
        self.api.keep(OLDER_BUILD, build)
        self._after(POD_DELAY, functools.partial(self._begin, self._rendered, build["metadata"]["uid"]))

    def _begin(self, name: str, uid: str) -> None:
        """Start a build: Secrets, ConfigMaps, the pod, and last the names of Secrets in the MachineOSConfig.

        The controller does not notice that the build was deleted meanwhile.
        """
        if not self._is_up or not self._known:
            return
        inputs = self.config["spec"]["buildInputs"]
        try:
            names = {field: self._usable(inputs[field]["name"]) for field in _SECRETS}
            for kind in ("mc", "dockerfile"):
                self._create_map(f"{kind}-{name}")
        except LookupError:
            started = {"buildStart": self._stamp(), "conditions": [_condition("Failed", False)]}
            self._write_status(name, uid, started)
            return
        if not any(pod["metadata"]["name"] == f"build-{name}" for pod in self._pods()):
            self._start_pod(name, inputs["containerFile"][0]["content"].rstrip("\n"))
        reference = machine_os_build(POOL, name, true="Prepared")["status"]["builderReference"]
        status = {"buildStart": self._stamp(), "builderReference": reference, "conditions": _conditions("Prepared")}
        self._write_status(name, uid, status)
        self._rewrite(names)

    def _usable(self, name: str) -> str:
        """Return the Secret that a build uses: of one with the old layout, the copy."""
        secrets = {s["metadata"]["name"]: s for s in self.api.all_kept(SECRET, OPERATOR_NAMESPACE)}
        if secrets[name]["type"] != "kubernetes.io/dockercfg":
            return name
        copied = copy.deepcopy(secrets[name])
        copied["type"] = "kubernetes.io/dockerconfigjson"
        copied["metadata"].update({"name": f"{name}-canonical", "labels": {MCO + "canonicalizedSecret": ""}})
        self.api.keep(SECRET, copied)
        return f"{name}-canonical"

    def _rewrite(self, names: t.Mapping[str, str]) -> None:
        config = copy.deepcopy(self.config)
        for field, name in names.items():
            config["spec"]["buildInputs"][field] = {"name": name}
        if config["spec"] != self.config["spec"]:
            config["metadata"]["generation"] += 1
            config["metadata"]["managedFields"].append(self._entry("machine-os-builder"))
            self.api.keep(OLDER_CONFIG, config)
            self._known[POOL] = _inputs(config)

    def _pod_event(self, uid: str) -> None:
        """React to a change of any pod. Its state is booked to the build of the pool's rendered config."""
        pod = self._pod(uid)
        if not self._is_up or pod is None:
            return
        build = self.build
        if build is None or _is_failed(pod):
            self._after(RECHECK, functools.partial(self._pod_event, uid))
        if build is None:
            return
        if _is_failed(pod):
            self._write_build(build, {**build["status"], "conditions": _conditions("Failed")})
        elif pod["status"]["phase"] == "Succeeded":
            self._record_success(pod, build)
        elif _true(build) not in ("Building", "Succeeded"):
            self._write_build(build, {**build["status"], "conditions": _conditions("Building")})

    def _record_success(self, pod: Object, build: Object) -> None:
        name = build["spec"]["desiredConfig"]["name"]
        maps = {m["metadata"]["name"]: m for m in self.api.all_kept(CONFIG_MAP, OPERATOR_NAMESPACE)}
        digest = maps.get(f"digest-{name}")
        if digest is None:
            self._after(RECHECK, functools.partial(self._pod_event, pod["metadata"]["uid"]))
            return
        self._drop_pod(pod["metadata"]["uid"])
        self._drop_maps(name, "mc", "dockerfile", "digest")
        image = digest["data"]["digest"]
        self.api.keep(OLDER_CONFIG, {**self.config, "status": {"currentImagePullspec": image}})
        self._after(0.01, functools.partial(self._write_success, name, build["metadata"]["uid"], image))

    def _write_success(self, name: str, uid: str, image: str) -> None:
        self._write_status(name, uid, {"conditions": _conditions("Succeeded"), "finalImagePullspec": image})

    # Pods

    def _start_pod(self, name: str, text: str) -> None:
        uid = f"pod-{next(self._numbers)}"
        meta = {"name": f"build-{name}", "namespace": OPERATOR_NAMESPACE, "uid": uid, "labels": self._labels(name)}
        pod = {"metadata": {**meta, "creationTimestamp": self._stamp()}, "spec": {}, "status": {"phase": "Pending"}}
        self._texts[uid] = text
        self.api.keep(POD, pod)
        self._after(1.0, lambda: self._set_pod(uid, {"phase": "Running", "containerStatuses": [_container()]}))
        self._after(self._build_seconds, lambda: self._end_build(uid, name))

    def _end_build(self, uid: str, name: str) -> None:
        if self._pod(uid) is None:
            return
        has_digest = f"digest-{name}" in self.left  # the pod cannot create it then
        if "false" in self._texts[uid] or not self.registry_works or has_digest:
            self._set_pod(uid, {"phase": "Running", "containerStatuses": [_container(exit_code=7), _container()]})
            return
        image = f"{REPOSITORY}@sha256:{hashlib.sha256(uid.encode()).hexdigest()}"
        self.images[image] = self._texts[uid]
        labels = self._labels(name) if self._release != "4.16" else {}
        self.api.keep(CONFIG_MAP, _config_map(f"digest-{name}", labels, {"digest": image}))
        self._set_pod(uid, {"phase": "Succeeded", "containerStatuses": [_container(exit_code=0)]})

    def _set_pod(self, uid: str, status: Object) -> None:
        pod = self._pod(uid)
        if pod is not None:
            self.api.keep(POD, {**pod, "status": status})
            self._after(POD_EVENT, lambda: self._pod_event(uid))

    def _end_pod(self, pod: Object) -> None:
        meta = {**pod["metadata"], "deletionTimestamp": self._stamp()}
        self.api.keep(POD, {**pod, "metadata": meta})

    def _pods(self) -> list[Object]:
        """Return the pods, without those whose grace period is over."""
        for pod in self.api.all_kept(POD, OPERATOR_NAMESPACE):
            deleted = pod["metadata"].get("deletionTimestamp")
            if deleted and self._age(deleted) >= (self.grace if pod["status"]["phase"] == "Running" else 1.0):
                self.api.drop(POD, pod["metadata"]["name"], OPERATOR_NAMESPACE)
        return self.api.all_kept(POD, OPERATOR_NAMESPACE)

    def _age(self, stamp: str) -> float:
        began = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
        return self._now - (datetime.fromisoformat(stamp.replace("Z", "+00:00")) - began).total_seconds()

    def _pod(self, uid: str) -> Object | None:
        return next((pod for pod in self._pods() if pod["metadata"]["uid"] == uid), None)

    def _drop_pod(self, uid: str) -> None:
        pod = self._pod(uid)
        if pod is not None:
            self.api.drop(POD, pod["metadata"]["name"], OPERATOR_NAMESPACE)

    # Objects

    def _build(self, name: str) -> Object | None:
        builds = {b["metadata"]["name"]: b for b in self.api.all_kept(OLDER_BUILD)}
        return builds.get(f"{POOL}-{name}-builder")

    def _write_status(self, name: str, uid: str, status: Object) -> None:
        """Add to the status of a build, if it still exists."""
        build = self._build(name)
        if build is not None and build["metadata"]["uid"] == uid:
            self._write_build(build, {**build["status"], **status})

    def _write_build(self, build: Object, status: Object) -> None:
        self.api.keep(OLDER_BUILD, {**build, "status": status})

    def _labels(self, name: str) -> dict[str, str]:
        if self._release == "4.16":
            values = {"buildPod": "", "desiredConfig": name, "targetMachineConfigPool": POOL}
        else:
            values = {"on-cluster-layering": "", "ephemeral-build-object": "", "rendered-machine-config": name}
            values["target-machine-config-pool"] = POOL
        return {MCO + label: value for label, value in values.items()}

    def _create_map(self, name: str) -> None:
        """Create a ConfigMap.

        :raises LookupError: it exists
        """
        if name in self.left:
            raise LookupError(name)
        self.api.keep(CONFIG_MAP, _config_map(name, self._labels(name.partition("-")[2]), {}))

    def _drop_maps(self, name: str, *kinds: str) -> None:
        for kind in kinds:
            if f"{kind}-{name}" in self.left:
                self.api.drop(CONFIG_MAP, f"{kind}-{name}", OPERATOR_NAMESPACE)


_SECRETS = ("baseImagePullSecret", "renderedImagePushSecret")


def cluster(api: ApiServer, release: str = "4.16") -> PodOperator:
    """Return the operator of a cluster with a pool and the Secrets of its MachineOSConfig."""
    api.keep(MACHINE_CONFIG_POOL, *(machine_config_pool(name, rendered=rendered(1)) for name in ("worker", POOL)))
    for name in ("global-pull-secret-copy", "os-push", "os-pull"):
        keep_secret(api, name)
    return PodOperator(api, release)


def keep_secret(api: ApiServer, name: str, kind: str = "kubernetes.io/dockerconfigjson") -> None:
    """Create a Secret of the operator."""
    meta = {"name": name, "namespace": OPERATOR_NAMESPACE, "uid": f"uid-of-{name}"}
    api.keep(SECRET, {"metadata": meta, "type": kind, "data": {}})


def _inputs(config: Object) -> str:
    return json.dumps(config["spec"]["buildInputs"], sort_keys=True)


def _true(build: Object) -> str:
    conditions = build["status"].get("conditions", [])
    return next((c["type"] for c in conditions if c["status"] == "True"), "")


def _conditions(true: str) -> list[Object]:
    return [_condition(kind, kind == true) for kind in ALL_CONDITIONS]


def _condition(kind: str, is_true: bool) -> Object:
    return {"type": kind, "status": "True" if is_true else "False"}


def _container(exit_code: int | None = None) -> Object:
    state = {"running": {}} if exit_code is None else {"terminated": {"exitCode": exit_code}}
    return {"name": "image-build", "state": state}


def _is_failed(pod: Object) -> bool:
    statuses = pod["status"].get("containerStatuses", [])
    return any(c["state"].get("terminated", {}).get("exitCode") for c in statuses)


def _config_map(name: str, labels: t.Mapping[str, str], data: t.Mapping[str, str]) -> Object:
    return {"metadata": {"name": name, "namespace": OPERATOR_NAMESPACE, "labels": dict(labels)}, "data": dict(data)}
