# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the build of a pool's image, one window at a time, and say why it failed."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._cluster.build_pods import pods_of_build
from .._cluster.session import Session
from .._cluster.watch import Subject
from .._errors import Refused
from .._model import machineosconfig as config_model
from .._model.build_failure import last_words, telling_line
from .._model.build_progress import BuildProgress, Outcome, build_progress
from .._model.machineosbuild import POOL_LABEL, BuildState, MachineOSBuild
from .._model.machineosconfig import MachineOSConfig
from .._model.pool import Pool
from .._model.resources import MACHINE_CONFIG_POOL, MACHINE_OS_BUILD, MACHINE_OS_CONFIG
from .._result import build_result
from .apply_machineosconfig import config_result
from .follow import Look, Pace, conclude, follow
from .read_members import no_such_pool
from .window import Limits, Window


@dataclass(frozen=True)
class Ask:
    """What the user asks for."""

    pool: str
    limits: Limits
    cursor: str
    check_mode: bool


def await_build(session: Session, ask: Ask, clock: t.Callable[[], float] = time.time) -> dict[str, t.Any]:
    """Follow the build for one window and return how far it is; ``finished`` says whether the wait is over.

    :param clock: the time, in seconds since the epoch
    :raises Refused: the build failed, the time is over, or there is nothing to wait for
    """
    what = f"await the build of MachineConfigPool {ask.pool}"
    window = Window(session, _subjects(ask.pool), ask.limits, ask.cursor, clock)
    progress: BuildProgress | None = None

    def judge() -> Look:
        nonlocal progress
        progress = _progress(window, ask, what)
        return Look(progress.outcome, progress.line, _mark(progress), progress.findings)

    look = follow(window, judge, Pace(), ask.check_mode)
    words = ""
    if look and look.outcome is Outcome.FAILED and not ask.check_mode and progress and progress.build:
        words = last_words(pods_of_build(session, progress.build.name))
        look = replace(look, findings=tuple(replace(f, evidence=words) for f in look.findings))
    parts = {
        "build": build_result(progress.build, progress.state.value) if progress else None,
        "machineosconfig": config_result(config_model.that_serves(ask.pool, window.objects(MACHINE_OS_CONFIG))),
    }
    return conclude(session, window, what, look, ask.check_mode, parts, telling_line(words) if words else "")


def _mark(progress: BuildProgress) -> str:
    """Return what stands for where the build is: one that goes on in another state, or another build, has moved."""
    return f"{progress.build.identity if progress.build else ''} {progress.state.value}"


def _subjects(pool: str) -> list[Subject]:
    return [
        Subject(MACHINE_CONFIG_POOL, field_selector=f"metadata.name={pool}"),
        Subject(MACHINE_OS_CONFIG),
        Subject(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}"),
    ]


def _progress(window: Window, ask: Ask, what: str) -> BuildProgress:
    config = config_model.that_serves(ask.pool, window.objects(MACHINE_OS_CONFIG))
    pools = window.objects(MACHINE_CONFIG_POOL)
    if not ask.check_mode:
        if not pools:
            raise no_such_pool(ask.pool, what)
        if config is None:
            raise Refused(what, "no MachineOSConfig serves it", "Create one first (machineosconfig)")
    if not pools or config is None:
        return _NOTHING_THERE
    builds = [MachineOSBuild.from_api(b) for b in window.objects(MACHINE_OS_BUILD)]
    return build_progress(MachineOSConfig.from_api(config), builds, Pool.from_api(pools[0]).rendered_config)


_NOTHING_THERE = BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (), "nothing is there yet")
