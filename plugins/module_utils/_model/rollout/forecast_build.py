# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecast the build: whether one would start, runs already, or is not needed."""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ..build.pending_build import BuildProgress
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..observation import Outcome


class ExpectedBuild(enum.Enum):
    """What a run would find or cause."""

    START = "start"
    """A build would start."""
    REUSE = "reuse"
    """The operator would reuse the build of an earlier spec that is the same."""
    RUNNING = "running"
    """The build of the unchanged spec runs, or is about to start."""
    FAILED = "failed"
    """The build of the unchanged spec has failed, so the run would fail."""
    UNKNOWN = "unknown"
    """Which build belongs to the unchanged spec is not proven."""
    NONE = "none"
    """The build of the unchanged spec has succeeded, so none would start."""


@dataclass(frozen=True)
class BuildForecast:
    """What happens to the build."""

    expected: ExpectedBuild
    line: str
    """The forecast in plain words."""
    build: str = ""
    """Name of the build that exists for the unchanged spec, or empty."""
    deletions: tuple[str, ...] = ()
    """What the run deletes where single pods build: before a build that starts, or beside one that stays."""
    changes: bool = False
    """Whether the run changes something for the build although the spec stays as it is."""


def forecast_build(
    changed: str,
    progress: BuildProgress | None,
    builds: t.Collection[MachineOSBuild],
    reused: MachineOSBuild | None = None,
    rebuild_reason: str = "",
) -> BuildForecast:
    """Return what happens to the build.

    Where single pods build, the run makes a build again unless it has none of the reasons for it. So a state that
    would be a failure elsewhere can still be over by itself there.

    :param changed: what happens to the MachineOSConfig (``created``, ``changed``), or empty if nothing
    :param progress: the current build of an unchanged MachineOSConfig
    :param builds: the builds for the pool's rendered config whose spec is not known
    :param reused: the build that is known to be one of the changed spec
    :param rebuild_reason: why the run makes a build in a single pod again; empty if it does not
    """
    if reused is not None:
        line = (
            f"the MachineOSConfig would be {changed}, and no build would start: the operator reuses build {reused.name}"
        )
        return BuildForecast(ExpectedBuild.REUSE, line, reused.name)
    if changed or progress is None:
        return BuildForecast(ExpectedBuild.START, _start_line(changed or "created", builds))
    name = progress.build.name if progress.build else ""
    if rebuild_reason:
        return BuildForecast(ExpectedBuild.START, f"the build would be made again: {rebuild_reason}", name)
    if progress.outcome is Outcome.SUCCEEDED:
        how = "was seeded" if progress.build and progress.build.seeded else "has succeeded"
        return BuildForecast(ExpectedBuild.NONE, f"no build would start: build {name} {how}", name)
    if progress.build is None or not progress.build.is_pod_build:
        if progress.outcome is Outcome.FAILED or progress.state in (BuildState.FAILED, BuildState.INTERRUPTED):
            line = f"no build would start, and the run would fail: {progress.line}"
            return BuildForecast(ExpectedBuild.FAILED, line, name)
        if progress.if_it_lasts is not None and not progress.awaits_rebuild_of:
            return BuildForecast(ExpectedBuild.UNKNOWN, progress.line, name)
    return BuildForecast(ExpectedBuild.RUNNING, f"the run would wait for a build: {progress.line}", name)


def _start_line(changed: str, builds: t.Collection[MachineOSBuild]) -> str:
    older = sorted(build.name for build in builds if build.state is BuildState.SUCCEEDED)
    line = f"the MachineOSConfig would be {changed}, and a build would start"
    if not older:
        return line
    which = f"the older build {older[0]}" if len(older) == 1 else f"one of {len(older)} older builds"
    return f"{line}, unless {which} has the same inputs: the operator would reuse it"
