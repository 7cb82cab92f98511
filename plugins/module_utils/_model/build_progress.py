# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the wait for a build over, and what is there to say?

Over means: the build that answers for the present spec succeeded and the MachineOSConfig carries its digest, or it
ended otherwise. A build of which it is not proven that it answers ends nothing.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .findings import Finding
from .machineosbuild import Answer, BuildState, MachineOSBuild, answering_build, image_is_current
from .machineosconfig import MachineOSConfig
from .resources import MACHINE_OS_BUILD, MACHINE_OS_CONFIG, ObjectRef


class Outcome(enum.Enum):
    """Whether the wait goes on."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class BuildProgress:
    """How far the build of a pool's image is."""

    outcome: Outcome
    state: BuildState
    build: MachineOSBuild | None
    findings: tuple[Finding, ...]
    line: str
    """The state in a few words, for people."""


def build_progress(
    config: MachineOSConfig, builds: t.Collection[MachineOSBuild], rendered_config: str
) -> BuildProgress:
    """Judge what is there.

    :param rendered_config: the rendered MachineConfig that the pool wants
    """
    answer, build = answering_build(config, builds, rendered_config)
    if answer is Answer.NONE_YET or build is None:
        return _not_started(config, rendered_config)
    if answer is Answer.UNPROVEN:
        return _unproven(config, build)
    if config.rebuild_asked and build.state.ended:
        return _about_to_be_rebuilt(config, build)
    ref = ObjectRef(MACHINE_OS_BUILD.name, build.name)
    if build.state is BuildState.FAILED:
        failed = Finding("build.failed", ref, f"MachineOSBuild {build.name} failed")
        return BuildProgress(Outcome.FAILED, build.state, build, (failed,), f"build {build.name}: failed")
    if build.state is BuildState.INTERRUPTED:
        lost = Finding("build.interrupted", ref, f"MachineOSBuild {build.name} was interrupted")
        return BuildProgress(Outcome.FAILED, build.state, build, (lost,), f"build {build.name}: interrupted")
    if image_is_current(config, answer, build):
        line = f"build {build.name}: succeeded, {build.digested_image_push_spec}"
        return BuildProgress(Outcome.SUCCEEDED, build.state, build, (), line)
    return BuildProgress(Outcome.WAITING, build.state, build, (), f"build {build.name}: {_STATE_LINE[build.state]}")


_STATE_LINE = {
    BuildState.PENDING: "waiting for its Job",
    BuildState.PREPARING: "preparing",
    BuildState.BUILDING: "building",
    BuildState.SUCCEEDED: "succeeded, waiting for the MachineOSConfig to carry its digest",
}


def _not_started(config: MachineOSConfig, rendered_config: str) -> BuildProgress:
    ref = ObjectRef(MACHINE_OS_CONFIG.name, config.name)
    missing = "the operator has started no build for it yet" if rendered_config else "its pool is not rendered yet"
    finding = Finding("build.not_started", ref, f"MachineOSConfig {config.name}: {missing}")
    line = f"MachineOSConfig {config.name}: {missing}"
    return BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (finding,), line)


def _about_to_be_rebuilt(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = f"MachineOSBuild {build.name} ({build.state.value}) is the one before the rebuild that was asked for"
    finding = Finding("build.identity_unproven", ObjectRef(MACHINE_OS_BUILD.name, build.name), message)
    line = f"MachineOSConfig {config.name}: waiting for its rebuild to begin"
    return BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (finding,), line)


def _unproven(config: MachineOSConfig, build: MachineOSBuild) -> BuildProgress:
    message = f"MachineOSBuild {build.name} ({build.state.value}) may be the one before the last edit of {config.name}"
    finding = Finding("build.identity_unproven", ObjectRef(MACHINE_OS_BUILD.name, build.name), message)
    line = f"MachineOSConfig {config.name}: waiting for the build of its present spec"
    return BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (finding,), line)
