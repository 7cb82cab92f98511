# SPDX-License-Identifier: GPL-3.0-or-later
"""Record when each node drained, rebooted and was done. The report draws it as the timeline of the run.

The condition Ready states when it changed, and a MachineConfigNode states when a drain began. The annotations of the
operator have no times, so all other times are those at which the wait observed the change. What happened before the
wait or during an outage, and is not stated by an object, is not recorded.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ..objects.machineconfignode import MachineConfigNode
from ..objects.node import NodeState
from ..objects.timestamp import seconds_of
from .node_phase import Phase

_MOST_AGE = 30 * 86400.0
"""Seconds between a stated time and the observation, at most. A time that differs more is not used."""
DEGRADED = "degraded"
"""State of a node whose daemon reports an error. The other states are phases."""


@dataclass(frozen=True)
class Moment:
    """A time of a node."""

    at: float
    """Whole seconds since the epoch."""
    stated: bool = False
    """Whether an object of the API states it. Otherwise it is when the wait observed the change."""


@dataclass(frozen=True)
class NodeTimes:
    """Times of the latest update of a node. None for what was not observed."""

    updating: bool = False
    draining: bool = False
    started: Moment | None = None
    """The operator had assigned the target to the node."""
    drain_started: Moment | None = None
    drain_finished: Moment | None = None
    not_ready: Moment | None = None
    """The node stopped being Ready: it reboots."""
    ready: Moment | None = None
    """The node was Ready again."""
    done: Moment | None = None

    def moments(self) -> dict[str, Moment]:
        """Return the known times by name."""
        known = {
            "started": self.started,
            "drain_started": self.drain_started,
            "drain_finished": self.drain_finished,
            "not_ready": self.not_ready,
            "ready": self.ready,
            "done": self.done,
        }
        return {name: moment for name, moment in known.items() if moment is not None}


_NOTHING = NodeTimes()


@dataclass(frozen=True)
class RolloutTimes:
    """Times of the nodes of a rollout."""

    nodes: t.Mapping[str, NodeTimes] = field(default_factory=dict)
    """Nodes of which a time or an update is known, by name."""
    watching: bool = False
    """Whether there was an observation before. What holds at the first one has begun before it."""

    def after(
        self,
        nodes: t.Iterable[NodeState],
        phases: t.Mapping[str, Phase],
        reports: t.Mapping[str, MachineConfigNode],
        now: float,
    ) -> RolloutTimes:
        """Return the times after one more observation.

        :param phases: phase of each awaited node, including the nodes that left the pool
        :param reports: the MachineConfigNodes that are known
        """
        found = {name: times for name, times in self.nodes.items() if phases.get(name) is Phase.LEFT}
        for node in nodes:
            look = _Look(node, phases[node.name], now, self.watching)
            times = look.after(self.nodes.get(node.name, _NOTHING))
            if node.name in reports:
                times = _with_stated_drain(times, reports[node.name], now)
            if times != _NOTHING:
                found[node.name] = times
        return RolloutTimes(found, watching=True)


@dataclass(frozen=True)
class _Look:
    """One node at one observation."""

    node: NodeState
    phase: Phase
    now: float
    watching: bool

    def after(self, before: NodeTimes) -> NodeTimes:
        """Return the times after this observation."""
        is_updating = self.phase is Phase.UPDATING
        if before.done is not None:
            if not is_updating or self.node.settled:
                return before  # a node that is lost later does not change when its update was done
            before = _NOTHING
        if is_updating:
            times = self._ready(self._drain(self._start(before)))
            return replace(times, updating=True, draining=self.node.draining)
        if self.phase is Phase.DONE and before != _NOTHING:
            times = self._ready(self._drain(before))
            return replace(times, updating=False, draining=False, done=self._observed())
        return replace(before, updating=False)

    def _start(self, before: NodeTimes) -> NodeTimes:
        if before.updating or before.started is not None:
            return before
        return replace(before, started=self._began())

    def _drain(self, before: NodeTimes) -> NodeTimes:
        if self.node.draining == before.draining:
            return before
        if not self.node.draining:
            return replace(before, drain_finished=self._observed())
        return replace(before, drain_started=before.drain_started or self._began(), drain_finished=None)

    def _ready(self, before: NodeTimes) -> NodeTimes:
        """Return the times with the first moment without Ready, and the last one at which it was Ready again."""
        changed = _stated(self.node.ready_since, self.now)
        if not self.node.ready:
            return replace(before, not_ready=before.not_ready or changed or self._began(), ready=None)
        gone = before.not_ready
        if gone is None or before.ready is not None:
            return before
        # Two times of one clock: if the node was Ready before it was not, the condition does not state the change.
        is_stated = changed is not None and not (gone.stated and changed.at < gone.at)
        return replace(before, ready=changed if is_stated else self._observed())

    def _observed(self) -> Moment:
        return Moment(float(int(self.now)))

    def _began(self) -> Moment | None:
        return self._observed() if self.watching else None


def _with_stated_drain(times: NodeTimes, report: MachineConfigNode, now: float) -> NodeTimes:
    """Return the times with the start of the drain that runs, if the MachineConfigNode states an earlier one."""
    stated = _stated(report.drain_since, now)
    if not times.draining or stated is None or (times.drain_started and times.drain_started.at <= stated.at):
        return times
    return replace(times, drain_started=stated)


def _stated(time: str, now: float) -> Moment | None:
    """Return a time of an object, or None if it is none. The clock of the cluster may differ, but not by a month."""
    seconds = seconds_of(time)
    return None if seconds is None or abs(now - seconds) > _MOST_AGE else Moment(seconds, stated=True)


def state_of(phase: Phase, node: NodeState | None) -> str:
    """Return the state that the timeline shows for a node at the end of a wait.

    :param node: None if the node left the pool
    """
    return DEGRADED if phase is Phase.UPDATING and node is not None and node.degraded else phase.value
