# SPDX-License-Identifier: GPL-3.0-or-later
"""A simulated API server and build controller that know the truth: the spec each image was built from.

The simulation has the operator's delays and races (docs/operator-behavior.md, "Build identity", "Build states",
"Rebuild request"). Time passes only in :meth:`Operator.advance`. The API server stamps times in whole seconds. The
code under test reads objects as the API serves them, and never the truth.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import heapq
import itertools
import json
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone

from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    MCO,
    REPOSITORY,
    build_conditions,
    machine_config_pool,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.merge_patch import merged

Object = dict[str, t.Any]

CONFIG = "layered"
POOL = "layered"
CURRENT_BUILD = MCO + "current-machine-os-build"
REBUILD = MCO + "rebuild"
MISSPELT = "FROM configs AS final\nRUNN true\n"
"""A Containerfile that the development branch rejects before it makes a Job."""
FAILING = "FROM configs AS final\nRUN false\n"
"""A Containerfile whose build fails."""

EDIT_DELAY = 5.0
"""Seconds between an event and the operator's reaction."""
JOB_DELAY = 5.4
"""Seconds between the creation of a build and its Job."""
STATUS_DELAY = 5.0
"""Seconds between the Job and the first status of the build."""


class Conflict(Exception):
    """The object was changed since it was read, or does not exist."""


@dataclass(frozen=True)
class Release:
    """How a release of the operator behaves."""

    name: str
    annotation_delay: float
    """Seconds between the Job and the annotation that names the build."""
    builds_every_rendered_config: bool
    """Whether a rendered config that needs no new image is built too."""
    executes_missed_rebuild: bool
    """Whether a rebuild request from before the start of the build controller is executed."""
    annotation_moves_generation: bool
    """Whether a change of the annotation is written to ``observedGeneration``."""
    checks_containerfile: bool
    """Whether a misspelt Containerfile fails before a Job exists."""


RELEASES = {
    release.name: release
    for release in (
        Release("4.18", 4.1, True, False, False, False),
        Release("4.19", 1.0, True, False, False, False),
        Release("4.20", 1.4, False, True, False, False),
        Release("main", 0.5, False, True, True, True),
    )
}


@dataclass(frozen=True)
class Circumstances:
    """What differs from cluster to cluster, and decides who wins a race."""

    build_seconds: float = 12.0
    cleanup_delay: float = 0.3
    """Seconds between the creation of a build and the deletion of the builds that it supersedes."""
    publishes_superseded: bool = True
    """Whether a late success is written to the MachineOSConfig when the annotation names a younger build."""
    starts_deleted_build: bool = True
    """Whether a build that was deleted before its start is started nevertheless, and then created again."""
    notices_missed_edit: bool = True
    """Whether a build controller that starts notices an edit from the time when it was not running."""
    interrupts_rebuild: bool = False
    """Whether the delayed cleanup of the build before a rebuild deletes the Job of the new build."""


def stamp(now: float) -> str:
    """Return a time as the API server writes it: in whole seconds."""
    at = datetime(2026, 3, 1, 12, tzinfo=timezone.utc) + timedelta(seconds=int(now))
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def meaning(spec: t.Mapping[str, t.Any]) -> str:
    """Return a text that is equal for two specs from which the same is built: line ends at the end mean nothing."""
    plain = copy.deepcopy(dict(spec))
    for entry in plain.get("containerFile") or []:
        entry["content"] = entry["content"].rstrip("\n")
    return json.dumps(plain, sort_keys=True)


def containerfile_of(config: Object) -> str:
    """Return the Containerfile of a MachineOSConfig."""
    return next((str(entry["content"]) for entry in config["spec"].get("containerFile") or []), "")


def needs_image(rendered: str) -> str:
    """Return the part of a rendered config that requires a new image when it changes: its last letter but one."""
    return rendered[-2]


def is_state(build: Object, *states: str) -> bool:
    """Whether one of the conditions is True."""
    return any(c["type"] in states and c["status"] == "True" for c in build["status"].get("conditions", []))


def is_unfinished(build: Object) -> bool:
    """Whether the operator deletes the build when the next one starts: every build that has not succeeded."""
    return not is_state(build, "Succeeded")


# The API server ------------------------------------------------------------------------------------------------------


class ApiServer:
    """The objects of one pool as the API serves them, and every version that a watch may still show."""

    def __init__(self) -> None:
        self.now = 0.0
        self.config: Object | None = None
        self.builds: dict[str, Object] = {}
        self.pool: Object = machine_config_pool(POOL, rendered="rendered-layered-" + "0" * 30 + "a0")
        self.versions: dict[str, list[tuple[Object, ...]]] = {
            "MachineOSConfig": [()],
            "MachineOSBuild": [()],
            "MachineConfigPool": [(self.pool,)],
        }
        self.writes = 0
        self._owners: dict[tuple[str, str], tuple[str, frozenset[tuple[str, ...]]]] = {}
        """Manager and subresource -> time and fields of its entry in ``metadata.managedFields``."""

    def create_config(self, obj: Object, manager: str) -> Object:
        """Create the MachineOSConfig."""
        if self.config is not None:
            raise Conflict
        self._owners = {(manager, ""): (stamp(self.now), _fields(obj))}
        meta = {**obj["metadata"], "uid": f"config-{self.writes}", "generation": 1}
        return self._store_config({"status": {}, **obj, "metadata": meta})

    def change_config(self, patch: Object, manager: str, subresource: str = "", applied: bool = False) -> Object:
        """Merge a patch into the MachineOSConfig. A ``resourceVersion`` in the patch is a precondition.

        :param applied: whether the client uses server-side apply, which also stamps the removal of its own fields
        """
        old = self.config
        version = (patch.get("metadata") or {}).get("resourceVersion")
        if old is None or version not in (None, old["metadata"]["resourceVersion"]):
            raise Conflict
        new = merged(copy.deepcopy(old), patch)
        if new == old:
            return old
        before, after = _fields(old), _fields(new)
        changed = frozenset(path for path in after if _value(new, path) != _value(old, path))
        self._move_fields((manager, subresource), changed, before - after, applied)
        if new["spec"] != old["spec"]:
            new["metadata"]["generation"] += 1
        return self._store_config(new)

    def delete_config(self) -> None:
        """Delete the MachineOSConfig. The garbage collector deletes its builds at once."""
        self.config = None
        self._saved("MachineOSConfig", ())
        self.builds.clear()
        self._saved("MachineOSBuild", ())

    def put_build(self, build: Object) -> None:
        """Create or replace a MachineOSBuild."""
        build = {**build, "metadata": {**build["metadata"], "resourceVersion": str(self.writes)}}
        self.builds[build["metadata"]["name"]] = build
        self._saved_builds()

    def delete_build(self, name: str) -> None:
        """Delete a MachineOSBuild."""
        del self.builds[name]
        self._saved_builds()

    def render(self, rendered: str) -> None:
        """Give the pool another rendered config."""
        self.pool = copy.deepcopy(self.pool)
        self.pool["spec"]["configuration"]["name"] = rendered
        self._saved("MachineConfigPool", (self.pool,))

    @property
    def rendered(self) -> str:
        """The rendered config of the pool."""
        return str(self.pool["spec"]["configuration"]["name"])

    def list_builds(self) -> list[Object]:
        """Return the builds, sorted by name."""
        return [self.builds[name] for name in sorted(self.builds)]

    def _saved_builds(self) -> None:
        self._saved("MachineOSBuild", tuple(self.list_builds()))

    def _saved(self, kind: str, objects: tuple[Object, ...]) -> None:
        self.writes += 1
        self.versions[kind].append(objects)

    def _store_config(self, config: Object) -> Object:
        config["metadata"]["resourceVersion"] = str(self.writes)
        config["metadata"]["managedFields"] = [
            {
                "manager": manager,
                "operation": "Update",
                "time": time,
                "fieldsV1": _tree(fields),
                **({"subresource": subresource} if subresource else {}),
            }
            for (manager, subresource), (time, fields) in self._owners.items()
        ]
        self.config = config
        self._saved("MachineOSConfig", (config,))
        return config

    def _move_fields(
        self,
        owner: tuple[str, str],
        changed: frozenset[tuple[str, ...]],
        removed: frozenset[tuple[str, ...]],
        applied: bool,
    ) -> None:
        """Give the changed fields to a manager. The API server stamps no update that only removes fields."""
        time, own = self._owners.get(owner, ("", frozenset()))
        is_stamped = bool(changed) or (applied and bool(own & removed))
        others = {
            name: (at, fields - changed - removed) for name, (at, fields) in self._owners.items() if name != owner
        }
        mine = (stamp(self.now) if is_stamped else time, (own - removed) | changed)
        self._owners = {name: entry for name, entry in {**others, owner: mine}.items() if entry[1]}


def _fields(obj: Object) -> frozenset[tuple[str, ...]]:
    spec = {("spec", name) for name in obj.get("spec") or {}}
    notes = {("metadata", "annotations", name) for name in obj["metadata"].get("annotations") or {}}
    status = {("status", name) for name in obj.get("status") or {}}
    return frozenset(spec | notes | status)


def _value(obj: Object, path: tuple[str, ...]) -> t.Any:
    value: t.Any = obj
    for name in path:
        value = (value or {}).get(name)
    return value


def _tree(fields: t.Iterable[tuple[str, ...]]) -> Object:
    tree: Object = {}
    for path in sorted(fields):
        branch = tree
        for name in path:
            branch = branch.setdefault(f"f:{name}", {})
    return tree


# The build controller ------------------------------------------------------------------------------------------------


@dataclass
class Job:
    """A build Job. It runs on when the build controller does not."""

    build: str
    """Name of the build."""
    uid: str
    """UID of the build."""
    ends_at: float
    succeeds: bool


@dataclass
class Truth:
    """What the code under test cannot see."""

    specs: dict[str, str] = field(default_factory=dict)
    """UID of a build -> the meaning of the spec for which the operator made it."""
    images: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Pull spec with digest -> the meaning of the spec, and the rendered config, that the image was built from."""


class Operator:
    """The build controller of one release, and the clock of the simulation."""

    def __init__(self, release: Release, circumstances: Circumstances) -> None:
        self.api = ApiServer()
        self.release = release
        self.circumstances = circumstances
        self.truth = Truth()
        self.jobs: dict[str, Job] = {}
        self.up = True
        self.orphan = False
        """Whether another MachineOSConfig has no pool, so that every sync fails."""
        self.failures = 0
        """How many of the next Jobs fail, whatever they build."""
        self.degraded = False
        """Whether the pool is degraded, so that the operator makes no build."""
        self._tasks: list[tuple[float, int, t.Callable[[], None]]] = []
        self._numbers = itertools.count(1)

    # What happens to the cluster

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.api.now + seconds
        while True:
            job = min(self.jobs.values(), key=lambda job: job.ends_at, default=None)
            at_job = job.ends_at if job else end + 1
            at_task = self._tasks[0][0] if self._tasks else end + 1
            if min(at_job, at_task) > end:
                break
            self.api.now = max(self.api.now, min(at_job, at_task))
            if job and at_job <= at_task:
                self._job_ended(job)
            else:
                heapq.heappop(self._tasks)[2]()
        self.api.now = end

    @property
    def idle(self) -> bool:
        """Whether nothing is left to do."""
        return self.up and not self.orphan and not self._tasks and not self.jobs

    def spec_changed(self) -> None:
        """React to an edit or a new MachineOSConfig after the delay, with the spec that it has now.

        The operator's reaction belongs to the edit, so it ignores what is edited in the meantime.
        """
        config = self.api.config
        self._after(EDIT_DELAY, lambda: self._create_or_reuse(config))

    def rebuild_requested(self) -> None:
        """React to the rebuild annotation after the delay ("Rebuild request")."""
        self._after(EDIT_DELAY, self._handle_rebuild)

    def config_deleted(self) -> None:
        """Forget the builds of a deleted MachineOSConfig."""
        self.jobs.clear()

    def rendered_config_changed(self) -> None:
        """React to another rendered config of the pool after the delay."""
        self._after(EDIT_DELAY, self._handle_rendered_config)

    def build_deleted(self, name: str) -> None:
        """React to the deletion of a build by a user: the Job goes with it, and a named build is made again."""
        self.jobs.pop(name, None)
        self._after(EDIT_DELAY, self._sync_config)

    def job_deleted(self, name: str) -> None:
        """React to the deletion of a Job by a user: its build is interrupted ("Build states")."""
        job = self.jobs.pop(name)
        self._after(EDIT_DELAY, lambda: self._interrupt(job.build, job.uid))

    def stop(self) -> None:
        """Stop the build controller. It forgets what it was about to do."""
        self.up = False
        self._tasks.clear()

    def start(self) -> None:
        """Start the build controller."""
        self.up = True
        self._after(1.0, self._resync)

    def lose_pool_of_another_config(self) -> None:
        """Leave another MachineOSConfig without its pool. The operator's sync fails from now on."""
        self.orphan = True
        self._after(EDIT_DELAY, self._failing_sync)

    # Events of the build controller

    def _after(self, seconds: float, task: t.Callable[[], None]) -> None:
        if self.up:
            heapq.heappush(self._tasks, (self.api.now + seconds, next(self._numbers), task))

    def _sync_config(self) -> None:
        """Make the build of the present spec when the annotation names no build that exists."""
        config = self.api.config
        if config and _named(config) not in self.api.builds:
            self._create_or_reuse(config)

    def _handle_rebuild(self) -> None:
        config = self.api.config
        name = _named(config) if config else ""
        if config is None or REBUILD not in _notes(config) or name not in self.api.builds:
            return
        self.jobs.pop(name, None)
        self.api.delete_build(name)
        self._after(1.0, lambda: self._create_or_reuse(config))

    def _handle_rendered_config(self) -> None:
        """Build the image for a new rendered config, or assign the old image if no new one is needed."""
        config = self.api.config
        if config is None:
            return
        image = config["status"].get("currentImagePullSpec", "")
        name = self._build_name(config)
        old = self.api.builds.get(_named(config))
        if (
            self.release.builds_every_rendered_config
            or not image
            or old is None
            or needs_image(old["spec"]["machineConfig"]["name"]) != needs_image(self.api.rendered)
            or name in self.api.builds
        ):
            self._create_or_reuse(config)
            return
        build = self._new_build(config, name)
        build["status"] = {"conditions": build_conditions("Succeeded"), "digestedImagePushSpec": image}
        self.api.put_build(build)
        self._name_build(name)
        self._publish(name, build["metadata"]["uid"])

    def _resync(self) -> None:
        """Continue after a start: with what the objects show, and with nothing else."""
        config = self.api.config
        for name, build in list(self.api.builds.items()):
            uid = build["metadata"]["uid"]
            if config and not build["status"] and name not in self.jobs:
                self._after(EDIT_DELAY, functools.partial(self._start_build, config, name, uid))
        if config is None:
            return
        if REBUILD in _notes(config) and self.release.executes_missed_rebuild:
            self._after(EDIT_DELAY, self._handle_rebuild)
        if _named(config) not in self.api.builds:
            self._after(EDIT_DELAY, self._sync_config)
        elif self.circumstances.notices_missed_edit:
            self._after(EDIT_DELAY, lambda: self._create_or_reuse(config))
        named = self.api.builds.get(_named(config))
        if named and is_state(named, "Succeeded"):
            uid = named["metadata"]["uid"]
            self._after(EDIT_DELAY, lambda: self._publish(_named(config), uid))

    def _failing_sync(self) -> None:
        """Point the MachineOSConfig to an older succeeded build: every few seconds while the sync fails."""
        succeeded = [b for b in self.api.list_builds() if is_state(b, "Succeeded")]
        if self.api.config is not None and succeeded:
            build = succeeded[int(self.api.now) % len(succeeded)]
            self._name_build(build["metadata"]["name"])
            self._write_status(build)
        if self.orphan:
            self._after(4.0, self._failing_sync)

    # Builds

    def _build_name(self, config: Object) -> str:
        inputs = json.dumps([config["spec"], self.api.rendered], sort_keys=True)
        return f"{CONFIG}-{hashlib.md5(inputs.encode(), usedforsecurity=False).hexdigest()}"

    def _create_or_reuse(self, config: Object | None) -> None:
        """Make the build of a spec, or reuse the build of the same inputs."""
        if config is None or not self._has(config):
            return
        if self.degraded:
            self._after(EDIT_DELAY, lambda: self._create_or_reuse(config))  # until the pool is healthy
            return
        name = self._build_name(config)
        existing = self.api.builds.get(name)
        if existing is None:
            build = self._new_build(config, name)
            uid = build["metadata"]["uid"]
            self.api.put_build(build)
            self._after(self.circumstances.cleanup_delay, lambda: self._delete_superseded(name))
            self._after(JOB_DELAY, lambda: self._start_build(config, name, uid))
        elif is_state(existing, "Succeeded", "Prepared", "Building"):
            self._delete_superseded(name)
            self._name_build(name)
            self._publish(name, existing["metadata"]["uid"])

    def _has(self, config: Object) -> bool:
        present = self.api.config
        return present is not None and present["metadata"]["uid"] == config["metadata"]["uid"]

    def _new_build(self, config: Object, name: str) -> Object:
        uid = f"build-{next(self._numbers)}"
        self.truth.specs[uid] = meaning(config["spec"])
        return {
            "apiVersion": MCO + "v1",
            "kind": "MachineOSBuild",
            "metadata": {
                "name": name,
                "uid": uid,
                "creationTimestamp": stamp(self.api.now),
                "labels": {
                    MCO + "machine-os-config": CONFIG,
                    MCO + "rendered-machine-config": self.api.rendered,
                    MCO + "target-machine-config-pool": POOL,
                },
                "ownerReferences": [
                    {
                        "kind": "MachineOSConfig",
                        "name": CONFIG,
                        "uid": config["metadata"]["uid"],
                        "controller": True,
                        "blockOwnerDeletion": True,
                    }
                ],
            },
            "spec": {
                "machineOSConfig": {"name": CONFIG},
                "machineConfig": {"name": self.api.rendered},
                "renderedImagePushSpec": f"{REPOSITORY}:{name}",
            },
            "status": {},
        }

    def _delete_superseded(self, name: str) -> None:
        """Delete the other builds that have not succeeded, whether they are older or younger."""
        for other, build in list(self.api.builds.items()):
            if other != name and is_unfinished(build):
                self.jobs.pop(other, None)
                self.api.delete_build(other)
                self._after(EDIT_DELAY, self._sync_config)

    def _existing(self, name: str, uid: str) -> Object | None:
        build = self.api.builds.get(name)
        return build if build and build["metadata"]["uid"] == uid else None

    def _start_build(self, config: Object, name: str, uid: str) -> None:
        build = self._existing(name, uid)
        if not self._has(config) or (build is not None and build["status"]):
            return
        if build is None:
            if self.circumstances.starts_deleted_build and name not in self.api.builds:
                self._delete_superseded(name)
                self._name_build(name)
                self._after(STATUS_DELAY, self._sync_config)
            return
        self._delete_superseded(name)
        content = json.loads(self.truth.specs[uid]).get("containerFile") or [{"content": ""}]
        text = content[0]["content"]
        if self.release.checks_containerfile and text == MISSPELT.rstrip("\n"):
            self._write_build(build, {"conditions": build_conditions("Failed")})
            return
        is_broken = text in (MISSPELT.rstrip("\n"), FAILING.rstrip("\n")) or self.failures > 0
        self.failures = max(0, self.failures - 1)
        self.jobs[name] = Job(name, uid, self.api.now + self.circumstances.build_seconds, not is_broken)
        self._after(self.release.annotation_delay, lambda: self._build_started(name, uid))
        self._after(STATUS_DELAY, lambda: self._record_running(name, uid))
        if REBUILD in _notes(self.api.config or {}):
            self._after(self.release.annotation_delay + 1.0, self._remove_request)
            if self.circumstances.interrupts_rebuild:
                self._after(STATUS_DELAY, lambda: self._lose_job(name, uid))

    def _build_started(self, name: str, uid: str) -> None:
        if self._existing(name, uid):
            self._name_build(name)
            self._after(STATUS_DELAY, self._sync_config)

    def _remove_request(self) -> None:
        if self.api.config is not None:
            self.api.change_config({"metadata": {"annotations": {REBUILD: None}}}, "machine-os-builder")

    def _lose_job(self, name: str, uid: str) -> None:
        if self.jobs.get(name) and self.jobs[name].uid == uid:
            self.job_deleted(name)

    def _record_running(self, name: str, uid: str) -> None:
        build = self._existing(name, uid)
        if build and not build["status"]:
            self._write_build(build, {"conditions": build_conditions("Building"), **self._started(name)})

    def _started(self, name: str) -> Object:
        job = {"group": "batch", "resource": "jobs", "name": f"build-{name}"}
        return {"buildStart": stamp(self.api.now), "builder": {"imageBuilderType": "Job", "job": job}}

    def _job_ended(self, job: Job) -> None:
        del self.jobs[job.build]
        if self.up:
            self._record_end(job)
        else:  # the Job is there when the controller starts
            self.jobs[job.build] = Job(job.build, job.uid, self.api.now + 3.0, job.succeeds)

    def _record_end(self, job: Job) -> None:
        build = self._existing(job.build, job.uid)
        if build is None or is_state(build, "Succeeded", "Failed", "Interrupted"):
            return
        status = {**self._started(job.build), **build["status"], "buildEnd": stamp(self.api.now)}
        if not job.succeeds:
            self._write_build(build, {**status, "conditions": build_conditions("Failed")})
            return
        digest = hashlib.sha256(f"{job.uid}".encode()).hexdigest()
        image = f"{REPOSITORY}@sha256:{digest}"
        self.truth.images[image] = (self.truth.specs[job.uid], build["spec"]["machineConfig"]["name"])
        status = {**status, "conditions": build_conditions("Succeeded"), "digestedImagePushSpec": image}
        self._write_build(build, status)
        self._after(EDIT_DELAY, lambda: self._publish(job.build, job.uid))

    def _interrupt(self, name: str, uid: str) -> None:
        build = self._existing(name, uid)
        if build and not is_state(build, "Succeeded", "Failed", "Interrupted"):
            status = {**self._started(name), **build["status"], "buildEnd": stamp(self.api.now)}
            self._write_build(build, {**status, "conditions": build_conditions("Interrupted")})

    def _write_build(self, build: Object, status: Object) -> None:
        self.api.put_build({**build, "status": status})

    # The MachineOSConfig

    def _name_build(self, name: str) -> None:
        config = self.api.config
        if config is None or _named(config) == name:
            return
        self.api.change_config({"metadata": {"annotations": {CURRENT_BUILD: name}}}, "machine-os-builder")
        self._after(EDIT_DELAY, self._sync_config)
        if self.release.annotation_moves_generation:
            status = {"observedGeneration": config["metadata"]["generation"]}
            self.api.change_config({"status": status}, "machine-os-builder", "status")

    def _publish(self, name: str, uid: str) -> None:
        """Write a success to the MachineOSConfig, with the generation of this moment."""
        build, config = self._existing(name, uid), self.api.config
        if build is None or config is None or not is_state(build, "Succeeded"):
            return
        if _named(config) != name and not self.circumstances.publishes_superseded:
            return
        self._name_build(name)
        self._write_status(build)

    def _write_status(self, build: Object) -> None:
        config = self.api.config
        image = build["status"]["digestedImagePushSpec"]
        if config is None or config["status"].get("currentImagePullSpec") == image:
            return  # nothing is written, so observedGeneration stays as it is
        status: Object = {"currentImagePullSpec": image, "observedGeneration": config["metadata"]["generation"]}
        if self.release.annotation_moves_generation:
            status["machineOSBuild"] = {"name": build["metadata"]["name"]}
        self.api.change_config({"status": status}, "machine-os-builder", "status")


def _notes(config: Object) -> t.Mapping[str, str]:
    return (config.get("metadata") or {}).get("annotations") or {}


def _named(config: Object) -> str:
    return _notes(config).get(CURRENT_BUILD, "")
