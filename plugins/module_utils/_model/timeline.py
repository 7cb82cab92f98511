# SPDX-License-Identifier: GPL-3.0-or-later
"""Timeline of a run, read from its results: the attempts of the build, and the update of each node.

It has times, and nothing of how they are drawn.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .build.attempts import AttemptState
from .objects.timestamp import seconds_of
from .objects.values import mapping, mappings, number_in, text_in
from .rollout.node_phase import Phase

MOST_ATTEMPTS = 20
"""Attempts of a timeline. A Job makes at most four."""
MOST_NODES = 2000
"""Nodes of a timeline."""
_LATEST = 1e11
"""Greatest number of seconds since the epoch. A larger number is not a time."""
_LONGEST_TEXT = 253
"""Characters of a name. The API allows no more."""
TIMES = ("started", "drain_started", "drain_finished", "not_ready", "ready", "done")
"""Times of the update of a node, in their usual order."""
SUCCEEDED, FAILED = AttemptState.SUCCEEDED.value, AttemptState.FAILED.value
DONE = Phase.DONE.value


@dataclass(frozen=True)
class Span:
    """A period in seconds since the epoch. None for an unknown start, and for an end that is unknown or not reached."""

    begin: float | None
    end: float | None

    @property
    def known(self) -> tuple[float, ...]:
        """The times that are known."""
        return tuple(time for time in (self.begin, self.end) if time is not None)

    @property
    def seconds(self) -> float | None:
        """Its length, or None if it is not known."""
        return None if self.begin is None or self.end is None else self.end - self.begin


@dataclass(frozen=True)
class BuildEntry:
    """The build."""

    name: str
    state: str
    span: Span


@dataclass(frozen=True)
class AttemptEntry:
    """An attempt of the build."""

    number: int
    """1 for the first attempt that is known."""
    pod: str
    state: str
    reason: str
    exit_code: int
    span: Span


@dataclass(frozen=True)
class NodeEntry:
    """The update of a node."""

    name: str
    state: str
    """State at the end of the run: done, updating, waiting, left or degraded."""
    started: float | None
    drain: Span
    reboot: Span
    """While the node was not Ready."""
    done: float | None
    observed: frozenset[str] = frozenset()
    """Names of the times at which the wait observed the change. The others are stated by an object of the API."""

    @property
    def known(self) -> tuple[float, ...]:
        """All times that are known."""
        return Span(self.started, self.done).known + self.drain.known + self.reboot.known

    @property
    def whole(self) -> Span:
        """From its first time to its end. The end is None if the node is not done."""
        return Span(min(self.known, default=None), self.done if self.is_done else None)

    @property
    def is_done(self) -> bool:
        """Whether the node was done at the end of the run."""
        return self.state == DONE


@dataclass(frozen=True)
class Timeline:
    """The timeline of a run."""

    build: BuildEntry | None
    attempts: tuple[AttemptEntry, ...]
    nodes: tuple[NodeEntry, ...]
    """In the order of their first time."""
    left_out: int = 0
    """Nodes that a limit left out."""

    def limited(self, most: int) -> Timeline:
        """Return the timeline with at most this many nodes. Nodes that are not done are left out last."""
        if len(self.nodes) <= most:
            return self
        kept = {node.name for node in sorted(self.nodes, key=lambda node: node.is_done)[:most]}
        nodes = tuple(node for node in self.nodes if node.name in kept)
        return Timeline(self.build, self.attempts, nodes, self.left_out + len(self.nodes) - len(nodes))


def timeline_of(build: t.Any, rollout: t.Any) -> Timeline | None:
    """Return the timeline, or None if neither an attempt nor an update of a node was observed.

    :param build: the build of a result
    :param rollout: the return value ``timeline`` of ``machineconfigpool_wait``
    """
    attempts = tuple(map(_attempt, range(1, MOST_ATTEMPTS + 1), mappings(mapping(build).get("attempts"))))
    nodes = tuple(sorted(map(_node, mappings(mapping(rollout).get("nodes"))), key=_by_time))
    if not attempts and not nodes:
        return None
    timeline = Timeline(_build(build), attempts, nodes, max(0, number_in(rollout, "left_out")))
    return timeline.limited(MOST_NODES)


def _by_time(node: NodeEntry) -> tuple[float, str]:
    return min(node.known, default=float("inf")), node.name


def _build(build: t.Any) -> BuildEntry | None:
    span = Span(time_in(build, "started"), time_in(build, "finished"))
    return BuildEntry(text_in(build, "name"), text_in(build, "state"), span) if span.known else None


def _attempt(number: int, attempt: t.Mapping[str, t.Any]) -> AttemptEntry:
    return AttemptEntry(
        number=number,
        pod=text_in(attempt, "pod")[:_LONGEST_TEXT],
        state=text_in(attempt, "state"),
        reason=text_in(attempt, "reason")[:_LONGEST_TEXT],
        exit_code=number_in(attempt, "exit_code"),
        span=Span(time_in(attempt, "started"), time_in(attempt, "finished")),
    )


def _node(node: t.Mapping[str, t.Any]) -> NodeEntry:
    times = {name: time_in(node, name) for name in TIMES}
    observed = node.get("observed")
    return NodeEntry(
        name=text_in(node, "name"),
        state=text_in(node, "state"),
        started=times["started"],
        drain=Span(times["drain_started"], times["drain_finished"]),
        reboot=Span(times["not_ready"], times["ready"]),
        done=times["done"],
        observed=frozenset(name for name in TIMES if isinstance(observed, list) and name in observed),
    )


def time_in(part: t.Any, name: str) -> float | None:
    """Return the time in a field as seconds since the epoch, or None if it is not a time."""
    seconds = seconds_of(text_in(part, name))
    return seconds if seconds is not None and 0 <= seconds <= _LATEST else None
