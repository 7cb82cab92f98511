# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a MachineConfigPool, and create or patch a custom pool."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .label_selector import selector_matches
from .resources import (
    CREATED_BY,
    FIELD_MANAGER,
    MACHINE_CONFIG_POOL,
    OURS,
    PAUSED_BY,
    PAUSED_FOR,
    REBUILD_PAUSE,
    Object,
    annotations_of,
    is_ours,
    metadata_of,
    pruned,
    true_condition_text,
)
from .values import mapping, text_in

CONTROL_PLANE = "master"
WORKER = "worker"
BUILT_IN = (CONTROL_PLANE, WORKER, "arbiter")
ROLE_LABEL = "node-role.kubernetes.io/"
CONFIG_ROLE_LABEL = "machineconfiguration.openshift.io/role"
_ENTRY = ("manager", "operation", "subresource")
"""Fields of an entry of managedFields that identify a manager."""
_MAX_UNAVAILABLE = re.compile(r"([0-9]{1,6})(%?)")
NOT_FOUND_REMEDY = "Check the name, or create the pool (machineconfigpool, or image_mode_create_pool in the playbooks)"


@dataclass(frozen=True)
class Pool:
    """The fields of a MachineConfigPool that this collection reads."""

    name: str
    paused: bool
    pause_kept_because: str
    """Why this collection must not unpause the pool, or an empty string if it may."""
    created_by_us: bool
    max_unavailable: str
    node_selector: Object
    rendered_config: str
    render_error: str
    paused_by: str = ""
    """Managers of ``spec.paused``, as far as the object names them."""
    marked_for_rebuild: bool = False
    """Whether the annotation of a rebuild says that the pool is paused until a build has started."""

    @classmethod
    def from_api(cls, obj: Object) -> Pool:
        """Read a v1 MachineConfigPool."""
        spec = obj.get("spec") or {}
        return cls(
            name=metadata_of(obj)["name"],
            paused=bool(spec.get("paused")),
            pause_kept_because=reason_to_keep_pause(obj),
            created_by_us=is_ours(obj),
            max_unavailable=str(spec.get("maxUnavailable", "")),
            node_selector=mapping(spec.get("nodeSelector")),
            rendered_config=text_in(spec.get("configuration"), "name"),
            render_error=true_condition_text(obj, "RenderDegraded"),
            paused_by=_pausers(obj) if spec.get("paused") else "",
            marked_for_rebuild=annotations_of(obj).get(PAUSED_FOR) == REBUILD_PAUSE,
        )

    @property
    def paused_by_us(self) -> bool:
        """Whether this collection is the only manager of ``spec.paused``."""
        return not self.pause_kept_because

    @property
    def paused_for_rebuild(self) -> bool:
        """Whether a rebuild by this collection paused the pool, and no one relies on the pause otherwise."""
        return self.paused and self.paused_by_us and self.marked_for_rebuild

    def selects(self, node_labels: t.Mapping[str, str]) -> bool:
        """Whether the node selector matches. An empty selector matches no node: the operator ignores such a pool."""
        return bool(self.node_selector) and selector_matches(self.node_selector, node_labels)

    def most_unavailable(self, total: int) -> int:
        """Return how many of *total* nodes may be unavailable at the same time, at least one.

        A value that the operator cannot read counts as one, although the operator then updates no node.

        Source: docs/operator-behavior.md ("Rollout order and maxUnavailable").
        """
        found = _MAX_UNAVAILABLE.fullmatch(self.max_unavailable or "1")
        if not found:
            return 1
        number = int(found.group(1))
        return max(1, total * number // 100 if found.group(2) else number)

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
    if wanted.paused is not None and PAUSED_FOR in annotations_of(current):
        # From now on the pause, or its end, is what the user asks for, and no longer that of a rebuild.
        patch.setdefault("metadata", {}).setdefault("annotations", {})[PAUSED_FOR] = None
    if "paused" in spec and not wanted.paused and metadata_of(current).get("resourceVersion"):
        # Another client may pause the pool as well between this read and the write.
        patch["metadata"]["resourceVersion"] = metadata_of(current)["resourceVersion"]
    if spec:
        patch["spec"] = spec
    return patch


def rebuild_pause(current: Object) -> dict[str, t.Any]:
    """Return the merge patch that pauses a pool until a build has started."""
    return _pause_patch(current, {PAUSED_BY: OURS, PAUSED_FOR: REBUILD_PAUSE}, paused=True)


def end_of_rebuild_pause(current: Object) -> dict[str, t.Any]:
    """Return the merge patch that ends the pause of a rebuild. A pause of another client stays."""
    pool = Pool.from_api(current)
    if pool.paused_for_rebuild:
        return _pause_patch(current, {PAUSED_BY: None, PAUSED_FOR: None}, paused=False)
    return _pause_patch(current, {PAUSED_FOR: None})


def _pause_patch(current: Object, notes: t.Mapping[str, str | None], **spec: bool) -> dict[str, t.Any]:
    """Return a merge patch for the very version of the pool that was read."""
    version = {"resourceVersion": metadata_of(current).get("resourceVersion")}
    return {"metadata": {**version, "annotations": dict(notes)}, **({"spec": spec} if spec else {})}


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
    holders = [{name: e[name] for name in _ENTRY if name in e} for e in _holders_of_pause(obj)]
    if holders:
        kept["metadata"]["managedFields"] = [{**entry, "fieldsV1": {"f:spec": {"f:paused": {}}}} for entry in holders]
    error = true_condition_text(obj, "RenderDegraded")
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


def find_other_manager(pool: str) -> str:
    """Return the remedy for a pool that another client pauses."""
    return (
        f"Find the other manager of spec.paused with oc get machineconfigpool {pool} -o yaml --show-managed-fields, "
        "and unpause it with oc"
    )


def _pausers(obj: Object) -> str:
    """Return the names of the managers of ``spec.paused``."""
    holders = _holders_of_pause(obj)
    names = {"this collection" if _is_our_entry(e) else str(e.get("manager") or "an unnamed client") for e in holders}
    return " and ".join(sorted(names))


def _managers_of_pause(obj: Object) -> list[str]:
    """Return the managers of ``spec.paused``, an empty string for this collection.

    This collection writes only by Update, and no subresource.
    """
    return [
        "" if _is_our_entry(entry) else f"{entry.get('manager') or 'unnamed'} by {entry.get('operation') or 'Update'}"
        for entry in _holders_of_pause(obj)
    ]


def _holders_of_pause(obj: Object) -> list[Object]:
    """Return the entries of the managers of ``spec.paused``."""
    entries = metadata_of(obj).get("managedFields") or []
    return [entry for entry in entries if _holds_pause(mapping(entry.get("fieldsV1")))]


def _is_our_entry(entry: Object) -> bool:
    by_apply = entry.get("operation") == "Apply"
    return entry.get("manager") == FIELD_MANAGER and not by_apply and not entry.get("subresource")


def _holds_pause(fields: Object) -> bool:
    """Whether the fields of one entry include ``spec.paused``. A manager of all of ``spec`` manages it as well."""
    spec = fields.get("f:spec")
    return spec is not None and (not spec or "f:paused" in mapping(spec))
