# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a MachineOSBuild and its state.

A build keeps its name when the same inputs are built again, so name and UID together identify a build. Reason and
message of its conditions are the same for status True and False, so only the status counts. See
docs/operator-behavior.md ("Build identity", "Build states").
"""

from __future__ import annotations

import enum
import re
import typing as t
from dataclasses import dataclass

from .machineosconfig import MachineOSConfig
from .resources import (
    ANNOTATION_PREFIX,
    CONFIG_LABEL,
    POOL_LABEL,
    V1ALPHA1,
    Object,
    conditions_of,
    labels_of,
    metadata_of,
    pruned,
)
from .v1alpha1 import pool_in_build_name

_SEEDED_LABEL = ANNOTATION_PREFIX + "pre-built-image"
_SEEDED_CONDITION = "Seeded"
_SEEDED_REASON = "PreBuiltImageSeeded"


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
    seeded: bool = False
    """Whether the operator took an existing image for it, and built nothing from the Containerfile."""
    pod: str = ""
    """The pod that builds it, in v1alpha1. Empty if none was started, or if a Job builds it."""
    is_pod_build: bool = False
    """Whether a single pod builds it, once for each rendered config, as in OpenShift 4.16 and 4.17."""
    has_all_conditions: bool = True
    """Whether all condition types are written. In a pod build whose start failed they are not."""
    pool: str = ""
    """The pool that its image is for. Empty if its label is missing."""

    @classmethod
    def from_api(cls, obj: Object) -> MachineOSBuild:
        """Read a MachineOSBuild in the form of v1. Without a True condition it is pending."""
        spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, metadata_of(obj)
        is_true = conditions_of(obj)
        rendered_config = (spec.get("machineConfig") or {}).get("name", "")
        is_v1alpha1 = obj.get("apiVersion") == V1ALPHA1
        reference = (status.get("builderReference") or {}).get("buildPod") or {}
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            config=(spec.get("machineOSConfig") or {}).get("name", "") or labels_of(obj).get(CONFIG_LABEL, ""),
            config_uid=next((o["uid"] for o in meta.get("ownerReferences") or [] if o.get("controller")), ""),
            rendered_config=rendered_config,
            state=next((state for name, state in _BY_CONDITION if is_true.get(name)), BuildState.PENDING),
            digested_image_push_spec=status.get("digestedImagePushSpec", ""),
            created=meta.get("creationTimestamp") or "",
            started=status.get("buildStart") or "",
            finished=status.get("buildEnd") or "",
            job=((status.get("builder") or {}).get("job") or {}).get("name", ""),
            seeded=_is_seeded(obj),
            pod=reference.get("name", ""),
            is_pod_build=is_v1alpha1 and pool_in_build_name(meta["name"], rendered_config) is not None,
            has_all_conditions=not is_v1alpha1 or is_true.keys() >= {name for name, dummy in _BY_CONDITION},
            pool=labels_of(obj).get(POOL_LABEL, ""),
        )

    def is_of(self, config: MachineOSConfig) -> bool:
        """Whether it belongs to this MachineOSConfig, and not to a deleted one with the same name."""
        return self.config == config.name and self.config_uid in ("", config.uid)

    def is_published_by(self, config: MachineOSConfig) -> bool:
        """Whether its image is the one in the status of a MachineOSConfig."""
        image = self.digested_image_push_spec
        return bool(image) and image == config.current_image_pull_spec

    @property
    def identity(self) -> str:
        """Name and UID. They identify one build."""
        return f"{self.name}/{self.uid}"


def _is_seeded(obj: Object) -> bool:
    """Whether the label or a condition says that the image was seeded.

    Source: docs/operator-behavior.md ("Build identity").
    """
    if labels_of(obj).get(_SEEDED_LABEL) == "true":
        return True
    conditions = (obj.get("status") or {}).get("conditions") or []
    return any(
        condition.get("status") == "True"
        and (condition.get("type") == _SEEDED_CONDITION or condition.get("reason") == _SEEDED_REASON)
        for condition in conditions
    )


_GENERIC_FAILURE = re.compile(r"Build Failed|Failed to build configuration for pool \S+: BuildFailed")


def failure_message(obj: Object) -> str:
    """Return the text of the failure in the Failed condition, or an empty text.

    Later releases write the text there. Earlier releases write the same words for every build. See
    docs/operator-behavior.md ("Build states").
    """
    for condition in (obj.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Failed" and condition.get("status") == "True":
            message = str(condition.get("message") or "")
            return "" if _GENERIC_FAILURE.fullmatch(message) else message
    return ""


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return the fields of a MachineOSBuild that a wait reads."""
    kept = pruned(
        obj,
        "apiVersion",
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
        "status.builderReference",
    )
    is_v1alpha1 = obj.get("apiVersion") == V1ALPHA1  # there, it matters which conditions are written
    states = [
        {"type": name, "status": "True" if is_true else "False"}
        for name, is_true in conditions_of(obj).items()
        if is_true or is_v1alpha1
    ]
    if _is_seeded(obj):  # the reason of a condition is not kept
        states.append({"type": _SEEDED_CONDITION, "status": "True"})
    kept.setdefault("status", {})["conditions"] = states
    return kept
