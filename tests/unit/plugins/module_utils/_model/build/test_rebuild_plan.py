# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.build_objects import BuildPod, PodState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.rebuild_plan import (
    MAX_STARTS,
    MAX_WRITES,
    PodBuilds,
    RebuildReason,
    RunProgress,
    Step,
    failed_pods_of_others,
    harmless_change,
    is_proven,
    is_start_failed,
    next_step,
    rebuild_reason,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import (
    MachineOSConfig,
    same_containerfile,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import ProvenBuild, SpecEdit
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
    OWN,
    image_of,
    machine_config_pool,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    RENDERED,
    machine_os_build,
    machine_os_config,
)

BEFORE = "2026-03-01T11:59:59Z"
PUBLISHED = machine_os_config(image=image_of("a"))
BUILD = machine_os_build()
IDENTITY = f"{BUILD['metadata']['name']}/{BUILD['metadata']['uid']}"


def pod(state: PodState = PodState.RUNNING, rendered: str = RENDERED, **more: t.Any) -> BuildPod:
    fields = {"name": f"build-{rendered}", "uid": "pod", "created": NOON, "is_deleted": False, **more}
    return BuildPod(rendered_config=rendered, state=state, **fields)


def config(obj: dict[str, t.Any] | None = None, record: SpecEdit | None = None, **fields: t.Any) -> MachineOSConfig:
    found = replace(MachineOSConfig.from_api(as_v1(obj or PUBLISHED)), **fields)
    if record is None:
        return found
    return replace(found, last_record=replace(record, spec_hash=found.spec_hash, config_uid=found.uid))


def build(**more: t.Any) -> MachineOSBuild:
    return MachineOSBuild.from_api(as_v1(machine_os_build(**more)))


def exists(
    builds: t.Sequence[MachineOSBuild] = (build(),),
    pods: t.Sequence[BuildPod] | None = (),
    of: MachineOSConfig | None = None,
    pool: dict[str, t.Any] | None = None,
) -> PodBuilds:
    found = Pool.from_api(pool or machine_config_pool(rendered=RENDERED))
    return PodBuilds(of or config(), found, tuple(builds), None if pods is None else tuple(pods))


def paused(**notes: str) -> dict[str, t.Any]:
    return machine_config_pool(rendered=RENDERED, paused=True, annotations={OWN + n: v for n, v in notes.items()})


BY_REBUILD = paused(**{"paused-by": "imagemode.openshift", "paused-for": "rebuild"})
BY_MODULE = paused(**{"paused-by": "imagemode.openshift"})
READY = RunProgress(is_settled=True, is_confirmed=True, is_prepared=True)


# Why a rebuild is needed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "pods", "reason"),
    [
        ("Succeeded", (), None),
        ("Prepared", (pod(),), None),
        ("Building", (pod(),), None),
        ("Building", (pod(PodState.SUCCEEDED),), None),
        ("Building", (pod(PodState.FAILED),), RebuildReason.FAILED),
        ("Building", (), RebuildReason.LOST),
        ("Building", (pod(is_deleted=True),), RebuildReason.LOST),
        ("Building", (pod(rendered="rendered-layered-2"),), RebuildReason.LOST),
        ("Building", (pod(created=BEFORE),), RebuildReason.UNPROVEN),
        ("Building", None, None),
        ("Failed", (), RebuildReason.FAILED),
        ("Failed", (pod(PodState.FAILED),), RebuildReason.FAILED),
        ("Failed", (pod(),), None),  # the pod of another build failed
        ("Failed", None, RebuildReason.FAILED),
        ("Interrupted", (), RebuildReason.FAILED),
        ("", (), RebuildReason.NOT_STARTED),
        ("", (pod(),), RebuildReason.NOT_STARTED),
    ],
)
def test_state_of_the_build_and_of_its_pod_decide(state, pods, reason):
    found = exists([build(true=state)], pods)
    assert rebuild_reason(found, is_wanted=True) is reason
    assert rebuild_reason(found, is_wanted=False) is RebuildReason.CHANGED


def test_image_of_another_build_is_a_reason():
    assert rebuild_reason(exists([build(image=image_of("b"))]), is_wanted=True) is RebuildReason.OTHER_IMAGE


def test_build_of_another_rendered_config_is_not_the_current_one():
    assert rebuild_reason(exists([build(rendered="rendered-layered-2")]), is_wanted=True) is RebuildReason.MISSING


# Proof ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "proven"),
    [
        (config(), True),  # never edited
        (config(generation=2, spec_changed_at=NOON), False),  # in the second of the change, so perhaps before it
        (config(generation=2, spec_changed_at=BEFORE), True),
        (config(generation=2, spec_changed_at=LATER), False),
        (config(generation=2, spec_changed_at=""), False),
        (config(generation=2, secrets_rewritten=True), True),
        (config(record=SpecEdit(2, ""), generation=2, spec_changed_at=LATER), True),
        (config(record=SpecEdit(2, ""), generation=3, spec_changed_at=LATER), False),  # changed by another client
        (config(record=SpecEdit(2, "", builds=frozenset({IDENTITY})), generation=2), False),
        (config(machine_os_config("other", image=image_of("a"))), False),
    ],
)
def test_build_is_proven_by_the_record_of_the_edit_or_by_its_time(of, proven):
    assert is_proven(of, build()) is proven


def test_build_that_was_proven_before_an_edit_is_proven_for_the_same_spec():
    now = config()
    record = SpecEdit(2, "", frozenset({IDENTITY}), proven=(ProvenBuild(now.spec_hash, IDENTITY),))
    assert is_proven(config(record=record, generation=2), build())


def test_build_of_a_deleted_machineosconfig_is_not_proven():
    assert not is_proven(config(created=LATER), build())
    assert is_proven(config(created=NOON), build())


# The next step -------------------------------------------------------------------------------------------------------


def test_steps_of_an_edit_in_their_order():
    run, found = RunProgress(), exists()
    assert next_step(found, False, run) is Step.SETTLE
    run = replace(run, is_settled=True)
    assert next_step(found, False, run) is Step.PREPARE
    run = replace(run, is_prepared=True, pauses=True)
    assert next_step(found, False, run) is Step.PAUSE
    found = exists(pool=BY_REBUILD)
    assert next_step(found, False, run) is Step.CLEAN
    run, found = replace(run, is_clean=True), exists([], pool=BY_REBUILD)
    assert next_step(found, False, run) is Step.WRITE
    run = replace(READY, writes=1, awaits=True)
    edited = config(record=SpecEdit(2, ""), generation=2)
    found = exists([], of=edited, pool=BY_REBUILD)
    assert next_step(found, True, run) is Step.AWAIT_BUILD
    found = exists([build(true="Prepared")], [pod()], of=edited, pool=BY_REBUILD)
    assert next_step(found, True, run) is Step.RELEASE
    assert next_step(replace(found, pool=Pool.from_api(machine_config_pool())), True, run) is Step.AWAIT_BUILD
    found = exists([build(true="Prepared")], [pod()], of=edited)
    assert next_step(found, True, run) is Step.NOTHING


@pytest.mark.parametrize("state", ["Building", "Failed", "Succeeded"])
def test_started_build_ends_the_run_whatever_became_of_it(state):
    edited = config(machine_os_config(), record=SpecEdit(2, ""), generation=2)
    found = exists([build(true=state)], of=edited)
    assert next_step(found, True, replace(READY, writes=1, awaits=True)) is Step.NOTHING


def test_build_that_this_run_deleted_is_not_awaited():
    edited = config(record=SpecEdit(2, ""), generation=2)
    assert next_step(exists([], of=edited), True, replace(READY, writes=1, is_clean=True)) is Step.WRITE


def test_build_that_was_created_before_the_edit_is_deleted_again():
    edited = config(record=SpecEdit(2, "", frozenset({IDENTITY})), generation=2)
    found = exists([build(true="Building")], [pod()], of=edited)
    assert next_step(found, True, replace(READY, writes=1, awaits=True)) is Step.CLEAN


def test_edit_of_another_client_after_ours_is_not_awaited():
    found = exists([], of=config(generation=3, spec_changed_at=LATER))
    assert next_step(found, True, RunProgress(writes=1, awaits=True)) is Step.SETTLE


def test_start_that_fails_again_ends_the_run():
    edited = config(record=SpecEdit(2, ""), generation=2)
    found = exists([build(true="")], of=edited)
    assert next_step(found, True, replace(READY, writes=MAX_STARTS, awaits=True)) is Step.GIVE_UP
    assert next_step(found, True, replace(READY, writes=MAX_STARTS - 1, awaits=True)) is Step.CLEAN
    assert next_step(exists(), False, replace(READY, writes=MAX_WRITES)) is Step.GIVE_UP


@pytest.mark.parametrize(("state", "step"), [("Building", Step.CONFIRM), ("Failed", Step.PREPARE)])
def test_lost_pod_is_confirmed_because_a_success_looks_the_same(state, step):
    assert next_step(exists([build(true=state)]), True, RunProgress(is_settled=True)) is step


@pytest.mark.parametrize("left", [{"builds": ()}, {"pods": ()}])
def test_spec_is_written_only_when_no_build_and_no_pod_exists(left):
    found = exists(**{"builds": [build()], "pods": [pod()], **left})
    assert next_step(found, False, replace(READY, is_clean=True)) is Step.CLEAN


def test_config_maps_are_deleted_even_if_nothing_else_is_left():
    assert next_step(exists([]), False, READY) is Step.CLEAN


@pytest.mark.parametrize(
    ("pool", "run", "step"),
    [
        (machine_config_pool(rendered=RENDERED), RunProgress(), Step.NOTHING),
        (BY_MODULE, RunProgress(), Step.NOTHING),
        (paused(), RunProgress(), Step.NOTHING),
        (BY_REBUILD, RunProgress(), Step.PREPARE),
        (BY_REBUILD, READY, Step.RELEASE),
        (paused(**{"paused-for": "rebuild"}), RunProgress(), Step.RELEASE),  # of another client: only the mark
    ],
)
def test_only_the_pause_of_a_rebuild_ends(pool, run, step):
    assert next_step(exists(pool=pool), True, run) is step


def test_failed_pods_of_other_rendered_configs_are_deleted_beside_a_running_build():
    pods = [pod(), pod(PodState.FAILED, rendered="rendered-layered-2")]
    found = exists([build(true="Building")], pods)
    assert next_step(found, True) is Step.CLEAN_OTHERS
    assert next_step(found, True, RunProgress(cleans_others=False)) is Step.NOTHING
    assert (
        next_step(exists([build(true="Building")], [pod(), pod(rendered="rendered-layered-2")]), True) is Step.NOTHING
    )


def test_failed_pod_of_the_present_rendered_config_is_not_one_of_others():
    found = exists([build(true="Building")], [pod(PodState.FAILED)])
    assert failed_pods_of_others(found) == ()


def test_spec_is_written_again_after_interference_up_to_a_limit():
    assert next_step(exists([]), False, replace(READY, is_clean=True, writes=MAX_WRITES - 1)) is Step.WRITE
    assert next_step(exists([]), False, replace(READY, is_clean=True, writes=MAX_WRITES)) is Step.GIVE_UP


@pytest.mark.parametrize(("known", "step"), [(False, Step.NOTHING), (True, Step.AWAIT_BUILD)])
def test_build_with_a_job_ends_the_run_that_caused_it(known, step):
    """The first build of an early 4.18 shows that Jobs build there."""
    by_job = build(name="layered-966b8892b0c378291caf890a998624e7")
    record = SpecEdit(2, "", frozenset({by_job.identity} if known else ()))
    found = exists([by_job], of=config(machine_os_config(), record=record, generation=2))
    assert not found.is_by_pods
    assert next_step(found, True, RunProgress(writes=1, awaits=True)) is step


@pytest.mark.parametrize(
    ("fields", "failed"),
    [
        ({}, True),
        ({"started": ""}, False),  # without a status
        ({"pod": "build-rendered-layered-1"}, False),
        ({"has_all_conditions": True}, False),
    ],
)
def test_start_has_failed_if_it_was_recorded_without_a_pod(fields, failed):
    assert is_start_failed(replace(build(true=""), **fields)) is failed


def test_run_that_is_over_does_nothing_more():
    assert next_step(exists([]), True, RunProgress(is_over=True)) is Step.NOTHING


# The harmless change -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "\n", "FROM a", "FROM a\n", "FROM a\n\n", "x" * 4095, "x" * 4095 + "\n", "x" * 4094 + "\n\n"],
)
def test_harmless_change_differs_and_means_the_same(text):
    entries = [{"containerfileArch": "amd64", "content": "other"}, {"containerfileArch": "noarch", "content": text}]
    now = as_v1(machine_os_config(containerFile=entries))
    first, second = harmless_change(now)["containerFile"]
    assert first == {"containerfileArch": "AMD64", "content": "other"}
    assert second["containerfileArch"] == "NoArch"
    assert second["content"] != text
    assert len(second["content"]) <= 4096
    assert same_containerfile(second["content"], text)


def test_harmless_change_does_not_grow_with_each_rebuild():
    now = as_v1(machine_os_config(containerFile=[{"containerfileArch": "noarch", "content": "FROM a\n\n"}]))
    assert harmless_change(now)["containerFile"][0]["content"] == "FROM a\n"


def test_harmless_change_replaces_an_entry_without_an_architecture():
    now = as_v1(machine_os_config(containerFile=[{"content": "FROM a"}]))
    assert harmless_change(now) == {"containerFile": [{"containerfileArch": "NoArch", "content": "FROM a\n"}]}


def test_harmless_change_of_a_machineosconfig_without_a_containerfile():
    now = as_v1(machine_os_config(containerFile=[]))
    assert harmless_change(now) == {"containerFile": [{"containerfileArch": "NoArch", "content": "\n"}]}


def test_full_containerfile_has_no_harmless_change():
    entries = [{"containerfileArch": "noarch", "content": "x" * 4096}]
    with pytest.raises(ValueError, match="4096 characters"):
        harmless_change(as_v1(machine_os_config(containerFile=entries)))
