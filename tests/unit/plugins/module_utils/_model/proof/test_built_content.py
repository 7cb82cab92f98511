# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import ANY_RUN, RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.built_content import (
    MAX_CHARACTERS,
    BuiltContent,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.expectation import (
    PoolExpectation,
    expectation_of_config,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Expected, Verdict
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    MCO,
    OLD_RENDERED,
    digest_of,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
)
from hypothesis import given
from hypothesis import strategies as st

TEXT = "FROM configs AS final\nRUN dnf install -y tcpdump\n"
MATCHING = (Verdict.MATCH,)


def config(text: t.Any = TEXT, **options: t.Any) -> dict[str, t.Any]:
    """Return a MachineOSConfig whose status has the image of build layered-a."""
    whole = {"build": "layered-a", "image": image_of("a"), "observed_generation": 1, **options}
    return machine_os_config(containerfile=text, **whole)


def build(name: str = "layered-a", job: bool = True, seeded: bool = False, **options: t.Any) -> dict[str, t.Any]:
    """Return a build that succeeded."""
    made = machine_os_build(name, **options)
    if not job:
        del made["status"]["builder"]
    if seeded:
        made["metadata"]["labels"][MCO + "pre-built-image"] = "true"
    return made


def read(obj: t.Mapping[str, t.Any], *builds: t.Any, run: RunSpec = ANY_RUN) -> PoolExpectation:
    pool = Pool.from_api(machine_config_pool())
    return expectation_of_config(MachineOSConfig.from_api(obj), builds, pool, run)


def content(obj: t.Mapping[str, t.Any], *builds: t.Any, verdicts: t.Collection[Verdict] = MATCHING) -> BuiltContent:
    """Return the Containerfile that a verification with these verdicts reports."""
    expectation = read(obj, *builds)
    found = expectation.content_for(expectation.expected, verdicts)
    assert found is not None
    return found


def test_image_of_the_current_build_is_proven_to_be_built_from_the_text():
    found = content(config(), build())
    assert found == BuiltContent("layered", hashlib.sha256(TEXT.encode()).hexdigest(), TEXT, is_exact=True)
    assert found.is_proven


def test_one_matching_node_of_several_is_enough():
    assert content(config(), build(), verdicts=list(Verdict)).is_proven


# Never proven --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdicts", [(), (Verdict.MISMATCH,), (Verdict.UNKNOWN,), (Verdict.MISMATCH, Verdict.UNKNOWN)])
def test_nothing_is_proven_if_no_node_matches(verdicts):
    found = content(config(), build(), verdicts=verdicts)
    assert found.why_not == "no node is proven to have booted the expected image"


def test_seeded_image_is_not_built_from_the_text():
    found = content(config(), build(seeded=True))
    assert found.why_not == "MachineOSBuild layered-a was seeded with an existing image"
    assert found.sha256


def test_seeded_image_that_a_later_build_took_over_is_not_built_from_the_text():
    taken_over = build("layered-b", job=False, image=image_of("a"), created=LATER)
    found = content(config(build="layered-b"), build(seeded=True, job=False, rendered=OLD_RENDERED), taken_over)
    assert found.why_not == f"no MachineOSBuild of the current spec has a Job that built {image_of('a')}"


def test_built_image_that_a_later_build_took_over_is_proven():
    taken_over = build("layered-b", job=False, image=image_of("a"), created=LATER)
    assert content(config(build="layered-b"), build(rendered=OLD_RENDERED), taken_over).is_proven


def test_job_of_an_earlier_spec_proves_nothing():
    edited = config(
        build="layered-b", generation=2, observed_generation=2, builds_before=["layered-a/uid-of-layered-a"]
    )
    proven = [{"specHash": MachineOSConfig.from_api(edited).spec_hash, "build": "x/y", "image": image_of("a")}]
    edited = config(
        build="layered-b",
        generation=2,
        observed_generation=2,
        builds_before=["layered-a/uid-of-layered-a"],
        proven=proven,
    )
    taken_over = build("layered-b", job=False, image=image_of("a"), created=LATER)
    found = content(edited, build(), taken_over)
    assert read(edited, build(), taken_over).expected.current
    assert found.why_not.startswith("no MachineOSBuild of the current spec has a Job that built ")


def test_job_of_a_deleted_machineosconfig_with_the_same_name_proves_nothing():
    other = build(rendered=OLD_RENDERED)
    other["metadata"]["ownerReferences"] = [{"uid": "another", "controller": True}]
    taken_over = build("layered-b", job=False, image=image_of("a"), created=LATER)
    assert not content(config(build="layered-b"), other, taken_over).is_proven


@pytest.mark.parametrize(
    ("obj", "builds", "reason"),
    [
        (config(generation=2, edits=[("oc", "9999")]), [build()], "may belong to an earlier spec"),
        (config(build="layered-b"), [machine_os_build("layered-b", state="Building")], "layered-b: building"),
        (config(build="layered-b"), [machine_os_build("layered-b", state="Failed")], "layered-b: failed"),
        (config(), [build(rendered=OLD_RENDERED)], "the operator has started no build yet"),
        (config(image=""), [build()], "layered-a succeeded, and the status of MachineOSConfig layered has no image"),
        (machine_os_config(), [], "the operator has started no build yet"),
    ],
)
def test_image_that_is_not_current_is_not_proven_and_the_reason_is_named(obj, builds, reason):
    found = content(obj, *builds)
    assert reason in found.why_not
    assert found.sha256


def test_image_of_another_build_than_the_one_of_the_run_is_not_proven():
    expectation = read(config(), build(), run=RunSpec(image=image_of("b")))
    found = expectation.content_for(expectation.expected, MATCHING)
    assert "the build of this run has the image" in found.why_not


@pytest.mark.parametrize("named", [image_of("b"), digest_of("b")])
def test_text_of_another_image_than_the_one_that_the_user_names_is_not_proven(named):
    expected = Expected.of_pull_spec(named, "option")
    found = read(config(), build()).content_for(expected, MATCHING)
    assert found.why_not == f"the nodes were compared with {named}, and the MachineOSConfig has {image_of('a')}"
    assert found.sha256


@pytest.mark.parametrize("named", [image_of("a"), digest_of("a"), "mirror.example.com/x@" + digest_of("a")])
def test_text_is_proven_if_the_user_names_its_image(named):
    assert read(config(), build()).content_for(Expected.of_pull_spec(named, "option"), MATCHING).is_proven


@pytest.mark.parametrize(("why_not", "reason"), [("", "the expected image is not current"), ("no", "no")])
def test_expected_image_that_is_not_current_proves_nothing(why_not, reason):
    expected = Expected(image_of("a"), digest_of("a"), "option", current=False, why_not=why_not)
    assert read(config(), build()).content_for(expected, MATCHING).why_not == reason


@pytest.mark.parametrize("text", [None, "", 7, {}])
def test_image_without_a_containerfile_has_no_hash(text):
    found = content(config(text), build())
    assert (found.sha256, found.text, found.is_exact) == ("", "", False)
    assert found.why_not == "MachineOSConfig layered has no Containerfile"


def test_pool_without_a_machineosconfig_has_no_content():
    expected = Expected.of_pull_spec(image_of("a"), "machineconfig")
    assert PoolExpectation(expected).content_for(expected, MATCHING) is None


# Text and hash -------------------------------------------------------------------------------------------------------


def test_credentials_are_masked_and_the_hash_is_of_the_exact_text():
    text = f"{TEXT}RUN curl -u \\\n    robot:hunter2 https://x\nENV TOKEN=hunter2\n"
    found = content(config(text), build())
    assert "hunter2" not in found.text
    assert (found.sha256, found.is_exact) == (hashlib.sha256(text.encode()).hexdigest(), False)
    assert found.is_proven


def test_text_that_is_too_long_is_cut_at_the_end_of_a_line_and_hashed_whole():
    text = TEXT + "RUN true\n" * 100_000
    found = content(config(text), build())
    assert text.startswith(found.text)
    assert MAX_CHARACTERS - 9 <= len(found.text) <= MAX_CHARACTERS
    assert found.text.endswith("\n")
    assert (found.sha256, found.is_exact) == (hashlib.sha256(text.encode()).hexdigest(), False)


def test_no_half_of_a_credential_is_shown_of_a_text_that_is_too_long():
    head = "#" * (MAX_CHARACTERS - 30)
    found = content(config(f"{head}\nRUN login --password hunter2hunter2hunter2\n"), build())
    assert "hunter" not in found.text
    assert content(config("x" * 5000), build()).text == ""


def test_text_of_the_length_that_the_api_allows_is_exact():
    text = "#" * MAX_CHARACTERS
    assert content(config(text), build()) == BuiltContent(
        "layered", hashlib.sha256(text.encode()).hexdigest(), text, is_exact=True
    )


def test_what_a_reader_would_not_see_is_escaped():
    found = content(config(f"{TEXT}# \x1b[2J\u202e\r\n"), build())
    assert found.text == f"{TEXT}# \\x1b[2J\\u202e\\x0d\n"
    assert not found.is_exact


@given(st.text(st.characters(exclude_categories=[]), min_size=1), st.integers(1, 3000))
def test_any_text_is_hashed_and_shown_in_a_bounded_size(text, times):
    found = content(config(text * times), build())
    assert len(found.sha256) == 64
    assert len(found.text) <= 10 * MAX_CHARACTERS
    assert all(c.isprintable() or c in "\n\t" for c in found.text)
    assert not found.is_exact or found.text == text * times


@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=[])))
def test_two_texts_have_two_hashes(one, other):
    hashes = {content(config(text + "\n"), build()).sha256 for text in (one, other)}
    assert len(hashes) == len({one, other})
