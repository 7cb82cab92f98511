# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long has a node been where it is, how long do nodes take, and how much is left?

Only what the wait itself has seen counts. A node that was on its way already when the wait began tells nothing of how
long a node takes, and before the first one has arrived nobody knows what is left.
"""

from __future__ import annotations

import heapq
import statistics
import typing as t
from dataclasses import dataclass, field

from ..objects.node import NodeState, Phase

_TAKEN = 50
"""How many durations are remembered, the last ones."""
UNKNOWN = 0.0
"""The beginning of what had begun before the wait did."""


@dataclass(frozen=True)
class History:
    """What a wait has seen of the nodes so far."""

    since: t.Mapping[str, float] = field(default_factory=dict)
    """``<state> <node>`` -> since when, in seconds since the epoch; the states are those of *_states*."""
    took: tuple[float, ...] = ()
    """For how long each node that has arrived was on its way, in seconds."""
    began: bool = False

    def after(self, nodes: t.Iterable[NodeState], phases: t.Mapping[str, Phase], now: float) -> History:
        """Return the history with one look more."""
        since: dict[str, float] = {}
        took = list(self.took)
        for node in nodes:
            phase = phases[node.name]
            for state in _states(node, phase):
                key = f"{state} {node.name}"
                start = UNKNOWN if state == "updating" and not self.began else now
                since[key] = self.since.get(key, start)
            started = self.since.get(f"updating {node.name}", UNKNOWN)
            if phase is Phase.DONE and started != UNKNOWN:
                took.append(now - started)
        return History(since, tuple(took[-_TAKEN:]), True)

    def age(self, state: str, node: str, now: float) -> float:
        """Return for how many seconds a node has been seen in a state; 0 when it is not."""
        return now - self.since.get(f"{state} {node}", now)

    def remaining(self, waiting: int, at_once: int, now: float) -> float | None:
        """Return the seconds until the last node arrives if all go on as those did that have; None before the first.

        :param waiting: how many nodes have not begun
        :param at_once: how many may be on their way at the same time
        """
        if not self.took:
            return None
        typical = statistics.median(self.took)
        under_way = [start for key, start in self.since.items() if key.startswith("updating ")]
        free_in = [max(0.0, typical - (now - start)) if start != UNKNOWN else typical for start in under_way]
        free_in += [0.0] * (at_once - len(free_in))
        heapq.heapify(free_in)
        for dummy in range(waiting):
            heapq.heappush(free_in, heapq.heappop(free_in) + typical)
        return max(free_in)

    def as_json(self) -> list[t.Any]:
        """Return it as a cursor carries it."""
        return [dict(self.since), list(self.took), self.began]

    @classmethod
    def from_json(cls, content: t.Any) -> History:
        """Read what a cursor carried; nothing is an empty history."""
        if not content:
            return cls()
        since, took, began = content
        return cls(dict(since), tuple(took), bool(began))


def _states(node: NodeState, phase: Phase) -> t.Iterator[str]:
    if phase is Phase.UPDATING:
        yield "updating"
    if node.draining:
        yield "draining"
    if not node.ready:
        yield "away"
    if node.pull_error:
        yield "refused"
