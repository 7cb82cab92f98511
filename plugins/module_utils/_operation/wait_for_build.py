# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the build of a pool's image, one window at a time, and say why it failed."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._cluster.cluster_identity import read_cluster
from .._cluster.log_folder import LogFolder
from .._cluster.logs import BuildLogs
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.progress import REPLACEMENT_GRACE, BuildProgress
from .._model.objects import machineosconfig as config_model
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosbuild import POOL_LABEL, BuildState, MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
)
from .._model.objects.subject import Subject
from .._model.observation import Outcome
from .._result import build_result, config_result
from .._wait.confirm_build import is_unchanged
from .._wait.loop import Look, Pace, conclude, follow
from .._wait.pending_build import Lack
from .._wait.window import Limits, Window
from .explain_build import explained, log_troubles, lost_job, reasons_for_none
from .read_pool import pool_not_found


@dataclass(frozen=True)
class BuildWaitRequest:
    """What the user asks for."""

    pool: str
    limits: Limits
    cursor: str
    check_mode: bool
    log_dir: str = ""
    """Folder where the builder's logs are saved; empty does not save them."""
    replacement_grace: float = REPLACEMENT_GRACE
    """Seconds that another build has to appear in the place of one that is no answer."""


def wait_for_build(
    session: Session,
    request: BuildWaitRequest,
    clock: t.Callable[[], float] = time.time,
    warn: t.Callable[[str], None] = lambda dummy: None,
) -> dict[str, t.Any]:
    """Follow the build for one window and return how far it is; ``finished`` says whether the wait is over.

    :param clock: the time, in seconds since the epoch
    :param warn: told what is wrong with the call and does not end it
    :raises OperationError: the build failed, the time is over, or there is nothing to wait for
    """
    what = f"await the build of MachineConfigPool {request.pool}"
    window = Window(session, _subjects(request.pool), request.limits, request.cursor, clock)
    if window.unread:
        warn(window.unread)
    progress: BuildProgress | None = None
    logs = _logs(session, window, request)
    lack = Lack(window)

    def judge() -> Look:
        nonlocal progress
        progress = _confirmed(session, request, _progress(window, request, what, logs, lack))
        build = progress.build
        if build is not None and build.state in _TALKATIVE and not request.check_mode:
            logs.follow(build.name, build.uid, build.created)
        mark = f"{_mark(progress)} {logs.mark}"
        why = (*reasons_for_none(session, window, progress, request.pool), *lost_job(session, window, progress, mark))
        return Look(progress.outcome, progress.line, mark, (*why, *progress.findings, *log_troubles(logs)))

    try:
        look = follow(window, judge, Pace(), request.check_mode)
        if look and progress and progress.build and not request.check_mode and look.outcome is not Outcome.WAITING:
            look = explained(session, window, logs, look, progress.build, bool(request.log_dir))
    finally:
        logs.close()
    window.memory["logs"] = logs.memory()
    failure = window.memory.get("failure")
    parts = {
        "build": progress and build_result(progress.build, progress.state.value, logs.attempts, logs.paths, failure),
        "machineosconfig": config_result(config_model.that_serves(request.pool, window.objects(MACHINE_OS_CONFIG))),
    }
    return conclude(session, window, what, look, request.check_mode, parts)


_TALKATIVE = (BuildState.PENDING, BuildState.PREPARING, BuildState.BUILDING)


def _logs(session: Session, window: Window, request: BuildWaitRequest) -> BuildLogs:
    memory = window.memory.get("logs") or {}
    folder = LogFolder(request.log_dir) if request.log_dir and not request.check_mode else None
    if folder is not None and "cluster" not in window.memory:
        # A file's name tells clusters apart also for an account that may not read the cluster's own id.
        window.memory["cluster"] = read_cluster(session)["id"] or session.api_url.partition("://")[2]
    return BuildLogs(session, folder, window.memory.get("cluster", ""), memory, request.limits.window)


def _mark(progress: BuildProgress) -> str:
    """Return what stands for where the build is: one that goes on in another state, or another build, has moved."""
    return f"{progress.build.identity if progress.build else ''} {progress.state.value}"


def _subjects(pool: str) -> list[Subject]:
    return [
        Subject(MACHINE_CONFIG_POOL, field_selector=f"metadata.name={pool}"),
        Subject(MACHINE_OS_CONFIG),
        Subject(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}"),
    ]


def _progress(window: Window, request: BuildWaitRequest, what: str, logs: BuildLogs, lack: Lack) -> BuildProgress:
    config = config_model.that_serves(request.pool, window.objects(MACHINE_OS_CONFIG))
    pools = window.objects(MACHINE_CONFIG_POOL)
    if not request.check_mode:
        if not pools:
            raise pool_not_found(request.pool, what)
        if config is None:
            raise OperationError(what, "no MachineOSConfig serves it", "Create one first (machineosconfig)")
    if not pools or config is None:
        return _NOTHING_THERE
    builds = [MachineOSBuild.from_api(b) for b in window.objects(MACHINE_OS_BUILD)]
    rendered = Pool.from_api(pools[0]).rendered_config
    pushed = _pushed(window, logs)
    return lack.progress(MachineOSConfig.from_api(config), builds, rendered, pushed, request.replacement_grace)


def _confirmed(session: Session, request: BuildWaitRequest, progress: BuildProgress) -> BuildProgress:
    """Return a success only when its build is there still: otherwise the watch is about to say what is."""
    build = progress.build
    if progress.outcome is not Outcome.SUCCEEDED or build is None or request.check_mode:
        return progress
    unchanged = is_unchanged(session, build)
    if unchanged:
        return progress
    doubt = ": deleted, waiting for a replacement" if unchanged is False else ": succeeded, confirming by a direct read"
    return replace(progress, outcome=Outcome.WAITING, line=f"build {build.name}{doubt}")


def _pushed(window: Window, logs: BuildLogs) -> str:
    """Return the identity of the build that was followed if its last attempt has ended well, else an empty text."""
    made = logs.attempts
    if made and made[-1].succeeded:
        window.memory["pushed"] = logs.identity
    return str(window.memory.get("pushed", ""))


_NOTHING_THERE = BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (), "nothing is there yet")
