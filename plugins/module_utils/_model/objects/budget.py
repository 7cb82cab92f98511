# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a PodDisruptionBudget, and decide whether it blocks the eviction of a pod.

The rules are those of the API server (kubernetes, ``pkg/registry/core/pod/storage/eviction.go``).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .label_selector import selector_matches
from .pod import Pod
from .resources import Object, metadata_of, pruned


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

    @classmethod
    def from_api(cls, obj: Object) -> PodDisruptionBudget:
        """Read a policy/v1 PodDisruptionBudget."""
        meta, spec, status = metadata_of(obj), obj.get("spec") or {}, obj.get("status") or {}
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            selector=spec.get("selector"),
            disruptions_allowed=status.get("disruptionsAllowed", 0),
            current_healthy=status.get("currentHealthy", 0),
            desired_healthy=status.get("desiredHealthy", 0),
            expected_pods=status.get("expectedPods", 0),
            protects_unhealthy=spec.get("unhealthyPodEvictionPolicy", "IfHealthyBudget") == "IfHealthyBudget",
            is_current=status.get("observedGeneration", 0) >= meta.get("generation", 0),
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
        """Whether the budget would allow no eviction even if every pod were healthy."""
        return self.is_current and self.disruptions_allowed <= 0 and self.desired_healthy >= self.expected_pods > 0

    @property
    def status_line(self) -> str:
        """The counts of the status, as evidence."""
        return (
            f"PodDisruptionBudget {self.namespace}/{self.name}: disruptionsAllowed {self.disruptions_allowed}, "
            f"currentHealthy {self.current_healthy}, desiredHealthy {self.desired_healthy}, "
            f"expectedPods {self.expected_pods}"
        )


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a PodDisruptionBudget that a wait reads."""
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
