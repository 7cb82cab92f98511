# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Node object says to its machine-config-daemon, and what the daemon says back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

PREFIX = "machineconfiguration.openshift.io/"

# The controller's annotations hold 256 KiB in all; the daemon cuts its reasons.
_LONGEST_REASON = 2000


class State(str, Enum):
    """How far the daemon is with what is wanted of its node."""

    DONE = "Done"
    WORKING = "Working"
    DEGRADED = "Degraded"


@dataclass(frozen=True)
class Target:
    """What a node is to run. ``image`` is empty for the operating system that its MachineConfig names."""

    config: str
    image: str

    @property
    def drain(self) -> str:
        """The request to cordon and drain the node for this target."""
        return f"drain-{self.config}"

    @property
    def uncordon(self) -> str:
        """The request to let pods onto the node again."""
        return f"uncordon-{self.config}"


@dataclass(frozen=True)
class NodeView:
    """The part of a Node that concerns its daemon, at one moment."""

    name: str
    uid: str
    version: int
    current: Target
    desired: Target
    state: str
    reason: str
    desired_drain: str
    last_applied_drain: str
    ready: bool
    boot_id: str
    annotations: Mapping[str, str]

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> NodeView:
        """Read a Node as the API has it."""
        metadata, status = node["metadata"], node.get("status", {})
        annotations = metadata.get("annotations") or {}

        def annotation(key: str) -> str:
            return str(annotations.get(PREFIX + key, ""))

        ready = [item["status"] for item in status.get("conditions", []) if item["type"] == "Ready"]
        return cls(
            name=metadata["name"],
            uid=metadata["uid"],
            version=int(metadata["resourceVersion"]),
            current=Target(annotation("currentConfig"), annotation("currentImage")),
            desired=Target(annotation("desiredConfig"), annotation("desiredImage")),
            state=annotation("state"),
            reason=annotation("reason"),
            desired_drain=annotation("desiredDrain"),
            last_applied_drain=annotation("lastAppliedDrain"),
            ready=ready == ["True"],
            boot_id=str(status.get("nodeInfo", {}).get("bootID", "")),
            annotations=annotations,
        )

    @property
    def managed(self) -> bool:
        """Whether anybody wants something of this node."""
        return bool(self.desired.config)

    @property
    def settled(self) -> bool:
        """Whether the daemon has said that everything wanted is done."""
        return not self.managed or (self.current == self.desired and self.state == State.DONE)


def working() -> dict[str, str | None]:
    """The annotations of a node that an update of begins."""
    return _annotations(state=State.WORKING.value)


def degraded(reason: str) -> dict[str, str | None]:
    """The annotations of a node whose update failed."""
    return _annotations(state=State.DEGRADED.value, reason=cut_reason(reason))


def done(target: Target) -> dict[str, str | None]:
    """The annotations of a node that runs ``target``. None removes an annotation: without an image it has none."""
    annotations = _annotations(
        state=State.DONE.value, reason="", currentConfig=target.config, currentImage=target.image or None
    )
    if not target.image:
        annotations[PREFIX + "desiredImage"] = None
    return annotations


def drain_request(request: str) -> dict[str, str | None]:
    """The annotation that asks the controller to drain or to uncordon the node."""
    return _annotations(desiredDrain=request)


def cut_reason(reason: str) -> str:
    """A reason as long as the daemon writes it."""
    return reason[:_LONGEST_REASON]


def rebase_failure(image: str, refusal: str) -> str:
    """What the daemon says when rpm-ostree cannot have an image; ``refusal`` is what the container tools printed."""
    return (
        f"failed to update OS to {image}: error running rpm-ostree rebase --experimental "
        f"ostree-unverified-registry:{image}: error: Creating importer: failed to invoke method OpenImage: {refusal}"
        ": exit status 1"
    )


def drain_failure(node: str) -> str:
    """What the daemon says when the controller does not drain its node."""
    return f"failed to drain node: {node} after 1 hour. Please see machine-config-controller logs for more information"


def uncordon_failure(node: str) -> str:
    """What the daemon says when the controller does not uncordon its node."""
    return (
        f"failed to uncordon node: {node} after 10 minutes. "
        "Please see machine-config-controller logs for more information"
    )


def _annotations(**values: str | None) -> dict[str, str | None]:
    return {PREFIX + key: value for key, value in values.items()}
