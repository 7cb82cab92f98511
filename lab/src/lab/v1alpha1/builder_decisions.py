# SPDX-License-Identifier: GPL-3.0-or-later
"""What the builder does about a change, decided from the objects alone."""

from __future__ import annotations

from enum import Enum

from lab.v1alpha1.objects import BUILD_POD_LABEL, Object, image_of, is_true, rendered_of

_DEGRADED = ("Degraded", "NodeDegraded", "RenderDegraded")
_PULL_ERRORS = ("ErrImagePull", "CreateContainerError")


class ConfigChange(Enum):
    """What a change of a MachineOSConfig means to the builder."""

    LOOK = "look"
    """The build is looked at, and created where it does not exist."""
    NONE = "none"


class PodState(Enum):
    """How far a build pod is."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


def config_change(before: Object | None, after: Object) -> ConfigChange:
    """What to do about a MachineOSConfig that appeared or changed: only its build inputs matter."""
    if before is None or before["spec"]["buildInputs"] != after["spec"]["buildInputs"]:
        return ConfigChange.LOOK
    return ConfigChange.NONE


def pool_starts_build(before: Object, after: Object, config: Object | None) -> bool:
    """Whether a change of a pool starts a build for its rendered config, unless that has one.

    ``config`` is the MachineOSConfig of the pool as the builder knows it.
    """
    if config is None or not rendered_of(after):
        return False
    if any(is_true(after, condition) for condition in _DEGRADED):
        return False
    return rendered_of(before) != rendered_of(after) or not image_of(config)


def pod_state(pod: Object) -> PodState:
    """How far a pod is. It fails with its first container, although its phase may stay Running."""
    status = pod.get("status", {})
    if any(_has_failed(container.get("state", {})) for container in status.get("containerStatuses") or []):
        return PodState.FAILED
    phases = {"Running": PodState.RUNNING, "Succeeded": PodState.SUCCEEDED, "Failed": PodState.FAILED}
    return phases.get(str(status.get("phase", "")), PodState.PENDING)


def _has_failed(state: Object) -> bool:
    ended = state.get("terminated")
    if ended is not None:
        return bool(ended.get("exitCode"))
    return state.get("waiting", {}).get("reason") in _PULL_ERRORS


def pod_is_of_build(pod: Object) -> bool:
    """Whether a pod that has the name of a build pod also has its label."""
    return BUILD_POD_LABEL in (pod["metadata"].get("labels") or {})
