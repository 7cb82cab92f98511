# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of API objects, their REST paths, and readers of common fields.

The conventions of the API determine the REST paths, so no discovery is needed.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from urllib.parse import quote

Object = t.Mapping[str, t.Any]
"""Object as the API server returns it."""

OPERATOR_NAMESPACE = "openshift-machine-config-operator"
"""Namespace of Secrets, builds and daemons of the operator (docs/operator-behavior.md, "Secrets")."""
DAEMON = "machine-config-daemon"
"""DaemonSet of the daemons."""
DAEMON_CONTAINER = "machine-config-daemon"
"""Container of the daemon's pods that runs commands (docs/operator-behavior.md, "Running commands on nodes")."""

ANNOTATION_PREFIX = "machineconfiguration.openshift.io/"
OWN_PREFIX = "imagemode.openshift/"

CONFIG_LABEL = ANNOTATION_PREFIX + "machine-os-config"
"""Label of a MachineOSBuild with the name of its MachineOSConfig."""
POOL_LABEL = ANNOTATION_PREFIX + "target-machine-config-pool"
"""Label of a MachineOSBuild with the name of its pool."""

CREATED_BY = OWN_PREFIX + "created-by"
PAUSED_BY = OWN_PREFIX + "paused-by"
PAUSED_FOR = OWN_PREFIX + "paused-for"
REBUILD_PAUSE = "rebuild"
"""Value of ``paused-for`` on a pool that is paused only until the operator has started a build."""
EDIT = OWN_PREFIX + "edit"
SUPERSEDED_BUILDS = OWN_PREFIX + "superseded-builds"
OURS = "imagemode.openshift"
"""Value of ``created-by`` and ``paused-by`` on objects of this collection."""
FIELD_MANAGER = OURS
"""Field manager of this collection in ``metadata.managedFields``."""


@dataclass(frozen=True)
class Kind:
    """Kind of API objects."""

    name: str
    plural: str
    api_version: str
    namespaced: bool = False

    def path(self, name: str = "", namespace: str = "", subresource: str = "") -> str:
        """Return the REST path of the collection, of an object, or of its subresource.

        Names are quoted, so that any name is one segment of the path.
        """
        parts = ["/apis" if "/" in self.api_version else "/api", self.api_version]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        if subresource:
            parts.append(subresource)
        return "/".join(parts)


MACHINE_CONFIG_GROUP = "machineconfiguration.openshift.io"
_MCO_V1 = f"{MACHINE_CONFIG_GROUP}/v1"
V1ALPHA1 = f"{MACHINE_CONFIG_GROUP}/v1alpha1"
"""API version of image mode in OpenShift 4.16 and 4.17 (docs/operator-behavior.md, "API versions")."""

MACHINE_OS_CONFIG = Kind("MachineOSConfig", "machineosconfigs", _MCO_V1)
MACHINE_OS_BUILD = Kind("MachineOSBuild", "machineosbuilds", _MCO_V1)
MACHINE_CONFIG_POOL = Kind("MachineConfigPool", "machineconfigpools", _MCO_V1)
MACHINE_CONFIG_NODE = Kind("MachineConfigNode", "machineconfignodes", _MCO_V1)
MACHINE_CONFIG = Kind("MachineConfig", "machineconfigs", _MCO_V1)
NODE = Kind("Node", "nodes", "v1")
POD = Kind("Pod", "pods", "v1", namespaced=True)
CONFIG_MAP = Kind("ConfigMap", "configmaps", "v1", namespaced=True)
JOB = Kind("Job", "jobs", "batch/v1", namespaced=True)
DAEMON_SET = Kind("DaemonSet", "daemonsets", "apps/v1", namespaced=True)
POD_DISRUPTION_BUDGET = Kind("PodDisruptionBudget", "poddisruptionbudgets", "policy/v1", namespaced=True)
VIRTUAL_MACHINE_INSTANCE = Kind("VirtualMachineInstance", "virtualmachineinstances", "kubevirt.io/v1", namespaced=True)
NAMESPACE = Kind("Namespace", "namespaces", "v1")
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts", "v1", namespaced=True)
SECRET = Kind("Secret", "secrets", "v1", namespaced=True)
CLUSTER_OPERATOR = Kind("ClusterOperator", "clusteroperators", "config.openshift.io/v1")
CLUSTER_VERSION = Kind("ClusterVersion", "clusterversions", "config.openshift.io/v1")
SELF_SUBJECT_ACCESS_REVIEW = Kind("SelfSubjectAccessReview", "selfsubjectaccessreviews", "authorization.k8s.io/v1")
SELF_SUBJECT_REVIEW = Kind("SelfSubjectReview", "selfsubjectreviews", "authentication.k8s.io/v1")
INFRASTRUCTURE = Kind("Infrastructure", "infrastructures", "config.openshift.io/v1")


@dataclass(frozen=True)
class ObjectRef:
    """Reference to an object in findings and errors."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def metadata_of(obj: Object) -> t.Mapping[str, t.Any]:
    """Return the metadata of an object, or an empty mapping."""
    return t.cast("t.Mapping[str, t.Any]", obj.get("metadata") or {})


def annotations_of(obj: Object) -> t.Mapping[str, str]:
    """Return the annotations of an object, or an empty mapping."""
    return t.cast("t.Mapping[str, str]", metadata_of(obj).get("annotations") or {})


def labels_of(obj: Object) -> t.Mapping[str, str]:
    """Return the labels of an object, or an empty mapping."""
    return t.cast("t.Mapping[str, str]", metadata_of(obj).get("labels") or {})


def is_ours(obj: Object) -> bool:
    """Whether this collection created the object."""
    return annotations_of(obj).get(CREATED_BY) == OURS


def conditions_of(obj: Object) -> dict[str, bool]:
    """Return type -> whether its status is True.

    Reason and message are ignored, because a MachineOSBuild has the same ones for either status
    (docs/operator-behavior.md, "Build states").
    """
    status = obj.get("status") or {}
    return {c["type"]: c.get("status") == "True" for c in status.get("conditions") or []}


def true_condition_text(obj: Object, *types: str) -> str:
    """Return why the first of these conditions that is True is so, in one line. Return an empty text if none is True.

    That is its message, or its reason, or its type if it has neither.
    """
    conditions = {c["type"]: c for c in (obj.get("status") or {}).get("conditions") or []}
    for name in types:
        condition = conditions.get(name) or {}
        if condition.get("status") == "True":
            return " ".join(str(condition.get("message") or condition.get("reason") or name).split())
    return ""


def pruned(obj: Object, *paths: str) -> dict[str, t.Any]:
    """Return a copy of an object with only the fields at *paths*, such as ``spec.paused``."""
    kept: dict[str, t.Any] = {}
    for path in paths:
        *parents, last = path.split(".")
        source: t.Any = obj
        for step in parents:
            source = source.get(step) if isinstance(source, t.Mapping) else None
        if isinstance(source, t.Mapping) and last in source:
            target = kept
            for step in parents:
                target = target.setdefault(step, {})
            target[last] = source[last]
    return kept
