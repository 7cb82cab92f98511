# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what blocks the drain of a node, before the operator reports it.

A PodDisruptionBudget is named as soon as the drain reaches its pod; the operator reports a failed drain an hour later.
Source: docs/operator-behavior.md ("Drains").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..findings import Finding, FindingId
from ..objects.budget import PodDisruptionBudget
from ..objects.machineconfignode import MachineConfigNode
from ..objects.pod import Pod
from ..objects.resources import NODE, POD, ObjectRef

TERMINATION_MARGIN = 60.0
"""Seconds that a pod may exist after the end of its grace period."""


@dataclass(frozen=True)
class Blocker:
    """Something that keeps a node from the next step of its update."""

    node: str
    finding: Finding
    summary: str
    """The reason in a few words, for the progress line."""


@dataclass(frozen=True)
class DrainSnapshot:
    """The objects that drains depend on. They are read only for nodes that drain."""

    pods: t.Sequence[Pod] = ()
    budgets: t.Sequence[PodDisruptionBudget] = ()
    machine_config_nodes: t.Mapping[str, MachineConfigNode] = field(default_factory=dict)
    """MachineConfigNodes by the name of their node. The drain controller reports its errors there."""
    unreadable: str = ""
    """Why pods or budgets cannot be read, or an empty string."""


def drain_blockers(node: str, drains: DrainSnapshot, now: float) -> list[Blocker]:
    """Return what blocks the drain of a node. The report of the drain controller counts if nothing else is found.

    :param now: seconds since the epoch
    """
    pods = [pod for pod in drains.pods if pod.node == node and not pod.ignored_by_drain]
    found = [blocker for pod in pods for blocker in [_pod_blocker(pod, drains.budgets, now)] if blocker]
    report = drains.machine_config_nodes.get(node)
    if found or report is None or not report.drain_error:
        return found
    message = f"Node {node} cannot be drained: {report.drain_error}"
    finding = Finding(FindingId.NODE_DRAIN_FAILING, ObjectRef(NODE.name, node), message, report.drain_error)
    return [Blocker(node, finding, report.drain_error)]


def _pod_blocker(pod: Pod, budgets: t.Iterable[PodDisruptionBudget], now: float) -> Blocker | None:
    if pod.deletion_deadline is not None:
        return _not_terminating(pod) if now - pod.deletion_deadline > TERMINATION_MARGIN else None
    if not pod.is_protected_by_budgets:
        return None
    covering = [budget for budget in budgets if budget.covers(pod)]
    if len(covering) > 1:
        return _two_budgets(pod, covering)
    if covering and covering[0].blocks_eviction_of(pod):
        return _blocked_by(pod, covering[0])
    return None


def _not_terminating(pod: Pod) -> Blocker:
    reason = f"{_ref(pod)} was evicted but has not terminated"
    return _blocker(pod, FindingId.NODE_POD_NOT_TERMINATING, reason, f"{pod.namespace}/{pod.name} is not terminating")


def _two_budgets(pod: Pod, budgets: t.Sequence[PodDisruptionBudget]) -> Blocker:
    names = " and ".join(f"{budget.namespace}/{budget.name}" for budget in budgets)
    reason = (
        f"{_ref(pod)} has the PodDisruptionBudgets {names}, and the API server does not evict a pod with more than one"
    )
    evidence = "; ".join(budget.status_line for budget in budgets)
    summary = f"PDBs {names} block eviction of {pod.namespace}/{pod.name}"
    return _blocker(pod, FindingId.NODE_DRAIN_IMPOSSIBLE, reason, summary, evidence)


def _blocked_by(pod: Pod, budget: PodDisruptionBudget) -> Blocker:
    never = budget.never_allows_eviction
    name = f"{budget.namespace}/{budget.name}"
    allows = "never allows" if never else "does not currently allow"
    reason = f"PodDisruptionBudget {name} {allows} the eviction of {_ref(pod)}"
    finding_id = FindingId.NODE_DRAIN_IMPOSSIBLE if never else FindingId.NODE_DRAIN_BLOCKED
    summary = f"PDB {name} blocks eviction of {pod.namespace}/{pod.name}"
    return _blocker(pod, finding_id, reason, summary, budget.status_line)


def _blocker(pod: Pod, finding_id: FindingId, reason: str, summary: str, evidence: str = "") -> Blocker:
    message = f"Node {pod.node} cannot be drained: {reason}"
    return Blocker(pod.node, Finding(finding_id, _ref(pod), message, evidence), summary)


def _ref(pod: Pod) -> ObjectRef:
    return ObjectRef(POD.name, pod.name, pod.namespace)
