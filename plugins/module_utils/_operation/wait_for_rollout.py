# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the nodes of a pool have reached its image, one window at a time."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.session import Session, selectors
from .._errors import OperationError
from .._model.build.progress import BuildTracking, PendingBuild
from .._model.findings import FindingId
from .._model.objects.machineosbuild import POOL_LABEL
from .._model.objects.node import NodeState
from .._model.objects.readers import BUDGETS, BUILDS, CONFIGS, MACHINE_CONFIG_NODES, NODES, PODS, POOLS
from .._model.objects.subject import Subject
from .._model.observation import ReadObject, ReadResult, Snapshot, WatchObjects
from .._model.rollout.history import NodeHistory, RolloutHistory
from .._model.rollout.progress import Rollout
from .._model.rollout.snapshot import RolloutWaitOptions, drain_subjects
from .._model.rollout.wait import RolloutObservation, RolloutWaitState, observe, pace
from .._wait.loop import Look, Pace, conclude, follow
from .._wait.window import Limits, Window
from .apply_pool import pool_result


@dataclass(frozen=True)
class RolloutWaitRequest:
    """The options of the user. Without *nodes* the wait is for all nodes of the pool, also those that join later."""

    pool: str
    nodes: t.Sequence[str]
    limits: Limits
    cursor: str
    check_mode: bool


def wait_for_rollout(
    session: Session,
    request: RolloutWaitRequest,
    clock: t.Callable[[], float] = time.time,
    warn: t.Callable[[str], None] = lambda dummy: None,
) -> dict[str, t.Any]:
    """Follow the rollout for one window. ``finished`` in the result is whether the wait is over.

    :param clock: the time, in seconds since the epoch
    :param warn: receives what is wrong with the call without ending it
    :raises OperationError: a finding ends the wait, the time is over, or there is no node to wait for
    """
    what = f"await the rollout of MachineConfigPool {request.pool}"
    window = Window(session, _subjects(request.pool), request.limits, request.cursor, clock)
    if window.unread:
        warn(window.unread)
    wait = _Wait(session, window, RolloutWaitOptions(request.pool, tuple(request.nodes), request.check_mode), what)
    look = follow(window, wait.look, _pace(window.memory.get("awaited", 0)), request.check_mode)
    last = wait.last
    parts = {
        "pool": pool_result(last.pool if last else None),
        "rollout": rollout_result(last.rollout if last else Rollout({}, (), "")),
        "nodes": [_node_result(node, last.rollout) for node in last.nodes] if last else [],
    }
    return conclude(session, window, what, look, request.check_mode, parts)


class _Wait:
    """Drives ``observe`` by a window."""

    def __init__(self, session: Session, window: Window, wait: RolloutWaitOptions, what: str) -> None:
        self._session = session
        self._window = window
        self._wait = wait
        self._what = what
        self._state = _read_state(window.memory)
        self._resumed = True
        self.last: RolloutObservation | None = None
        self._window.watch_also(drain_subjects(window.memory.get("draining") or []))

    def look(self) -> Look:
        """Observe once, and fetch what the observation needs."""
        results: dict[t.Any, t.Any] = {}
        read_now = False
        while True:
            self._state, seen = observe(self._wait, self._snapshot(results), self._state, self._window.now())
            self._resumed = False
            if seen.error and (not self._wait.check_mode or seen.pool):
                raise OperationError(self._what, seen.error.reason, seen.error.remedy)
            missing = [need for need in seen.needs if isinstance(need, ReadObject) and need not in results]
            subjects = [need.subject for need in seen.needs if isinstance(need, WatchObjects)]
            if self._wait.check_mode and subjects and not read_now:
                self._window.read_now(subjects)
                read_now = True
            elif not missing:
                break
            results.update({need: self._read(need) for need in missing})
        self.last = seen
        self._window.watch_also(subjects)
        self._remember(seen, subjects)
        return Look(seen.outcome, seen.progress, seen.mark, seen.findings)

    def _snapshot(self, results: t.Mapping[t.Any, t.Any]) -> Snapshot:
        readers = (POOLS, NODES, CONFIGS, BUILDS, PODS, BUDGETS, MACHINE_CONFIG_NODES)
        return Snapshot(
            objects={r.kind.name: [r.parse(o) for o in self._window.objects(r.kind)] for r in readers},
            results=results,
            unreadable=self._window.unreadable,
            watched=self._window.watched,
            resumed=self._resumed,
        )

    def _read(self, need: ReadObject) -> ReadResult:
        if not need.by_list:
            obj = self._session.peek(need.kind, need.name)
            return ReadResult(obj, known=obj is not None)
        try:
            found = self._session.pages(need.kind.path(), selectors("", f"metadata.name={need.name}")).items
        except (ApiError, Unreachable):
            return ReadResult(known=False)
        return ReadResult(found[0] if found else None)

    def _remember(self, seen: RolloutObservation, subjects: t.Sequence[Subject]) -> None:
        memory, state = self._window.memory, self._state
        nodes = {
            name: [h.updating, h.update_started, h.draining_since, h.not_ready_since, h.pull_failed_since]
            for name, h in state.history.nodes.items()
        }
        memory["history"] = [nodes, list(state.history.durations), state.history.started]
        pending = state.build.pending
        reason = [pending.reason.value, pending.subject] if pending else ["", ""]
        memory["lack"] = [*reason, state.build.pending_seconds, state.build.observed_at]
        memory["before_rebuild"] = state.build.before_rebuild
        memory["release"] = state.version or ""
        memory["awaited"] = len(seen.rollout.phases)
        memory["draining"] = [subject.part for subject in subjects if subject.kind == PODS.kind]


def _read_state(memory: t.Mapping[str, t.Any]) -> RolloutWaitState:
    nodes, durations, started = memory.get("history") or ({}, (), False)
    reason, subject, seconds, at = memory.get("lack") or ("", "", 0.0, 0.0)
    return RolloutWaitState(
        RolloutHistory({name: NodeHistory(*values) for name, values in nodes.items()}, tuple(durations), started),
        BuildTracking(
            PendingBuild(FindingId(reason), subject) if reason else None, seconds, at, memory.get("before_rebuild", "")
        ),
        memory.get("release") or None,
        started,
    )


def _pace(nodes: int) -> Pace:
    wanted = pace(nodes)
    return Pace(least=wanted.shortest, most=wanted.longest, news=wanted.report_interval)


def _subjects(pool: str) -> list[Subject]:
    return [
        POOLS.subject(),
        NODES.subject(),
        CONFIGS.subject(),
        BUILDS.subject(label_selector=f"{POOL_LABEL}={pool}"),
    ]


def rollout_result(rollout: Rollout) -> dict[str, t.Any]:
    """Return the counts of the nodes, and the estimated time that remains."""
    left = rollout.remaining
    return {**rollout.counts, "remaining_seconds": None if left is None else round(left)}


def _node_result(node: NodeState, rollout: Rollout) -> dict[str, t.Any]:
    return {
        "name": node.name,
        "phase": rollout.phases[node.name].value,
        "state": node.state or None,
        "current_image": node.current_image or None,
        "desired_image": node.desired_image or None,
        "ready": node.ready,
    }
