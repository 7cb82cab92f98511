# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a VirtualMachineInstance of KubeVirt: whether it can leave its node, and whether it is doing so.

A cluster without KubeVirt does not serve the kind. Source: docs/operator-behavior.md ("Virtual machines").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..text import legible
from .resources import VIRTUAL_MACHINE_INSTANCE, Object, metadata_of, pruned
from .values import mapping, mappings, text_in

NODE_LABEL = "kubevirt.io/nodeName"
"""Label of a VirtualMachineInstance with the name of its node."""
_GROUP = "kubevirt.io/"
_LAUNCHER_LABEL = "kubevirt.io"
_LAUNCHER = "virt-launcher"
_NAME_LABEL = "vm.kubevirt.io/name"
_LONGEST_REASON = 300
"""Characters of the reason why a virtual machine cannot migrate."""


@dataclass(frozen=True)
class VirtualMachine:
    """The fields of a VirtualMachineInstance that this collection reads."""

    namespace: str
    name: str
    why_not_migratable: str
    """Why it cannot migrate to another node, or an empty string."""
    target_node: str
    """Node that it is migrating to, or an empty string."""

    @classmethod
    def from_api(cls, obj: Object) -> VirtualMachine:
        """Read a kubevirt.io/v1 VirtualMachineInstance."""
        meta, status = metadata_of(obj), mapping(obj.get("status"))
        return cls(
            namespace=meta.get("namespace", ""),
            name=meta["name"],
            why_not_migratable=_why_not_migratable(status),
            target_node=_target_node(mapping(status.get("migrationState"))),
        )


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a VirtualMachineInstance that a wait reads."""
    kept = pruned(obj, "metadata.name", "metadata.namespace")
    status = mapping(obj.get("status"))
    target, reason = _target_node(mapping(status.get("migrationState"))), _why_not_migratable(status)
    if target:
        kept.setdefault("status", {})["migrationState"] = {"targetNode": target}
    if reason:
        condition = {"type": "LiveMigratable", "status": "False", "reason": reason}
        kept.setdefault("status", {})["conditions"] = [condition]
    return kept


def owner_in(metadata: t.Any) -> str:
    """Return the name of the VirtualMachineInstance that controls an object, or an empty string."""
    for owner in mappings(mapping(metadata).get("ownerReferences")):
        is_of_kubevirt = text_in(owner, "apiVersion").startswith(_GROUP) or not text_in(owner, "apiVersion")
        if owner.get("kind") == VIRTUAL_MACHINE_INSTANCE.name and is_of_kubevirt:
            return text_in(owner, "name") or "unnamed"
    return ""


def machine_of_pod(metadata: t.Any) -> str:
    """Return the name of the VirtualMachineInstance that a pod runs, or an empty string."""
    labels = mapping(mapping(metadata).get("labels"))
    if labels.get(_LAUNCHER_LABEL) != _LAUNCHER:
        return owner_in(metadata)
    return owner_in(metadata) or text_in(labels, _NAME_LABEL) or text_in(metadata, "name")


def owner_reference(name: str) -> dict[str, str]:
    """Return a reference to a VirtualMachineInstance, which :func:`owner_in` reads."""
    return {"kind": VIRTUAL_MACHINE_INSTANCE.name, "name": name}


def _why_not_migratable(status: t.Mapping[str, t.Any]) -> str:
    for condition in mappings(status.get("conditions")):
        if condition.get("type") == "LiveMigratable" and condition.get("status") == "False":
            reason, message = text_in(condition, "reason"), text_in(condition, "message")
            return legible(": ".join(part for part in (reason, message) if part) or "no reason given", _LONGEST_REASON)
    return ""


def _target_node(migration: t.Mapping[str, t.Any]) -> str:
    is_over = migration.get("completed") or migration.get("failed")
    return "" if is_over else text_in(migration, "targetNode")
