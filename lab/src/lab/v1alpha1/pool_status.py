# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a MachineConfigPool as the node controller of this generation writes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.v1alpha1.objects import Object, is_true, name_of, rendered_of
from lab.v1alpha1.pool_update import (
    Layering,
    annotation,
    desired,
    is_degraded,
    is_done,
    is_ready,
    is_unavailable,
    target,
)

_OWN = ("Updated", "Updating", "NodeDegraded", "Degraded")


def update_line(pool: Object, layering: Layering) -> str:
    """What the nodes of a pool are updated to, in the words of its conditions."""
    line = f"MachineConfig {rendered_of(pool)}"
    return f"{line} / Image {layering.image}" if layering.image else line


def pool_status(pool: Object, nodes: Sequence[Object], layering: Layering, now: str) -> dict[str, Any]:
    """The new status of a pool, without what other controllers write into it."""
    before = pool.get("status", {})
    updated = [node for node in nodes if _is_updated(pool, node, layering)]
    ready = [node for node in updated if is_ready(node)]
    unavailable = sum(is_unavailable(node, layering) for node in nodes)
    degraded = [node for node in nodes if is_degraded(node)]
    all_updated = len(updated) == len(ready) == len(nodes) and unavailable == 0
    counts = {
        "machineCount": len(nodes),
        "updatedMachineCount": len(updated),
        "readyMachineCount": len(ready),
        "unavailableMachineCount": unavailable,
        "degradedMachineCount": len(degraded),
    }
    conditions = _conditions(pool, layering, degraded, all_updated)
    return {
        "observedGeneration": pool["metadata"]["generation"],
        **counts,
        "configuration": pool["spec"]["configuration"] if all_updated else before.get("configuration", {}),
        "conditions": _merged(before.get("conditions") or [], conditions, now),
    }


def _is_updated(pool: Object, node: Object, layering: Layering) -> bool:
    if layering.layered and not layering.built:
        return False
    return is_done(node) and desired(node) == target(pool, layering)


def _conditions(
    pool: Object, layering: Layering, degraded: Sequence[Object], all_updated: bool
) -> dict[str, tuple[str, str, str]]:
    line = update_line(pool, layering)
    if all_updated:
        updated, updating = ("True", "", f"All nodes are updated with {line}"), ("False", "", "")
    elif pool["spec"].get("paused"):
        updated, updating = ("False", "", ""), ("False", "", f"Pool is paused; will not update to {line}")
    else:
        updated, updating = ("False", "", ""), ("True", "", f"All nodes are updating to {line}")
    node_degraded, whole = ("False", "", ""), ("False", "", "")
    if degraded:
        reports = ", ".join(
            f'Node {name_of(node)} is reporting: "{_escaped(annotation(node, "reason"))}"' for node in degraded
        )
        node_degraded = ("True", f"{len(degraded)} nodes are reporting degraded status on sync", reports)
        whole = ("True", "", reports)
    elif is_true(pool, "RenderDegraded"):
        whole = ("True", "", "")
    return dict(zip(_OWN, (updated, updating, node_degraded, whole), strict=True))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _merged(
    before: Sequence[Mapping[str, Any]], changes: Mapping[str, tuple[str, str, str]], now: str
) -> list[dict[str, Any]]:
    present = {str(item["type"]): dict(item) for item in before}
    for kind, (status, reason, message) in changes.items():
        known = present.get(kind)
        since = known["lastTransitionTime"] if known is not None and known["status"] == status else now
        changed = {"status": status, "reason": reason, "message": message, "lastTransitionTime": since}
        present[kind] = {"type": kind, **changed}
    return list(present.values())
