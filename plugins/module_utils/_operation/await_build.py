# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the build of a pool's image, one window at a time, and say why it failed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._cluster.build_pods import pods_of_build
from .._cluster.session import Session
from .._cluster.watch import Subject
from .._errors import Refused
from .._model import machineosconfig as config_model
from .._model.build_failure import last_words, telling_line
from .._model.build_progress import BuildProgress, Outcome, build_progress
from .._model.findings import FINDINGS
from .._model.machineosbuild import POOL_LABEL, BuildState, MachineOSBuild
from .._model.machineosconfig import MachineOSConfig
from .._model.pool import Pool
from .._model.resources import MACHINE_CONFIG_POOL, MACHINE_OS_BUILD, MACHINE_OS_CONFIG
from .._result import build_result, findings_result, read_cluster, result
from .apply_machineosconfig import config_result
from .read_members import no_such_pool
from .window import Limits, Window


@dataclass(frozen=True)
class Ask:
    """What the user asks for."""

    pool: str
    limits: Limits
    cursor: str
    check_mode: bool


def await_build(session: Session, ask: Ask) -> dict[str, t.Any]:
    """Follow the build for one window and return how far it is; ``finished`` says whether the wait is over.

    :raises Refused: the build failed, the time is over, or there is nothing to wait for
    """
    what = f"await the build of MachineConfigPool {ask.pool}"
    window = Window(session, _subjects(ask.pool), ask.limits, ask.cursor)
    progress: BuildProgress | None = None
    for changed in window.moments():
        if not changed:
            continue
        progress = _look(window, ask, what)
        if progress.outcome is not Outcome.WAITING or ask.check_mode:
            window.told = progress.line
            break
        line = window.line(progress.line)
        if line != window.told:
            window.told = line
            break
    return _conclude(session, window, ask, progress, what)


def _subjects(pool: str) -> list[Subject]:
    return [
        Subject(MACHINE_CONFIG_POOL, field_selector=f"metadata.name={pool}"),
        Subject(MACHINE_OS_CONFIG),
        Subject(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}"),
    ]


def _look(window: Window, ask: Ask, what: str) -> BuildProgress:
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


def _conclude(
    session: Session, window: Window, ask: Ask, progress: BuildProgress | None, what: str
) -> dict[str, t.Any]:
    finished = ask.check_mode or (progress is not None and progress.outcome is not Outcome.WAITING)
    failed = progress is not None and progress.outcome is Outcome.FAILED and not ask.check_mode
    words = ""
    if failed and progress is not None and progress.build is not None:
        words = last_words(pods_of_build(session, progress.build.name))
        progress = replace(progress, findings=tuple(replace(f, evidence=words) for f in progress.findings))
    done = result(
        session,
        read_cluster(session) if finished or window.timed_out else None,
        finished=finished,
        build=build_result(progress.build, progress.state.value) if progress else None,
        machineosconfig=config_result(config_model.that_serves(ask.pool, window.objects(MACHINE_OS_CONFIG))),
        findings=findings_result(progress.findings if progress else ()),
        progress=window.told,
        elapsed=int(window.elapsed),
        cursor=window.cursor(),
    )
    if failed and progress is not None:
        finding = progress.findings[0]
        reason = f"{finding.message}: {telling_line(words)}" if words else finding.message
        raise Refused(what, reason, finding.remedy, done)
    if not finished and window.timed_out:
        raise _timed_out(ask, progress, window, what).having(done)
    return done


def _timed_out(ask: Ask, progress: BuildProgress | None, window: Window, what: str) -> Refused:
    state = window.outage or (progress.line if progress else "") or window.told or "nothing is known of it"
    remedy = "Raise timeout"
    if progress is not None and progress.findings:
        remedy = FINDINGS[progress.findings[0].id].remedy
    return Refused(what, f"not done after {ask.limits.timeout:g} s ({state})", remedy)


_NOTHING_THERE = BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (), "nothing is there yet")
