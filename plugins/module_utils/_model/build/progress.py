# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the wait for a build over, and what is there to say?

Over means: the build that answers for the present spec succeeded and the MachineOSConfig carries its digest, or it
ended otherwise. A build of which it is not proven that it answers is no answer. Where an answer is lacking that another
build may still give, that one has a while to appear; then the lack is the end.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ..findings import Finding, FindingId
from ..objects.machineosbuild import BuildMatch, BuildState, MachineOSBuild, answering_build, image_is_current
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import MACHINE_OS_BUILD, MACHINE_OS_CONFIG, ObjectRef
from ..observation import Outcome
from ..registry.push_spec import why_pool_would_hang, why_push_would_hang

REPLACEMENT_GRACE = 120.0
"""Seconds that another build has to appear in the place of one that is no answer."""
REBUILD_NOT_BEGUN = FindingId.BUILD_REBUILD_NOT_STARTED


@dataclass(frozen=True)
class BuildProgress:
    """How far the build of a pool's image is."""

    outcome: Outcome
    state: BuildState
    build: MachineOSBuild | None
    findings: tuple[Finding, ...]
    line: str
    """The state in a few words, for people."""
    lack: str = ""
    """What there is instead of an answer. It stays the same for as long as that does; empty when a build is under way
    or has ended."""
    if_it_lasts: Finding | None = None
    """What the lack comes to when nothing takes its place; None when that is for other limits to say."""

    @property
    def has_none(self) -> bool:
        """Whether there is no build at all to look at."""
        return self.lack.startswith(_NONE)

    @property
    def awaits_rebuild_of(self) -> str:
        """Identity of the build that is there still although a rebuild was asked for, or an empty text."""
        finding, dummy, identity = self.lack.partition(" ")
        return identity if finding == REBUILD_NOT_BEGUN else ""

    def after(self, waited: float, grace: float = REPLACEMENT_GRACE) -> BuildProgress:
        """Return how it is when the same answer has been lacking for so many seconds of at most *grace*."""
        if self.if_it_lasts is None or waited < grace:
            return self
        finding = self.if_it_lasts
        return replace(self, outcome=Outcome.FAILED, findings=(finding,), line=finding.message)


def build_progress(
    config: MachineOSConfig,
    builds: t.Collection[MachineOSBuild],
    rendered_config: str,
    pushed: str = "",
    before_rebuild: str = "",
) -> BuildProgress:
    """Judge what is there, as if it were seen for the first time.

    :param rendered_config: the rendered MachineConfig that the pool wants
    :param pushed: identity of the build whose builder has ended well, so that its image is in the registry
    :param before_rebuild: identity of the build that was there when a rebuild was seen to be asked for: the operator
        may take the request away without a build having begun
    """
    answer, build = answering_build(config, builds, rendered_config)
    if build is None and config.current_build:
        return _vanished(config)
    if answer is BuildMatch.NONE_YET or build is None:
        return _not_started(config, rendered_config)
    if answer is BuildMatch.UNPROVEN:
        return _unproven(config, build)
    if build.state is BuildState.INTERRUPTED:  # perhaps the rebuild itself, whose request nobody took away
        return _interrupted(build)
    if build.state.ended and (config.rebuild_asked or build.identity == before_rebuild):
        return _about_to_be_rebuilt(config, build)
    if build.state is BuildState.FAILED:
        failed = Finding(FindingId.BUILD_FAILED, _ref(build), f"MachineOSBuild {build.name} failed")
        return BuildProgress(Outcome.FAILED, build.state, build, (failed,), f"build {build.name}: failed")
    if image_is_current(config, answer, build):
        line = f"build {build.name}: succeeded, {build.digested_image_push_spec}"
        return BuildProgress(Outcome.SUCCEEDED, build.state, build, (), line)
    if build.identity == pushed and not build.state.ended:
        return _not_taken(config, build)
    return BuildProgress(Outcome.WAITING, build.state, build, (), f"build {build.name}: {_STATE_LINE[build.state]}")


def remembered(seen: BuildProgress, before_rebuild: str) -> str:
    """Return what the next look is to know as *before_rebuild*: nothing any more once another build was there."""
    if seen.awaits_rebuild_of or seen.build is None:
        return seen.awaits_rebuild_of or before_rebuild
    return before_rebuild if seen.build.identity == before_rebuild else ""


_NONE = "none"

_STATE_LINE = {
    BuildState.PENDING: "waiting for its Job",
    BuildState.PREPARING: "preparing",
    BuildState.BUILDING: "building",
    BuildState.SUCCEEDED: "succeeded, waiting for the MachineOSConfig to carry its digest",
}


def _ref(build: MachineOSBuild) -> ObjectRef:
    return ObjectRef(MACHINE_OS_BUILD.name, build.name)


def _not_started(config: MachineOSConfig, rendered_config: str) -> BuildProgress:
    ref = ObjectRef(MACHINE_OS_CONFIG.name, config.name)
    hangs = why_pool_would_hang(config.pool)
    if hangs:
        finding = Finding(
            FindingId.BUILD_POOL_NAME_TOO_LONG, ref, f"MachineOSConfig {config.name} can have no build: {hangs}"
        )
        return BuildProgress(Outcome.FAILED, BuildState.PENDING, None, (finding,), hangs, _NONE)
    missing = "the operator has started no build for it yet" if rendered_config else "its pool is not rendered yet"
    line = f"MachineOSConfig {config.name}: {missing}"
    finding = Finding(FindingId.BUILD_NOT_STARTED, ref, line)
    return BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (finding,), line, f"{_NONE} {rendered_config}")


def _vanished(config: MachineOSConfig) -> BuildProgress:
    """Judge the absence of the build that is named: normal for some seconds while a build takes another's place."""
    line = f"build {config.current_build} is gone, waiting for another in its place"
    message = f"MachineOSBuild {config.current_build} is gone, and none has taken its place"
    finding = Finding(FindingId.BUILD_DELETED, ObjectRef(MACHINE_OS_BUILD.name, config.current_build), message)
    return _lacking(BuildState.PENDING, None, finding, line)


def _unproven(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = f"MachineOSBuild {build.name} ({build.state.value}) may be the one before the last edit of {config.name}"
    line = f"MachineOSConfig {config.name}: waiting for the build of its present spec"
    return _lacking(
        BuildState.PENDING, None, Finding(FindingId.BUILD_IDENTITY_UNVERIFIED, _ref(build), message), line, build
    )


def _about_to_be_rebuilt(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = f"a rebuild was asked for and has not begun: MachineOSBuild {build.name} is the one before"
    line = f"MachineOSConfig {config.name}: waiting for its rebuild to begin"
    finding = Finding(REBUILD_NOT_BEGUN, ObjectRef(MACHINE_OS_CONFIG.name, config.name), message)
    return _lacking(BuildState.PENDING, None, finding, line, build)


def _interrupted(build: MachineOSBuild) -> BuildProgress:
    line = f"build {build.name}: interrupted, waiting for another in its place"
    finding = Finding(FindingId.BUILD_INTERRUPTED, _ref(build), f"MachineOSBuild {build.name} was interrupted")
    return _lacking(build.state, build, finding, line, build)


def _not_taken(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    hangs = why_push_would_hang(config.rendered_image_push_spec)
    message = f"MachineOSBuild {build.name} has pushed its image and stays {build.state.value}"
    finding = Finding(FindingId.BUILD_RESULT_NOT_RECORDED, _ref(build), f"{message}: {hangs}" if hangs else message)
    line = f"build {build.name}: pushed, waiting for the operator to take the image"
    lacking = _lacking(build.state, build, finding, line, build)
    return lacking.after(0.0, grace=0.0) if hangs else lacking


def _lacking(
    state: BuildState, shown: MachineOSBuild | None, finding: Finding, line: str, of: MachineOSBuild | None = None
) -> BuildProgress:
    """Return that an answer is lacking.

    :param shown: the build that the result is to show
    :param of: the build that is there instead: another one is another lack
    """
    lack = f"{finding.id} {of.identity if of else finding.object.name}"
    return BuildProgress(Outcome.WAITING, state, shown, (), line, lack, finding)
