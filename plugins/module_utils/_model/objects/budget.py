# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a PodDisruptionBudget, and decide whether it blocks the eviction of a pod.

The rules are those of the API server (kubernetes, ``pkg/registry/core/pod/storage/eviction.go``).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..text import legible
from .label_selector import selector_matches
from .pod import Pod
from .resources import Object, metadata_of, pruned
from .values import mapping, mappings, number_in, text_in
from .virtualmachine import owner_in, owner_reference

_USUAL_REASONS = ("SufficientPods", "InsufficientPods")
"""Reasons of the condition DisruptionAllowed that say no more than the counts."""
_LONGEST_PROBLEM = 300
"""Characters of the problem of the disruption controller."""


@dataclass(frozen=True)
class PodDisruptionBudget:
    """The fields of a PodDisruptionBudget that an eviction depends on."""

    namespace: str
    name: str
    selector: Object | None
    disruptions_allowed: int
    current_healthy: int
    desired_healthy: int
    expected_pods: int
    protects_unhealthy: bool
    """Whether a pod that is not Ready is protected while fewer pods than desired are healthy."""
    is_current: bool
    """Whether the status belongs to the present spec."""
    problem: str = ""
    """Why the disruption controller cannot compute the status, or an empty string."""
    virtual_machine: str = ""
    """Name of the VirtualMachineInstance that the budget belongs to, or an empty string."""

    @classmethod
    def from_api(cls, obj: Object) -> PodDisruptionBudget:
        """Read a policy/v1 PodDisruptionBudget."""
        meta, spec, status = metadata_of(obj), mapping(obj.get("spec")), mapping(obj.get("status"))
        selector = spec.get("selector")
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            selector=selector if isinstance(selector, t.Mapping) else None,
            disruptions_allowed=number_in(status, "disruptionsAllowed"),
            current_healthy=number_in(status, "currentHealthy"),
            desired_healthy=number_in(status, "desiredHealthy"),
            expected_pods=number_in(status, "expectedPods"),
            protects_unhealthy=spec.get("unhealthyPodEvictionPolicy", "IfHealthyBudget") == "IfHealthyBudget",
            is_current=number_in(status, "observedGeneration") >= number_in(meta, "generation"),
            problem=_problem(status),
            virtual_machine=owner_in(meta),
        )

    def covers(self, pod: Pod) -> bool:
        """Whether the budget selects a pod. An empty selector selects the whole namespace, a missing one no pod."""
        if self.namespace != pod.namespace or self.selector is None:
            return False
        return selector_matches(self.selector, pod.labels)

    def blocks_eviction_of(self, pod: Pod) -> bool:
        """Whether the API server denies the eviction of a selected pod now."""
        if not pod.ready and (not self.protects_unhealthy or self.current_healthy >= self.desired_healthy > 0):
            return False
        return not self.is_current or self.disruptions_allowed <= 0

    @property
    def never_allows_eviction(self) -> bool:
        """Whether the budget would allow no eviction even if every pod were healthy.

        The counts of a budget whose status cannot be computed are old, and prove nothing.
        """
        is_known = self.is_current and not self.problem
        return is_known and self.disruptions_allowed <= 0 and self.desired_healthy >= self.expected_pods > 0

    @property
    def status_line(self) -> str:
        """The counts and the problem of the status, as evidence."""
        counts = (
            f"PodDisruptionBudget {self.namespace}/{self.name}: disruptionsAllowed {self.disruptions_allowed}, "
            f"currentHealthy {self.current_healthy}, desiredHealthy {self.desired_healthy}, "
            f"expectedPods {self.expected_pods}"
        )
        return f"{counts}, {self.problem}" if self.problem else counts


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a PodDisruptionBudget that a wait reads."""
    kept = pruned(
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
    problem, machine = _problem(mapping(obj.get("status"))), owner_in(metadata_of(obj))
    if problem:
        condition = {"type": "DisruptionAllowed", "status": "False", "reason": problem}
        kept.setdefault("status", {})["conditions"] = [condition]
    if machine:
        kept["metadata"]["ownerReferences"] = [owner_reference(machine)]
    return kept


def _problem(status: t.Mapping[str, t.Any]) -> str:
    for condition in mappings(status.get("conditions")):
        reason = text_in(condition, "reason")
        is_denial = condition.get("type") == "DisruptionAllowed" and condition.get("status") != "True"
        if is_denial and reason not in _USUAL_REASONS:
            parts = [part for part in (reason, text_in(condition, "message")) if part]
            return legible(": ".join(parts), _LONGEST_PROBLEM)
    return ""
