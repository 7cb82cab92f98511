# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a MachineConfigNode claim of its node?

The daemon writes it, so it is a claim like the node's annotations. Clusters before 4.19 do not serve it, and the image
stands in it only with a feature gate that is off (operator.md 3.6).
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resources import Object, metadata_of

_NOT_YET = "not-yet-set"


@dataclass(frozen=True)
class MachineConfigNode:
    """One look at a MachineConfigNode; what it does not say is empty."""

    name: str
    current_config: str
    current_image: str

    @classmethod
    def from_api(cls, obj: Object) -> MachineConfigNode:
        """Read a MachineConfigNode of v1."""
        status = obj.get("status") or {}
        return cls(
            name=metadata_of(obj)["name"],
            current_config=_said(status.get("configVersion"), "current"),
            current_image=_said(status.get("configImage"), "currentImage"),
        )


def _said(part: t.Mapping[str, str] | None, key: str) -> str:
    value = (part or {}).get(key) or ""
    return "" if value == _NOT_YET else value
