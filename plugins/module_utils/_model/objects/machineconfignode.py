# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a MachineConfigNode claim of its node?

The daemon writes it, so it is a claim like the node's annotations. Clusters before 4.19 do not serve it, and the image
stands in it only with a feature gate that is off (operator.md 3.6).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resources import Object, metadata_of, pruned

_NOT_YET = "not-yet-set"
_DRAIN_ERROR = "Error is: "


@dataclass(frozen=True)
class MachineConfigNode:
    """One look at a MachineConfigNode; what it does not say is empty."""

    name: str
    current_config: str
    current_image: str
    drain_error: str = ""
    """What the drain controller met, or an empty text (operator.md 3.6)."""

    @classmethod
    def from_api(cls, obj: Object) -> MachineConfigNode:
        """Read a MachineConfigNode of v1."""
        status = obj.get("status") or {}
        return cls(
            name=metadata_of(obj)["name"],
            current_config=_said(status.get("configVersion"), "current"),
            current_image=_said(status.get("configImage"), "currentImage"),
            drain_error=_drain_error(status),
        )


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return what a wait reads of a MachineConfigNode: how its drain fares."""
    kept = pruned(obj, "metadata.name")
    error = _drain_error(obj.get("status") or {})
    if error:
        condition = {"type": "Drained", "status": "Unknown", "message": _DRAIN_ERROR + error}
        kept["status"] = {"conditions": [condition]}
    return kept


def _drain_error(status: t.Mapping[str, t.Any]) -> str:
    for condition in status.get("conditions") or []:
        message = condition.get("message") or ""
        if condition.get("type") == "Drained" and condition.get("status") != "True":
            return message.partition(_DRAIN_ERROR)[2].strip()
    return ""


def _said(part: t.Mapping[str, str] | None, key: str) -> str:
    value = (part or {}).get(key) or ""
    return "" if value == _NOT_YET else value
