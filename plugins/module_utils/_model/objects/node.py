# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a Node say about itself, and has it reached what its pool wants?

The predicate is the operator's own (operator.md 3.3, ``pkg/controller/common/layered_node_state.go``), and beside it
the node has to be Ready and schedulable. All of it is a claim of the daemon's; what is booted is asked of the node.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .resources import ANNOTATION_PREFIX, Object, annotations_of, conditions_of, labels_of, metadata_of, pruned

_CURRENT_CONFIG = ANNOTATION_PREFIX + "currentConfig"
_DESIRED_CONFIG = ANNOTATION_PREFIX + "desiredConfig"
_CURRENT_IMAGE = ANNOTATION_PREFIX + "currentImage"
_DESIRED_IMAGE = ANNOTATION_PREFIX + "desiredImage"
_STATE = ANNOTATION_PREFIX + "state"
_REASON = ANNOTATION_PREFIX + "reason"
_DESIRED_DRAIN = ANNOTATION_PREFIX + "desiredDrain"
_LAST_APPLIED_DRAIN = ANNOTATION_PREFIX + "lastAppliedDrain"

_UNCORDON = "uncordon-"

_PULL_FAILED = "failed to update OS to"
_REFUSALS = (
    "unauthorized",
    "authentication required",
    "denied",
    "forbidden",
    "manifest unknown",
    "name unknown",
    "repository name not known",
    "certificate signed by unknown authority",
)
"""How a registry, or the node's trust, refuses an image; trouble on the way to a registry is none of these."""

CONTROL_PLANE_ROLES = ("node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane")


class Phase(enum.Enum):
    """Where a node is on its way to the wanted image."""

    DONE = "done"
    UPDATING = "updating"
    WAITING = "waiting"


@dataclass(frozen=True)
class NodeState:
    """One look at a Node: what the operator's annotations say, and whether it can carry workload."""

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

    @classmethod
    def from_api(cls, obj: Object) -> NodeState:
        """Read a v1 Node; a condition that is missing counts as not Ready."""
        notes = annotations_of(obj)
        status = obj.get("status") or {}
        asked = notes.get(_DESIRED_DRAIN, "")
        pending = asked != notes.get(_LAST_APPLIED_DRAIN, "")
        return cls(
            name=metadata_of(obj)["name"],
            current_config=notes.get(_CURRENT_CONFIG, ""),
            desired_config=notes.get(_DESIRED_CONFIG, ""),
            current_image=notes.get(_CURRENT_IMAGE, ""),
            desired_image=notes.get(_DESIRED_IMAGE, ""),
            state=notes.get(_STATE, ""),
            reason=notes.get(_REASON, ""),
            draining=pending and not asked.startswith(_UNCORDON),
            uncordoning=pending and asked.startswith(_UNCORDON),
            ready=conditions_of(obj).get("Ready", False),
            unschedulable=bool((obj.get("spec") or {}).get("unschedulable")),
            boot_id=(status.get("nodeInfo") or {}).get("bootID", ""),
        )

    @property
    def settled(self) -> bool:
        """Whether the daemon has applied all that it was told."""
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

    @property
    def pull_error(self) -> str:
        """What the registry said when it refused the image to the node, or an empty text (operator.md 6, row 14)."""
        if not self.degraded or _PULL_FAILED not in self.reason:
            return ""
        if not any(refusal in self.reason.lower() for refusal in _REFUSALS):
            return ""
        # The daemon quotes its command first, and the registry last.
        said = self.reason.rpartition("error: ")[2] or self.reason
        return said.rpartition(": exit status")[0] or said


@dataclass(frozen=True)
class Target:
    """What every node of a pool has to reach: the rendered config and, in a layered pool, the image."""

    rendered_config: str
    image: str

    def phase_of(self, node: NodeState) -> Phase:
        """Tell where a node is: waiting until the operator has told it the target."""
        told = node.desired_config == self.rendered_config and node.desired_image == self.image
        if told and node.settled and node.ready and not node.unschedulable:
            return Phase.DONE
        if told or node.state == "Working":
            return Phase.UPDATING
        return Phase.WAITING


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
    """Return what a wait reads of a Node; its boot is not part of that."""
    kept = pruned(obj, "metadata.name", "metadata.labels", "spec.unschedulable")
    kept["metadata"]["annotations"] = {name: value for name, value in annotations_of(obj).items() if name in _READ}
    if conditions_of(obj).get("Ready"):
        kept["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    return kept


def is_control_plane(node: Object) -> bool:
    """Whether the node carries a role of the control plane."""
    return any(role in labels_of(node) for role in CONTROL_PLANE_ROLES)


def count_phases(phases: t.Iterable[Phase]) -> dict[str, int]:
    """Return total, done, updating and waiting."""
    seen = list(phases)
    return {"total": len(seen), **{phase.value: seen.count(phase) for phase in Phase}}
