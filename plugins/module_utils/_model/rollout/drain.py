# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a node from being drained?

The rules are those by which the API server refuses an eviction (kubernetes, ``pkg/registry/core/pod/storage/
eviction.go``): so a budget that allows none is named as soon as the drain meets it, long before the operator gives up.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..findings import Finding, FindingId
from ..objects.budget import PodDisruptionBudget
from ..objects.machineconfignode import MachineConfigNode
from ..objects.pod import Pod
from ..objects.resources import NODE, POD, ObjectRef

ENDING = 60.0
"""Seconds that a pod may stay after the end of its grace period."""


@dataclass(frozen=True)
class Drains:
    """What is known of the nodes that drain. Nothing of it is read while no node does."""

    pods: t.Sequence[Pod] = ()
    budgets: t.Sequence[PodDisruptionBudget] = ()
    reports: t.Mapping[str, MachineConfigNode] = field(default_factory=dict)
    """Node -> its MachineConfigNode, in which the drain controller says what it met."""
    unseen: str = ""
    """Why pods or budgets cannot be read, or an empty text."""

    def findings(self, node: str, now: float) -> list[Finding]:
        """Return what keeps a node from being drained.

        :param now: seconds since the epoch
        """
        found = [f for pod in self.pods if pod.node == node and not pod.ignored_by_drain for f in self._about(pod, now)]
        report = self.reports.get(node)
        if report and report.drain_error and not found:
            message = f"Node {node} does not drain: {report.drain_error}"
            found.append(Finding(FindingId.NODE_DRAIN_FAILING, ObjectRef(NODE.name, node), message, report.drain_error))
        return found

    def _about(self, pod: Pod, now: float) -> t.Iterator[Finding]:
        ref = ObjectRef(POD.name, pod.name, pod.namespace)
        whose = f"Node {pod.node} does not drain: "
        if pod.deletion_deadline is not None:
            if now - pod.deletion_deadline > ENDING:
                yield Finding(FindingId.NODE_POD_NOT_TERMINATING, ref, f"{whose}{ref} was evicted and does not end")
            return
        covering = [b for b in self.budgets if b.covers(pod)] if pod.is_protected_by_budgets else []
        names = " and ".join(f"{b.namespace}/{b.name}" for b in covering)
        if len(covering) > 1:
            message = f"{whose}{ref} is covered by the PodDisruptionBudgets {names}, and no eviction is allowed by two"
            yield Finding(FindingId.NODE_DRAIN_IMPOSSIBLE, ref, message, "; ".join(b.status_line for b in covering))
        elif covering and covering[0].blocks_eviction_of(pod):
            never = covering[0].never_allows_eviction
            which = "can allow no eviction" if never else "allows no eviction now"
            message = f"{whose}PodDisruptionBudget {names} {which} of {ref}"
            yield Finding(
                FindingId.NODE_DRAIN_IMPOSSIBLE if never else FindingId.NODE_DRAIN_BLOCKED,
                ref,
                message,
                covering[0].status_line,
            )
