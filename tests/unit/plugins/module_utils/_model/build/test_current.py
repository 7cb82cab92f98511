# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.current import (
    BuildMatch,
    CurrentBuild,
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

MORNING = "2026-03-01T08:00:00Z"


def build(name: str = "layered-a", **more: str) -> MachineOSBuild:
    return MachineOSBuild.from_api(machine_os_build(name, **more))


def config(**more) -> MachineOSConfig:
    return MachineOSConfig.from_api(machine_os_config(**more))


def match(of: MachineOSConfig, *builds: MachineOSBuild) -> tuple[BuildMatch, str]:
    found = current_build(of, builds, RENDERED)
    return found.match, found.build.name if found.build else ""


def test_no_build_is_current_before_the_operator_starts_one():
    assert match(config()) == (BuildMatch.NONE_YET, "")
    assert match(config(), build(state="")) == (BuildMatch.NONE_YET, "layered-a")


def test_failed_build_is_current_although_the_operator_never_named_it():
    """The operator parses the Containerfile before it starts the Job."""
    assert match(config(), build(state="Failed")) == (BuildMatch.PROVEN, "layered-a")


def test_named_build_that_was_deleted_is_not_current():
    assert match(config(build="layered-a")) == (BuildMatch.NONE_YET, "")


def test_build_of_another_config_is_not_current():
    assert match(config(build="layered-a"), build(config="other")) == (BuildMatch.NONE_YET, "")


def test_build_of_another_rendered_config_is_not_current():
    assert match(config(build="layered-a"), build(rendered=OLD_RENDERED)) == (BuildMatch.NONE_YET, "layered-a")


@pytest.mark.parametrize("state", ["", *STATES])
def test_named_build_is_current_if_the_spec_was_never_edited(state):
    assert match(config(build="layered-a", generation=1), build(state=state)) == (BuildMatch.PROVEN, "layered-a")


def test_named_build_of_a_spec_that_was_never_edited_is_current_although_it_is_not_the_youngest():
    younger = build("layered-b", created=LATER)
    assert match(config(build="layered-a"), build(), younger) == (BuildMatch.PROVEN, "layered-a")
    assert match(config(), build(), younger) == (BuildMatch.PROVEN, "layered-b")


def edited(**more) -> MachineOSConfig:
    """Another client changed the spec at noon, and the status is still the one of the image before."""
    before = {"generation": 2, "observed_generation": 1, "image": image_of("a"), "edits": [("kubectl-edit", NOON)]}
    return config(**{"build": "layered-a", **before, **more})


def edited_by_us(*before: MachineOSBuild, **more) -> MachineOSConfig:
    """We changed the spec at noon, when there were these builds."""
    return edited(builds_before=[b.identity for b in before], edits=[("imagemode.openshift", NOON)], **more)


OLDER = build("layered-a", created=MORNING)


def test_build_before_our_edit_is_not_current_whatever_the_operator_writes():
    for more in ({}, {"observed_generation": 2}):
        assert match(edited_by_us(OLDER, **more), OLDER) == (BuildMatch.NONE_YET, "layered-a")


@pytest.mark.parametrize("named", ["layered-a", "layered-b", ""])
def test_build_after_our_edit_is_current_whatever_build_is_named(named):
    newer = build("layered-b", state="Building", created=NOON)
    assert match(edited_by_us(OLDER, build=named), OLDER, newer) == (BuildMatch.PROVEN, "layered-b")


def test_youngest_of_several_builds_after_our_edit_is_current():
    """A build of the spec before can be created a moment after an edit; the operator deletes it."""
    stale = build("layered-c", created=NOON)
    newer = build("layered-b", created=LATER)
    assert match(edited_by_us(OLDER, build="layered-c"), stale, OLDER, newer) == (BuildMatch.PROVEN, "layered-b")


def test_named_one_of_two_builds_of_one_second_is_current():
    assert match(edited_by_us(build="layered-a"), build("layered-a"), build("layered-b")) == (
        BuildMatch.PROVEN,
        "layered-a",
    )


def test_build_with_reused_name_is_not_mistaken_for_previous_build():
    again = build(uid="2", state="Building", created=NOON)
    assert match(edited_by_us(build(uid="1")), again) == (BuildMatch.PROVEN, "layered-a")


def proven(of: MachineOSBuild, spec: MachineOSConfig) -> dict[str, str]:
    return {"specHash": spec.spec_hash, "build": of.identity, "image": of.digested_image_push_spec}


def test_build_that_was_proven_for_the_same_spec_is_current_once_the_operator_names_it():
    failed = build("layered-b", state="Failed", created=MORNING)
    for named, known in (("layered-b", BuildMatch.NONE_YET), ("layered-a", BuildMatch.PROVEN)):
        back = edited_by_us(OLDER, failed, build=named, proven=[proven(OLDER, edited())])
        assert match(back, OLDER, failed)[0] is known


def test_build_that_was_proven_for_another_spec_is_not_current():
    other = {**proven(OLDER, edited()), "specHash": "sha256:" + "0" * 64}
    assert match(edited_by_us(OLDER, proven=[other]), OLDER) == (BuildMatch.NONE_YET, "layered-a")


def test_proven_build_stays_proven_if_another_client_returns_to_its_spec():
    returned = edited(generation=5, builds_before=[], proven=[proven(OLDER, edited())])
    returned = replace(returned, last_record=replace(returned.last_record, generation=2))
    assert returned.edit is None
    assert match(returned, OLDER) == (BuildMatch.PROVEN, "layered-a")


def test_no_older_build_is_current_once_a_build_after_the_edit_was_observed():
    back = edited_by_us(OLDER, proven=[proven(OLDER, edited())])
    assert current_build(back, [OLDER], RENDERED, observed_after_edit=True).match is BuildMatch.NONE_YET


def test_build_after_our_edit_with_the_image_of_the_spec_before_is_not_current():
    """For a config that needs no new image, the operator takes over the image in the status."""
    taken_over = build("layered-b", image=image_of("a"), created=LATER)
    for before in ([OLDER], []):
        of = edited_by_us(*before, image_before=image_of("a"))
        assert match(of, *before, taken_over) == (BuildMatch.OLDER_IMAGE, "layered-b")


def test_build_with_the_image_of_an_earlier_build_of_the_same_spec_is_current():
    taken_over = build("layered-b", image=image_of("a"), created=LATER)
    of = edited_by_us(OLDER, image_before=image_of("a"), proven=[proven(OLDER, edited())])
    assert match(of, OLDER, taken_over) == (BuildMatch.PROVEN, "layered-b")


def test_record_of_our_edit_proves_nothing_after_an_edit_by_another_client():
    since = edited_by_us(OLDER, build="layered-b")
    since = replace(since, generation=3)
    assert match(since, OLDER, build("layered-b", created=MORNING)) == (BuildMatch.UNPROVEN, "layered-b")


def test_record_that_was_copied_to_another_spec_proves_nothing():
    copied = replace(edited_by_us(OLDER), spec_hash="sha256:" + "0" * 64)
    assert match(copied, OLDER) == (BuildMatch.UNPROVEN, "layered-a")


@pytest.mark.parametrize(
    ("created", "known"),
    [
        (MORNING, BuildMatch.UNPROVEN),
        (NOON, BuildMatch.UNPROVEN),
        (LATER, BuildMatch.PROVEN),
        ("", BuildMatch.UNPROVEN),
    ],
)
def test_only_a_build_younger_than_the_edit_of_another_client_is_current(created, known):
    assert match(edited(build="layered-b"), build("layered-b", created=created)) == (known, "layered-b")


def test_status_of_this_generation_proves_nothing():
    """The operator writes the generation of the moment with any image."""
    assert match(edited(observed_generation=2), OLDER) == (BuildMatch.UNPROVEN, "layered-a")


def test_younger_build_is_not_current_if_its_image_was_published_for_an_earlier_generation():
    """The API server records no change that only takes a field of another client away."""
    assert match(edited(observed_generation=1), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")
    assert match(edited(observed_generation=2), build(created=LATER)) == (BuildMatch.PROVEN, "layered-a")


def test_age_proves_nothing_without_the_time_of_the_edit():
    assert match(edited(edits=[]), build(created=LATER)) == (BuildMatch.UNPROVEN, "layered-a")


def test_younger_build_with_the_image_of_an_older_one_is_not_current():
    taken_over = build("layered-b", image=image_of("a"), created=LATER)
    assert match(edited(build="layered-b"), OLDER, taken_over) == (BuildMatch.OLDER_IMAGE, "layered-b")


def test_build_of_a_deleted_config_with_the_same_name_is_not_current():
    older = replace(build(), config_uid="uid-of-another")
    assert current_build(config(build="layered-a"), [older], RENDERED) == CurrentBuild(BuildMatch.NONE_YET)


@pytest.mark.parametrize(
    ("of", "built", "current"),
    [
        (config(build="layered-a", image=image_of("a")), build(), True),
        (config(build="layered-a"), build(), False),
        (config(build="layered-a", image=image_of("b")), build(), False),
        (config(build="layered-a", image=image_of("a")), build(state="Building"), False),
        (edited(), OLDER, False),
        (edited(observed_generation=2), OLDER, False),
        (edited_by_us(observed_generation=1), build(), True),
        (config(image=image_of("a")), build(), True),
    ],
)
def test_image_is_current_if_the_current_build_succeeded_and_its_digest_was_published(of, built, current):
    assert image_is_current(of, current_build(of, [built], RENDERED)) is current


def test_build_after_an_edit_that_was_not_settled_can_be_one_of_an_earlier_spec():
    unsettled = edited_by_us(OLDER, settled=False)
    assert match(unsettled, OLDER, build("layered-b", state="Building"))[0] is BuildMatch.PROVEN
    for state in ("Succeeded", "Failed", "Interrupted"):
        assert match(unsettled, OLDER, build("layered-b", state=state)) == (BuildMatch.UNSETTLED, "layered-b")


def test_record_of_another_object_with_the_same_name_proves_nothing():
    copied = replace(edited_by_us(OLDER, proven=[proven(OLDER, edited())]), uid="another")
    assert (copied.edit, copied.proven_builds) == (None, ())


SOON = "2026-03-01T12:00:03Z"


@pytest.mark.parametrize(
    ("created", "state", "finished", "known"),
    [
        (SOON, "Building", "", BuildMatch.PROVEN),
        (SOON, "Succeeded", "2026-03-01T12:00:19Z", BuildMatch.UNPROVEN),
        (SOON, "Succeeded", "2026-03-01T12:00:20Z", BuildMatch.PROVEN),
        (SOON, "Failed", "", BuildMatch.UNPROVEN),
        ("2026-03-01T12:00:05Z", "Failed", "", BuildMatch.UNPROVEN),
        ("2026-03-01T12:00:06Z", "Failed", "", BuildMatch.PROVEN),
    ],
)
def test_build_soon_after_the_edit_of_another_client_can_be_one_of_the_spec_before(created, state, finished, known):
    """The operator reacts to each change after 5 s, and deletes an unfinished build when it reacts to the next."""
    found = replace(build("layered-b", state=state, created=created), finished=finished)
    assert match(edited(build="layered-b"), found) == (known, "layered-b")
