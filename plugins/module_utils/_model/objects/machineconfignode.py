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

    @classmethod
    def from_api(cls, obj: Object) -> MachineConfigNode:
        """Read a v1 MachineConfigNode."""
        status = mapping(obj.get("status"))
        return cls(
            name=metadata_of(obj)["name"],
            current_config=_value(status.get("configVersion"), "current"),
            current_image=_value(status.get("configImage"), "currentImage"),
            drain_error=_drain_error(status),
        )


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the part of a MachineConfigNode that a wait reads: the error of its drain."""
    kept = pruned(obj, "metadata.name")
    error = _drain_error(mapping(obj.get("status")))
    if error:
        condition = {"type": "Drained", "status": "Unknown", "message": _DRAIN_ERROR + error}
        kept["status"] = {"conditions": [condition]}
    return kept


def _drain_error(status: t.Mapping[str, t.Any]) -> str:
    for condition in mappings(status.get("conditions")):
        if condition.get("type") == "Drained" and condition.get("status") != "True":
            return text_in(condition, "message").partition(_DRAIN_ERROR)[2].strip()
    return ""


def _value(part: t.Any, key: str) -> str:
    value = text_in(part, key)
    return "" if value == _NOT_YET else value
