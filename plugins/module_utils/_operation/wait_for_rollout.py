# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the nodes of a pool have reached its image, one window at a time."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._model.build.run_spec import ANY_RUN, RunSpec
from .._model.findings import FindingId
from .._model.objects.node import NodeState
from .._model.objects.timestamp import timestamp_at
from .._model.observation import Outcome
from .._model.rollout.node_phase import Phase
from .._model.rollout.node_times import NodeTimes, state_of
from .._model.rollout.progress import Rollout
from .._model.rollout.snapshot import RolloutWaitOptions
from .._model.rollout.wait import RolloutObservation, rollout_wait
from .._model.timeline import DONE, MOST_NODES, TIMES
from .._wait.loop import run, wait_result
from .._wait.window import Limits, Window
from .apply_pool import pool_result
from .read_daemon_log import DaemonLogSource


@dataclass(frozen=True)
class RolloutWaitRequest:
    """The options of the user. Without *nodes* the wait is for all nodes of the pool, also those that join later."""

    pool: str
    nodes: t.Sequence[str]
    limits: Limits
    cursor: str
    check_mode: bool
    run: RunSpec = ANY_RUN
    """The spec that the run wrote, and the image that it built."""


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
    options = RolloutWaitOptions(request.pool, tuple(request.nodes), request.check_mode, request.run)
    window = Window(session, rollout_wait(options), request.limits, request.cursor, clock)
    if window.unread:
        warn(window.unread)
    last = run(window, [DaemonLogSource(session)], request.check_mode)
    parts = {
        "pool": pool_result(last.pool if last else None),
        "rollout": rollout_result(last.rollout if last else Rollout({}, (), "")),
        "nodes": _node_results(last) if last else [],
    }
    left = [finding.message for finding in last.findings if finding.id is FindingId.NODE_LEFT_POOL] if last else []
    if left and last and last.outcome is Outcome.SUCCEEDED:
        more = f" and {len(left) - 1} more nodes" if len(left) > 1 else ""
        warn(f"The rollout is complete without a node that left the pool: {left[0]}{more}.")
    return wait_result(window, last, request.check_mode, parts, lambda: {"timeline": timeline_result(last)})


def rollout_result(rollout: Rollout) -> dict[str, t.Any]:
    """Return the counts of the nodes, and the estimated time that remains."""
    left = rollout.remaining
    return {**rollout.counts, "remaining_seconds": None if left is None else round(left)}


def _node_results(last: RolloutObservation) -> list[dict[str, t.Any]]:
    """Return the awaited nodes, sorted by name. Of a node that left the pool nothing but its name is known."""
    results = [_node_result(node, last.rollout) for node in last.nodes]
    left = [name for name, phase in last.rollout.phases.items() if phase is Phase.LEFT]
    unknown = dict.fromkeys(("state", "current_image", "desired_image"))
    results += [{"name": name, "phase": Phase.LEFT.value, **unknown, "ready": False} for name in left]
    return sorted(results, key=lambda result: str(result["name"]))


def _node_result(node: NodeState, rollout: Rollout) -> dict[str, t.Any]:
    return {
        "name": node.name,
        "phase": rollout.phases[node.name].value,
        "state": node.state or None,
        "current_image": node.current_image or None,
        "desired_image": node.desired_image or None,
        "ready": node.ready,
    }


def timeline_result(last: RolloutObservation | None) -> dict[str, t.Any]:
    """Return when each node drained, rebooted and was done. Nodes whose update was not observed are not part of it."""
    if last is None:
        return {"nodes": [], "left_out": 0}
    nodes, phases, times = {node.name: node for node in last.nodes}, last.rollout.phases, last.times.nodes
    states = {name: state_of(phases[name], nodes.get(name)) for name in times if name in phases}
    kept = sorted(states, key=lambda name: (states[name] == DONE, name))[:MOST_NODES]
    results = [_times_result(name, states[name], times[name]) for name in sorted(kept)]
    return {"nodes": results, "left_out": len(states) - len(kept)}


def _times_result(name: str, state: str, times: NodeTimes) -> dict[str, t.Any]:
    moments = times.moments()
    known = {key: timestamp_at(moments[key].at) if key in moments else None for key in TIMES}
    return {"name": name, "state": state, **known, "observed": [k for k in moments if not moments[k].stated]}
