# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.build_objects import (
    Deletion,
    PodState,
    all_objects,
    builds_of_pool,
    copied_secrets,
    objects_of_failed_pods,
    objects_of_other_configs,
    objects_to_rebuild,
    pods_of_pool,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import MCO
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    machine_os_build,
    machine_os_config,
)

R1, R2, R3 = (f"rendered-layered-{number}" for number in (1, 2, 3))
LABELS = {
    "4.16": ("targetMachineConfigPool", "desiredConfig"),
    "4.17": ("target-machine-config-pool", "rendered-machine-config"),
}


def pod(
    rendered: str = R1, pool: str = "layered", release: str = "4.16", name: str = "", **status: t.Any
) -> dict[str, t.Any]:
    of_pool, of_config = LABELS[release]
    labels = {MCO + of_pool: pool, MCO + of_config: rendered}
    meta = {"name": name or f"build-{rendered}", "uid": f"pod-of-{rendered}", "labels": labels}
    return {"metadata": meta, "status": {"phase": "Running", **status}}


def terminated(code: int) -> dict[str, t.Any]:
    return {"containerStatuses": [{"state": {"running": {}}}, {"state": {"terminated": {"exitCode": code}}}]}


def waiting(reason: str) -> dict[str, t.Any]:
    return {"containerStatuses": [{"state": {"waiting": {"reason": reason}}}]}


def build(rendered: str = R1, **more: t.Any) -> MachineOSBuild:
    return MachineOSBuild.from_api(as_v1(machine_os_build(rendered=rendered, **more)))


def named(deletions: t.Iterable[Deletion]) -> list[str]:
    return [deletion.name for deletion in deletions]


def maps(rendered: str) -> list[str]:
    return [f"mc-{rendered}", f"dockerfile-{rendered}", f"digest-{rendered}"]


@pytest.mark.parametrize("release", LABELS)
def test_pod_of_a_pool_is_found_by_the_labels_of_its_release(release):
    (found,) = pods_of_pool("layered", [pod(release=release), pod(R2, pool="gpu", release=release)])
    assert (found.name, found.rendered_config, found.uid) == (f"build-{R1}", R1, f"pod-of-{R1}")


def test_times_of_a_pod_are_read():
    served = pod()
    served["metadata"].update(
        {"creationTimestamp": "2026-03-01T12:00:00Z", "deletionTimestamp": "2026-03-01T13:00:00Z"}
    )
    (deleted,) = pods_of_pool("layered", [served])
    assert (deleted.created, deleted.is_deleted) == ("2026-03-01T12:00:00Z", True)
    (running,) = pods_of_pool("layered", [pod()])
    assert (running.created, running.is_deleted) == ("", False)


@pytest.mark.parametrize(
    "other",
    [
        pod(name="machine-os-builder-5d"),
        pod(name=f"build-{R2}"),
        {"metadata": {"name": f"build-{R1}", "labels": {MCO + "targetMachineConfigPool": "layered"}}},
    ],
)
def test_pod_with_another_name_than_that_of_its_rendered_config_is_none(other):
    assert pods_of_pool("layered", [other]) == ()


def test_pod_of_a_job_is_none():
    owned = pod()
    owned["metadata"]["ownerReferences"] = [{"kind": "Job", "controller": True}]
    assert pods_of_pool("layered", [owned]) == ()


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ({}, PodState.RUNNING),
        ({"phase": "Pending"}, PodState.RUNNING),
        (waiting("ContainerCreating"), PodState.RUNNING),
        (terminated(0), PodState.RUNNING),  # the other container still runs
        (terminated(7), PodState.FAILED),
        ({"phase": "Failed"}, PodState.FAILED),
        ({"phase": "Succeeded", **terminated(0)}, PodState.SUCCEEDED),
        (waiting("ErrImagePull"), PodState.FAILED),
        (waiting("CreateContainerError"), PodState.FAILED),
        ({"phase": None, "containerStatuses": None}, PodState.RUNNING),
    ],
)
def test_state_of_a_pod_follows_from_its_containers(status, state):
    (found,) = pods_of_pool("layered", [pod(**status)])
    assert found.state is state


def test_builds_of_a_pool_are_named_by_it():
    of_other = build(pool="gpu")
    by_job = build(name="layered-966b8892b0c378291caf890a998624e7")
    assert builds_of_pool("layered", [build(), of_other, by_job]) == (build(),)


def test_rebuild_deletes_pods_first_and_builds_last():
    planned = objects_to_rebuild("layered", R1, [build()], pods_of_pool("layered", [pod()]))
    assert named(planned) == [f"build-{R1}", *maps(R1), f"layered-{R1}-builder"]
    assert [str(deletion.ref) for deletion in planned if not deletion.name.startswith(("dockerfile", "digest"))] == [
        f"Pod openshift-machine-config-operator/build-{R1}",
        f"ConfigMap openshift-machine-config-operator/mc-{R1}",
        f"MachineOSBuild layered-{R1}-builder",
    ]
    assert [deletion.uid for deletion in planned][::4] == [f"pod-of-{R1}", f"uid-of-layered-{R1}-builder"]


def test_rebuild_deletes_config_maps_of_the_rendered_config_in_any_case():
    assert named(objects_to_rebuild("layered", R1, [], [])) == maps(R1)


def test_rebuild_keeps_builds_of_other_rendered_configs_that_succeeded():
    others = [build(R2), build(R3, true="Building")]
    planned = objects_to_rebuild("layered", R1, others, [])
    assert named(planned) == [*maps(R1), *maps(R3), f"layered-{R3}-builder"]


def test_rebuild_deletes_pods_of_all_rendered_configs():
    planned = objects_to_rebuild("layered", R1, [], pods_of_pool("layered", [pod(R2), pod(R1)]))
    assert named(planned) == [f"build-{R1}", f"build-{R2}", *maps(R1), *maps(R2)]


def test_objects_of_other_configs_are_all_but_those_of_the_present_one():
    found = [build(R1), build(R2), build(R3, true="Failed")]
    planned = objects_of_other_configs("layered", R1, found, pods_of_pool("layered", [pod(R1), pod(R2)]))
    builds = [f"layered-{R2}-builder", f"layered-{R3}-builder"]
    assert named(planned) == [f"build-{R2}", *maps(R2), *maps(R3), *builds]


def test_build_that_succeeded_has_no_config_maps():
    assert named(objects_of_other_configs("layered", R1, [build(R2)], [])) == [f"layered-{R2}-builder"]


def test_only_failed_pods_of_other_configs_disturb_the_present_build():
    pods = pods_of_pool("layered", [pod(R1, **terminated(7)), pod(R2, **terminated(7)), pod(R3)])
    planned = objects_of_failed_pods(R1, [build(R2, true="Failed"), build(R3, true="Building")], pods)
    assert named(planned) == [f"build-{R2}", *maps(R2), f"layered-{R2}-builder"]


def test_failed_pod_of_a_build_that_succeeded_later_is_deleted_alone():
    pods = pods_of_pool("layered", [pod(R2, **terminated(7))])
    assert named(objects_of_failed_pods(R1, [build(R2)], pods)) == [f"build-{R2}", *maps(R2)]


def test_all_objects_of_a_pool():
    planned = all_objects(R1, [build(R2)], pods_of_pool("layered", [pod(R3)]))
    assert named(planned) == [f"build-{R3}", *maps(R1), *maps(R3), f"layered-{R2}-builder"]
    assert all_objects("", [], []) == ()


def config(base: str = "base", push: str = "push", pull: str = "pull") -> dict[str, t.Any]:
    inputs = {"baseImagePullSecret": {"name": base}, "renderedImagePushSecret": {"name": push}}
    return as_v1({**(found := machine_os_config(**inputs)), "spec": {**found["spec"], **_outputs(pull)}})


def _outputs(pull: str) -> dict[str, t.Any]:
    return {"buildOutputs": {"currentImagePullSecret": {"name": pull}}}


@pytest.mark.parametrize(
    ("of", "others", "copies"),
    [
        (config(), [], []),
        (config("a-canonical", "b-canonical"), [], ["a-canonical", "b-canonical"]),
        (config("a-canonical", "a-canonical"), [], ["a-canonical"]),
        (config("a-canonical", "b-canonical", pull="a-canonical"), [], ["b-canonical"]),
        (config("a-canonical"), [config("a-canonical")], []),
        (config("a-canonical"), [config(push="a-canonical")], []),
        (config("a-canonical"), [config(pull="a-canonical")], []),
        (config("a-canonical"), [config("a")], ["a-canonical"]),
        (config("a-canonical"), [config("a-canonical"), config()], []),
    ],
)
def test_copies_of_secrets_are_those_that_nothing_else_uses(of, others, copies):
    assert copied_secrets(of, others) == copies
