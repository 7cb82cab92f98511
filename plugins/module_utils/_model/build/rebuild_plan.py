# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a build by a pod has to be made again, and which step of the rebuild is next.

On OpenShift 4.16 and 4.17 an edit of a MachineOSConfig starts no build while a MachineOSBuild for the pool's rendered
config exists, whatever its state. Each step follows from what exists in the cluster, so a run that was killed is
continued by the next one. Source: docs/operator-behavior.md ("Rebuild in v1alpha1").
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ..objects.machineconfigpool import Pool
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MAX_CHARACTERS, MachineOSConfig, containerfile_of, entries_with
from ..objects.resources import Object
from ..objects.timestamp import seconds_between
from ..objects.v1alpha1 import build_name
from .build_objects import BuildPod, Deletion, PodState, builds_of_pool, objects_of_failed_pods
from .current import Origin, origin
from .pod_build import is_built_by_pod

MAX_STARTS = 2
"""How often a run lets the operator start a build whose start fails: an object can have appeared meanwhile."""
MAX_WRITES = 5
"""How often a run writes the spec, because other clients or the operator interfered."""


class RebuildReason(enum.Enum):
    """Why the current build is not the one of the wanted spec. ``{build}`` is the name of the MachineOSBuild."""

    CHANGED = "the spec changes"
    MISSING = "MachineOSBuild {build} does not exist"
    UNPROVEN = "MachineOSBuild {build} may belong to an earlier spec"
    NOT_STARTED = "MachineOSBuild {build} has no pod, so its start failed"
    FAILED = "MachineOSBuild {build} failed"
    LOST = "the pod of MachineOSBuild {build} was deleted before its end"
    OTHER_IMAGE = "the MachineOSConfig does not have the image of MachineOSBuild {build}"


_MOMENTARY = (RebuildReason.LOST, RebuildReason.OTHER_IMAGE)
"""Reasons that also exist for a moment when a build succeeds."""


class Step(enum.Enum):
    """The next step."""

    NOTHING = "nothing"
    SETTLE = "settle"
    """Wait until the operator has had time to react to the last change."""
    CONFIRM = "confirm"
    """Wait, and read again: what was found can be the end of a build that succeeds."""
    PREPARE = "prepare"
    """Check consent, Secrets and rights."""
    PAUSE = "pause"
    CLEAN = "clean"
    """Delete the objects of the builds, and wait until none exists."""
    CLEAN_OTHERS = "clean_others"
    """Delete what is left of failed builds for other rendered configs."""
    WRITE = "write"
    AWAIT_BUILD = "await_build"
    GIVE_UP = "give_up"
    """The operator could not start the build, again."""
    RELEASE = "release"
    """End the pause."""


@dataclass(frozen=True)
class PodBuilds:
    """What exists of the builds of a pool."""

    config: MachineOSConfig
    pool: Pool
    all_builds: tuple[MachineOSBuild, ...]
    pods: tuple[BuildPod, ...] | None
    """The build pods of the pool. None if they were not read, or may not be read."""

    @property
    def builds(self) -> tuple[MachineOSBuild, ...]:
        """The builds of the pool by pods, for any rendered config."""
        return builds_of_pool(self.pool.name, self.all_builds)

    @property
    def build(self) -> MachineOSBuild | None:
        """The build of the pool's rendered config."""
        name = build_name(self.pool.name, self.pool.rendered_config)
        return next((build for build in self.builds if build.name == name), None)

    @property
    def is_by_pods(self) -> bool:
        """Whether single pods build for the MachineOSConfig."""
        return is_built_by_pod(self.config, self.all_builds)

    @property
    def is_published(self) -> bool:
        """Whether the current build succeeded, is proven for the spec, and its image is the one of the nodes."""
        build = self.build
        return build is not None and build.state is BuildState.SUCCEEDED and why_not_current(self) is None


@dataclass(frozen=True)
class RunProgress:
    """What this run did, besides what the cluster shows."""

    is_settled: bool = False
    """Whether the operator has had time to react to the last change."""
    is_confirmed: bool = False
    is_prepared: bool = False
    pauses: bool = False
    """Whether the pool is to be paused during the rebuild."""
    is_clean: bool = False
    """Whether this run deleted the objects of the builds after its last write."""
    cleans_others: bool = True
    """Whether failed pods of other rendered configs are deleted beside a build that needs no rebuild."""
    writes: int = 0
    awaits: bool = False
    """Whether the build of the last write has not been deleted by this run."""
    is_over: bool = False
    """Whether the rest is left to the operator, which has no build controller yet."""


FIRST_PROGRESS = RunProgress()


def next_step(exists: PodBuilds, is_wanted: bool, run: RunProgress = FIRST_PROGRESS) -> Step:
    """Return the next step.

    :param is_wanted: whether a build of the present spec is a build of the wanted one
    :param run: what this run did before
    """
    reason = rebuild_reason(exists, is_wanted)
    if reason is None or run.is_over or (run.awaits and _has_started(exists)):
        return _last_step(exists, run)
    if run.awaits and _is_awaited(exists):
        return Step.AWAIT_BUILD
    if run.writes >= (MAX_STARTS if exists.build and is_start_failed(exists.build) else MAX_WRITES):
        return Step.GIVE_UP
    if not run.is_settled:
        return Step.SETTLE
    if reason in _MOMENTARY and not run.is_confirmed:
        return Step.CONFIRM
    if not run.is_prepared:
        return Step.PREPARE
    if run.pauses and not exists.pool.paused:
        return Step.PAUSE
    if not run.is_clean or exists.build or exists.pods:
        return Step.CLEAN
    return Step.WRITE


def rebuild_reason(exists: PodBuilds, is_wanted: bool) -> RebuildReason | None:
    """Return why a rebuild is needed, or None."""
    return why_not_current(exists) if is_wanted else RebuildReason.CHANGED


def why_not_current(exists: PodBuilds) -> RebuildReason | None:
    """Return why there is no running or published build of the present spec, or None.

    A failure that the conditions of the build show can be that of another pod, so its own pod decides.
    """
    config, build = exists.config, exists.build
    if build is None:
        return RebuildReason.MISSING
    if not is_proven(config, build):
        return RebuildReason.UNPROVEN
    if build.state is BuildState.SUCCEEDED:
        return None if build.is_published_by(config) else RebuildReason.OTHER_IMAGE
    if not build.pod:
        return RebuildReason.NOT_STARTED
    has_failed = build.state in (BuildState.FAILED, BuildState.INTERRUPTED)
    if exists.pods is None:
        return RebuildReason.FAILED if has_failed else None
    pod = next((pod for pod in exists.pods if pod.name == build.pod and not pod.is_deleted), None)
    if pod is None:
        return RebuildReason.FAILED if has_failed else RebuildReason.LOST
    if (seconds_between(build.created, pod.created) or 0.0) < 0:
        return RebuildReason.UNPROVEN  # the operator takes a pod that exists already
    return RebuildReason.FAILED if pod.state is PodState.FAILED else None


def is_proven(config: MachineOSConfig, build: MachineOSBuild) -> bool:
    """Whether a build by a pod was built from the present spec."""
    return build.is_of(config) and origin(config, build) is not Origin.OLDER


def failed_pods_of_others(exists: PodBuilds) -> tuple[Deletion, ...]:
    """Return what is left of failed builds for other rendered configs, as far as it was read."""
    return objects_of_failed_pods(exists.pool.rendered_config, exists.builds, exists.pods or ())


def harmless_change(current: Object) -> dict[str, t.Any]:
    """Return a merge patch of the spec that changes it, and from which the same image is built.

    Line ends at the end of a Containerfile mean nothing.

    :raises ValueError: there is no place for a line end
    """
    content = containerfile_of(current)
    if content.endswith("\n\n") or (len(content) >= MAX_CHARACTERS and content.endswith("\n")):
        changed = content[:-1]
    elif len(content) < MAX_CHARACTERS:
        changed = content + "\n"
    else:
        raise ValueError(f"its Containerfile has {MAX_CHARACTERS} characters, which leaves no place for a line end")
    return {"containerFile": entries_with(current, changed)}


def _last_step(exists: PodBuilds, run: RunProgress) -> Step:
    if run.cleans_others and failed_pods_of_others(exists):
        return Step.CLEAN_OTHERS
    if not exists.pool.marked_for_rebuild:
        return Step.NOTHING
    # The end of the pause lets the operator reboot nodes.
    return Step.RELEASE if run.is_prepared or not exists.pool.paused_for_rebuild else Step.PREPARE


def _has_started(exists: PodBuilds) -> bool:
    """Whether the operator has started a build of the spec that this run wrote, whatever became of it."""
    config, build = exists.config, exists.build
    if config.edit is None:
        return False
    if any(b.is_of(config) and not b.is_pod_build and b.identity not in config.edit.builds for b in exists.all_builds):
        return True  # an early 4.18, which builds with Jobs
    return build is not None and bool(build.pod) and is_proven(config, build)


def _is_awaited(exists: PodBuilds) -> bool:
    """Whether the operator can still start the build of the spec that this run wrote."""
    config, build = exists.config, exists.build
    if config.edit is None:
        return False  # another client has changed the spec since
    if build is None:
        return True
    return is_proven(config, build) and not is_start_failed(build)


def is_start_failed(build: MachineOSBuild) -> bool:
    """Whether the operator recorded the start of a build and started no pod. It never tries again."""
    return bool(build.started) and not build.pod and not build.has_all_conditions
