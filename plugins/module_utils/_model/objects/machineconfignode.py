# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a MachineConfigNode: the state of a node as its daemon reports it.

Releases before 4.19 do not serve the kind. It has the image only with a feature gate that is off by default.
Source: docs/operator-behavior.md ("MachineConfigNode").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resources import Object, metadata_of, pruned
from .values import mapping, mappings, text_in

_NOT_YET = "not-yet-set"
_DRAIN_ERROR = "Error is: "


@dataclass(frozen=True)
class MachineConfigNode:
    """The fields of a MachineConfigNode that this collection reads. A missing value is empty."""

    name: str
    current_config: str
    current_image: str
    drain_error: str = ""
    """The error of the drain controller, or an empty string."""
    drain_since: str = ""
    """Time at which the drain that is in progress began, RFC 3339. Empty if none is, or if it is not stated."""

    @classmethod
    def from_api(cls, obj: Object) -> MachineConfigNode:
        """Read a v1 MachineConfigNode."""
        status = mapping(obj.get("status"))
        return cls(
            name=metadata_of(obj)["name"],
            current_config=_value(status.get("configVersion"), "current"),
            current_image=_value(status.get("configImage"), "currentImage"),
            drain_error=_drain_error(status),
            drain_since=text_in(_drain(status), "lastTransitionTime"),
        )


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a MachineConfigNode that a wait reads: the drain that is in progress, and its error."""
    kept, status = pruned(obj, "metadata.name"), mapping(obj.get("status"))
    error, since = _drain_error(status), text_in(_drain(status), "lastTransitionTime")
    if error or since:
        condition = {"type": "Drained", "status": "Unknown"}
        if error:
            condition["message"] = _DRAIN_ERROR + error
        if since:
            condition["lastTransitionTime"] = since
        kept["status"] = {"conditions": [condition]}
    return kept


def _drain(status: t.Mapping[str, t.Any]) -> t.Mapping[str, t.Any]:
    """Return the condition of a drain that is in progress, or an empty mapping."""
    in_progress = {"type": "Drained", "status": "Unknown"}
    conditions = mappings(status.get("conditions"))
    return next((c for c in conditions if {"type": c.get("type"), "status": c.get("status")} == in_progress), {})


def _drain_error(status: t.Mapping[str, t.Any]) -> str:
    for condition in mappings(status.get("conditions")):
        if condition.get("type") == "Drained" and condition.get("status") != "True":
            return text_in(condition, "message").partition(_DRAIN_ERROR)[2].strip()
    return ""


def _value(part: t.Any, key: str) -> str:
    value = text_in(part, key)
    return "" if value == _NOT_YET else value
