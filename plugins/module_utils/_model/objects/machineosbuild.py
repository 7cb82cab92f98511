# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a MachineOSBuild and its state.

A build keeps its name when the same inputs are built again, so name and UID together identify a build. Reason and
message of its conditions are the same for status True and False, so only the status counts. See
docs/operator-behavior.md ("Build identity", "Build states").
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from .machineosconfig import MachineOSConfig
from .resources import ANNOTATION_PREFIX, Object, conditions_of, labels_of, metadata_of, pruned

CONFIG_LABEL = ANNOTATION_PREFIX + "machine-os-config"
POOL_LABEL = ANNOTATION_PREFIX + "target-machine-config-pool"


class BuildState(enum.Enum):
    """State of a build."""

    PENDING = "pending"
    PREPARING = "preparing"
    BUILDING = "building"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self in (BuildState.SUCCEEDED, BuildState.FAILED, BuildState.INTERRUPTED)


_BY_CONDITION = (
    ("Succeeded", BuildState.SUCCEEDED),
    ("Failed", BuildState.FAILED),
    ("Interrupted", BuildState.INTERRUPTED),
    ("Building", BuildState.BUILDING),
    ("Prepared", BuildState.PREPARING),
)


@dataclass(frozen=True)
class MachineOSBuild:
    """A MachineOSBuild."""

    name: str
    uid: str
    config: str
    config_uid: str
    rendered_config: str
    state: BuildState
    digested_image_push_spec: str
    created: str
    started: str
    finished: str
    job: str

    @classmethod
    def from_api(cls, obj: Object) -> MachineOSBuild:
        """Read a v1 MachineOSBuild. Without a True condition it is pending."""
        spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, metadata_of(obj)
        is_true = conditions_of(obj)
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            config=(spec.get("machineOSConfig") or {}).get("name", "") or labels_of(obj).get(CONFIG_LABEL, ""),
            config_uid=next((o["uid"] for o in meta.get("ownerReferences") or [] if o.get("controller")), ""),
            rendered_config=(spec.get("machineConfig") or {}).get("name", ""),
            state=next((state for name, state in _BY_CONDITION if is_true.get(name)), BuildState.PENDING),
            digested_image_push_spec=status.get("digestedImagePushSpec", ""),
            created=meta.get("creationTimestamp") or "",
            started=status.get("buildStart") or "",
            finished=status.get("buildEnd") or "",
            job=((status.get("builder") or {}).get("job") or {}).get("name", ""),
        )

    def is_of(self, config: MachineOSConfig) -> bool:
        """Whether it belongs to this MachineOSConfig, and not to a deleted one with the same name."""
        return self.config == config.name and self.config_uid in ("", config.uid)

    @property
    def identity(self) -> str:
        """Name and UID. They identify one build."""
        return f"{self.name}/{self.uid}"


_GENERIC_FAILURE = "Build Failed"


def failure_message(obj: Object) -> str:
    """Return the text of the failure in the Failed condition, or an empty text.

    Later releases write the text there. Earlier releases write the same two words for every build. See
    docs/operator-behavior.md ("Build states").
    """
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            message = str(condition.get("message") or "")
            return "" if message == _GENERIC_FAILURE else message
    return ""


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the fields of a MachineOSBuild that a wait reads."""
    kept = pruned(
        obj,
        "metadata.name",
        "metadata.uid",
        "metadata.labels",
        "metadata.creationTimestamp",
        "metadata.ownerReferences",
        "spec.machineOSConfig",
        "spec.machineConfig",
        "status.digestedImagePushSpec",
        "status.buildStart",
        "status.buildEnd",
        "status.builder",
    )
    states = [{"type": name, "status": "True"} for name, is_true in conditions_of(obj).items() if is_true]
    kept.setdefault("status", {})["conditions"] = states
    return kept
