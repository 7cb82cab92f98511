# SPDX-License-Identifier: GPL-3.0-or-later
"""Record since when nodes have been in a state, and how long their updates took.

Only what the wait itself observed counts. The update of a node that started before the wait has no known duration.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..objects.node import NodeState
from .node_phase import Phase

_MOST_DURATIONS = 50
"""Number of durations that are kept, the latest ones."""


@dataclass(frozen=True)
class NodeHistory:
    """Since when a node has been in its states, in seconds since the epoch. None if it is not in the state."""

    updating: bool = False
    update_started: float | None = None
    """None if the update started before the wait."""
    draining_since: float | None = None
    not_ready_since: float | None = None
    pull_failed_since: float | None = None


@dataclass(frozen=True)
class RolloutHistory:
    """What a wait has observed of the nodes."""

    nodes: t.Mapping[str, NodeHistory] = field(default_factory=dict)
    """Nodes that are in one of the states, by name."""
    durations: tuple[float, ...] = ()
    """Seconds that each completed update took."""
    started: bool = False
    """Whether there was an observation before."""

    def of(self, node: str) -> NodeHistory:
        """Return the history of a node."""
        return self.nodes.get(node, _EMPTY)

    def after(self, nodes: t.Iterable[NodeState], phases: t.Mapping[str, Phase], now: float) -> RolloutHistory:
        """Return the history after one more observation."""
        histories: dict[str, NodeHistory] = {}
        durations = list(self.durations)
        for node in nodes:
            before, phase = self.of(node.name), phases[node.name]
            history = self._node_after(before, node, phase, now)
            if history != _EMPTY:
                histories[node.name] = history
            if phase is Phase.DONE and before.update_started is not None:
                durations.append(now - before.update_started)
        return RolloutHistory(histories, tuple(durations[-_MOST_DURATIONS:]), started=True)

    def _node_after(self, before: NodeHistory, node: NodeState, phase: Phase, now: float) -> NodeHistory:
        updating = phase is Phase.UPDATING
        first = now if self.started else None
        return NodeHistory(
            updating=updating,
            update_started=(before.update_started if before.updating else first) if updating else None,
            draining_since=_since(before.draining_since, node.draining, now),
            not_ready_since=_since(before.not_ready_since, not node.ready, now),
            pull_failed_since=_since(before.pull_failed_since, bool(node.pull_error), now),
        )

    def draining(self, seconds: float, now: float) -> list[str]:
        """Return the nodes that have been draining for *seconds* or longer, the longest drain first."""
        started = [(h.draining_since, name) for name, h in self.nodes.items() if h.draining_since is not None]
        return [name for since, name in sorted(started) if now - since >= seconds]


_EMPTY = NodeHistory()


def seconds_since(start: float | None, now: float) -> float:
    """Return the seconds since a start, 0 if there was none."""
    return 0.0 if start is None else now - start


def _since(before: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if before is None else before
