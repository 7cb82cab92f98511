# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate the current build of a MachineOSConfig: pending, running, succeeded or failed.

A build has succeeded when the MachineOSConfig has its digest. While the current build is missing or not proven, a
replacement may still appear. It gets a grace period; then the pending reason becomes the failure.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ..findings import Finding, FindingId
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import MACHINE_OS_BUILD, MACHINE_OS_CONFIG, ObjectRef
from ..observation import Outcome
from ..registry.push_spec import why_pool_would_hang, why_push_would_hang
from .current import BuildMatch, CurrentBuild, current_build, image_is_current
from .pending_build import BuildProgress, EditedBuild, PendingBuild, pending_progress
from .pod_build import is_built_by_pod
from .pod_progress import deleted_pod_build, evaluate_pod_build
from .run_spec import RunSpec
from .seeded import seeded_findings


@dataclass(frozen=True)
class BuildTracking:
    """What a wait remembers of the build from one observation to the next."""

    pending: PendingBuild | None = None
    pending_seconds: float = 0.0
    """For how long the current build has been missing for the same reason."""
    observed_at: float = 0.0
    """Time of the last observation, in watched seconds (``Snapshot.watched``)."""
    before_rebuild: str = ""
    """Identity of the build that existed when a rebuild was requested, or an empty text."""
    after_edit: EditedBuild | None = None
    """The latest build that was observed after an edit, which may be deleted since."""

    def after(self, progress: BuildProgress, watched: float, resumed: bool) -> BuildTracking:
        """Return the tracking after an observation.

        The time between two module calls does not count: the cluster was not watched, so the state at its end may be
        over already.

        :param watched: ``Snapshot.watched``
        :param resumed: ``Snapshot.resumed``
        """
        passed = 0.0 if resumed else max(0.0, watched - self.observed_at)
        is_same = progress.pending is not None and progress.pending == self.pending
        seconds = self.pending_seconds + passed if is_same else 0.0
        return BuildTracking(
            progress.pending, seconds, watched, self._before_rebuild(progress), progress.after_edit or self.after_edit
        )

    def _before_rebuild(self, progress: BuildProgress) -> str:
        """Return the build before the requested rebuild. It is forgotten once another build exists."""
        if progress.awaits_rebuild_of or progress.build is None:
            return progress.awaits_rebuild_of or self.before_rebuild
        return self.before_rebuild if progress.build.identity == self.before_rebuild else ""


def bound_to_image(run: RunSpec, config: MachineOSConfig, progress: BuildProgress) -> BuildProgress:
    """Return the progress of a run: a success with another image than the one of the run is none."""
    build = progress.build
    why_not = run.other_image(config.current_image_pull_spec)
    if progress.outcome is not Outcome.SUCCEEDED or build is None or not why_not:
        return progress
    finding = Finding(FindingId.BUILD_IDENTITY_UNVERIFIED, ObjectRef(MACHINE_OS_CONFIG.name, config.name), why_not)
    line = f"MachineOSConfig {config.name}: has another image than this run built"
    return pending_progress(BuildState.PENDING, build, finding, line, build)


FIRST_TRACKING = BuildTracking()
"""What a wait knows before its first observation."""


def build_progress(
    config: MachineOSConfig,
    builds: t.Collection[MachineOSBuild],
    rendered_config: str,
    pushed: str = "",
    tracking: BuildTracking = FIRST_TRACKING,
) -> BuildProgress:
    """Evaluate the current build.

    :param rendered_config: the rendered MachineConfig of the pool's spec
    :param pushed: identity of a build whose builder succeeded, so that its image is in the registry
    :param tracking: what earlier observations of the same wait found
    """
    edited = EditedBuild(config.generation, rendered_config)
    was_observed = tracking.after_edit == edited
    current = current_build(config, builds, rendered_config, was_observed)
    if is_built_by_pod(config, builds):
        progress = _evaluate_pod_build(config, current, builds, rendered_config, was_observed)
    else:
        # The operator may remove the request for a rebuild before the new build exists.
        progress = _evaluate(config, current, rendered_config, pushed, tracking.before_rebuild)
    return replace(progress, after_edit=edited) if current.created_after_edit else progress


def _evaluate_pod_build(
    config: MachineOSConfig,
    current: CurrentBuild,
    builds: t.Collection[MachineOSBuild],
    rendered_config: str,
    was_observed: bool,
) -> BuildProgress:
    if current.build is not None:
        return evaluate_pod_build(config, current, builds)
    return deleted_pod_build(config, rendered_config) if was_observed else _not_started(config, rendered_config)


def _evaluate(
    config: MachineOSConfig, current: CurrentBuild, rendered_config: str, pushed: str, before_rebuild: str
) -> BuildProgress:
    build = current.build
    if build is None and config.current_build and not _is_before_edit(config):
        return _deleted(config)
    if current.match is BuildMatch.NONE_YET or build is None:
        return _not_started(config, rendered_config)
    if current.match is BuildMatch.UNPROVEN:
        return _unproven(config, build)
    if current.match is BuildMatch.UNSETTLED:
        return _unsettled(config, build)
    if build.state.ended:
        return _evaluate_ended(config, current, build, before_rebuild)
    if build.identity == pushed:
        return _not_recorded(config, build)
    return BuildProgress(Outcome.WAITING, build.state, build, (), f"build {build.name}: {_STATE_LINE[build.state]}")


def _evaluate_ended(
    config: MachineOSConfig, current: CurrentBuild, build: MachineOSBuild, before_rebuild: str
) -> BuildProgress:
    if build.state is BuildState.INTERRUPTED:  # it may be the rebuild itself, while the request still exists
        return _interrupted(build)
    if config.rebuild_requested or build.identity == before_rebuild:
        return _rebuild_requested(config, build)
    if build.state is BuildState.FAILED:
        failed = Finding(FindingId.BUILD_FAILED, _ref(build), f"MachineOSBuild {build.name} failed")
        return BuildProgress(Outcome.FAILED, build.state, build, (failed,), f"build {build.name}: failed")
    if current.match is BuildMatch.OLDER_IMAGE:
        return _older_image(config, build)
    if image_is_current(config, current):
        how = "seeded, not built from the Containerfile" if build.seeded else "succeeded"
        line = f"build {build.name}: {how}, {build.digested_image_push_spec}"
        return BuildProgress(Outcome.SUCCEEDED, build.state, build, seeded_findings(build), line)
    return _not_published(config, build)


def _is_before_edit(config: MachineOSConfig) -> bool:
    """Whether the build that the operator names existed before our edit. It is deleted if it had not ended."""
    builds = config.edit.builds if config.edit else frozenset()
    proven = {proven.build.partition("/")[0] for proven in config.proven_builds}
    return config.current_build in {identity.partition("/")[0] for identity in builds} - proven


_STATE_LINE = {
    BuildState.PENDING: "waiting for its Job",
    BuildState.PREPARING: "preparing",
    BuildState.BUILDING: "building",
}


def _ref(build: MachineOSBuild) -> ObjectRef:
    return ObjectRef(MACHINE_OS_BUILD.name, build.name)


def _not_started(config: MachineOSConfig, rendered_config: str) -> BuildProgress:
    ref = ObjectRef(MACHINE_OS_CONFIG.name, config.name)
    too_long = why_pool_would_hang(config.pool)
    if too_long:
        reason = FindingId.BUILD_POOL_NAME_TOO_LONG
        finding = Finding(reason, ref, f"MachineOSConfig {config.name} cannot be built: {too_long}")
        pending = PendingBuild(reason)
        return BuildProgress(Outcome.FAILED, BuildState.PENDING, None, (finding,), too_long, pending)
    missing = "the operator has started no build yet" if rendered_config else "its pool is not rendered yet"
    line = f"MachineOSConfig {config.name}: {missing}"
    finding = Finding(FindingId.BUILD_NOT_STARTED, ref, line)
    pending = PendingBuild(FindingId.BUILD_NOT_STARTED, rendered_config)
    return BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (finding,), line, pending)


def _deleted(config: MachineOSConfig) -> BuildProgress:
    """Evaluate a named build that does not exist: normal for some seconds while it is replaced."""
    name = config.current_build
    ref = ObjectRef(MACHINE_OS_BUILD.name, name)
    finding = Finding(FindingId.BUILD_DELETED, ref, f"MachineOSBuild {name} was deleted and not replaced")
    return pending_progress(BuildState.PENDING, None, finding, f"build {name}: deleted, waiting for a replacement")


def _unproven(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    by = f" by {config.spec_changed_by}" if config.spec_changed_by else ""
    message = (
        f"MachineOSBuild {build.name} ({build.state.value}) is not younger than the last change of MachineOSConfig "
        f"{config.name}{by}, so it may belong to an earlier spec"
    )
    line = f"MachineOSConfig {config.name}: waiting for the build of its present spec"
    finding = Finding(FindingId.BUILD_IDENTITY_UNVERIFIED, _ref(build), message)
    return pending_progress(BuildState.PENDING, None, finding, line, build)


def _unsettled(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = (
        f"MachineOSBuild {build.name} ({build.state.value}) can belong to an earlier spec: the operator had not "
        f"reacted to the specs before when MachineOSConfig {config.name} was changed"
    )
    line = f"build {build.name}: {build.state.value}, waiting for a build that is certainly one of the present spec"
    finding = Finding(FindingId.BUILD_IDENTITY_UNVERIFIED, _ref(build), message)
    return pending_progress(BuildState.PENDING, None, finding, line, build)


def _older_image(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = (
        f"MachineOSBuild {build.name} has the image of an earlier spec of MachineOSConfig {config.name}, which the "
        "operator took over without a build"
    )
    line = f"build {build.name}: has the image of an earlier spec, waiting for a build"
    finding = Finding(FindingId.BUILD_IDENTITY_UNVERIFIED, _ref(build), message)
    return pending_progress(BuildState.PENDING, None, finding, line, build)


def _rebuild_requested(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = f"the requested rebuild of MachineOSBuild {build.name} has not started"
    line = f"MachineOSConfig {config.name}: waiting for the requested rebuild to start"
    finding = Finding(FindingId.BUILD_REBUILD_NOT_STARTED, ObjectRef(MACHINE_OS_CONFIG.name, config.name), message)
    return pending_progress(BuildState.PENDING, None, finding, line, build)


def _interrupted(build: MachineOSBuild) -> BuildProgress:
    finding = Finding(FindingId.BUILD_INTERRUPTED, _ref(build), f"MachineOSBuild {build.name} was interrupted")
    return pending_progress(
        build.state, build, finding, f"build {build.name}: interrupted, waiting for a replacement", build
    )


def _not_published(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    """Evaluate a build that succeeded while the MachineOSConfig has another image, which is normal for some seconds."""
    image = config.current_image_pull_spec or "no image"
    message = f"MachineOSBuild {build.name} succeeded, and the status of MachineOSConfig {config.name} has {image}"
    finding = Finding(FindingId.BUILD_NOT_PUBLISHED, ObjectRef(MACHINE_OS_CONFIG.name, config.name), message)
    line = f"build {build.name}: image pushed, waiting for the operator to publish it"
    return pending_progress(build.state, build, finding, line, build)


def _not_recorded(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    why_not = why_push_would_hang(config.rendered_image_push_spec)
    message = f"MachineOSBuild {build.name} pushed its image and is still {build.state.value}"
    message = f"{message}: {why_not}" if why_not else message
    finding = Finding(FindingId.BUILD_RESULT_NOT_RECORDED, _ref(build), message)
    line = f"build {build.name}: image pushed, waiting for the operator to record it"
    pending = pending_progress(build.state, build, finding, line, build)
    return pending.after(0.0, grace=0.0) if why_not else pending
