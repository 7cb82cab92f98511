# SPDX-License-Identifier: GPL-3.0-or-later
"""The Node objects of a lab, as the machine-config-daemon would have left them after the installation."""

from __future__ import annotations

import uuid
from typing import Any

from lab.base_image import VERSION
from lab.facts import Facts

_ANNOTATION = "machineconfiguration.openshift.io"
_RESOURCES = {"cpu": "8", "memory": "32Gi", "pods": "250", "ephemeral-storage": "100Gi"}


def node_names(workers: int) -> dict[str, str]:
    """Each node's name and its pool: the workers and one node of the control plane."""
    return {"master-0": "master", **{f"worker-{number}": "worker" for number in range(workers)}}


def node(facts: Facts, name: str, pool: str, rendered: str) -> dict[str, Any]:
    """The Node ``name`` of ``pool``, at rest in rendered config ``rendered``."""
    roles = ["master", "control-plane"] if pool == "master" else [pool]
    taints = [{"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}] if pool == "master" else []
    annotations = {
        "currentConfig": rendered,
        "desiredConfig": rendered,
        "state": "Done",
        "reason": "",
        "desiredDrain": f"uncordon-{rendered}",
        "lastAppliedDrain": f"uncordon-{rendered}",
        # Without it the controller writes it itself, node by node at five requests a second.
        "controlPlaneTopology": "HighlyAvailable",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                **{f"node-role.kubernetes.io/{role}": "" for role in roles},
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "node.openshift.io/os_id": "rhel",
            },
            "annotations": {f"{_ANNOTATION}/{key}": value for key, value in annotations.items()},
        },
        "spec": {"taints": taints},
        "status": {
            "capacity": _RESOURCES,
            "allocatable": _RESOURCES,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": facts.kubelet_port}},
            "nodeInfo": {
                "architecture": "amd64",
                "operatingSystem": "linux",
                "bootID": str(uuid.uuid4()),
                "machineID": uuid.uuid4().hex,
                "systemUUID": str(uuid.uuid4()),
                "kernelVersion": "5.14.0-570.el9.x86_64",
                "osImage": f"Lab Enterprise Linux CoreOS {VERSION}",
                "containerRuntimeVersion": "cri-o://1.33.0",
                "kubeletVersion": "v1.33.0",
                "kubeProxyVersion": "v1.33.0",
            },
        },
    }
