# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import machineosbuild as model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import (
    BuildMatch,
    BuildState,
    MachineOSBuild,
    answering_build,
    build_before_mark,
    image_is_current,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
    OLD_RENDERED,
    RENDERED,
    STATES,
    build_conditions,
    image_of,
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


def answer(of: MachineOSConfig, *builds: MachineOSBuild) -> tuple[BuildMatch, str]:
    found, named = answering_build(of, builds, RENDERED)
    return found, named.name if named else ""


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
def test_the_state_is_the_condition_that_is_true(true, state, ended):
    read = build(state=true)
    assert (read.state, read.state.ended) == (state, ended)


def test_the_words_for_states_are_public():
    words = ["pending", "preparing", "building", "succeeded", "failed", "interrupted"]
    assert [state.value for state in BuildState] == words


@given(st.permutations(STATES), st.sampled_from(STATES))
def test_neither_order_nor_message_of_the_conditions_says_anything(order, true):
    conditions = {c["type"]: {**c, "message": "Build Failed", "reason": "Failed"} for c in build_conditions(true)}
    served = {"metadata": {"name": "x"}, "status": {"conditions": [conditions[name] for name in order]}}
    assert MachineOSBuild.from_api(served).state is build(state=true).state


def test_no_true_condition_is_not_the_end():
    served = {"metadata": {"name": "x"}, "status": {"conditions": build_conditions("")}}
    assert MachineOSBuild.from_api(served).state is BuildState.PENDING


def test_a_build_tells_its_config_by_its_spec_or_its_label():
    served = machine_os_build(config="layered")
    assert MachineOSBuild.from_api(served).config == "layered"
    assert MachineOSBuild.from_api({**served, "spec": {}}).config == "layered"
    unlabelled = {**served, "metadata": {"name": "layered-a"}}
    assert MachineOSBuild.from_api(unlabelled).config == "layered"
    assert MachineOSBuild.from_api(model.reduced(unlabelled)).config == "layered"
    assert MachineOSBuild.from_api(model.reduced({**served, "spec": {}})).config == "layered"


def test_a_build_tells_its_times_and_its_job():
    served = machine_os_build(created=MORNING)
    served["status"]["builder"] = {"imageBuilderType": "Job", "job": {"name": "build-layered-a"}}
    read = MachineOSBuild.from_api(served)
    assert (read.created, read.started, read.finished, read.job) == (MORNING, NOON, LATER, "build-layered-a")


def test_a_build_is_its_name_and_its_uid():
    assert build(uid="1").identity == "layered-a/1"
    assert build(uid="1").identity != build(uid="2").identity


@pytest.mark.parametrize("state", ["", *STATES])
def test_a_reduced_build_reads_as_the_whole_one(state):
    whole = machine_os_build(state=state)
    whole["status"]["builder"] = {"imageBuilderType": "Job", "job": {"name": "build-layered-a"}}
    reduced = model.reduced(whole)
    assert MachineOSBuild.from_api(reduced) == MachineOSBuild.from_api(whole)
    assert "Build Failed" not in str(reduced)


# Which build answers for the present spec? --------------------------------------------------------------------------


def test_no_build_answers_before_the_operator_names_one():
    assert answer(config(), build()) == (BuildMatch.NONE_YET, "")


def test_a_named_build_that_is_gone_does_not_answer():
    assert answer(config(build="layered-a"), build("layered-b")) == (BuildMatch.NONE_YET, "")


def test_a_build_of_another_config_does_not_answer():
    assert answer(config(build="layered-a"), build(config="other")) == (BuildMatch.NONE_YET, "")


def test_a_build_of_another_rendered_config_does_not_answer():
    assert answer(config(build="layered-a"), build(rendered=OLD_RENDERED)) == (BuildMatch.NONE_YET, "layered-a")


@pytest.mark.parametrize("state", ["", *STATES])
def test_a_spec_that_was_never_edited_has_only_its_own_build(state):
    assert answer(config(build="layered-a", generation=1), build(state=state)) == (BuildMatch.PROVEN, "layered-a")


def edited(**more) -> MachineOSConfig:
    """The spec was edited at noon, and the status is still the one of the image before."""
    before = {"generation": 2, "observed_generation": 1, "image": image_of("a"), "edits": [("kubectl-edit", NOON)]}
    return config(**{"build": "layered-a", **before, **more})


def test_after_an_edit_the_build_that_is_still_named_is_not_taken_for_the_new_one():
    assert answer(edited(), build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")


def test_the_build_before_our_own_edit_is_not_taken_for_the_new_one():
    older = build(created=MORNING)
    assert answer(edited(build_before=older.identity), older) == (BuildMatch.UNPROVEN, "layered-a")


def test_another_build_than_the_one_before_our_edit_answers():
    older, newer = build("layered-a"), build("layered-b", state="Building", created=NOON)
    assert answer(edited(build="layered-b", build_before=older.identity), older, newer) == (
        BuildMatch.PROVEN,
        "layered-b",
    )


def test_a_rebuilt_build_with_the_same_name_is_not_the_old_one():
    again = build(uid="2", state="Building", created=NOON)
    assert answer(edited(build_before="layered-a/1"), again) == (BuildMatch.PROVEN, "layered-a")


def test_going_back_to_an_old_text_answers_with_the_old_build_once_the_status_says_so():
    old, other = build("layered-a", created=MORNING), build("layered-b", created=MORNING)
    back = {"generation": 3, "image": image_of("a"), "edits": [("kubectl-edit", NOON)], "build": "layered-a"}
    assert answer(config(observed_generation=3, **back), old, other) == (BuildMatch.PROVEN, "layered-a")
    assert answer(config(observed_generation=2, **back), old, other) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_status_for_this_generation_proves_no_build_of_another_image():
    current = edited(observed_generation=2, image=image_of("b"))
    assert answer(current, build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_status_for_this_generation_without_an_image_proves_nothing():
    current = edited(observed_generation=2, image="")
    assert answer(current, build(created=MORNING, state="Failed")) == (BuildMatch.UNPROVEN, "layered-a")


@pytest.mark.parametrize(
    ("created", "known"),
    [
        (MORNING, BuildMatch.UNPROVEN),
        (NOON, BuildMatch.UNPROVEN),
        (LATER, BuildMatch.PROVEN),
        ("", BuildMatch.UNPROVEN),
    ],
)
def test_a_build_younger_than_the_last_edit_answers(created, known):
    assert answer(edited(build="layered-b"), build("layered-b", created=created)) == (known, "layered-b")


def test_without_the_time_of_the_edit_age_proves_nothing():
    assert answer(edited(edits=[]), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_an_edit_before_which_there_was_no_build_is_decided_by_age():
    bare = edited(build_before="none", image="")
    assert answer(bare, build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")
    assert answer(bare, build(created=LATER)) == (BuildMatch.PROVEN, "layered-a")


def test_a_build_whose_image_was_written_for_an_earlier_generation_does_not_answer_however_young_it_looks():
    """The API server stamps no edit that only takes a field away."""
    assert answer(edited(observed_generation=1), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_build_that_the_mark_names_does_not_answer_however_young_it_looks():
    marked = edited(build_before=build().identity, image="")
    assert answer(marked, build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_build_of_a_deleted_config_of_the_same_name_does_not_answer():
    older = replace(build(), config_uid="uid-of-another")
    assert answering_build(config(build="layered-a"), [older], RENDERED) == (BuildMatch.NONE_YET, None)


def test_the_mark_of_our_edit_does_not_prove_a_build_for_a_later_edit_by_somebody_else():
    first, second = build("layered-a", created=MORNING), build("layered-b", created=MORNING)
    since = edited(
        generation=3,
        observed_generation=2,
        build="layered-b",
        image=image_of("b"),
        build_before=first.identity,
        edits=[("imagemode.openshift", MORNING), ("kubectl-edit", NOON)],
    )
    assert answer(since, first, second) == (BuildMatch.UNPROVEN, "layered-b")


# Is the image of the status the one of the present spec? ------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "built", "current"),
    [
        (config(build="layered-a", image=image_of("a")), build(), True),
        (config(build="layered-a"), build(), False),
        (config(build="layered-a", image=image_of("b")), build(), False),
        (config(build="layered-a", image=image_of("a")), build(state="Building"), False),
        (edited(), build(created=MORNING), False),
        (edited(observed_generation=2), build(created=MORNING), True),
        (config(image=image_of("a")), build(), False),
    ],
)
def test_an_image_is_current_when_the_build_that_answers_succeeded_and_the_status_carries_its_digest(
    of, built, current
):
    assert image_is_current(of, *answering_build(of, [built], RENDERED)) is current


# What does our own edit record? -------------------------------------------------------------------------------------


def test_an_edit_records_the_build_that_is_named():
    older, newer = build("layered-a", uid="1", created=MORNING), build("layered-b", created=NOON)
    assert build_before_mark(config(build="layered-a"), [newer, older]) == "layered-a/1"


def test_an_edit_records_every_build_that_the_operator_may_still_come_to_name():
    running, waiting = build("layered-b", uid="1", state="Building"), build("layered-a", uid="2", state="")
    ended, foreign = build("layered-c", state="Failed"), build("other-c", config="other", state="")
    assert build_before_mark(config(), [running, waiting, ended, foreign]) == "layered-a/2,layered-b/1"


def test_an_edit_before_any_build_says_so():
    assert build_before_mark(config(), []) == "none"


@given(st.sampled_from(["layered-a", "layered-b", "gone", ""]), st.permutations(["layered-a", "layered-b"]))
def test_right_after_our_edit_no_build_that_was_there_answers(named, names):
    builds = [build(name, created=MORNING) for name in names]
    mark = build_before_mark(config(build=named), builds)
    after = edited(build=named, build_before=mark, image=image_of("a"))
    assert answer(after, *builds)[0] is not BuildMatch.PROVEN
