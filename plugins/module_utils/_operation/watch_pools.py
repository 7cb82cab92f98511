# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch the pools of a cluster without end, and yield an event for each transition."""

from __future__ import annotations

import time
import typing as t
from dataclasses import replace

from .._cluster.cluster_identity import read_cluster
from .._cluster.log_archive import LogArchive
from .._cluster.logs import BuildLogs
from .._cluster.session import Session
from .._model.build.log_needs import FollowedLogs
from .._model.observation import Observation, Pace
from .._model.transitions.transition import event_of
from .._model.transitions.wait import PoolsWaitOptions, PoolsWaitState, pools_wait
from .._wait.loop import NeedSource, observe
from .._wait.outage import AWAY, BACK
from .._wait.window import Limits, Window
from .follow_build_logs import BuildLogSource
from .read_daemon_log import DaemonLogSource

WINDOW = 300.0
"""Seconds after which the watches are opened again, where they ended."""

Event = dict[str, t.Any]
PoolsWindow = Window[PoolsWaitState, Observation]


def watch_pools(
    session: Session,
    options: PoolsWaitOptions,
    report: t.Callable[[str], None] = lambda dummy: None,
    clock: t.Callable[[], float] = time.time,
) -> t.Iterator[Event | None]:
    """Yield the event of each transition, and None once a second while the pools are watched.

    :param report: receives a line when the API server is away, and when it is back
    :param clock: returns seconds since the epoch
    :raises OperationError: the account may not read the pools, or may no longer do so
    """
    window: PoolsWindow = Window(session, pools_wait(options), Limits(timeout=0, window=WINDOW), "", clock)
    cluster: dict[str, str | None] = {"api_url": session.api_url}
    away = ""
    while True:
        logs = BuildLogs(session, LogArchive(), FollowedLogs(), WINDOW)
        try:
            for last in _observations(window, [BuildLogSource(session, logs), DaemonLogSource(session)]):
                away = _reported(away, window.outage, report)
                if last is None:
                    yield None
                    continue
                transitions = window.state.transitions
                window.state = replace(window.state, transitions=())
                if transitions and not (cluster.get("id") or cluster.get("name")):
                    cluster.update(read_cluster(session))
                yield from (event_of(transition, cluster) for transition in transitions)
        finally:
            logs.close()
        away = _reported(away, window.outage, report)
        window.forget_inactive()


def _reported(before: str, now: str, report: t.Callable[[str], None]) -> str:
    """Report the begin or the end of an outage, and return its present reason."""
    if bool(now) != bool(before):
        report(f"{AWAY}{now}" if now else f"{BACK}the watch continues")
    return now


def _observations(window: PoolsWindow, sources: t.Sequence[NeedSource]) -> t.Iterator[Observation | None]:
    """Yield the observations of one window, and None where there is nothing to observe.

    Nothing is observed during an outage and shortly after it, because the known objects may be out of date.
    """
    pace, observed_at, is_stale = Pace(), 0.0, True
    for changed in window.moments():
        is_stale = is_stale or changed
        passed = abs(window.now() - observed_at)
        if window.is_uncertain or passed < (pace.shortest if is_stale else pace.longest):
            yield None
            continue
        last = observe(window, sources, check_mode=False)
        pace, observed_at, is_stale = last.pace, window.now(), False
        yield last
