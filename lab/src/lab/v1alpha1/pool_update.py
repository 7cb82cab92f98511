# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes of a pool are updated to what, decided from the objects alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lab.node_annotations import PREFIX, State, Target
from lab.v1alpha1 import build_status
from lab.v1alpha1.objects import Object, image_of, is_true, name_of, rendered_of

IN_PROGRESS = {"key": "UpdateInProgress", "effect": "PreferNoSchedule"}
_ROLE = "node-role.kubernetes.io/"
_ZONE = "topology.kubernetes.io/zone"
_BUILT_IN = ("master", "worker")


class BuildFailed(Exception):
    """The build of a layered pool failed; nothing of the pool is updated, its status neither."""


@dataclass(frozen=True)
class Layering:
    """What makes a pool layered: its MachineOSConfig, and the build of its current rendered config if there is one."""

    config: Object | None
    build: Object | None

    @property
    def layered(self) -> bool:
        """Whether a MachineOSConfig names the pool."""
        return self.config is not None

    @property
    def image(self) -> str:
        """The image that the MachineOSConfig publishes, whichever build it is of."""
        return image_of(self.config) if self.config is not None else ""

    @property
    def built(self) -> bool:
        """Whether the build of the current rendered config has succeeded."""
        return self.build is not None and is_true(self.build, build_status.SUCCEEDED)


def hold_reason(layering: Layering) -> str:
    """Why the nodes of a layered pool have to wait, or an empty string. Raises BuildFailed."""
    if not layering.layered:
        return ""
    if layering.build is None:
        return "No MachineOSConfig or Build for this pool"
    if layering.image and is_true(layering.build, build_status.FAILED):
        raise BuildFailed(f"image build for MachineConfigPool {name_of(layering.build)} failed")
    if not layering.image or is_true(layering.build, build_status.PREPARED):
        return "Image is not ready yet"
    if is_true(layering.build, build_status.BUILDING):
        return "Image build pending"
    return "" if layering.built else "Image is not ready yet"


def target(pool: Object, layering: Layering) -> Target:
    """What every node of a pool is to have."""
    return Target(rendered_of(pool), layering.image)


def annotation(node: Object, key: str) -> str:
    """An annotation of the operator on a node."""
    return str((node["metadata"].get("annotations") or {}).get(PREFIX + key, ""))


def current(node: Object) -> Target:
    """What a node has, as its daemon says."""
    return Target(annotation(node, "currentConfig"), annotation(node, "currentImage"))


def desired(node: Object) -> Target:
    """What a node is to have, as its annotations say."""
    return Target(annotation(node, "desiredConfig"), annotation(node, "desiredImage"))


def is_ready(node: Object) -> bool:
    """Whether a node takes pods."""
    conditions = node.get("status", {}).get("conditions") or []
    ready = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return ready and not node.get("spec", {}).get("unschedulable", False)


def is_done(node: Object) -> bool:
    """Whether the daemon of a node has done everything that is desired of it."""
    return current(node) == desired(node) and annotation(node, "state") == State.DONE.value


def is_degraded(node: Object) -> bool:
    """Whether the daemon of a node reports a failure."""
    return annotation(node, "state") == State.DEGRADED.value


def is_unavailable(node: Object, layering: Layering) -> bool:
    """Whether a node counts against maxUnavailable. In a layered pool only a node that has its present image does."""
    if layering.layered and desired(node).image != layering.image:
        return False
    return not is_ready(node) or not (is_done(node) or _fails_for_another_config(node))


def _fails_for_another_config(node: Object) -> bool:
    return is_degraded(node) and current(node).config != desired(node).config


def next_nodes(pool: Object, nodes: Sequence[Object], layering: Layering) -> list[Object]:
    """The nodes that are to be updated now."""
    capacity = max_unavailable(pool, len(nodes)) - sum(is_unavailable(node, layering) for node in nodes)
    if capacity <= 0:
        return []
    wanted = target(pool, layering)
    behind = [node for node in nodes if desired(node) != wanted]
    failing = sum(_fails_for_another_config(node) for node in nodes if desired(node) == wanted)
    if failing >= capacity:
        return []
    candidates = sorted((node for node in behind if is_ready(node)), key=_order)
    return candidates[: capacity - failing]


def _order(node: Object) -> tuple[bool, str, str, str]:
    zone = (node["metadata"].get("labels") or {}).get(_ZONE)
    return (zone is None, zone or "", str(node["metadata"].get("creationTimestamp", "")), name_of(node))


def max_unavailable(pool: Object, machines: int) -> int:
    """How many nodes of a pool may be unavailable; at least one."""
    limit = pool["spec"].get("maxUnavailable", 1)
    if isinstance(limit, str) and limit.endswith("%"):
        return max(1, machines * int(limit[:-1]) // 100)
    return max(1, int(limit))


def desired_annotations(wanted: Target) -> dict[str, str | None]:
    """The annotations that give a node its target, in one patch. Without an image, the image is removed."""
    return {f"{PREFIX}desiredConfig": wanted.config, f"{PREFIX}desiredImage": wanted.image or None}


def taints(pool: Object, node: Object, layering: Layering) -> list[Any] | None:
    """The taints that a node is to have while its pool is updated, or None if it has them.

    A layered node keeps the taint of an update for good.
    """
    present = list(node["spec"].get("taints") or [])
    tainted = any(taint["key"] == IN_PROGRESS["key"] for taint in present)
    at_rest = desired(node) == Target(rendered_of(pool), "") and not annotation(node, "currentImage")
    wanted = layering.layered or not at_rest
    if tainted == wanted:
        return None
    if wanted:
        return [*present, dict(IN_PROGRESS)]
    return [taint for taint in present if taint["key"] != IN_PROGRESS["key"]]


def target_event(pool: Object, nodes: Sequence[Object], layering: Layering) -> tuple[str, str]:
    """Reason and message of the event about nodes that got a target."""
    text = f"MachineConfig: {rendered_of(pool)}"
    reason = "SetDesiredConfig"
    if layering.layered:
        reason, text = "SetDesiredConfigAndOSImage", f"{text} / Image: {layering.image}"
    if len(nodes) == 1:
        return reason, f"Targeted node {name_of(nodes[0])} to {text}"
    return reason, f"Set target for {len(nodes)} nodes to {text}"


def pool_names(node: Object, pools: Iterable[Object]) -> list[str]:
    """The pools of a node, its primary pool first; none for a node of several custom pools."""
    labels = node["metadata"].get("labels") or {}
    selected = sorted(name_of(pool) for pool in pools if _selects(pool, labels))
    custom = [name for name in selected if name not in _BUILT_IN]
    if len(custom) > 1:
        return []
    if "master" in selected:
        return ["master"]
    if custom:
        return [*custom, "worker"]
    return ["worker"] if "worker" in selected else []


def _selects(pool: Object, labels: Object) -> bool:
    wanted = (pool["spec"].get("nodeSelector") or {}).get("matchLabels") or {}
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


def members(pool: str, nodes: Iterable[Object], pools: Sequence[Object]) -> list[Object]:
    """The nodes of which a pool is the primary pool."""
    return [node for node in nodes if pool_names(node, pools)[:1] == [pool] and current(node).config]


def relevant(node: Object) -> Any:
    """The part of a node that a pool's update depends on; what else changes is no event."""
    metadata = node["metadata"]
    own = {key: value for key, value in (metadata.get("annotations") or {}).items() if key.startswith(PREFIX)}
    return (own, metadata.get("labels"), is_ready(node), node["spec"].get("taints"))
