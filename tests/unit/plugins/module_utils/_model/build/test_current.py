# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.current import (
    BuildMatch,
    build_before_mark,
    current_build,
    image_is_current,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
    OLD_RENDERED,
    RENDERED,
    STATES,
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


def match(of: MachineOSConfig, *builds: MachineOSBuild) -> tuple[BuildMatch, str]:
    found, named = current_build(of, builds, RENDERED)
    return found, named.name if named else ""


def test_no_build_answers_before_the_operator_names_one():
    assert match(config(), build()) == (BuildMatch.NONE_YET, "")


def test_a_named_build_that_is_gone_does_not_answer():
    assert match(config(build="layered-a"), build("layered-b")) == (BuildMatch.NONE_YET, "")


def test_a_build_of_another_config_does_not_answer():
    assert match(config(build="layered-a"), build(config="other")) == (BuildMatch.NONE_YET, "")


def test_a_build_of_another_rendered_config_does_not_answer():
    assert match(config(build="layered-a"), build(rendered=OLD_RENDERED)) == (BuildMatch.NONE_YET, "layered-a")


@pytest.mark.parametrize("state", ["", *STATES])
def test_a_spec_that_was_never_edited_has_only_its_own_build(state):
    assert match(config(build="layered-a", generation=1), build(state=state)) == (BuildMatch.PROVEN, "layered-a")


def edited(**more) -> MachineOSConfig:
    """The spec was edited at noon, and the status is still the one of the image before."""
    before = {"generation": 2, "observed_generation": 1, "image": image_of("a"), "edits": [("kubectl-edit", NOON)]}
    return config(**{"build": "layered-a", **before, **more})


def test_after_an_edit_the_build_that_is_still_named_is_not_taken_for_the_new_one():
    assert match(edited(), build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")


def test_the_build_before_our_own_edit_is_not_taken_for_the_new_one():
    older = build(created=MORNING)
    assert match(edited(build_before=older.identity), older) == (BuildMatch.UNPROVEN, "layered-a")


def test_another_build_than_the_one_before_our_edit_answers():
    older, newer = build("layered-a"), build("layered-b", state="Building", created=NOON)
    assert match(edited(build="layered-b", build_before=older.identity), older, newer) == (
        BuildMatch.PROVEN,
        "layered-b",
    )


def test_a_rebuilt_build_with_the_same_name_is_not_the_old_one():
    again = build(uid="2", state="Building", created=NOON)
    assert match(edited(build_before="layered-a/1"), again) == (BuildMatch.PROVEN, "layered-a")


def test_going_back_to_an_old_text_answers_with_the_old_build_once_the_status_says_so():
    old, other = build("layered-a", created=MORNING), build("layered-b", created=MORNING)
    back = {"generation": 3, "image": image_of("a"), "edits": [("kubectl-edit", NOON)], "build": "layered-a"}
    assert match(config(observed_generation=3, **back), old, other) == (BuildMatch.PROVEN, "layered-a")
    assert match(config(observed_generation=2, **back), old, other) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_status_for_this_generation_proves_no_build_of_another_image():
    current = edited(observed_generation=2, image=image_of("b"))
    assert match(current, build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_status_for_this_generation_without_an_image_proves_nothing():
    current = edited(observed_generation=2, image="")
    assert match(current, build(created=MORNING, state="Failed")) == (BuildMatch.UNPROVEN, "layered-a")


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
    assert match(edited(build="layered-b"), build("layered-b", created=created)) == (known, "layered-b")


def test_without_the_time_of_the_edit_age_proves_nothing():
    assert match(edited(edits=[]), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_an_edit_before_which_there_was_no_build_is_decided_by_age():
    bare = edited(build_before="none", image="")
    assert match(bare, build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")
    assert match(bare, build(created=LATER)) == (BuildMatch.PROVEN, "layered-a")


def test_a_build_whose_image_was_written_for_an_earlier_generation_does_not_answer_however_young_it_looks():
    """The API server stamps no edit that only takes a field away."""
    assert match(edited(observed_generation=1), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_build_that_the_mark_names_does_not_answer_however_young_it_looks():
    marked = edited(build_before=build().identity, image="")
    assert match(marked, build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_a_build_of_a_deleted_config_of_the_same_name_does_not_answer():
    older = replace(build(), config_uid="uid-of-another")
    assert current_build(config(build="layered-a"), [older], RENDERED) == (BuildMatch.NONE_YET, None)


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
    assert match(since, first, second) == (BuildMatch.UNPROVEN, "layered-b")


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
    assert image_is_current(of, *current_build(of, [built], RENDERED)) is current


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
    assert match(after, *builds)[0] is not BuildMatch.PROVEN
