# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a MachineOSBuild v1alpha1: how each step of the builder changes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.build import OPERATOR_NAMESPACE
from lab.v1alpha1.objects import pod_name

Status = dict[str, Any]

PREPARED = "Prepared"
BUILDING = "Building"
SUCCEEDED = "Succeeded"
INTERRUPTED = "Interrupted"
FAILED = "Failed"
# Reason and message are the same whether the condition is True or False.
_TEXTS = {
    PREPARED: ("Prepared", "Build Prepared and Pending"),
    BUILDING: ("Building", "Image Build In Progress"),
    SUCCEEDED: ("Ready", "Build Ready"),
    INTERRUPTED: ("Interrupted", "Build Interrupted"),
    FAILED: ("MOSCAvailable", "MOSC"),
}
_INTERRUPTED_BUILDING = "Running"


def observed(status: Mapping[str, Any], created: str, now: str) -> Status:
    """The status after any look at the build: nothing changes, but a failure is forgotten."""
    return _with_conditions(status, created, now, {FAILED: ("False", *_TEXTS[FAILED])})


def prepared(status: Mapping[str, Any], rendered: str, created: str, now: str) -> Status:
    """The status when the pod was created."""
    pod = {"group": "", "name": pod_name(rendered), "namespace": OPERATOR_NAMESPACE, "resource": ""}
    reference = {"imageBuilderType": "PodImageBuilder", "buildPod": pod}
    return {**_only(status, PREPARED, created, now), "builderReference": reference}


def building(status: Mapping[str, Any], created: str, now: str) -> Status:
    """The status when the pod runs."""
    return _only(status, BUILDING, created, now)


def succeeded(status: Mapping[str, Any], image: str, created: str, now: str) -> Status:
    """The status when the image is pushed."""
    return {**_only(status, SUCCEEDED, created, now), "finalImagePullspec": image}


def failed(status: Mapping[str, Any], pool: str, created: str, now: str) -> Status:
    """The status when a container of a build pod failed. It never says why."""
    others = {kind: ("False", *_TEXTS[kind]) for kind in (PREPARED, BUILDING, SUCCEEDED, INTERRUPTED)}
    message = f"Failed to build configuration for pool {pool}: BuildFailed"
    return _with_conditions(status, created, now, {**others, FAILED: ("True", "BuildFailed", message)})


def interrupted(status: Mapping[str, Any], created: str, now: str) -> Status:
    """The status when the MachineOSConfig was deleted during the build."""
    ended = _only(status, INTERRUPTED, created, now)
    conditions = [
        {**item, "reason": _INTERRUPTED_BUILDING} if item["type"] == BUILDING else item for item in ended["conditions"]
    ]
    return {**ended, "conditions": conditions}


def condition_is_true(status: Mapping[str, Any], kind: str) -> bool:
    """Whether a condition of a status is True."""
    return any(item["type"] == kind and item["status"] == "True" for item in status.get("conditions") or [])


def _only(status: Mapping[str, Any], true: str, created: str, now: str) -> Status:
    texts = {kind: ("True" if kind == true else "False", *text) for kind, text in _TEXTS.items()}
    return _with_conditions(status, created, now, texts)


def _with_conditions(
    status: Mapping[str, Any], created: str, now: str, changes: Mapping[str, tuple[str, str, str]]
) -> Status:
    present = {str(item["type"]): item for item in status.get("conditions") or []}
    for kind, (value, reason, message) in changes.items():
        before = present.pop(kind, None)
        since = before["lastTransitionTime"] if before is not None and before["status"] == value else now
        changed = {"status": value, "reason": reason, "message": message, "lastTransitionTime": since}
        # What was written last is last in the list.
        present[kind] = {"type": kind, **changed}
    return {"buildStart": created, **status, "conditions": list(present.values())}


def is_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two statuses say the same, in whatever order."""
    return _sorted(one) == _sorted(other)


def _sorted(status: Mapping[str, Any]) -> Status:
    return {**status, "conditions": sorted(status.get("conditions") or [], key=lambda item: str(item["type"]))}
