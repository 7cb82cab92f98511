# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds the nodes of a pool up, as soon as it can be known?

Which of it ends a wait is told by the public table of findings: what cannot clear by itself.
"""

from __future__ import annotations

import typing as t

from ..findings import Finding, FindingId
from ..objects.machineconfigpool import Pool
from ..objects.node import NodeState, Phase
from ..objects.resources import MACHINE_CONFIG_POOL, NODE, ObjectRef
from .drain import Drains
from .history import History

RETURN = 600.0
"""Seconds that a reboot may take before a node that is not Ready is worth a word."""
RETRIED = 60.0
"""Seconds after which a daemon has tried again: what it says then is no left-over of a cause that was removed."""
_REASON = 200
"""Characters of a daemon's reason that a message about the pool shows."""


def blockers(
    pool: Pool,
    nodes: t.Collection[NodeState],
    phases: t.Mapping[str, Phase],
    history: History,
    drains: Drains,
    now: float,
) -> list[Finding]:
    """Return what holds the pool's nodes up, the pool's own findings first."""
    found = _of_pool(pool)
    for node in nodes:
        found += _of_node(node, phases[node.name], history, now)
        if node.draining:
            found += drains.findings(node.name, now)
    if drains.unseen and any(node.draining for node in nodes):
        message = f"what keeps nodes from being drained cannot be seen ({drains.unseen})"
        found.append(
            Finding(FindingId.CLUSTER_DRAINS_NOT_READABLE, ObjectRef(MACHINE_CONFIG_POOL.name, pool.name), message)
        )
    return found


def places_taken(
    pool: Pool, phases: t.Mapping[str, Phase], members: t.Collection[NodeState], awaited: t.Collection[str]
) -> list[Finding]:
    """Find that nobody else can begin, because nodes that get nowhere count as out of service.

    :param members: all nodes of the pool, and *phases* theirs
    :param awaited: the names of those that are waited for
    """
    out = [n for n in members if _takes_a_place(n, phases[n.name])]
    at_once = pool.most_unavailable(len(members))
    next_ones = set(awaited) - {n.name for n in out}
    if len(out) < at_once or all(phases[name] is not Phase.WAITING for name in next_ones):
        return []
    why = "; ".join(f"{n.name} {_why_out(n)}" for n in out)
    message = f"MachineConfigPool {pool.name}: no other node begins, for maxUnavailable ({at_once}) is used up: {why}"
    return [
        Finding(FindingId.POOL_MAX_UNAVAILABLE_REACHED, ObjectRef(MACHINE_CONFIG_POOL.name, pool.name), message, why)
    ]


def _of_pool(pool: Pool) -> list[Finding]:
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, pool.name)
    found = []
    if pool.paused:
        found.append(Finding(FindingId.POOL_PAUSED, ref, f"MachineConfigPool {pool.name} is paused"))
    if pool.render_error:
        found.append(Finding(FindingId.POOL_RENDER_DEGRADED, ref, pool.render_error, pool.render_error))
    return found


def _takes_a_place(node: NodeState, phase: Phase) -> bool:
    """Whether a node counts as unavailable without getting anywhere (operator.md 3.3, 3.4)."""
    if phase is Phase.DONE:
        return False
    return node.degraded or (node.settled and (not node.ready or node.unschedulable))


def _why_out(node: NodeState) -> str:
    if node.degraded:
        return f"degraded ({node.reason[:_REASON]})" if node.reason else "degraded"
    return "cordoned" if node.ready else "not Ready"


def _of_node(node: NodeState, phase: Phase, history: History, now: float) -> list[Finding]:
    ref = ObjectRef(NODE.name, node.name)
    found = []
    if node.degraded:
        found.append(_degraded(node, ref, history, now))
    if phase is Phase.DONE:
        return found
    if node.settled:
        if not node.ready:
            found.append(Finding(FindingId.NODE_NOT_READY, ref, f"Node {node.name} is not Ready"))
        if node.unschedulable and not (node.draining or node.uncordoning):
            found.append(Finding(FindingId.NODE_UNSCHEDULABLE, ref, f"Node {node.name} is cordoned"))
    elif history.age("away", node.name, now) >= RETURN:  # a node on its way is away for a while
        message = f"Node {node.name} has not been Ready for more than {RETURN / 60:g} minutes"
        found.append(Finding(FindingId.NODE_NOT_RETURNED, ref, message))
    return found


def _degraded(node: NodeState, ref: ObjectRef, history: History, now: float) -> Finding:
    if node.pull_error and history.age("refused", node.name, now) >= RETRIED:
        message = f"Node {node.name} is refused the image: {node.pull_error}"
        return Finding(FindingId.NODE_IMAGE_PULL_DENIED, ref, message, node.reason)
    return Finding(FindingId.NODE_DEGRADED, ref, f"Node {node.name}: {node.reason or node.state}", node.reason)
