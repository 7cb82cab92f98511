# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a MachineConfigPool say, which node belongs to which pool, and what does a change of a pool have to write?

Membership follows the operator: the selector decides, not the name of a label; one custom pool goes before ``worker``,
the control plane before everything, and a node in two custom pools is in none (operator.md 3.5).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .label_selector import matches
from .resources import (
    CREATED_BY,
    FIELD_MANAGER,
    MACHINE_CONFIG_POOL,
    OURS,
    PAUSED_BY,
    Object,
    annotations_of,
    conditions_of,
    is_ours,
    labels_of,
    metadata_of,
    pruned,
)

CONTROL_PLANE = "master"
WORKER = "worker"
BUILT_IN = (CONTROL_PLANE, WORKER, "arbiter")
ROLE_LABEL = "node-role.kubernetes.io/"
CONFIG_ROLE_LABEL = "machineconfiguration.openshift.io/role"
OS_LABEL = "kubernetes.io/os"


@dataclass(frozen=True)
class Pool:
    """A MachineConfigPool as the API serves it, read once."""

    name: str
    paused: bool
    paused_by_us: bool
    """Whether it is this collection alone that pauses it."""
    created_by_us: bool
    max_unavailable: str
    node_selector: Object
    rendered_config: str
    render_error: str

    @classmethod
    def from_api(cls, obj: Object) -> Pool:
        """Read a v1 MachineConfigPool."""
        spec = obj.get("spec") or {}
        return cls(
            name=metadata_of(obj)["name"],
            paused=bool(spec.get("paused")),
            paused_by_us=not why_pause_stays(obj),
            created_by_us=is_ours(obj),
            max_unavailable=str(spec.get("maxUnavailable", "")),
            node_selector=spec.get("nodeSelector") or {},
            rendered_config=(spec.get("configuration") or {}).get("name", ""),
            render_error=_render_error(obj),
        )

    def selects(self, node_labels: t.Mapping[str, str]) -> bool:
        """Whether the pool's selector matches; an empty one matches nothing (the operator ignores such a pool)."""
        return bool(self.node_selector) and _matches(self.node_selector, node_labels)

    def nodes_at_once(self, total: int) -> int:
        """Return how many nodes may be out of service at once, at least one (operator.md 3.4)."""
        text = self.max_unavailable or "1"
        count = total * int(text[:-1]) // 100 if text.endswith("%") else int(text)
        return max(1, count)

    def membership_labels(self) -> dict[str, str] | None:
        """Return the labels that bring a node into the pool, or None when the selector is not one of plain labels."""
        if self.node_selector.get("matchExpressions"):
            return None
        return dict(self.node_selector.get("matchLabels") or {}) or None


class AmbiguousMembership(Exception):
    """A node is in more than one custom pool, so the operator does not touch it."""

    def __init__(self, pools: list[str]) -> None:
        self.pools = pools
        super().__init__(", ".join(pools))


def pool_of(node_labels: t.Mapping[str, str], pools: t.Iterable[Pool]) -> str:
    """Return the name of the pool that drives a node, or an empty text; the operator leaves Windows alone.

    :raises AmbiguousMembership: more than one custom pool selects the node
    """
    if node_labels.get(OS_LABEL) == "windows":
        return ""
    names = [p.name for p in pools if p.selects(node_labels)]
    if CONTROL_PLANE in names:
        return CONTROL_PLANE
    custom = sorted(n for n in names if n != WORKER)
    if len(custom) > 1:
        raise AmbiguousMembership(custom)
    return custom[0] if custom else (WORKER if WORKER in names else "")


def members(pool: str, nodes: t.Iterable[Object], pools: t.Collection[Pool]) -> list[Object]:
    """Return the nodes that a pool drives, sorted by name."""
    found = [node for node in nodes if _is_member(pool, node, pools)]
    return sorted(found, key=lambda node: str(metadata_of(node)["name"]))


def in_two_pools(pool: Pool, nodes: t.Iterable[Object], pools: t.Collection[Pool]) -> dict[str, list[str]]:
    """Return the nodes that a pool selects together with another custom one: name -> the pools, none of which acts."""
    found: dict[str, list[str]] = {}
    for node in nodes:
        try:
            pool_of(labels_of(node), pools)
        except AmbiguousMembership as both:
            if pool.name in both.pools:
                found[metadata_of(node)["name"]] = both.pools
    return found


def who_moves(changed: Pool, nodes: t.Iterable[Object], pools: t.Collection[Pool]) -> list[str]:
    """Return the names of the nodes that another pool, or none, would drive if a pool were as it is in *changed*."""
    after = [p for p in pools if p.name != changed.name] + [changed]
    moving = [node for node in nodes if _driver(node, pools) != _driver(node, after)]
    return sorted(str(metadata_of(node)["name"]) for node in moving)


def _driver(node: Object, pools: t.Iterable[Pool]) -> str:
    try:
        return pool_of(labels_of(node), pools)
    except AmbiguousMembership as both:
        return f"none of {both}"


def _is_member(pool: str, node: Object, pools: t.Collection[Pool]) -> bool:
    try:
        return pool_of(labels_of(node), pools) == pool
    except AmbiguousMembership:
        return False


@dataclass(frozen=True)
class WantedPool:
    """What the user asks for. None leaves a field as it is."""

    name: str
    node_selector: t.Mapping[str, str] | None = None
    paused: bool | None = None
    max_unavailable: str | None = None


def new_object(wanted: WantedPool) -> dict[str, t.Any]:
    """Return the custom pool to create; it takes the worker's MachineConfigs too, as the operator demands."""
    spec: dict[str, t.Any] = {
        "machineConfigSelector": {
            "matchExpressions": [{"key": CONFIG_ROLE_LABEL, "operator": "In", "values": [WORKER, wanted.name]}]
        },
        "nodeSelector": {"matchLabels": dict(wanted.node_selector or {ROLE_LABEL + wanted.name: ""})},
    }
    notes = {CREATED_BY: OURS}
    if wanted.paused:
        spec["paused"] = True
        notes[PAUSED_BY] = OURS
    if wanted.max_unavailable is not None:
        spec["maxUnavailable"] = int_or_percent(wanted.max_unavailable)
    return {
        "apiVersion": MACHINE_CONFIG_POOL.api_version,
        "kind": MACHINE_CONFIG_POOL.name,
        "metadata": {"name": wanted.name, "annotations": notes},
        "spec": spec,
    }


def pool_patch(current: Object, wanted: WantedPool) -> dict[str, t.Any]:
    """Return the merge patch that turns the current pool into the wanted one; empty when there is nothing to do."""
    now = Pool.from_api(current)
    spec: dict[str, t.Any] = {}
    patch: dict[str, t.Any] = {}
    if wanted.max_unavailable is not None and wanted.max_unavailable != now.max_unavailable:
        spec["maxUnavailable"] = int_or_percent(wanted.max_unavailable)
    if selector_changes(now, wanted):
        # A merge patch keeps the labels that it does not name.
        gone = dict.fromkeys(now.node_selector.get("matchLabels") or {})
        spec["nodeSelector"] = {"matchLabels": {**gone, **(wanted.node_selector or {})}, "matchExpressions": None}
    if wanted.paused is not None and wanted.paused != now.paused:
        spec["paused"] = wanted.paused
        patch["metadata"] = {"annotations": {PAUSED_BY: OURS if wanted.paused else None}}
    if "paused" in spec and not wanted.paused and metadata_of(current).get("resourceVersion"):
        # Somebody else may pause it, too, between our look and our write.
        patch["metadata"]["resourceVersion"] = metadata_of(current)["resourceVersion"]
    if spec:
        patch["spec"] = spec
    return patch


def selector_changes(pool: Pool, wanted: WantedPool) -> bool:
    """Whether another node selector is wanted than the pool has."""
    return wanted.node_selector is not None and {"matchLabels": dict(wanted.node_selector)} != dict(pool.node_selector)


def int_or_percent(text: str) -> int | str:
    """Return a count as a number and a percentage as text, as the API wants them."""
    return int(text) if text.isdigit() else text


def shown(obj: Object | None) -> dict[str, t.Any]:
    """Return what a diff shows of a pool."""
    if obj is None:
        return {}
    spec = obj.get("spec") or {}
    fields = ("nodeSelector", "machineConfigSelector", "paused", "maxUnavailable")
    return {"metadata": {"name": metadata_of(obj).get("name")}, "spec": {f: spec[f] for f in fields if f in spec}}


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return what a wait reads of a pool."""
    kept = pruned(
        obj,
        "metadata.name",
        "spec.paused",
        "spec.maxUnavailable",
        "spec.nodeSelector",
        "spec.configuration.name",
    )
    notes = annotations_of(obj)
    kept["metadata"]["annotations"] = {name: notes[name] for name in (CREATED_BY, PAUSED_BY) if name in notes}
    if not why_pause_stays(obj):
        kept["metadata"]["managedFields"] = [{"manager": FIELD_MANAGER, "fieldsV1": {"f:spec": {"f:paused": {}}}}]
    error = _render_error(obj)
    if error:
        kept["status"] = {"conditions": [{"type": "RenderDegraded", "status": "True", "message": error}]}
    return kept


def _matches(selector: Object, node_labels: t.Mapping[str, str]) -> bool:
    plain = all(node_labels.get(k) == v for k, v in (selector.get("matchLabels") or {}).items())
    return plain and matches(selector.get("matchExpressions") or [], node_labels)


def why_pause_stays(obj: Object) -> str:
    """Return why a paused pool is not ours to release, or an empty text when we may release it.

    The pause is ours only while the pool has our mark and we are the only manager of ``spec.paused``. The mark alone
    proves nothing: it remains when somebody releases the pool by hand, and would then claim the next pause. A manager
    that states the same value by server-side apply shares the field with us, and relies on the pause as well.
    """
    managers = _managers_of_pause(obj)
    others = ", ".join(sorted({name for name in managers if name}))
    if annotations_of(obj).get(PAUSED_BY) != OURS or (others and "" not in managers):
        return f"it was paused by somebody else{f' ({others})' if others else ''}"
    if others:
        return f"it was paused by this collection and also by somebody else ({others})"
    return "" if managers else "metadata.managedFields do not show who paused it"


def _managers_of_pause(obj: Object) -> list[str]:
    """Return who manages ``spec.paused``, an empty text for us; we write by Update only, and no subresource."""
    return [
        "" if _is_our_entry(entry) else f"{entry.get('manager') or 'unnamed'} by {entry.get('operation') or 'Update'}"
        for entry in metadata_of(obj).get("managedFields") or []
        if _holds_pause(entry.get("fieldsV1") or {})
    ]


def _is_our_entry(entry: Object) -> bool:
    by_apply = entry.get("operation") == "Apply"
    return entry.get("manager") == FIELD_MANAGER and not by_apply and not entry.get("subresource")


def _holds_pause(fields: Object) -> bool:
    """Whether the fields of one entry include ``spec.paused``; who manages ``spec`` as a whole manages it too."""
    spec = fields.get("f:spec")
    return spec is not None and (not spec or "f:paused" in spec)


def _render_error(obj: Object) -> str:
    if not conditions_of(obj).get("RenderDegraded"):
        return ""
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition["type"] == "RenderDegraded":
            return str(condition.get("message") or condition.get("reason") or "")
    return ""
