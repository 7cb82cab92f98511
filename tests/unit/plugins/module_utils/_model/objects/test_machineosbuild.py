# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import machineosbuild as model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import (
    BuildState,
    MachineOSBuild,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
    STATES,
    build_conditions,
    machine_os_build,
    machine_os_config,
)
from hypothesis import given
from hypothesis import strategies as st

MORNING = "2026-03-01T08:00:00Z"


def build(name: str = "layered-a", **more: str) -> MachineOSBuild:
    return MachineOSBuild.from_api(machine_os_build(name, **more))


def config(**more) -> MachineOSConfig:
    return MachineOSConfig.from_api(machine_os_config(**more))


@pytest.mark.parametrize(
    ("true", "state", "ended"),
    [
        ("Prepared", BuildState.PREPARING, False),
        ("Building", BuildState.BUILDING, False),
        ("Succeeded", BuildState.SUCCEEDED, True),
        ("Interrupted", BuildState.INTERRUPTED, True),
        ("Failed", BuildState.FAILED, True),
        ("", BuildState.PENDING, False),
    ],
)
def test_state_is_the_condition_that_is_true(true, state, ended):
    read = build(state=true)
    assert (read.state, read.state.ended) == (state, ended)


def test_names_of_states_are_public():
    words = ["pending", "preparing", "building", "succeeded", "failed", "interrupted"]
    assert [state.value for state in BuildState] == words


@given(st.permutations(STATES), st.sampled_from(STATES))
def test_order_and_messages_of_conditions_are_ignored(order, true):
    conditions = {c["type"]: {**c, "message": "Build Failed", "reason": "Failed"} for c in build_conditions(true)}
    served = {"metadata": {"name": "x"}, "status": {"conditions": [conditions[name] for name in order]}}
    assert MachineOSBuild.from_api(served).state is build(state=true).state


def test_build_without_a_true_condition_is_pending():
    served = {"metadata": {"name": "x"}, "status": {"conditions": build_conditions("")}}
    assert MachineOSBuild.from_api(served).state is BuildState.PENDING


def test_config_is_read_from_the_spec_or_the_label():
    served = machine_os_build(config="layered")
    assert MachineOSBuild.from_api(served).config == "layered"
    assert MachineOSBuild.from_api({**served, "spec": {}}).config == "layered"
    unlabelled = {**served, "metadata": {"name": "layered-a"}}
    assert MachineOSBuild.from_api(unlabelled).config == "layered"
    assert MachineOSBuild.from_api(model.reduced(unlabelled)).config == "layered"
    assert MachineOSBuild.from_api(model.reduced({**served, "spec": {}})).config == "layered"


def test_times_and_job_are_read():
    served = machine_os_build(created=MORNING)
    served["status"]["builder"] = {"imageBuilderType": "Job", "job": {"name": "build-layered-a"}}
    read = MachineOSBuild.from_api(served)
    assert (read.created, read.started, read.finished, read.job) == (MORNING, NOON, LATER, "build-layered-a")


def test_identity_is_name_and_uid():
    assert build(uid="1").identity == "layered-a/1"
    assert build(uid="1").identity != build(uid="2").identity


LABELLED = {"metadata": {"labels": {"machineconfiguration.openshift.io/pre-built-image": "true"}}}
WITH_REASON = {"status": {"conditions": [{"type": "Succeeded", "status": "True", "reason": "PreBuiltImageSeeded"}]}}
WITH_CONDITION = {
    "status": {"conditions": [{"type": "Succeeded", "status": "True"}, {"type": "Seeded", "status": "True"}]}
}


def with_parts(parts: dict) -> dict:
    whole = machine_os_build()
    return {**whole, **{key: {**whole[key], **value} for key, value in parts.items()}}


@pytest.mark.parametrize("parts", [LABELLED, WITH_REASON, WITH_CONDITION])
def test_seeded_build_is_known_by_its_label_its_condition_or_the_reason(parts):
    served = with_parts(parts)
    assert MachineOSBuild.from_api(served).seeded
    assert MachineOSBuild.from_api(served).state is BuildState.SUCCEEDED
    assert MachineOSBuild.from_api(model.reduced(served)).seeded


@pytest.mark.parametrize(
    "parts",
    [
        {},
        {"metadata": {"labels": {"machineconfiguration.openshift.io/pre-built-image": "false"}}},
        {"status": {"conditions": [{"type": "Seeded", "status": "False", "reason": "PreBuiltImageSeeded"}]}},
    ],
)
def test_build_without_a_mark_is_not_seeded(parts):
    assert not MachineOSBuild.from_api(with_parts(parts)).seeded


@pytest.mark.parametrize("state", ["", *STATES])
def test_reduced_build_reads_like_the_whole_one(state):
    whole = machine_os_build(state=state)
    whole["status"]["builder"] = {"imageBuilderType": "Job", "job": {"name": "build-layered-a"}}
    reduced = model.reduced(whole)
    assert MachineOSBuild.from_api(reduced) == MachineOSBuild.from_api(whole)
    assert "Build Failed" not in str(reduced)
