# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths and names of the objects of this generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from lab.build import OPERATOR_NAMESPACE
from lab.node_annotations import PREFIX

Object = Mapping[str, Any]

GROUP = PREFIX.rstrip("/")
CONFIGS = f"/apis/{GROUP}/v1alpha1/machineosconfigs"
BUILDS = f"/apis/{GROUP}/v1alpha1/machineosbuilds"
POOLS = f"/apis/{GROUP}/v1/machineconfigpools"
MACHINE_CONFIGS = f"/apis/{GROUP}/v1/machineconfigs"
NODES = "/api/v1/nodes"
PODS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/pods"
SECRETS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets"
CONFIG_MAPS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/configmaps"
DAEMON_SETS = f"/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/daemonsets"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{OPERATOR_NAMESPACE}/deployments"
CLUSTER_OPERATORS = "/apis/config.openshift.io/v1/clusteroperators"

BUILD_POD_LABEL = f"{PREFIX}buildPod"
RENDERED_LABEL = f"{PREFIX}desiredConfig"
POOL_LABEL = f"{PREFIX}targetMachineConfigPool"
CANONICAL_LABEL = f"{PREFIX}canonicalizedSecret"
ORIGINAL_LABEL = f"{PREFIX}originalSecretName"
BUILDER = "machine-os-builder"


def build_name(pool: str, rendered: str) -> str:
    """The name of the one build of a pool for a rendered config."""
    return f"{pool}-{rendered}-builder"


def pod_name(rendered: str) -> str:
    """The name of the pod that builds the image of a rendered config."""
    return f"build-{rendered}"


def machine_config_map(rendered: str) -> str:
    """The name of the ConfigMap with the rendered config."""
    return f"mc-{rendered}"


def containerfile_map(rendered: str) -> str:
    """The name of the ConfigMap with the generated Containerfile."""
    return f"dockerfile-{rendered}"


def digest_map(rendered: str) -> str:
    """The name of the ConfigMap that the build pod writes the digest into."""
    return f"digest-{rendered}"


def name_of(thing: Object) -> str:
    """The name of an object."""
    return str(thing["metadata"]["name"])


def pool_of(config: Object) -> str:
    """The pool of a MachineOSConfig."""
    return str(config["spec"]["machineConfigPool"]["name"])


def rendered_of(pool: Object) -> str:
    """The rendered config that a pool is to have, or an empty string."""
    return str(pool.get("spec", {}).get("configuration", {}).get("name", ""))


def image_of(config: Object) -> str:
    """The image that a MachineOSConfig publishes, or an empty string."""
    return str(config.get("status", {}).get("currentImagePullspec", ""))


def config_for(pool: str, configs: Iterable[Object]) -> Object | None:
    """The MachineOSConfig of a pool: the first by name where several name it."""
    ours = [config for config in configs if pool_of(config) == pool]
    return min(ours, key=name_of, default=None)


def is_true(thing: Object, condition: str) -> bool:
    """Whether a condition of an object is True."""
    conditions = thing.get("status", {}).get("conditions") or []
    return any(item["type"] == condition and item["status"] == "True" for item in conditions)
