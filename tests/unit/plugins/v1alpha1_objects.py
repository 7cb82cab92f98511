# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API version v1alpha1, as OpenShift 4.16 and 4.17 serve them."""

from __future__ import annotations

import typing as t

from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    V1ALPHA1,
    Kind,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import image_of

OLDER_CONFIG = Kind(MACHINE_OS_CONFIG.name, MACHINE_OS_CONFIG.plural, V1ALPHA1)
OLDER_BUILD = Kind(MACHINE_OS_BUILD.name, MACHINE_OS_BUILD.plural, V1ALPHA1)
NOT_SERVED = frozenset({"v1/machineosconfigs", "v1/machineosbuilds"})
"""What an API server of this generation does not serve."""
RENDERED = "rendered-layered-1"
ALL_CONDITIONS = ("Prepared", "Building", "Failed", "Interrupted", "Succeeded")

_REASONS = {
    "Prepared": ("Prepared", "Build Prepared and Pending"),
    "Building": ("Building", "Image Build In Progress"),
    "Succeeded": ("Ready", "Build Ready"),
    "Interrupted": ("Interrupted", "Build Interrupted"),
    "Failed": ("MOSCAvailable", "MOSC"),
}


def machine_os_config(pool: str = "layered", image: str = "", **inputs: t.Any) -> dict[str, t.Any]:
    """Return a MachineOSConfig as the documentation of 4.16 shows it.

    :param image: the image in its status
    :param inputs: more fields of ``buildInputs``
    """
    return {
        "apiVersion": V1ALPHA1,
        "kind": "MachineOSConfig",
        "metadata": {"name": pool, "uid": f"uid-of-{pool}", "generation": 1},
        "spec": {
            "machineConfigPool": {"name": pool},
            "buildInputs": {
                "baseImagePullSecret": {"name": "global-pull-secret-copy"},
                "containerFile": [{"containerfileArch": "noarch", "content": "FROM configs AS final\n"}],
                "imageBuilder": {"imageBuilderType": "PodImageBuilder"},
                "renderedImagePushSecret": {"name": "os-push"},
                "renderedImagePushspec": "registry.example.com/os/layered:latest",
                **inputs,
            },
            "buildOutputs": {"currentImagePullSecret": {"name": "os-pull"}},
        },
        "status": {"currentImagePullspec": image} if image else {},
    }


def machine_os_build(
    pool: str = "layered", rendered: str = RENDERED, true: str = "Succeeded", image: str = "", **metadata: t.Any
) -> dict[str, t.Any]:
    """Return a MachineOSBuild whose condition *true* is True; without one only Failed=False was written."""
    name = f"{pool}-{rendered}-builder"
    present = ALL_CONDITIONS if true else ("Failed",)
    conditions = [_condition(kind, kind == true) for kind in present]
    final = {"finalImagePullspec": image or image_of("a")} if true == "Succeeded" else {}
    builder = {"builderReference": _builder(rendered)} if true else {}
    return {
        "apiVersion": V1ALPHA1,
        "kind": "MachineOSBuild",
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "generation": 1,
            "creationTimestamp": "2026-03-01T12:00:00Z",
            **metadata,
        },
        "spec": {
            "configGeneration": 1,
            "version": 1,
            "desiredConfig": {"name": rendered},
            "machineOSConfig": {"name": pool},
            "renderedImagePushspec": "registry.example.com/os/layered:latest",
        },
        "status": {"buildStart": "2026-03-01T12:00:00Z", "conditions": conditions, **builder, **final},
    }


def _condition(kind: str, is_true: bool) -> dict[str, str]:
    reason, message = _REASONS[kind]
    if kind == "Failed" and is_true:
        reason, message = "BuildFailed", "Failed to build configuration for pool layered: BuildFailed"
    return {"type": kind, "status": "True" if is_true else "False", "reason": reason, "message": message}


def _builder(rendered: str) -> dict[str, t.Any]:
    pod = {"group": "", "name": f"build-{rendered}", "namespace": "openshift-machine-config-operator", "resource": ""}
    return {"imageBuilderType": "PodImageBuilder", "buildPod": pod}
