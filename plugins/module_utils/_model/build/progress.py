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
from .current import BuildMatch, current_build, image_is_current

REPLACEMENT_GRACE = 120.0
"""Default of ``replacement_grace``: seconds to wait for a replacement build."""
_NO_BUILD = (FindingId.BUILD_NOT_STARTED, FindingId.BUILD_POOL_NAME_TOO_LONG)
"""The pending reasons that mean that no build was started."""


@dataclass(frozen=True)
class PendingBuild:
    """Why the current build is missing. It stays equal for as long as the reason stays the same."""

    reason: FindingId
    """The finding that the reason becomes after the grace period."""
    subject: str = ""
    """What the reason is about: the identity of a build, the name of a deleted build, or a rendered MachineConfig."""


@dataclass(frozen=True)
class BuildProgress:
    """State of the current build."""

    outcome: Outcome
    state: BuildState
    build: MachineOSBuild | None
    findings: tuple[Finding, ...]
    line: str
    """The state in one line for the user."""
    pending: PendingBuild | None = None
    """Why the current build is missing. None if it runs or has ended."""
    if_it_lasts: Finding | None = None
    """The failure after the grace period. None if other limits end the wait."""

    @property
    def not_started(self) -> bool:
        """Whether the operator has not started a build."""
        return self.pending is not None and self.pending.reason in _NO_BUILD

    @property
    def awaits_rebuild_of(self) -> str:
        """Identity of the build that a requested rebuild has not replaced yet, or an empty text."""
        if self.pending is None or self.pending.reason is not FindingId.BUILD_REBUILD_NOT_STARTED:
            return ""
        return self.pending.subject

    def after(self, waited: float, grace: float = REPLACEMENT_GRACE) -> BuildProgress:
        """Return the progress after the current build was missing for *waited* of *grace* seconds."""
        if self.if_it_lasts is None or waited < grace:
            return self
        finding = self.if_it_lasts
        return replace(self, outcome=Outcome.FAILED, findings=(finding,), line=finding.message)


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
        return BuildTracking(progress.pending, seconds, watched, self._before_rebuild(progress))

    def _before_rebuild(self, progress: BuildProgress) -> str:
        """Return the build before the requested rebuild. It is forgotten once another build exists."""
        if progress.awaits_rebuild_of or progress.build is None:
            return progress.awaits_rebuild_of or self.before_rebuild
        return self.before_rebuild if progress.build.identity == self.before_rebuild else ""


def build_progress(
    config: MachineOSConfig,
    builds: t.Collection[MachineOSBuild],
    rendered_config: str,
    pushed: str = "",
    before_rebuild: str = "",
) -> BuildProgress:
    """Evaluate the current build as if it were observed for the first time.

    :param rendered_config: the rendered MachineConfig of the pool's spec
    :param pushed: identity of a build whose builder succeeded, so that its image is in the registry
    :param before_rebuild: see :attr:`BuildTracking.before_rebuild`; the operator may remove the request without a build
    """
    match, build = current_build(config, builds, rendered_config)
    if build is None and config.current_build:
        return _deleted(config)
    if match is BuildMatch.NONE_YET or build is None:
        return _not_started(config, rendered_config)
    if match is BuildMatch.UNPROVEN:
        return _unproven(config, build)
    if build.state is BuildState.INTERRUPTED:  # it may be the rebuild itself, while the request still exists
        return _interrupted(build)
    if build.state.ended and (config.rebuild_requested or build.identity == before_rebuild):
        return _rebuild_requested(config, build)
    if build.state is BuildState.FAILED:
        failed = Finding(FindingId.BUILD_FAILED, _ref(build), f"MachineOSBuild {build.name} failed")
        return BuildProgress(Outcome.FAILED, build.state, build, (failed,), f"build {build.name}: failed")
    if image_is_current(config, match, build):
        line = f"build {build.name}: succeeded, {build.digested_image_push_spec}"
        return BuildProgress(Outcome.SUCCEEDED, build.state, build, (), line)
    if build.identity == pushed and not build.state.ended:
        return _not_recorded(config, build)
    return BuildProgress(Outcome.WAITING, build.state, build, (), f"build {build.name}: {_STATE_LINE[build.state]}")


_STATE_LINE = {
    BuildState.PENDING: "waiting for its Job",
    BuildState.PREPARING: "preparing",
    BuildState.BUILDING: "building",
    BuildState.SUCCEEDED: "image pushed, waiting for the operator to publish it",
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
    return _pending(BuildState.PENDING, None, finding, f"build {name}: deleted, waiting for a replacement")


def _unproven(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = (
        f"MachineOSBuild {build.name} ({build.state.value}) may be the build before the last edit of "
        f"MachineOSConfig {config.name}"
    )
    line = f"MachineOSConfig {config.name}: waiting for the build of its present spec"
    finding = Finding(FindingId.BUILD_IDENTITY_UNVERIFIED, _ref(build), message)
    return _pending(BuildState.PENDING, None, finding, line, build)


def _rebuild_requested(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = f"the requested rebuild of MachineOSBuild {build.name} has not started"
    line = f"MachineOSConfig {config.name}: waiting for the requested rebuild to start"
    finding = Finding(FindingId.BUILD_REBUILD_NOT_STARTED, ObjectRef(MACHINE_OS_CONFIG.name, config.name), message)
    return _pending(BuildState.PENDING, None, finding, line, build)


def _interrupted(build: MachineOSBuild) -> BuildProgress:
    finding = Finding(FindingId.BUILD_INTERRUPTED, _ref(build), f"MachineOSBuild {build.name} was interrupted")
    return _pending(build.state, build, finding, f"build {build.name}: interrupted, waiting for a replacement", build)


def _not_recorded(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    why_not = why_push_would_hang(config.rendered_image_push_spec)
    message = f"MachineOSBuild {build.name} pushed its image and is still {build.state.value}"
    message = f"{message}: {why_not}" if why_not else message
    finding = Finding(FindingId.BUILD_RESULT_NOT_RECORDED, _ref(build), message)
    line = f"build {build.name}: image pushed, waiting for the operator to record it"
    pending = _pending(build.state, build, finding, line, build)
    return pending.after(0.0, grace=0.0) if why_not else pending


def _pending(
    state: BuildState, shown: MachineOSBuild | None, finding: Finding, line: str, existing: MachineOSBuild | None = None
) -> BuildProgress:
    """Return that the current build is missing.

    :param shown: the build for the result
    :param existing: the build that exists instead; another one is another pending reason
    """
    subject = existing.identity if existing else finding.object.name
    return BuildProgress(Outcome.WAITING, state, shown, (), line, PendingBuild(finding.id, subject), finding)
