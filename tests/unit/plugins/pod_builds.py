# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds in single pods, with the objects that OpenShift 4.16 and 4.17 leave in each of their states."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.readers import BUILDS, CONFIGS
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import SpecEdit, spec_hash
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import MCO, OLD_RENDERED, RENDERED, image_of
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    machine_os_build,
    machine_os_config,
)

NAMESPACE = "openshift-machine-config-operator"
MORNING = "2026-03-01T11:00:00Z"
NOON = "2026-03-01T12:00:00Z"
BUILD = f"layered-{RENDERED}-builder"
OTHER_BUILD = f"layered-{OLD_RENDERED}-builder"
POD = f"build-{RENDERED}"
OTHER_POD = f"build-{OLD_RENDERED}"
RELEASES = ("4.16", "4.17")


def config(
    image: str = "",
    edited: str = "",
    builds_before: t.Sequence[str] | None = None,
    proven: t.Any = (),
    created: str = MORNING,
    name: str = "layered",
    by: str = "kubectl-edit",
) -> dict[str, t.Any]:
    """Return the MachineOSConfig of pool ``layered``.

    :param edited: time of an edit of buildInputs by another client; empty for a spec that was never edited
    :param builds_before: identities of the builds in the record of our edit, which wrote this spec
    :param proven: the proven builds in that record
    """
    obj = machine_os_config(image=image)
    meta = obj["metadata"]
    meta.update({"name": name, "uid": f"uid-of-{name}", "creationTimestamp": created})
    meta["managedFields"] = [_owner("kubectl-create", created)]
    if edited:
        meta["generation"] = 2
        meta["managedFields"].append(_owner(by, edited))
    if builds_before is not None:
        meta["generation"] = 2
        meta["managedFields"].append(_owner("imagemode.openshift", edited or created))
        record = SpecEdit(
            generation=2,
            spec_hash=spec_hash(as_v1(obj)["spec"]),
            builds=frozenset(builds_before),
            proven=tuple(proven),
            config_uid=meta["uid"],
            is_settled=False,
        )
        meta["annotations"] = {"imagemode.openshift/edit": record.annotation()}
    return obj


def _owner(manager: str, time: str) -> dict[str, t.Any]:
    fields = {"f:spec": {"f:buildInputs": {"f:containerFile": {}}}}
    return {"manager": manager, "operation": "Update", "time": time, "fieldsV1": fields}


def build(true: str = "Succeeded", rendered: str = RENDERED, image: str = "", **metadata: t.Any) -> dict[str, t.Any]:
    """Return the build of a rendered config. Without a True condition its start failed."""
    return machine_os_build("layered", rendered, true, image, **metadata)


def created_build() -> dict[str, t.Any]:
    """Return a build that the operator created a moment ago, which has no status yet."""
    return {**build(""), "status": {}}


def hidden_failure(**metadata: t.Any) -> dict[str, t.Any]:
    """Return a failed build whose condition Failed was cleared: all five conditions are False."""
    failed = build("Failed", **metadata)
    for condition in failed["status"]["conditions"]:
        condition["status"] = "False"
    return failed


def marked_failed(obj: dict[str, t.Any]) -> dict[str, t.Any]:
    """Return a build as it is after a pod that was left marked it as failed. Its image stays in its status."""
    marked: dict[str, t.Any] = json.loads(json.dumps(obj))
    marked["status"]["conditions"] = build("Failed")["status"]["conditions"]
    return marked


def pod(
    *containers: dict[str, t.Any],
    release: str = "4.16",
    rendered: str = RENDERED,
    created: str = NOON,
    phase: str = "Running",
    **metadata: t.Any,
) -> dict[str, t.Any]:
    """Return the pod of a build. It runs unless containers are given.

    :param release: whose labels and annotations it has
    """
    states = list(containers) or [running("image-build"), running("wait-for-done")]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"build-{rendered}",
            "namespace": NAMESPACE,
            "uid": f"uid-of-build-{rendered}-{created}",
            "creationTimestamp": created,
            **_marks(release, rendered),
            **metadata,
        },
        "spec": {"nodeName": "worker-1", "restartPolicy": "Never", "serviceAccountName": "machine-os-builder"},
        "status": {"phase": phase, "startTime": created, "containerStatuses": states},
    }


def _marks(release: str, rendered: str) -> dict[str, t.Any]:
    if release == "4.16":
        labels = {"buildPod": "", "desiredConfig": rendered, "targetMachineConfigPool": "layered"}
        return {"labels": _prefixed(labels), "annotations": _prefixed({"pool": ""})}
    labels = {
        "ephemeral-build-object": "",
        "on-cluster-layering": "",
        "rendered-machine-config": rendered,
        "target-machine-config-pool": "layered",
    }
    notes = {"machine-os-build": f"layered-{rendered}-builder", "machine-os-config": "layered"}
    return {"labels": _prefixed(labels), "annotations": _prefixed(notes)}


def _prefixed(names: t.Mapping[str, str]) -> dict[str, str]:
    return {MCO + name: value for name, value in names.items()}


def running(name: str) -> dict[str, t.Any]:
    """Return a container that runs."""
    return {"name": name, "ready": True, "state": {"running": {"startedAt": NOON}}}


def waiting(name: str, reason: str) -> dict[str, t.Any]:
    """Return a container that does not start."""
    return {"name": name, "ready": False, "state": {"waiting": {"reason": reason, "message": "manifest unknown"}}}


def ended(name: str, exit_code: int = 0, finished: str = "2026-03-01T12:00:30Z") -> dict[str, t.Any]:
    """Return a container that has ended. It has no message: the operator writes none."""
    state = {"exitCode": exit_code, "reason": "Error" if exit_code else "Completed", "startedAt": NOON}
    return {"name": name, "ready": False, "state": {"terminated": {**state, "finishedAt": finished}}}


def failed_pod(exit_code: int = 7, **more: t.Any) -> dict[str, t.Any]:
    """Return the pod of a failed build: READY 1/2, because container wait-for-done waits without end."""
    return pod(ended("image-build", exit_code), running("wait-for-done"), **more)


def read_config(obj: dict[str, t.Any]) -> MachineOSConfig:
    """Return a MachineOSConfig as a wait reads it."""
    return CONFIGS.parse(CONFIGS.reduced(as_v1(obj)))


def read_builds(*objects: dict[str, t.Any]) -> list[MachineOSBuild]:
    """Return MachineOSBuilds as a wait reads them."""
    return [BUILDS.parse(BUILDS.reduced(as_v1(obj))) for obj in objects]


def published(letter: str = "a") -> dict[str, t.Any]:
    """Return the MachineOSConfig whose status has an image."""
    return config(image=image_of(letter))
