# SPDX-License-Identifier: GPL-3.0-or-later
"""Record since when nodes have been in a state, and how long their updates took.

Only what the wait itself observed counts. The update of a node that started before the wait has no known duration.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ..node_failure import PULL_FAILURES, NodeFailure, failure_of
from ..objects.node import NodeState
from .node_phase import Phase

_LONGEST_ERROR = 500
"""Characters of the error of a node."""
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
    failure: NodeFailure | None = None
    """The failure with its cause, as long as the daemon of the node retries. None if it is not known."""


@dataclass(frozen=True)
class Idle:
    """Since when nodes wait for an image and none is being updated."""

    image: str = ""
    """The awaited image. Empty if a node is being updated or none waits."""
    since: float = 0.0
    """Watched seconds (``Snapshot.watched``)."""

    def after(self, image: str, watched: float) -> Idle:
        """Return the state after one more observation."""
        return self if image == self.image else Idle(image, watched)

    def seconds(self, watched: float) -> float:
        """Return for how long the nodes have been waiting."""
        return watched - self.since if self.image else 0.0


@dataclass(frozen=True)
class RolloutHistory:
    """What a wait has observed of the nodes."""

    nodes: t.Mapping[str, NodeHistory] = field(default_factory=dict)
    """Nodes that are in one of the states, by name."""
    durations: tuple[float, ...] = ()
    """Seconds that each completed update took."""
    started: bool = False
    """Whether there was an observation before."""
    idle: Idle = field(default_factory=Idle)

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
        return RolloutHistory(histories, tuple(durations[-_MOST_DURATIONS:]), started=True, idle=self.idle)

    def _node_after(self, before: NodeHistory, node: NodeState, phase: Phase, now: float) -> NodeHistory:
        updating = phase is Phase.UPDATING
        first = now if self.started else None
        failure = _failure(before, node)
        is_denied = failure is not None and failure.finding in PULL_FAILURES
        return NodeHistory(
            updating=updating,
            update_started=(before.update_started if before.updating else first) if updating else None,
            draining_since=_since(before.draining_since, node.draining, now),
            not_ready_since=_since(before.not_ready_since, not node.ready, now),
            pull_failed_since=_since(before.pull_failed_since, is_denied, now),
            failure=failure,
        )

    def with_failure(self, node: str, failure: NodeFailure) -> RolloutHistory:
        """Return the history with the failure of a node that its reason does not tell."""
        known = replace(self.of(node), failure=replace(failure, error=failure.error[:_LONGEST_ERROR]))
        return replace(self, nodes={**self.nodes, node: known})

    def draining(self, seconds: float, now: float) -> list[str]:
        """Return the nodes that have been draining for *seconds* or longer, the longest drain first."""
        started = [(h.draining_since, name) for name, h in self.nodes.items() if h.draining_since is not None]
        return [name for since, name in sorted(started) if now - since >= seconds]


def _failure(before: NodeHistory, node: NodeState) -> NodeFailure | None:
    """Return the failure with its cause. While the daemon retries, its reason may no longer tell the cause.

    The daemon leaves the reason until it has succeeded or failed again.
    """
    if not node.reason or not (node.degraded or node.state == "Working"):
        return None
    found = failure_of(node.reason)
    if found.names_cause:
        return replace(found, error=found.error[:_LONGEST_ERROR])
    return before.failure if found.error else None


_EMPTY = NodeHistory()


def seconds_since(start: float | None, now: float) -> float:
    """Return the seconds since a start, 0 if there was none."""
    return 0.0 if start is None else now - start


def _since(before: float | None, holds: bool, now: float) -> float | None:
    if not holds:
        return None
    return now if before is None else before
