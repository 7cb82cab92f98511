# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the build of a pool's image, and explain its failure."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._cluster.cluster_identity import read_cluster
from .._cluster.log_archive import LogArchive
from .._cluster.log_folder import LogFolder
from .._cluster.logs import BuildLogs
from .._cluster.session import Session
from .._model.build.pending_build import REPLACEMENT_GRACE
from .._model.build.run_spec import RunSpec
from .._model.build.wait import BuildObservation, BuildWaitOptions, BuildWaitState, build_wait
from .._model.objects.resources import MACHINE_OS_CONFIG
from .._result import build_result, config_result, failure_result
from .._wait.loop import run, wait_result
from .._wait.window import Limits, Window
from .follow_build_logs import BuildLogSource


@dataclass(frozen=True)
class BuildWaitRequest:
    """What the user requested."""

    pool: str
    limits: Limits
    cursor: str
    check_mode: bool
    log_dir: str = ""
    """Folder where the logs of the builder are saved. Empty saves no logs."""
    replacement_grace: float = REPLACEMENT_GRACE
    """Seconds to wait for a replacement build."""
    max_build_attempts: int = 0
    """Number of failed attempts that end the wait. 0 sets no limit."""
    spec_hash: str = ""
    """Hash of the spec that the run wrote. Empty binds the wait to no spec."""


def wait_for_build(
    session: Session,
    request: BuildWaitRequest,
    clock: t.Callable[[], float] = time.time,
    warn: t.Callable[[str], None] = lambda dummy: None,
) -> dict[str, t.Any]:
    """Watch the build for one window and return its progress. ``finished`` tells whether the wait is over.

    :param clock: returns seconds since the epoch
    :param warn: receives problems of the call that do not end it
    :raises OperationError: the build failed, the time is over, or there is nothing to wait for
    """
    options = BuildWaitOptions(
        request.pool,
        request.replacement_grace,
        bool(request.log_dir),
        request.check_mode,
        request.max_build_attempts,
        RunSpec(request.spec_hash),
    )
    window = Window(session, build_wait(options), request.limits, request.cursor, clock)
    if window.unread:
        warn(window.unread)
    logs = _logs(session, window, request)
    try:
        last = run(window, [BuildLogSource(session, logs)], request.check_mode)
    finally:
        logs.close()
    window.state = replace(window.state, logs=logs.state())
    return wait_result(window, last, request.check_mode, _parts(window, last))


def _logs(session: Session, window: Window[BuildWaitState, BuildObservation], request: BuildWaitRequest) -> BuildLogs:
    folder = LogFolder(request.log_dir) if request.log_dir and not request.check_mode else None
    if folder is not None and not window.state.log_cluster:
        # Without permission to read the id of the cluster, its address distinguishes the files.
        cluster = read_cluster(session)["id"] or session.api_url.partition("://")[2]
        window.state = replace(window.state, log_cluster=cluster)
    archive = LogArchive(folder, window.state.log_cluster)
    return BuildLogs(session, archive, window.state.logs, request.limits.window)


def _parts(window: Window[BuildWaitState, BuildObservation], last: BuildObservation | None) -> dict[str, t.Any]:
    configs = window.objects(MACHINE_OS_CONFIG)
    name = last.config.name if last and last.config else ""
    config = next((obj for obj in configs if obj["metadata"]["name"] == name), None)
    build = None
    if last and last.build:
        logs = window.state.logs
        paths = logs.paths if logs.build == last.build.identity else ()
        failure = failure_result(last.failure) if last.failure else None
        # A build that ends between two calls is not followed by the last one, and its pods are deleted by then.
        made = last.logs.attempts or logs.attempts_of(last.build)
        build = build_result(last.build, last.state.value, made, paths, failure)
    return {"build": build, "machineosconfig": config_result(config)}
