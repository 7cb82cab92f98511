# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a node from being drained?

The rules are those by which the API server refuses an eviction (kubernetes, ``pkg/registry/core/pod/storage/
eviction.go``): so a budget that allows none is named as soon as the drain meets it, long before the operator gives up.
"""

from __future__ import annotations

import typing as t
from calendar import timegm
from dataclasses import dataclass, field
from time import strptime

from ..findings import Finding, FindingId
from ..objects.label_selector import matches
from ..objects.machineconfignode import MachineConfigNode
from ..objects.resources import (
    NODE,
    POD,
    Object,
    ObjectRef,
    annotations_of,
    conditions_of,
    labels_of,
    metadata_of,
    pruned,
)

ENDING = 60.0
"""Seconds that a pod may stay after the end of its grace period."""

_MIRROR = "kubernetes.io/config.mirror"
_FREE = ("Succeeded", "Failed", "Pending")
"""Phases in which a pod is evicted whatever its budget says."""


@dataclass(frozen=True)
class Pod:
    """What an eviction looks at in a pod."""

    namespace: str
    name: str
    node: str
    labels: t.Mapping[str, str]
    stays: bool
    """Whether a drain leaves it alone: DaemonSets' pods and static ones."""
    phase: str
    ready: bool
    ends_at: str
    """When a pod that was deleted is to be gone, RFC 3339; empty for one that was not."""

    @classmethod
    def from_api(cls, obj: Object) -> Pod:
        """Read a v1 Pod."""
        meta = metadata_of(obj)
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            node=(obj.get("spec") or {}).get("nodeName", ""),
            labels=labels_of(obj),
            stays=_of_daemon_set(obj) or _MIRROR in annotations_of(obj),
            phase=(obj.get("status") or {}).get("phase", ""),
            ready=conditions_of(obj).get("Ready", False),
            ends_at=meta.get("deletionTimestamp") or "",
        )


@dataclass(frozen=True)
class Budget:
    """What an eviction looks at in a PodDisruptionBudget."""

    namespace: str
    name: str
    selector: Object | None
    allowed: int
    healthy: int
    desired: int
    expected: int
    spares_unhealthy: bool
    """Whether a pod that is not ready is protected even while the budget is not met."""
    is_current: bool
    """Whether the status was made for the present spec."""

    @classmethod
    def from_api(cls, obj: Object) -> Budget:
        """Read a policy/v1 PodDisruptionBudget."""
        meta, spec, status = metadata_of(obj), obj.get("spec") or {}, obj.get("status") or {}
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            selector=spec.get("selector"),
            allowed=status.get("disruptionsAllowed", 0),
            healthy=status.get("currentHealthy", 0),
            desired=status.get("desiredHealthy", 0),
            expected=status.get("expectedPods", 0),
            spares_unhealthy=spec.get("unhealthyPodEvictionPolicy", "IfHealthyBudget") == "IfHealthyBudget",
            is_current=status.get("observedGeneration", 0) >= meta.get("generation", 0),
        )

    def covers(self, pod: Pod) -> bool:
        """Whether it protects a pod; an empty selector covers all of its namespace, none at all covers nobody."""
        if self.namespace != pod.namespace or self.selector is None:
            return False
        plain = all(pod.labels.get(k) == v for k, v in (self.selector.get("matchLabels") or {}).items())
        return plain and matches(self.selector.get("matchExpressions") or [], pod.labels)

    def refuses(self, pod: Pod) -> bool:
        """Whether the eviction of a pod that it covers is refused now."""
        if not pod.ready and (not self.spares_unhealthy or self.healthy >= self.desired > 0):
            return False
        return not self.is_current or self.allowed <= 0

    @property
    def never_allows(self) -> bool:
        """Whether it would allow none even if every pod were healthy."""
        return self.is_current and self.allowed <= 0 and self.desired >= self.expected > 0

    @property
    def counts(self) -> str:
        """Its status, for the evidence."""
        return (
            f"PodDisruptionBudget {self.namespace}/{self.name}: disruptionsAllowed {self.allowed}, currentHealthy "
            f"{self.healthy}, desiredHealthy {self.desired}, expectedPods {self.expected}"
        )


@dataclass(frozen=True)
class Drains:
    """What is known of the nodes that drain. Nothing of it is read while no node does."""

    pods: t.Sequence[Pod] = ()
    budgets: t.Sequence[Budget] = ()
    reports: t.Mapping[str, MachineConfigNode] = field(default_factory=dict)
    """Node -> its MachineConfigNode, in which the drain controller says what it met."""
    unseen: str = ""
    """Why pods or budgets cannot be read, or an empty text."""

    def findings(self, node: str, now: float) -> list[Finding]:
        """Return what keeps a node from being drained.

        :param now: seconds since the epoch
        """
        found = [f for pod in self.pods if pod.node == node and not pod.stays for f in self._about(pod, now)]
        report = self.reports.get(node)
        if report and report.drain_error and not found:
            message = f"Node {node} does not drain: {report.drain_error}"
            found.append(Finding(FindingId.NODE_DRAIN_FAILING, ObjectRef(NODE.name, node), message, report.drain_error))
        return found

    def _about(self, pod: Pod, now: float) -> t.Iterator[Finding]:
        ref = ObjectRef(POD.name, pod.name, pod.namespace)
        whose = f"Node {pod.node} does not drain: "
        if pod.ends_at:
            if now - _seconds(pod.ends_at) > ENDING:
                yield Finding(FindingId.NODE_POD_NOT_TERMINATING, ref, f"{whose}{ref} was evicted and does not end")
            return
        covering = [b for b in self.budgets if b.covers(pod)] if pod.phase not in _FREE else []
        names = " and ".join(f"{b.namespace}/{b.name}" for b in covering)
        if len(covering) > 1:
            message = f"{whose}{ref} is covered by the PodDisruptionBudgets {names}, and no eviction is allowed by two"
            yield Finding(FindingId.NODE_DRAIN_IMPOSSIBLE, ref, message, "; ".join(b.counts for b in covering))
        elif covering and covering[0].refuses(pod):
            never = covering[0].never_allows
            which = "can allow no eviction" if never else "allows no eviction now"
            message = f"{whose}PodDisruptionBudget {names} {which} of {ref}"
            yield Finding(
                FindingId.NODE_DRAIN_IMPOSSIBLE if never else FindingId.NODE_DRAIN_BLOCKED,
                ref,
                message,
                covering[0].counts,
            )


def reduced_pod(obj: Object) -> dict[str, t.Any]:
    """Return what a wait reads of a pod."""
    kept = pruned(
        obj,
        "metadata.name",
        "metadata.namespace",
        "metadata.labels",
        "metadata.deletionTimestamp",
        "spec.nodeName",
        "status.phase",
    )
    if _of_daemon_set(obj) or _MIRROR in annotations_of(obj):
        kept["metadata"]["annotations"] = {_MIRROR: ""}  # either way a drain leaves it alone
        kept["metadata"].pop("labels", None)
    if conditions_of(obj).get("Ready"):
        kept.setdefault("status", {})["conditions"] = [{"type": "Ready", "status": "True"}]
    return kept


def reduced_budget(obj: Object) -> dict[str, t.Any]:
    """Return what a wait reads of a PodDisruptionBudget."""
    return pruned(
        obj,
        "metadata.name",
        "metadata.namespace",
        "metadata.generation",
        "spec.selector",
        "spec.unhealthyPodEvictionPolicy",
        "status.disruptionsAllowed",
        "status.currentHealthy",
        "status.desiredHealthy",
        "status.expectedPods",
        "status.observedGeneration",
    )


def _of_daemon_set(obj: Object) -> bool:
    owners = metadata_of(obj).get("ownerReferences") or []
    return any(owner.get("controller") and owner.get("kind") == "DaemonSet" for owner in owners)


def _seconds(time: str) -> float:
    """Return an RFC 3339 time of the API server's as seconds since the epoch."""
    return float(timegm(strptime(time[:19], "%Y-%m-%dT%H:%M:%S")))
