# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what blocks the drain of a node, before the operator reports it.

A PodDisruptionBudget is named as soon as the drain reaches its pod; the operator reports a failed drain an hour later.
The budget of a virtual machine is an exception: its eviction starts a live migration, and the drain then continues.
Source: docs/operator-behavior.md ("Drains", "Virtual machines").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from functools import cached_property

from ..findings import Finding, FindingId
from ..objects.budget import PodDisruptionBudget
from ..objects.machineconfignode import MachineConfigNode
from ..objects.pod import Pod
from ..objects.resources import NODE, POD, VIRTUAL_MACHINE_INSTANCE, ObjectRef
from ..objects.virtualmachine import VirtualMachine

T = t.TypeVar("T")

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
    virtual_machines: t.Sequence[VirtualMachine] = ()
    """The virtual machines on nodes with a drain that waits for one. Empty if they cannot be read."""

    @cached_property
    def pods_by_node(self) -> t.Mapping[str, t.Sequence[Pod]]:
        """The pods that a drain evicts, by the name of their node."""
        return _grouped((pod.node, pod) for pod in self.pods if not pod.ignored_by_drain)

    @cached_property
    def machine_by_name(self) -> t.Mapping[tuple[str, str], VirtualMachine]:
        """The virtual machines by namespace and name."""
        return {(machine.namespace, machine.name): machine for machine in self.virtual_machines}

    @cached_property
    def _budgets_by_namespace(self) -> t.Mapping[str, t.Sequence[PodDisruptionBudget]]:
        return _grouped((budget.namespace, budget) for budget in self.budgets)

    @cached_property
    def _has_machines(self) -> bool:
        return any(pod.virtual_machine for pod in self.pods) or any(budget.virtual_machine for budget in self.budgets)

    def budgets_of(self, pod: Pod) -> list[PodDisruptionBudget]:
        """Return the budgets that select a pod."""
        return [budget for budget in self._budgets_by_namespace.get(pod.namespace, ()) if budget.covers(pod)]

    def waits_for_machine(self, node: str) -> bool:
        """Whether the drain of a node waits for a virtual machine."""
        if not self._has_machines:
            return False
        pods = (pod for pod in self.pods_by_node.get(node, ()) if _is_evictable(pod))
        return any(_waits_for_machine(pod, self.budgets_of(pod)) for pod in pods)


def _grouped(pairs: t.Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = {}
    for key, value in pairs:
        groups.setdefault(key, []).append(value)
    return groups


def drain_blockers(node: str, drains: DrainSnapshot, now: float) -> list[Blocker]:
    """Return what blocks the drain of a node. The report of the drain controller counts if nothing else is found.

    :param now: seconds since the epoch
    """
    pods = drains.pods_by_node.get(node, ())
    found = [blocker for pod in pods for blocker in [_pod_blocker(pod, drains, now)] if blocker]
    report = drains.machine_config_nodes.get(node)
    if found or report is None or not report.drain_error:
        return found
    message = f"Node {node} cannot be drained: {report.drain_error}"
    finding = Finding(FindingId.NODE_DRAIN_FAILING, ObjectRef(NODE.name, node), message, report.drain_error)
    return [Blocker(node, finding, report.drain_error)]


def _pod_blocker(pod: Pod, drains: DrainSnapshot, now: float) -> Blocker | None:
    if pod.deletion_deadline is not None:
        return _not_terminating(pod) if now - pod.deletion_deadline > TERMINATION_MARGIN else None
    if not _is_evictable(pod):
        return None
    covering = drains.budgets_of(pod)
    if _is_of_machine(pod, covering):
        return _virtual_machine(pod, covering, drains) if _waits_for_machine(pod, covering) else None
    if len(covering) > 1:
        return _two_budgets(pod, covering)
    if covering and covering[0].blocks_eviction_of(pod):
        return _blocked_by(pod, covering[0])
    return None


def _is_evictable(pod: Pod) -> bool:
    """Whether budgets decide about the eviction of a pod."""
    return pod.deletion_deadline is None and pod.is_protected_by_budgets


def _is_of_machine(pod: Pod, budgets: t.Iterable[PodDisruptionBudget]) -> bool:
    return bool(pod.virtual_machine) or any(budget.virtual_machine for budget in budgets)


def _waits_for_machine(pod: Pod, budgets: t.Collection[PodDisruptionBudget]) -> bool:
    """Whether the eviction of a pod waits until its virtual machine has left the node."""
    return _is_of_machine(pod, budgets) and any(budget.blocks_eviction_of(pod) for budget in budgets)


def _virtual_machine(pod: Pod, budgets: t.Sequence[PodDisruptionBudget], drains: DrainSnapshot) -> Blocker:
    """Report the virtual machine of a pod. KubeVirt migrates it when the drain controller evicts the pod."""
    owners = (budget.virtual_machine for budget in budgets if budget.virtual_machine)
    name = pod.virtual_machine or next(owners)
    ref = ObjectRef(VIRTUAL_MACHINE_INSTANCE.name, name, pod.namespace)
    machine = drains.machine_by_name.get((pod.namespace, name))
    evidence = "; ".join(budget.status_line for budget in budgets)
    if machine and machine.why_not_migratable:
        message = f"Node {pod.node} cannot be drained: {ref} cannot migrate ({machine.why_not_migratable})"
        finding = Finding(FindingId.NODE_VM_NOT_MIGRATABLE, ref, message, evidence)
        return Blocker(pod.node, finding, f"VM {pod.namespace}/{name} cannot migrate ({machine.why_not_migratable})")
    target = f" to {machine.target_node}" if machine and machine.target_node else ""
    message = f"The drain of Node {pod.node} requires the live migration of {ref}{target}"
    finding = Finding(FindingId.NODE_VM_MIGRATING, ref, message, evidence)
    return Blocker(pod.node, finding, f"VM {pod.namespace}/{name} migrates{target}")


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
    problem = f" ({budget.problem})" if budget.problem else ""
    reason = f"PodDisruptionBudget {name} {allows} the eviction of {_ref(pod)}{problem}"
    finding_id = FindingId.NODE_DRAIN_IMPOSSIBLE if never else FindingId.NODE_DRAIN_BLOCKED
    summary = f"PDB {name} blocks eviction of {pod.namespace}/{pod.name}"
    return _blocker(pod, finding_id, reason, summary, budget.status_line)


def _blocker(pod: Pod, finding_id: FindingId, reason: str, summary: str, evidence: str = "") -> Blocker:
    message = f"Node {pod.node} cannot be drained: {reason}"
    return Blocker(pod.node, Finding(finding_id, _ref(pod), message, evidence), summary)


def _ref(pod: Pod) -> ObjectRef:
    return ObjectRef(POD.name, pod.name, pod.namespace)
