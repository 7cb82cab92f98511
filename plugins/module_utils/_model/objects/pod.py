# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a Pod: what decides whether a drain can evict it."""

from __future__ import annotations

import math
import typing as t
from calendar import timegm
from dataclasses import dataclass
from time import strptime

from .resources import Object, annotations_of, conditions_of, labels_of, metadata_of, pruned
from .values import text_in
from .virtualmachine import machine_of_pod, owner_reference

_MIRROR = "kubernetes.io/config.mirror"
_ALWAYS_EVICTED = ("Succeeded", "Failed", "Pending")
"""Phases in which the API server evicts a pod regardless of its PodDisruptionBudgets."""


@dataclass(frozen=True)
class Pod:
    """The fields of a Pod that an eviction depends on."""

    namespace: str
    name: str
    node: str
    labels: t.Mapping[str, str]
    ignored_by_drain: bool
    """Whether a drain leaves the pod alone: DaemonSet pods and static pods."""
    phase: str
    ready: bool
    deletion_deadline: float | None
    """Time at which the grace period of a deleted pod ends, in seconds since the epoch. None if it was not deleted."""
    virtual_machine: str = ""
    """Name of the VirtualMachineInstance that the pod runs, or an empty string."""

    @classmethod
    def from_api(cls, obj: Object) -> Pod:
        """Read a v1 Pod."""
        meta = metadata_of(obj)
        deleted = meta.get("deletionTimestamp")
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            node=text_in(obj.get("spec"), "nodeName"),
            labels=labels_of(obj),
            ignored_by_drain=_is_ignored_by_drain(obj),
            phase=text_in(obj.get("status"), "phase"),
            ready=conditions_of(obj).get("Ready", False),
            deletion_deadline=_seconds(deleted) if deleted else None,
            virtual_machine=machine_of_pod(meta),
        )

    @property
    def is_protected_by_budgets(self) -> bool:
        """Whether PodDisruptionBudgets apply to the pod in its phase."""
        return self.phase not in _ALWAYS_EVICTED


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a Pod that a wait reads."""
    kept = pruned(
        obj,
        "metadata.name",
        "metadata.namespace",
        "metadata.labels",
        "metadata.deletionTimestamp",
        "spec.nodeName",
        "status.phase",
    )
    if _is_ignored_by_drain(obj):
        kept["metadata"]["annotations"] = {_MIRROR: ""}  # shorter than the owner references, with the same effect
        kept["metadata"].pop("labels", None)
    machine = machine_of_pod(metadata_of(obj))
    if machine:
        kept["metadata"]["ownerReferences"] = [owner_reference(machine)]
    if conditions_of(obj).get("Ready"):
        kept.setdefault("status", {})["conditions"] = [{"type": "Ready", "status": "True"}]
    return kept


def _is_ignored_by_drain(obj: Object) -> bool:
    owners = metadata_of(obj).get("ownerReferences") or []
    is_of_daemon_set = any(owner.get("controller") and owner.get("kind") == "DaemonSet" for owner in owners)
    return is_of_daemon_set or _MIRROR in annotations_of(obj)


def _seconds(time: str) -> float:
    """Return an RFC 3339 time of the API server in seconds since the epoch. A time of another form never comes."""
    try:
        return float(timegm(strptime(time[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return math.inf
