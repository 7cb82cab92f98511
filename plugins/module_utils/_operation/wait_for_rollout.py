# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the nodes of a pool have reached its image, one window at a time."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._model.objects.node import NodeState
from .._model.rollout.progress import Rollout
from .._model.rollout.snapshot import RolloutWaitOptions
from .._model.rollout.wait import rollout_wait
from .._wait.loop import run, wait_result
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
    options = RolloutWaitOptions(request.pool, tuple(request.nodes), request.check_mode)
    window = Window(session, rollout_wait(options), request.limits, request.cursor, clock)
    if window.unread:
        warn(window.unread)
    last = run(window, (), request.check_mode)
    parts = {
        "pool": pool_result(last.pool if last else None),
        "rollout": rollout_result(last.rollout if last else Rollout({}, (), "")),
        "nodes": [_node_result(node, last.rollout) for node in last.nodes] if last else [],
    }
    return wait_result(window, last, request.check_mode, parts)


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
