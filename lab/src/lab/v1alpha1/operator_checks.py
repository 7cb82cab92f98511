# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine-config-operator of this generation validates and writes, decided from the objects alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.build import OPERATOR_NAMESPACE
from lab.v1alpha1.events import Event
from lab.v1alpha1.objects import BUILDER, Object, name_of, pool_of

OPERATOR = "machine-config"
_SECRET_FOLDER = "/run/secrets/os-image-pull-secrets"  # noqa: S105 - a folder


def validation_failure(config: Object, pools: set[str], secrets: set[str]) -> str:
    """Why a MachineOSConfig is not valid, or an empty string. ``secrets`` are the names in the operator's namespace."""
    name, pool = name_of(config), pool_of(config)
    if pool not in pools:
        return (
            f"could not get MachineConfigPool {pool} for MachineOSConfig {name}: "
            f'machineconfigpools.machineconfiguration.openshift.io "{pool}" not found'
        )
    for field, secret in named_secrets(config).items():
        prefix = f'could not validate {field} "{secret}" for MachineOSConfig {name}'
        if not secret:
            return f"{prefix}: no secret name provided"
        if secret not in secrets:
            return f"{prefix}: secret {secret} from {name} is not found. Did you use the right secret name?"
    return ""


def named_secrets(config: Object) -> dict[str, str]:
    """The secret in each field of a MachineOSConfig; the pull secret may be missing in the API."""
    inputs, outputs = config["spec"]["buildInputs"], config["spec"].get("buildOutputs") or {}
    return {
        "baseImagePullSecret": str(inputs["baseImagePullSecret"]["name"]),
        "renderedImagePushSecret": str(inputs["renderedImagePushSecret"]["name"]),
        "currentImagePullSecret": str(outputs.get("currentImagePullSecret", {}).get("name", "")),
    }


def first_failure(configs: Sequence[Object], pools: set[str], secrets: set[str]) -> str:
    """The message of the operator about the first MachineOSConfig that is not valid, or an empty string."""
    for config in sorted(configs, key=name_of):
        if failure := validation_failure(config, pools, secrets):
            return f"invalid MachineOSConfig {name_of(config)}: {failure}"
    return ""


def operator_conditions(release: str, failure: str, before: Sequence[Mapping[str, Any]], now: str) -> list[Any]:
    """The conditions of ClusterOperator machine-config. ``failure`` is empty where every MachineOSConfig is valid."""
    version = f"Cluster version is {release}"
    failed = f"Failed to resync {release} because: {failure}"
    wanted = {
        "Available": ("True", "AsExpected", f"Cluster has deployed [{{operator {release}}}]"),
        "Progressing": ("False", "", f"Error while reconciling {release}" if failure else version),
        "Degraded": ("True", "RenderConfigFailed", failed) if failure else ("False", "AsExpected", ""),
        "Upgradeable": ("True", "AsExpected", ""),
    }
    since = {item["type"]: (item["status"], item["lastTransitionTime"]) for item in before}
    return [
        {
            "type": kind,
            "status": status,
            **({"reason": reason} if reason else {}),
            "message": message,
            "lastTransitionTime": since[kind][1] if kind in since and since[kind][0] == status else now,
        }
        for kind, (status, reason, message) in wanted.items()
    ]


def degraded_event(conditions: Sequence[Mapping[str, Any]], before: Sequence[Mapping[str, Any]]) -> Event | None:
    """The event about a ClusterOperator that is degraded for another reason than before."""
    (now,) = [item for item in conditions if item["type"] == "Degraded"]
    known = [item["message"] for item in before if item["type"] == "Degraded"]
    if now["status"] != "True" or known == [now["message"]]:
        return None
    return Event(f"OperatorDegraded: {now['reason']}", str(now["message"]), is_warning=True)


def daemon_mounts(configs: Sequence[Object]) -> dict[str, str]:
    """The secret that is mounted into the daemons for each pool."""
    return {pool_of(config): named_secrets(config)["currentImagePullSecret"] for config in sorted(configs, key=name_of)}


def daemon_template_change(daemon_set: Object, mounts: Mapping[str, str]) -> dict[str, Any] | None:
    """A merge patch for the DaemonSet, or None if it mounts what it has to.

    A volume that was mounted once stays; only its mount is removed.
    """
    spec = daemon_set["spec"]["template"]["spec"]
    volumes = list(spec.get("volumes", []))
    known = {volume["name"] for volume in volumes}
    volumes += [
        {"name": secret, "secret": {"secretName": secret}}
        for secret in sorted(set(mounts.values()))
        if secret not in known
    ]
    daemon, *others = spec["containers"]
    kept = [mount for mount in daemon.get("volumeMounts", []) if not mount["mountPath"].startswith(_SECRET_FOLDER)]
    wanted = [{"name": secret, "mountPath": f"{_SECRET_FOLDER}/{pool}"} for pool, secret in sorted(mounts.items())]
    if kept + wanted == daemon.get("volumeMounts", []):
        return None
    containers = [{**daemon, "volumeMounts": kept + wanted}, *others]
    return {"spec": {"template": {"spec": {"volumes": volumes, "containers": containers}}}}


def daemons_are_replaced(daemon_set: Object) -> bool:
    """Whether every daemon runs with the present template."""
    status = daemon_set.get("status", {})
    wanted = status.get("desiredNumberScheduled", 0)
    counts = (status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
    return status.get("observedGeneration") == daemon_set["metadata"]["generation"] and counts == (wanted, wanted)


def builder_deployment(image: str) -> dict[str, Any]:
    """The Deployment of the builder."""
    labels = {"k8s-app": BUILDER}
    container = {
        "name": BUILDER,
        "image": image,
        "command": ["/usr/bin/machine-os-builder"],
        "args": ["start", "-v=4"],
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": BUILDER, "namespace": OPERATOR_NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "serviceAccountName": BUILDER,
                    "priorityClassName": "system-cluster-critical",
                    "nodeSelector": {"node-role.kubernetes.io/master": ""},
                    "tolerations": [{"operator": "Exists"}],
                    "containers": [container],
                },
            },
        },
    }
