# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API generation v1alpha1, for tests."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from lab.node_annotations import PREFIX

R1 = f"rendered-layered-{'1' * 32}"
R2 = f"rendered-layered-{'2' * 32}"
IMAGE = f"registry.a.svc:5000/ns/os@sha256:{'a' * 64}"
OTHER_IMAGE = f"registry.a.svc:5000/ns/os@sha256:{'b' * 64}"


def config(name: str = "layered", pool: str = "layered", image: str = "", **inputs: Any) -> dict[str, Any]:
    """A MachineOSConfig."""
    return {
        "metadata": {"name": name},
        "spec": {
            "machineConfigPool": {"name": pool},
            "buildInputs": {
                "baseImagePullSecret": {"name": "base"},
                "renderedImagePushSecret": {"name": "push"},
                "renderedImagePushspec": "registry.a.svc:5000/ns/os:latest",
                "imageBuilder": {"imageBuilderType": "PodImageBuilder"},
                "containerFile": [{"containerfileArch": "noarch", "content": "FROM configs AS final\nRUN true"}],
                **inputs,
            },
            "buildOutputs": {"currentImagePullSecret": {"name": "pull"}},
        },
        "status": {"currentImagePullspec": image} if image else {},
    }


def pool(name: str = "layered", rendered: str = R1, true: str = "", **spec: Any) -> dict[str, Any]:
    """A MachineConfigPool of which one condition is true."""
    return {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "metadata": {"name": name, "generation": 3},
        "spec": {
            "configuration": {"name": rendered, "source": [{"name": "00-worker"}]},
            "nodeSelector": {"matchLabels": {f"node-role.kubernetes.io/{name}": ""}},
            **spec,
        },
        "status": {"conditions": [{"type": true, "status": "True"}]} if true else {},
    }


def build(true: str, rendered: str = R1) -> dict[str, Any]:
    """A MachineOSBuild of which one condition is true."""
    return {
        "metadata": {"name": f"layered-{rendered}-builder"},
        "status": {"conditions": [{"type": true, "status": "True"}]},
    }


def node(
    name: str = "worker-0",
    current: str = R1,
    desired: str = R1,
    state: str = "Done",
    roles: tuple[str, ...] = ("worker", "layered"),
    **annotations: str,
) -> dict[str, Any]:
    """A node that is Ready."""
    notes = {"currentConfig": current, "desiredConfig": desired, "state": state, **annotations}
    return {
        "metadata": {
            "name": name,
            "labels": {f"node-role.kubernetes.io/{role}": "" for role in roles},
            "annotations": {f"{PREFIX}{key}": value for key, value in notes.items()},
            "creationTimestamp": f"2024-08-30T00:00:0{name[-1]}Z",
        },
        "spec": {},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


def with_image(image: str, **values: Any) -> dict[str, Any]:
    """A node that runs an image and is to run it."""
    return node(currentImage=image, desiredImage=image, **values)


def cordoned(one: Mapping[str, Any]) -> dict[str, Any]:
    """The node without new pods."""
    return {**one, "spec": {**one["spec"], "unschedulable": True}}


def pod(phase: str, *states: Mapping[str, Any]) -> dict[str, Any]:
    """A build pod with the states of its containers."""
    return {"status": {"phase": phase, "containerStatuses": [{"state": state} for state in states]}}


def secret(name: str, kind: str, content: Mapping[str, Any], **labels: str) -> dict[str, Any]:
    """A secret with registry credentials."""
    key = ".dockercfg" if kind.endswith("dockercfg") else ".dockerconfigjson"
    data = {key: base64.b64encode(json.dumps(content).encode()).decode()}
    return {"metadata": {"name": name, "labels": labels}, "type": kind, "data": data}
