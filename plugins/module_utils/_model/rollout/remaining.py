# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimate the remaining time of a rollout from the updates that are complete."""

from __future__ import annotations

import heapq
import statistics

from .history import NodeHistory, RolloutHistory


def remaining_seconds(history: RolloutHistory, waiting: int, most_unavailable: int, now: float) -> float | None:
    """Return the seconds until the last node is done, or None before the first update is complete.

    :param waiting: number of nodes whose update has not started
    :param most_unavailable: number of nodes that may update at the same time
    """
    if not history.durations:
        return None
    typical = statistics.median(history.durations)
    busy = [_left(node, typical, now) for node in history.nodes.values() if node.updating]
    slots = busy + [0.0] * (most_unavailable - len(busy))
    heapq.heapify(slots)
    for dummy in range(waiting):
        heapq.heappush(slots, heapq.heappop(slots) + typical)
    return max(slots)


def _left(node: NodeHistory, typical: float, now: float) -> float:
    if node.update_started is None:
        return typical
    return max(0.0, typical - (now - node.update_started))
