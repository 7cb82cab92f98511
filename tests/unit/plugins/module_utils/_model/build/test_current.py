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


def test_no_build_is_current_before_the_operator_names_one():
    assert match(config(), build()) == (BuildMatch.NONE_YET, "")


def test_named_build_that_was_deleted_is_not_current():
    assert match(config(build="layered-a"), build("layered-b")) == (BuildMatch.NONE_YET, "")


def test_build_of_another_config_is_not_current():
    assert match(config(build="layered-a"), build(config="other")) == (BuildMatch.NONE_YET, "")


def test_build_of_another_rendered_config_is_not_current():
    assert match(config(build="layered-a"), build(rendered=OLD_RENDERED)) == (BuildMatch.NONE_YET, "layered-a")


@pytest.mark.parametrize("state", ["", *STATES])
def test_named_build_is_current_if_the_spec_was_never_edited(state):
    assert match(config(build="layered-a", generation=1), build(state=state)) == (BuildMatch.PROVEN, "layered-a")


def edited(**more) -> MachineOSConfig:
    """The spec was edited at noon, and the status is still the one of the image before."""
    before = {"generation": 2, "observed_generation": 1, "image": image_of("a"), "edits": [("kubectl-edit", NOON)]}
    return config(**{"build": "layered-a", **before, **more})


def test_build_that_is_still_named_after_an_edit_is_not_current():
    assert match(edited(), build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")


def test_build_before_our_own_edit_is_not_current():
    older = build(created=MORNING)
    assert match(edited(build_before=older.identity), older) == (BuildMatch.UNPROVEN, "layered-a")


def test_build_that_our_edit_did_not_record_is_current():
    older, newer = build("layered-a"), build("layered-b", state="Building", created=NOON)
    assert match(edited(build="layered-b", build_before=older.identity), older, newer) == (
        BuildMatch.PROVEN,
        "layered-b",
    )


def test_build_with_reused_name_is_not_mistaken_for_previous_build():
    again = build(uid="2", state="Building", created=NOON)
    assert match(edited(build_before="layered-a/1"), again) == (BuildMatch.PROVEN, "layered-a")


def test_old_build_is_current_again_once_the_status_has_its_digest_for_this_generation():
    old, other = build("layered-a", created=MORNING), build("layered-b", created=MORNING)
    back = {"generation": 3, "image": image_of("a"), "edits": [("kubectl-edit", NOON)], "build": "layered-a"}
    assert match(config(observed_generation=3, **back), old, other) == (BuildMatch.PROVEN, "layered-a")
    assert match(config(observed_generation=2, **back), old, other) == (BuildMatch.UNPROVEN, "layered-a")


def test_status_for_this_generation_proves_no_build_of_another_image():
    current = edited(observed_generation=2, image=image_of("b"))
    assert match(current, build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")


def test_status_for_this_generation_without_an_image_proves_nothing():
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
def test_build_younger_than_the_last_edit_is_current(created, known):
    assert match(edited(build="layered-b"), build("layered-b", created=created)) == (known, "layered-b")


def test_age_proves_nothing_without_the_time_of_the_edit():
    assert match(edited(edits=[]), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_age_decides_if_our_edit_recorded_no_build():
    bare = edited(build_before="none", image="")
    assert match(bare, build(created=MORNING)) == (BuildMatch.UNPROVEN, "layered-a")
    assert match(bare, build(created=LATER)) == (BuildMatch.PROVEN, "layered-a")


def test_build_whose_digest_was_published_for_an_earlier_generation_is_not_current():
    """The API server stamps no edit that only takes a field away."""
    assert match(edited(observed_generation=1), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_build_that_our_edit_recorded_is_not_current_whatever_its_age():
    marked = edited(build_before=build().identity, image="")
    assert match(marked, build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_build_of_a_deleted_config_with_the_same_name_is_not_current():
    older = replace(build(), config_uid="uid-of-another")
    assert current_build(config(build="layered-a"), [older], RENDERED) == (BuildMatch.NONE_YET, None)


def test_record_of_our_edit_proves_nothing_after_an_edit_by_another_client():
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
def test_image_is_current_if_the_current_build_succeeded_and_its_digest_was_published(of, built, current):
    assert image_is_current(of, *current_build(of, [built], RENDERED)) is current


def test_edit_records_the_named_build():
    older, newer = build("layered-a", uid="1", created=MORNING), build("layered-b", created=NOON)
    assert build_before_mark(config(build="layered-a"), [newer, older]) == "layered-a/1"


def test_edit_records_each_build_that_the_operator_may_still_name():
    running, waiting = build("layered-b", uid="1", state="Building"), build("layered-a", uid="2", state="")
    ended, foreign = build("layered-c", state="Failed"), build("other-c", config="other", state="")
    assert build_before_mark(config(), [running, waiting, ended, foreign]) == "layered-a/2,layered-b/1"


def test_edit_before_any_build_records_none():
    assert build_before_mark(config(), []) == "none"


@given(st.sampled_from(["layered-a", "layered-b", "gone", ""]), st.permutations(["layered-a", "layered-b"]))
def test_no_build_before_our_edit_is_current_after_it(named, names):
    builds = [build(name, created=MORNING) for name in names]
    mark = build_before_mark(config(build=named), builds)
    after = edited(build=named, build_before=mark, image=image_of("a"))
    assert match(after, *builds)[0] is not BuildMatch.PROVEN
