# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of the scripted builder of v1alpha1, without a lab."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import pytest
from v1alpha1_objects import IMAGE, R1, R2, config, pod, pool, secret

from lab.v1alpha1 import build_status
from lab.v1alpha1.build_objects import (
    OPTIONAL_MOUNTS,
    Request,
    Secrets,
    UnusableSecret,
    canonical_secret,
    config_maps,
    machine_os_build,
    original_name,
    pushed_tag,
    repository,
)
from lab.v1alpha1.build_objects import pod as build_pod
from lab.v1alpha1.builder_decisions import ConfigChange, PodState, config_change, pod_state, pool_starts_build

CREATED, NOW = "2024-08-30T00:00:00Z", "2024-08-30T00:01:00Z"
BASE = f"registry.a.svc:5000/lab/rhel-coreos@sha256:{'c' * 64}"


def statuses(status: dict[str, Any]) -> dict[str, str]:
    return {item["type"]: item["status"] for item in status["conditions"]}


def request(**inputs: Any) -> Request:
    rendered = {"metadata": {"name": R1}, "spec": {"config": {}}}
    return Request(config(**inputs), rendered, BASE, "4.16.0")


def test_a_new_config_and_changed_build_inputs_are_looked_at() -> None:
    assert config_change(None, config()) is ConfigChange.LOOK
    assert config_change(config(), config(releaseVersion="4.16.1")) is ConfigChange.LOOK


def test_an_image_an_annotation_and_a_pull_secret_are_no_change() -> None:
    after = config(image=IMAGE)
    after["metadata"]["annotations"] = {"a": "b"}
    after["spec"]["buildOutputs"] = {"currentImagePullSecret": {"name": "other"}}

    assert config_change(config(), after) is ConfigChange.NONE


def test_a_new_rendered_config_starts_a_build() -> None:
    assert pool_starts_build(pool(rendered=R1), pool(rendered=R2), config(image=IMAGE))


def test_another_change_of_a_pool_starts_a_build_only_while_there_is_no_image() -> None:
    assert pool_starts_build(pool(), pool(paused=True), config())
    assert not pool_starts_build(pool(), pool(paused=True), config(image=IMAGE))


@pytest.mark.parametrize("condition", ["Degraded", "NodeDegraded", "RenderDegraded"])
def test_a_degraded_pool_starts_no_build(condition: str) -> None:
    assert not pool_starts_build(pool(), pool(rendered=R2, true=condition), config())


def test_a_pool_without_config_or_rendered_config_starts_no_build() -> None:
    assert not pool_starts_build(pool(), pool(rendered=R2), None)
    assert not pool_starts_build(pool(), pool(rendered=""), config())


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (pod("Pending"), PodState.PENDING),
        (pod("Running", {"running": {}}), PodState.RUNNING),
        (pod("Running", {"terminated": {"exitCode": 0}}, {"running": {}}), PodState.RUNNING),
        (pod("Running", {"terminated": {"exitCode": 7}}, {"running": {}}), PodState.FAILED),
        (pod("Pending", {"waiting": {"reason": "ErrImagePull"}}), PodState.FAILED),
        (pod("Pending", {"waiting": {"reason": "ContainerCreating"}}), PodState.PENDING),
        (pod("Succeeded", {"terminated": {"exitCode": 0}}), PodState.SUCCEEDED),
        (pod("Failed"), PodState.FAILED),
    ],
)
def test_a_pod_fails_with_its_first_container(found: dict[str, Any], state: PodState) -> None:
    assert pod_state(found) is state


def test_a_prepared_build_has_five_conditions_its_pod_and_the_time_of_its_creation() -> None:
    status = build_status.prepared({}, R1, CREATED, NOW)

    assert statuses(status) == {
        "Prepared": "True",
        "Building": "False",
        "Succeeded": "False",
        "Interrupted": "False",
        "Failed": "False",
    }
    assert status["buildStart"] == CREATED
    assert status["builderReference"]["buildPod"]["name"] == f"build-{R1}"


def test_a_build_that_could_not_start_has_a_single_condition() -> None:
    status = build_status.observed({}, CREATED, NOW)

    assert status == {
        "buildStart": CREATED,
        "conditions": [
            {
                "type": "Failed",
                "status": "False",
                "reason": "MOSCAvailable",
                "message": "MOSC",
                "lastTransitionTime": NOW,
            }
        ],
    }


def test_a_failure_never_says_why_and_is_forgotten_by_the_next_look() -> None:
    failed = build_status.failed(build_status.prepared({}, R1, CREATED, CREATED), "layered", CREATED, NOW)
    (condition,) = [item for item in failed["conditions"] if item["type"] == "Failed"]
    assert (condition["status"], condition["reason"]) == ("True", "BuildFailed")
    assert condition["message"] == "Failed to build configuration for pool layered: BuildFailed"

    looked_at = build_status.observed(failed, CREATED, NOW)

    assert set(statuses(looked_at).values()) == {"False"}


def test_a_success_that_fails_later_keeps_its_image() -> None:
    succeeded = build_status.succeeded(build_status.prepared({}, R1, CREATED, CREATED), IMAGE, CREATED, NOW)

    failed = build_status.failed(succeeded, "layered", CREATED, NOW)

    assert failed["finalImagePullspec"] == IMAGE
    assert statuses(failed)["Succeeded"] == "False"


def test_an_interrupted_build_says_running_as_the_reason_of_building() -> None:
    status = build_status.interrupted(build_status.building({}, CREATED, CREATED), CREATED, NOW)

    (building,) = [item for item in status["conditions"] if item["type"] == "Building"]
    assert (building["status"], building["reason"]) == ("False", "Running")
    assert statuses(status)["Interrupted"] == "True"


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    before = build_status.prepared({}, R1, CREATED, CREATED)

    after = build_status.building(before, CREATED, NOW)

    times = {item["type"]: item["lastTransitionTime"] for item in after["conditions"]}
    assert (times["Succeeded"], times["Building"]) == (CREATED, NOW)


def test_the_order_of_conditions_is_no_difference() -> None:
    one = build_status.building({}, CREATED, NOW)

    assert build_status.is_same(one, {**one, "conditions": one["conditions"][::-1]})
    assert not build_status.is_same(one, build_status.failed(one, "layered", CREATED, NOW))


def test_a_build_is_named_after_pool_and_rendered_config_and_has_constants() -> None:
    made = machine_os_build(config(name="workers", pool="worker"), "rendered-worker-1")

    assert made["metadata"] == {"name": "worker-rendered-worker-1-builder"}
    assert made["spec"] == {
        "configGeneration": 1,
        "version": 1,
        "desiredConfig": {"name": "rendered-worker-1"},
        "machineOSConfig": {"name": "workers"},
        "renderedImagePushspec": "registry.a.svc:5000/ns/os:latest",
    }


def test_the_pushed_tag_is_the_rendered_config_in_the_repository_of_the_push_spec() -> None:
    assert pushed_tag("registry.a.svc:5000/ns/os:latest", R1) == f"registry.a.svc:5000/ns/os:{R1}"
    assert pushed_tag("quay.io/ns/os:v1.2", R1) == f"quay.io/ns/os:{R1}"
    assert repository("registry.a.svc:5000/ns/os:latest") == "registry.a.svc:5000/ns/os"


def test_the_pod_mounts_the_secrets_and_writes_the_digest_of_its_rendered_config() -> None:
    made = build_pod(request(), Secrets("base", "push-canonical"))

    assert made["metadata"]["name"] == f"build-{R1}"
    assert made["metadata"]["labels"] == {
        "machineconfiguration.openshift.io/buildPod": "",
        "machineconfiguration.openshift.io/desiredConfig": R1,
        "machineconfiguration.openshift.io/targetMachineConfigPool": "layered",
    }
    assert [item["name"] for item in made["spec"]["containers"]] == ["image-build", "wait-for-done"]
    variables = {item["name"]: item["value"] for item in made["spec"]["containers"][0]["env"]}
    assert variables["DIGEST_CONFIGMAP_NAME"] == f"digest-{R1}"
    assert variables["TAG"] == f"registry.a.svc:5000/ns/os:{R1}"
    secrets = {item["name"]: item["secret"]["secretName"] for item in made["spec"]["volumes"] if "secret" in item}
    assert secrets == {"base-image-pull-creds": "base", "final-image-push-creds": "push-canonical"}


def test_what_exists_of_entitlements_and_repositories_is_mounted_and_annotated() -> None:
    one = request()
    made = build_pod(Request(one.config, one.rendered, BASE, "4.16.0", OPTIONAL_MOUNTS), Secrets("base", "push"))

    paths = {item["name"]: item["mountPath"] for item in made["spec"]["containers"][0]["volumeMounts"]}
    assert paths["etc-yum-repos-d"] == "/etc/yum.repos.d"
    assert "machineconfiguration.openshift.io/has-etc-pki-entitlement" in made["metadata"]["annotations"]


def test_the_rendered_config_is_packed_and_the_containerfile_ends_with_the_content_for_every_architecture() -> None:
    files = [
        {"containerfileArch": "arm64", "content": "FROM configs AS arm"},
        {"containerfileArch": "noarch", "content": "FROM configs AS final\nRUN true"},
    ]

    packed, generated = config_maps(request(containerFile=files))

    unpacked = json.loads(gzip.decompress(base64.b64decode(packed["data"]["machineconfig.json.gz"])))
    assert unpacked["metadata"]["name"] == R1
    text = generated["data"]["Dockerfile"]
    assert text.rstrip().endswith("FROM configs AS final\nRUN true")
    assert "AS arm" not in text
    assert f"LABEL machineconfig={R1}" in text


def test_a_secret_of_the_old_form_gets_a_copy_in_the_new_form() -> None:
    logins = {"registry.a.svc:5000": {"auth": "eDp5"}}

    copy = canonical_secret(secret("builder-dockercfg-1", "kubernetes.io/dockercfg", logins))

    assert copy is not None
    assert copy["metadata"]["name"] == "builder-dockercfg-1-canonical"
    assert original_name(copy) == "builder-dockercfg-1"
    assert json.loads(base64.b64decode(copy["data"][".dockerconfigjson"])) == {"auths": logins}


def test_a_secret_of_the_new_form_is_mounted_as_it_is_and_another_type_is_refused() -> None:
    assert canonical_secret(secret("push", "kubernetes.io/dockerconfigjson", {"auths": {}})) is None
    with pytest.raises(UnusableSecret, match="unknown secret type Opaque"):
        canonical_secret(secret("push", "Opaque", {}))
    with pytest.raises(UnusableSecret, match="could not read"):
        canonical_secret({**secret("push", "kubernetes.io/dockercfg", {}), "data": {".dockercfg": "e30"}})
