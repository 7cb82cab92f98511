# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecast a rollout: which nodes drain and reboot, in which order, how many at once, and what blocks them now.

Source: docs/operator-behavior.md ("Rollout order and maxUnavailable", "Drains").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..findings import Finding, FindingId
from ..objects.machineconfigpool import CONTROL_PLANE, Pool
from ..objects.node import NodeState
from ..objects.resources import MACHINE_CONFIG_POOL, Object, ObjectRef, labels_of, metadata_of
from .drain_blockers import DrainSnapshot, drain_blockers
from .node_phase import Phase, Target

ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True)
class PoolNode:
    """A node of the pool, with what decides its place in a rollout."""

    state: NodeState
    zone: str | None
    """None without the label. Such nodes are the last ones."""
    created: str
    """RFC 3339 time with whole seconds. The order of nodes of the same second is not determined."""

    @classmethod
    def from_api(cls, obj: Object) -> PoolNode:
        """Read a v1 Node."""
        state = NodeState.from_api(obj)
        return cls(state, labels_of(obj).get(ZONE_LABEL), str(metadata_of(obj).get("creationTimestamp") or ""))

    @property
    def rank(self) -> tuple[bool, str, str, str]:
        """Sort key of the operator, and the name for nodes of the same age."""
        return (self.zone is None, self.zone or "", self.created, self.state.name)

    @property
    def why_no_candidate(self) -> str:
        """Why the operator does not start the node now, or an empty text."""
        if not self.state.ready:
            return "not Ready"
        if self.state.unschedulable:
            return "cordoned"
        return "" if self.state.settled or self.state.degraded else "is being updated"


@dataclass(frozen=True)
class RolloutInputs:
    """What a forecast is made from. The pool and its nodes are those that the run leaves."""

    pool: Pool
    nodes: t.Sequence[PoolNode]
    target: Target | None
    """What the nodes have to reach. None if it will be a new image, which no node has."""
    drains: DrainSnapshot = field(default_factory=DrainSnapshot)
    operator_node: str = ""
    """The node that runs the operator, which is the last one of the control plane."""
    drained: bool = True
    """Whether nodes drain before they reboot. The only node of a cluster does not."""


@dataclass(frozen=True)
class RolloutForecast:
    """Nodes that would drain and reboot."""

    order: tuple[str, ...] = ()
    """Candidates in the order in which the operator starts them."""
    later: t.Mapping[str, str] = field(default_factory=dict)
    """Nodes that reboot after something else happened: name -> what keeps them from being a candidate now."""
    at_once: int = 0
    """How many nodes may be away at the same time now."""
    findings: tuple[Finding, ...] = ()
    """What blocks drains, or the whole rollout, now."""
    doubt: str = ""
    """Why the rollout may never start, or an empty text."""

    @property
    def total(self) -> int:
        """How many nodes would reboot."""
        return len(self.order) + len(self.later)

    @property
    def batches(self) -> tuple[tuple[str, ...], ...]:
        """The candidates in groups that may be away at the same time.

        The operator has no fixed batches: it starts the next node when one is done.
        """
        size = max(1, self.at_once)
        return tuple(self.order[start : start + size] for start in range(0, len(self.order), size))


def forecast_rollout(inputs: RolloutInputs, now: float) -> RolloutForecast:
    """Return which nodes would drain and reboot, and what blocks them now.

    :param now: seconds since the epoch
    """
    moving = [node for node in inputs.nodes if _reboots(node, inputs.target)]
    if not moving:
        return RolloutForecast()
    candidates = sorted((node for node in moving if not node.why_no_candidate), key=lambda node: node.rank)
    later = {node.state.name: node.why_no_candidate for node in moving if node.why_no_candidate}
    order = tuple(node.state.name for node in _operator_last(inputs, candidates))
    unavailable = [node for node in inputs.nodes if _uses_capacity(node, inputs.target)]
    left = inputs.pool.most_unavailable(len(inputs.nodes)) - len(unavailable)
    findings = [*_capacity_findings(inputs, unavailable, left), *_drain_findings(inputs, (*order, *later), now)]
    return RolloutForecast(order, dict(sorted(later.items())), max(0, left), tuple(findings))


def _reboots(node: PoolNode, target: Target | None) -> bool:
    """Whether a node still has to start its update. A node that was assigned to the target has started."""
    return target is None or target.phase_of(node.state) is Phase.WAITING


def _operator_last(inputs: RolloutInputs, nodes: t.Sequence[PoolNode]) -> list[PoolNode]:
    if inputs.pool.name != CONTROL_PLANE:
        return list(nodes)
    return sorted(nodes, key=lambda node: node.state.name == inputs.operator_node)  # keeps the order of the others


def _uses_capacity(node: PoolNode, target: Target | None) -> bool:
    state = node.state
    if state.degraded:
        is_assigned = target is not None and (state.desired_config, state.desired_image) == (
            target.rendered_config,
            target.image,
        )
        return is_assigned or not state.ready or state.unschedulable
    return bool(node.why_no_candidate)


def _capacity_findings(inputs: RolloutInputs, unavailable: t.Sequence[PoolNode], left: int) -> list[Finding]:
    if left > 0:
        return []
    why = "; ".join(f"{node.state.name} {_why_unavailable(node)}" for node in unavailable)
    limit = inputs.pool.most_unavailable(len(inputs.nodes))
    message = f"MachineConfigPool {inputs.pool.name} can start no node: maxUnavailable ({limit}) is used up by {why}"
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, inputs.pool.name)
    return [Finding(FindingId.POOL_MAX_UNAVAILABLE_REACHED, ref, message, why)]


def _why_unavailable(node: PoolNode) -> str:
    return "degraded" if node.state.degraded and node.state.ready else node.why_no_candidate


def _drain_findings(inputs: RolloutInputs, names: t.Iterable[str], now: float) -> list[Finding]:
    if not inputs.drained:
        return []
    return [blocker.finding for name in names for blocker in drain_blockers(name, inputs.drains, now)]
