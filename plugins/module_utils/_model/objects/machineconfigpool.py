# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a MachineConfigPool, and create or patch a custom pool."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .label_selector import selector_matches
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
    metadata_of,
    pruned,
)

CONTROL_PLANE = "master"
WORKER = "worker"
BUILT_IN = (CONTROL_PLANE, WORKER, "arbiter")
ROLE_LABEL = "node-role.kubernetes.io/"
CONFIG_ROLE_LABEL = "machineconfiguration.openshift.io/role"
NOT_FOUND_REMEDY = "Check the name, or create the pool (machineconfigpool, or image_mode_create_pool in the playbooks)"


@dataclass(frozen=True)
class Pool:
    """The fields of a MachineConfigPool that this collection reads."""

    name: str
    paused: bool
    paused_by_us: bool
    """Whether this collection is the only manager of ``spec.paused``."""
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
            paused_by_us=not reason_to_keep_pause(obj),
            created_by_us=is_ours(obj),
            max_unavailable=str(spec.get("maxUnavailable", "")),
            node_selector=spec.get("nodeSelector") or {},
            rendered_config=(spec.get("configuration") or {}).get("name", ""),
            render_error=_render_error(obj),
        )

    def selects(self, node_labels: t.Mapping[str, str]) -> bool:
        """Whether the node selector matches. An empty selector matches no node: the operator ignores such a pool."""
        return bool(self.node_selector) and selector_matches(self.node_selector, node_labels)

    def most_unavailable(self, total: int) -> int:
        """Return how many of *total* nodes may be unavailable at the same time, at least one.

        Source: docs/operator-behavior.md ("Rollout order and maxUnavailable").
        """
        text = self.max_unavailable or "1"
        count = total * int(text[:-1]) // 100 if text.endswith("%") else int(text)
        return max(1, count)

    def membership_labels(self) -> dict[str, str] | None:
        """Return the labels that make a node match, or None if the selector has more than ``matchLabels``."""
        if self.node_selector.get("matchExpressions"):
            return None
        return dict(self.node_selector.get("matchLabels") or {}) or None


@dataclass(frozen=True)
class WantedPool:
    """The requested pool. None leaves a field unchanged."""

    name: str
    node_selector: t.Mapping[str, str] | None = None
    paused: bool | None = None
    max_unavailable: str | None = None


def new_object(wanted: WantedPool) -> dict[str, t.Any]:
    """Return the custom pool to create. The operator requires that it includes the MachineConfigs of ``worker``."""
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
    """Return the merge patch from the current to the requested pool, empty if they are equal."""
    now = Pool.from_api(current)
    spec: dict[str, t.Any] = {}
    patch: dict[str, t.Any] = {}
    if wanted.max_unavailable is not None and wanted.max_unavailable != now.max_unavailable:
        spec["maxUnavailable"] = int_or_percent(wanted.max_unavailable)
    if selector_changes(now, wanted):
        # A merge patch keeps the labels that it does not name.
        removed = dict.fromkeys(now.node_selector.get("matchLabels") or {})
        spec["nodeSelector"] = {"matchLabels": {**removed, **(wanted.node_selector or {})}, "matchExpressions": None}
    if wanted.paused is not None and wanted.paused != now.paused:
        spec["paused"] = wanted.paused
        patch["metadata"] = {"annotations": {PAUSED_BY: OURS if wanted.paused else None}}
    if "paused" in spec and not wanted.paused and metadata_of(current).get("resourceVersion"):
        # Another client may pause the pool as well between this read and the write.
        patch["metadata"]["resourceVersion"] = metadata_of(current)["resourceVersion"]
    if spec:
        patch["spec"] = spec
    return patch


def selector_changes(pool: Pool, wanted: WantedPool) -> bool:
    """Whether the requested node selector differs from the pool's."""
    return wanted.node_selector is not None and {"matchLabels": dict(wanted.node_selector)} != dict(pool.node_selector)


def int_or_percent(text: str) -> int | str:
    """Return a count as an integer and a percentage as text, as the API requires."""
    return int(text) if text.isdigit() else text


def shown(obj: Object | None) -> dict[str, t.Any]:
    """Return the fields of a pool that a diff shows."""
    if obj is None:
        return {}
    spec = obj.get("spec") or {}
    fields = ("nodeSelector", "machineConfigSelector", "paused", "maxUnavailable")
    return {"metadata": {"name": metadata_of(obj).get("name")}, "spec": {f: spec[f] for f in fields if f in spec}}


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a pool that a wait reads."""
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
    if not reason_to_keep_pause(obj):
        kept["metadata"]["managedFields"] = [{"manager": FIELD_MANAGER, "fieldsV1": {"f:spec": {"f:paused": {}}}}]
    error = _render_error(obj)
    if error:
        kept["status"] = {"conditions": [{"type": "RenderDegraded", "status": "True", "message": error}]}
    return kept


def reason_to_keep_pause(obj: Object) -> str:
    """Return why this collection must not unpause a pool, or an empty string if it may.

    The pause is ours only if the pool has our annotation and we are the only manager of ``spec.paused``. The annotation
    is not enough: it stays when a user unpauses the pool, and would then cover the user's next pause. A manager that
    sets the same value by server-side apply shares the field and relies on the pause as well.
    """
    managers = _managers_of_pause(obj)
    others = ", ".join(sorted({name for name in managers if name}))
    if annotations_of(obj).get(PAUSED_BY) != OURS or (others and "" not in managers):
        return f"it was paused by another client{f' ({others})' if others else ''}"
    if others:
        return f"it was paused by this collection and by another client ({others})"
    return "" if managers else "metadata.managedFields does not show which client paused it"


def _managers_of_pause(obj: Object) -> list[str]:
    """Return the managers of ``spec.paused``, an empty string for this collection.

    This collection writes only by Update, and no subresource.
    """
    return [
        "" if _is_our_entry(entry) else f"{entry.get('manager') or 'unnamed'} by {entry.get('operation') or 'Update'}"
        for entry in metadata_of(obj).get("managedFields") or []
        if _holds_pause(entry.get("fieldsV1") or {})
    ]


def _is_our_entry(entry: Object) -> bool:
    by_apply = entry.get("operation") == "Apply"
    return entry.get("manager") == FIELD_MANAGER and not by_apply and not entry.get("subresource")


def _holds_pause(fields: Object) -> bool:
    """Whether the fields of one entry include ``spec.paused``. A manager of all of ``spec`` manages it as well."""
    spec = fields.get("f:spec")
    return spec is not None and (not spec or "f:paused" in spec)


def _render_error(obj: Object) -> str:
    if not conditions_of(obj).get("RenderDegraded"):
        return ""
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition["type"] == "RenderDegraded":
            return str(condition.get("message") or condition.get("reason") or "")
    return ""
