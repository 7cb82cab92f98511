# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a Node: the annotations of the operator, and whether the node accepts workloads.

The annotations are the state that the daemon reports, not a proof of the booted image.
Source: docs/operator-behavior.md ("Node annotations and states").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .resources import ANNOTATION_PREFIX, Object, annotations_of, conditions_of, labels_of, metadata_of, pruned
from .values import mapping, mappings, text_in

_CURRENT_CONFIG = ANNOTATION_PREFIX + "currentConfig"
_DESIRED_CONFIG = ANNOTATION_PREFIX + "desiredConfig"
_CURRENT_IMAGE = ANNOTATION_PREFIX + "currentImage"
_DESIRED_IMAGE = ANNOTATION_PREFIX + "desiredImage"
_STATE = ANNOTATION_PREFIX + "state"
_REASON = ANNOTATION_PREFIX + "reason"
_DESIRED_DRAIN = ANNOTATION_PREFIX + "desiredDrain"
_LAST_APPLIED_DRAIN = ANNOTATION_PREFIX + "lastAppliedDrain"

_UNCORDON = "uncordon-"

NOT_FOUND_REMEDY = "Correct nodes; oc get nodes lists the names"
CONTROL_PLANE_ROLES = ("node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane")


@dataclass(frozen=True)
class NodeState:
    """The fields of a Node that this collection reads."""

    name: str
    current_config: str
    desired_config: str
    current_image: str
    desired_image: str
    state: str
    reason: str
    draining: bool
    uncordoning: bool
    ready: bool
    unschedulable: bool
    boot_id: str
    labels: t.Mapping[str, str] = field(default_factory=dict, hash=False)
    ready_since: str = ""
    """Time of the last change of the condition Ready, RFC 3339. Empty if it is not stated."""

    @classmethod
    def from_api(cls, obj: Object) -> NodeState:
        """Read a v1 Node. A missing Ready condition counts as not Ready."""
        notes = annotations_of(obj)
        request = notes.get(_DESIRED_DRAIN, "")
        pending = request != notes.get(_LAST_APPLIED_DRAIN, "")
        return cls(
            name=metadata_of(obj)["name"],
            current_config=notes.get(_CURRENT_CONFIG, ""),
            desired_config=notes.get(_DESIRED_CONFIG, ""),
            current_image=notes.get(_CURRENT_IMAGE, ""),
            desired_image=notes.get(_DESIRED_IMAGE, ""),
            state=notes.get(_STATE, ""),
            reason=notes.get(_REASON, ""),
            draining=pending and not request.startswith(_UNCORDON),
            uncordoning=pending and request.startswith(_UNCORDON),
            ready=conditions_of(obj).get("Ready", False),
            unschedulable=bool(mapping(obj.get("spec")).get("unschedulable")),
            boot_id=text_in(mapping(obj.get("status")).get("nodeInfo"), "bootID"),
            labels=labels_of(obj),
            ready_since=text_in(_ready(obj), "lastTransitionTime"),
        )

    @property
    def settled(self) -> bool:
        """Whether the daemon has applied the assigned config and image."""
        return (
            bool(self.current_config)
            and self.current_config == self.desired_config
            and self.current_image == self.desired_image
            and self.state == "Done"
        )

    @property
    def degraded(self) -> bool:
        """Whether the daemon reports an error."""
        return self.state in ("Degraded", "Unreconcilable")


_READ = (
    _CURRENT_CONFIG,
    _DESIRED_CONFIG,
    _CURRENT_IMAGE,
    _DESIRED_IMAGE,
    _STATE,
    _REASON,
    _DESIRED_DRAIN,
    _LAST_APPLIED_DRAIN,
)


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a Node that a wait reads. The boot id is not part of it."""
    kept = pruned(obj, "metadata.name", "metadata.labels", "spec.unschedulable")
    kept["metadata"]["annotations"] = {name: value for name, value in annotations_of(obj).items() if name in _READ}
    ready = pruned(_ready(obj), "type", "status", "lastTransitionTime")
    if ready:
        kept["status"] = {"conditions": [ready]}
    return kept


def _ready(obj: Object) -> t.Mapping[str, t.Any]:
    """Return the condition Ready, or an empty mapping."""
    conditions = mappings(mapping(obj.get("status")).get("conditions"))
    return next((condition for condition in conditions if condition.get("type") == "Ready"), {})


def is_control_plane(node: Object) -> bool:
    """Whether the node has a role of the control plane."""
    return any(role in labels_of(node) for role in CONTROL_PLANE_ROLES)
