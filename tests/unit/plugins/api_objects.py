# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as the API serves them and answers as nodes give them; what a test does not name has a plain value."""

from __future__ import annotations

import base64
import json
import typing as t
from types import MappingProxyType

from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import spec_hash

MCO = "machineconfiguration.openshift.io/"
OWN = "imagemode.openshift/"
RENDERED = "rendered-layered-0123456789abcdef0123456789abcdef"
OLD_RENDERED = "rendered-layered-fedcba9876543210fedcba9876543210"
REPOSITORY = "registry.example.com/lab/os-layered"
NOON = "2026-03-01T12:00:00Z"
LATER = "2026-03-01T12:00:30Z"


def digest_of(letter: str) -> str:
    """Return a digest that is told apart by one hexadecimal letter."""
    return "sha256:" + letter * 64


def image_of(letter: str) -> str:
    """Return the pull spec of an image that is told apart by one hexadecimal letter."""
    return f"{REPOSITORY}@{digest_of(letter)}"


def machine_config_pool(
    name: str = "layered",
    match_labels: t.Mapping[str, str] | None = None,
    match_expressions: t.Sequence[t.Mapping[str, t.Any]] = (),
    rendered: str = RENDERED,
    paused: bool = False,
    annotations: t.Mapping[str, str] | None = None,
    **spec: t.Any,
) -> dict[str, t.Any]:
    """Return a pool, by default one that selects ``node-role.kubernetes.io/<name>``."""
    selector: dict[str, t.Any] = {}
    if match_labels is None and not match_expressions:
        match_labels = {f"node-role.kubernetes.io/{name}": ""}
    if match_labels is not None:
        selector["matchLabels"] = dict(match_labels)
    if match_expressions:
        selector["matchExpressions"] = list(match_expressions)
    # The API server notes that we wrote the pause that our mark speaks of.
    paused_by_us = paused and OWN + "paused-by" in (annotations or {})
    writers = [{"manager": "imagemode.openshift", "fieldsV1": {"f:spec": {"f:paused": {}}}}] if paused_by_us else []
    return {
        "apiVersion": MCO + "v1",
        "kind": "MachineConfigPool",
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "annotations": dict(annotations or {}),
            "managedFields": writers,
        },
        "spec": {"nodeSelector": selector, "paused": paused, "configuration": {"name": rendered}, **spec},
        "status": {"conditions": [{"type": "RenderDegraded", "status": "False"}]},
    }


def all_pools() -> list[dict[str, t.Any]]:
    """Return the built-in pools and one custom pool."""
    return [machine_config_pool(name) for name in ("layered", "master", "worker")]


def render_degraded(pool: dict[str, t.Any], message: str) -> dict[str, t.Any]:
    """Return the pool as it is when a MachineConfig cannot be rendered."""
    condition = {"type": "RenderDegraded", "status": "True", "reason": "", "message": message}
    return {**pool, "status": {"conditions": [condition]}}


def node(
    name: str = "worker-0",
    roles: t.Iterable[str] = ("worker", "layered"),
    labels: t.Mapping[str, str] | None = None,
    annotations: t.Mapping[str, str | None] | None = None,
    ready: str = "True",
    unschedulable: bool = False,
    boot_id: str = "boot-1",
) -> dict[str, t.Any]:
    """Return a node that has settled on the rendered config without an image.

    :param annotations: names without the operator's prefix; None takes one away
    """
    notes: dict[str, str | None] = {
        "currentConfig": RENDERED,
        "desiredConfig": RENDERED,
        "state": "Done",
        "reason": "",
        "desiredDrain": f"uncordon-{RENDERED}",
        "lastAppliedDrain": f"uncordon-{RENDERED}",
        **(annotations or {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {**{f"node-role.kubernetes.io/{role}": "" for role in roles}, **(labels or {})},
            "annotations": {MCO + key: value for key, value in notes.items() if value is not None},
        },
        "spec": {"unschedulable": True} if unschedulable else {},
        "status": {
            "conditions": [{"type": "DiskPressure", "status": "False"}, {"type": "Ready", "status": ready}],
            "nodeInfo": {"bootID": boot_id, "architecture": "amd64"},
        },
    }


def node_with_image(letter: str, name: str = "worker-0", **more: t.Any) -> dict[str, t.Any]:
    """Return a node that has settled on an image."""
    return node(name, annotations={"currentImage": image_of(letter), "desiredImage": image_of(letter)}, **more)


def machine_os_config(
    name: str = "layered",
    pool: str = "layered",
    containerfile: str | None = "FROM configs AS final\nRUN true\n",
    generation: int = 1,
    observed_generation: int | None = None,
    image: str = "",
    build: str = "",
    builds_before: t.Sequence[str] | None = None,
    image_before: str = "",
    proven: t.Sequence[t.Mapping[str, str]] = (),
    settled: bool = True,
    edits: t.Sequence[tuple[str, str]] = (("imagemode.openshift", NOON),),
    **spec: t.Any,
) -> dict[str, t.Any]:
    """Return a MachineOSConfig.

    :param image: what its status names
    :param build: the build that the operator names
    :param builds_before: identities of the builds in the record of our edit, which wrote this spec; None for no record
    :param image_before: the image in that record
    :param proven: the proven builds in that record
    :param settled: whether that record says that the operator had reacted to all specs before
    :param edits: who changed the spec, and when
    """
    owned = {"f:spec": {"f:containerFile": {}}}
    owners = [{"manager": who, "operation": "Update", "time": time, "fieldsV1": owned} for who, time in edits]
    status: dict[str, t.Any] = {"currentImagePullSpec": image} if image else {}
    if observed_generation is not None:
        status["observedGeneration"] = observed_generation
    entries = [] if containerfile is None else [{"containerfileArch": "NoArch", "content": containerfile}]
    full_spec = {
        "machineConfigPool": {"name": pool},
        "imageBuilder": {"imageBuilderType": "Job"},
        "renderedImagePushSpec": f"{REPOSITORY}:latest",
        "renderedImagePushSecret": {"name": "push"},
        "containerFile": entries,
        **spec,
    }
    notes = {MCO + "current-machine-os-build": build}
    if builds_before is not None:
        record = {"generation": generation, "specHash": spec_hash(full_spec), "builds": list(builds_before)}
        record.update({"image": image_before, "proven": list(proven), "uid": f"uid-of-{name}", "settled": settled})
        notes[OWN + "edit"] = json.dumps(record)
    return {
        "apiVersion": MCO + "v1",
        "kind": "MachineOSConfig",
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "generation": generation,
            "annotations": {key: value for key, value in notes.items() if value},
            "managedFields": owners,
        },
        "spec": full_spec,
        "status": status,
    }


STATES = ("Prepared", "Building", "Succeeded", "Interrupted", "Failed")


def build_conditions(true: str) -> list[dict[str, str]]:
    """Return conditions as the operator writes them: all five, reason and message the same for either status."""
    messages = {
        "Prepared": ("Prepared", "Build Prepared and Pending"),
        "Building": ("Building", "Image Build In Progress"),
        "Succeeded": ("Ready", "Build Ready"),
        "Interrupted": ("Interrupted", "Build Interrupted"),
        "Failed": ("Failed", "Build Failed"),
    }
    return [
        {"type": name, "status": str(name == true), "reason": messages[name][0], "message": messages[name][1]}
        for name in STATES
    ]


def machine_os_build(
    name: str = "layered-a",
    uid: str = "",
    state: str = "Succeeded",
    image: str = "",
    created: str = NOON,
    rendered: str = RENDERED,
    config: str = "layered",
    pool: str = "layered",
) -> dict[str, t.Any]:
    """Return a MachineOSBuild; one that succeeded carries the image told apart by its name's last letter.

    :param state: the condition that is True, or empty for a build without any
    """
    status: dict[str, t.Any] = {}
    if state:
        status = {"conditions": build_conditions(state), "buildStart": NOON}
    if state == "Succeeded":
        builder = {"imageBuilderType": "Job", "job": {"group": "batch", "resource": "jobs", "name": f"build-{name}"}}
        pushed = image or image_of(name[-1])
        status.update({"digestedImagePushSpec": pushed, "buildEnd": LATER, "builder": builder})
    return {
        "apiVersion": MCO + "v1",
        "kind": "MachineOSBuild",
        "metadata": {
            "name": name,
            "uid": uid or f"uid-of-{name}",
            "creationTimestamp": created,
            "labels": {
                MCO + "machine-os-config": config,
                MCO + "rendered-machine-config": rendered,
                MCO + "target-machine-config-pool": pool,
            },
        },
        "spec": {"machineOSConfig": {"name": config}, "machineConfig": {"name": rendered}},
        "status": status,
    }


def secret(
    name: str = "push",
    auths: t.Mapping[str, t.Mapping[str, str]] | None = None,
    kind: str = "kubernetes.io/dockerconfigjson",
    namespace: str = "openshift-machine-config-operator",
) -> dict[str, t.Any]:
    """Return a Secret with the credentials of registries, or one of another type with a key of its own."""
    entries = auths if auths is not None else {"registry.example.com": {"auth": auth("builder", "hunter2")}}
    content = {"kubernetes.io/dockerconfigjson": {"auths": entries}, "kubernetes.io/dockercfg": entries}.get(kind, {})
    key = kind.rpartition("/")[2]
    data = base64.b64encode(json.dumps(content).encode()).decode()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-of-{name}"},
        "data": {f".{key}" if key.startswith("dockerc") else key: data},
    }


def auth(username: str, password: str) -> str:
    """Return user and password as a pull secret holds them."""
    return base64.b64encode(f"{username}:{password}".encode()).decode()


def token_expiring(seconds: t.Any) -> str:
    """Return a token that says when it expires, in seconds since the epoch."""
    parts = ({"alg": "none"}, {"exp": seconds})
    return ".".join([base64.urlsafe_b64encode(json.dumps(p).encode()).decode().rstrip("=") for p in parts] + ["c2ln"])


def daemon_pod(node_name: str, ready: bool = True, phase: str = "Running", **metadata: t.Any) -> dict[str, t.Any]:
    """Return the machine-config-daemon's pod of a node."""
    name = f"machine-config-daemon-{node_name}"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "openshift-machine-config-operator",
            "labels": {"k8s-app": "machine-config-daemon"},
            **metadata,
        },
        "spec": {"nodeName": node_name},
        "status": {
            "phase": phase,
            "containerStatuses": [
                {"name": "kube-rbac-proxy", "ready": True},
                {"name": "machine-config-daemon", "ready": ready},
            ],
        },
    }


def cluster_version(version: str = "4.20.1") -> dict[str, t.Any]:
    """Return the ClusterVersion of a cluster."""
    return {
        "apiVersion": "config.openshift.io/v1",
        "kind": "ClusterVersion",
        "metadata": {"name": "version"},
        "spec": {"clusterID": "11111111-2222-3333-4444-555555555555"},
        "status": {"desired": {"version": version}},
    }


def deployment(reference: str | None = None, resolved: str | None = None, **more: t.Any) -> dict[str, t.Any]:
    """Return an entry of a node's boot menu as rpm-ostree prints it, by default the booted one.

    :param resolved: the digest that was imported, if rpm-ostree knows it
    """
    entry: dict[str, t.Any] = {
        "id": "rhcos-4f1c.0",
        "osname": "rhcos",
        "checksum": "4f1c" * 16,
        "serial": 0,
        "unlocked": "none",
        "timestamp": 1772366400,
        "booted": True,
        "staged": False,
        "pinned": False,
        "requested-packages": [],
        "requested-local-packages": [],
        "requested-base-removals": [],
        "requested-base-local-replacements": [],
        "regenerate-initramfs": False,
        "base-commit-meta": {"ostree.manifest": '{"layers":[]}'},
        **({"container-image-reference": reference} if reference is not None else {}),
        **({"container-image-reference-digest": resolved} if resolved is not None else {}),
        **more,
    }
    return {key: value for key, value in entry.items() if value is not None}


def booted_image(letter: str, **more: t.Any) -> dict[str, t.Any]:
    """Return the booted entry of a node that runs an image."""
    return deployment(f"ostree-unverified-registry:{image_of(letter)}", digest_of(letter), **more)


def rpm_ostree_status(*deployments: t.Mapping[str, t.Any], **more: t.Any) -> str:
    """Return what ``rpm-ostree status --json`` prints."""
    return json.dumps({"deployments": deployments, "transaction": None, "cached-update": None, **more})


def machine_config_node(name: str = "worker-0", config: str = RENDERED, image: str = "") -> dict[str, t.Any]:
    """Return the MachineConfigNode of a node that has settled; *image* stands in it only behind a feature gate."""
    status: dict[str, t.Any] = {"configVersion": {"current": config, "desired": config}}
    if image:
        status["configImage"] = {"currentImage": image, "desiredImage": image}
    return {
        "apiVersion": MCO + "v1",
        "kind": "MachineConfigNode",
        "metadata": {"name": name},
        "spec": {"node": {"name": name}, "pool": {"name": "layered"}, "configVersion": {"desired": config}},
        "status": status,
    }


def container_status(name: str = "image-build", exit_code: int | None = 1, message: str = "") -> dict[str, t.Any]:
    """Return how a container of a pod is; without an exit code it runs."""
    if exit_code is None:
        return {"name": name, "state": {"running": {"startedAt": NOON}}}
    ended = {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed"}
    times = {"startedAt": NOON, "finishedAt": "2026-03-01T18:00:00Z"}
    return {"name": name, "state": {"terminated": {**ended, **times, **({"message": message} if message else {})}}}


def build_pod(
    name: str = "build-layered-a-x7k2p",
    *containers: dict[str, t.Any],
    build: str = "layered-a",
    created: str = NOON,
    reason: str = "",
    message: str = "",
) -> dict[str, t.Any]:
    """Return a pod of a build's Job."""
    status: dict[str, t.Any] = {"startTime": created, "containerStatuses": list(containers)}
    if reason:
        status.update({"phase": "Failed", "reason": reason, "message": message})
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "openshift-machine-config-operator",
            "uid": f"uid-of-{name}",
            "creationTimestamp": created,
            "labels": {"job-name": f"build-{build}"},
        },
        "status": status,
    }


def pod(
    name: str = "db-0",
    namespace: str = "shop",
    node: str = "worker-0",
    labels: t.Mapping[str, str] | None = None,
    phase: str = "Running",
    ready: bool = True,
    owner: str = "StatefulSet",
    static: bool = False,
    deleted: str = "",
) -> dict[str, t.Any]:
    """Return somebody's pod on a node.

    :param deleted: when a pod that was deleted is to be gone
    """
    metadata: dict[str, t.Any] = {
        "name": name,
        "namespace": namespace,
        "labels": dict(labels or {"app": "db"}),
        "annotations": {"kubernetes.io/config.mirror": "1f"} if static else {},
        "ownerReferences": [{"kind": owner, "name": "db", "controller": True}],
    }
    if deleted:
        metadata["deletionTimestamp"] = deleted
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"nodeName": node, "containers": [{"name": "db"}]},
        "status": {"phase": phase, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


_OF_DB: t.Mapping[str, t.Any] = MappingProxyType({"matchLabels": {"app": "db"}})


def budget(
    name: str = "db",
    selector: t.Mapping[str, t.Any] | None = _OF_DB,
    allowed: int = 0,
    healthy: int = 2,
    desired: int = 2,
    expected: int = 3,
    policy: str = "",
    generation: int = 1,
    observed: int | None = None,
) -> dict[str, t.Any]:
    """Return a PodDisruptionBudget of the namespace ``shop``; one without a selector covers nobody."""
    spec: dict[str, t.Any] = {"minAvailable": desired}
    if selector is not None:
        spec["selector"] = dict(selector)
    if policy:
        spec["unhealthyPodEvictionPolicy"] = policy
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "shop", "generation": generation},
        "spec": spec,
        "status": {
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "observedGeneration": generation if observed is None else observed,
        },
    }


def virtual_machine_pod(
    machine: str = "vm1", node: str = "worker-0", owner: bool = True, **labels: str
) -> dict[str, t.Any]:
    """Return the pod of a virtual machine of the namespace ``vms``.

    :param owner: whether the virtual machine is its owner; otherwise only its labels tell
    """
    found = pod(f"virt-launcher-{machine}-abcde", "vms", node, {"kubevirt.io": "virt-launcher", **labels})
    found["metadata"]["labels"]["kubevirt.io/created-by"] = f"uid-of-{machine}"
    found["metadata"]["ownerReferences"] = [_owned_by_machine(machine)] if owner else []
    return found


def virtual_machine_budget(machine: str = "vm1", owner: bool = True) -> dict[str, t.Any]:
    """Return the budget with which KubeVirt protects the pod of a virtual machine."""
    selector = {"matchLabels": {"kubevirt.io/created-by": f"uid-of-{machine}"}}
    found = budget(f"kubevirt-disruption-budget-{machine}", selector, allowed=0, healthy=1, desired=1, expected=1)
    found["metadata"]["namespace"] = "vms"
    found["metadata"]["ownerReferences"] = [_owned_by_machine(machine)] if owner else []
    return found


def virtual_machine(
    name: str = "vm1", reason: str = "", message: str = "", migration: t.Mapping[str, t.Any] | None = None
) -> dict[str, t.Any]:
    """Return a VirtualMachineInstance of KubeVirt.

    :param reason: why it cannot migrate
    """
    status = {"type": "LiveMigratable", "status": "True"}
    if reason:
        status = {"type": "LiveMigratable", "status": "False", "reason": reason, "message": message}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "namespace": "vms", "labels": {"kubevirt.io/nodeName": "worker-0"}},
        "spec": {"domain": {"devices": {}}, "evictionStrategy": "LiveMigrate"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}, status],
            **({"migrationState": dict(migration)} if migration else {}),
        },
    }


def _owned_by_machine(name: str) -> dict[str, t.Any]:
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "name": name, "controller": True}
