# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.verdict import (
    Answer,
    Expected,
    NodeVerdict,
    Verdict,
    judge,
    summarize,
    worst,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    booted_image,
    deployment,
    digest_of,
    image_of,
    node,
    node_with_image,
    rpm_ostree_status,
)
from hypothesis import given
from hypothesis import strategies as st

EXPECTED = Expected.of_pull_spec(image_of("a"), "machineosconfig")
NODE = NodeState.from_api(node_with_image("a"))


def judged(*deployments: dict, expected: Expected = EXPECTED, node_state: NodeState = NODE) -> NodeVerdict:
    return judge(node_state, expected, Answer(0, rpm_ostree_status(*deployments)))


def ids(verdict: NodeVerdict) -> list[str]:
    return [finding.id for finding in verdict.findings]


@pytest.mark.parametrize(
    "entry",
    [
        booted_image("a"),
        # what is asked for is a manifest list, what is booted its image for the node's architecture
        deployment(f"ostree-unverified-registry:{image_of('a')}", digest_of("b")),
        # and the other way round
        deployment(f"ostree-unverified-registry:{image_of('b')}", digest_of("a")),
        deployment(f"ostree-unverified-registry:{image_of('a')}"),
        deployment("ostree-unverified-registry:quay.io/os:4.20", digest_of("a")),
        deployment(f"ostree-unverified-image:containers-storage:{image_of('a')}", digest_of("a")),
        # pulled through a mirror
        deployment(f"ostree-unverified-registry:mirror.example.com/os@{digest_of('a')}", digest_of("a")),
    ],
)
def test_a_node_that_booted_the_digest_matches_whatever_the_name(entry):
    verdict = judged(entry, deployment(f"ostree-unverified-registry:{image_of('c')}", booted=False))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MATCH, [])


@pytest.mark.parametrize(
    ("entries", "finding"),
    [
        ([booted_image("b")], "node.image_differs"),
        ([booted_image("b"), {**booted_image("a"), "booted": False, "staged": True}], "node.image_staged"),
        ([booted_image("b"), {**booted_image("a"), "booted": False}], "node.image_differs"),
        ([deployment("ostree-unverified-registry:quay.io/os:4.20", digest_of("b"))], "node.image_differs"),
        ([deployment(origin="fedora:fedora/x86_64/coreos")], "node.not_container"),
        ([deployment()], "node.not_container"),
        ([deployment(f"pivot://{image_of('a')}", digest_of("a"))], "node.not_container"),
        ([deployment(None, digest_of("a"))], "node.not_container"),
    ],
)
def test_a_node_that_booted_something_else_is_a_mismatch(entries, finding):
    verdict = judged(*entries, node_state=NodeState.from_api(node()))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MISMATCH, [finding])


def test_a_tag_alone_proves_nothing():
    verdict = judged(deployment("ostree-unverified-registry:quay.io/os:4.20"), node_state=NodeState.from_api(node()))
    assert (verdict.verdict, ids(verdict)) == (Verdict.UNKNOWN, ["node.no_digest"])


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        (Answer(failure="node.no_daemon_pod", failure_message="no pod"), "node.no_daemon_pod"),
        (Answer(failure="node.no_answer", stdout=rpm_ostree_status(booted_image("a"))), "node.no_answer"),
        # complete output without an exit status is still not proof
        (Answer(None, rpm_ostree_status(booted_image("a"))), "node.exec_failed"),
        (Answer(1, rpm_ostree_status(booted_image("a"))), "node.command_failed"),
        (Answer(1, "", "error: Timeout was reached"), "node.command_failed"),
        (Answer(0, ""), "node.answer_unreadable"),
        (Answer(0, "[]"), "node.answer_unreadable"),
        (Answer(0, "warning: x\n" + rpm_ostree_status(booted_image("a"))), "node.answer_unreadable"),
        (Answer(0, rpm_ostree_status()), "node.no_booted_deployment"),
        (Answer(0, rpm_ostree_status(booted_image("a"), booted_image("a"))), "node.no_booted_deployment"),
        (Answer(0, rpm_ostree_status({**booted_image("a"), "booted": False})), "node.no_booted_deployment"),
    ],
)
def test_an_answer_that_proves_nothing_is_unknown(answer, finding):
    verdict = judge(NODE, EXPECTED, answer)
    assert (verdict.verdict, ids(verdict), verdict.booted) == (Verdict.UNKNOWN, [finding], None)


def test_a_failed_command_is_told_by_its_own_last_words():
    verdict = judge(NODE, EXPECTED, Answer(1, "unit status\n", "warning: x\nerror: Timeout was reached\n"))
    assert verdict.findings[0].message == "rpm-ostree status exited with 1: error: Timeout was reached"
    silent = judge(NODE, EXPECTED, Answer(127))
    assert silent.findings[0].message == "rpm-ostree status exited with 127"


@pytest.mark.parametrize("letter", ["a", "b"])
def test_nothing_matches_an_expectation_that_is_not_current(letter):
    stale = replace(EXPECTED, current=False)
    verdict = judged(booted_image(letter), expected=stale, node_state=NodeState.from_api(node()))
    assert (verdict.verdict, ids(verdict)) == (Verdict.UNKNOWN, ["cluster.expectation_not_current"])
    assert verdict.booted is not None


def test_no_image_yet_is_an_expectation_that_nothing_matches():
    verdict = judged(booted_image("a"), expected=Expected("", "", "machineosconfig", current=False))
    assert verdict.verdict is Verdict.UNKNOWN


def test_local_changes_are_a_warning_beside_the_match():
    verdict = judged(booted_image("a", **{"requested-packages": ["htop"]}))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MATCH, ["node.local_changes"])
    assert verdict.findings[0].severity.value == "warning"


@pytest.mark.parametrize("claimed", ["a", "b"])
def test_annotations_never_decide(claimed):
    claim = NodeState.from_api(node_with_image(claimed))
    assert judged(booted_image("a"), node_state=claim).verdict is Verdict.MATCH
    assert judged(booted_image("b"), node_state=claim).verdict is Verdict.MISMATCH


def test_an_annotation_that_disagrees_with_the_boot_is_a_warning():
    verdict = judged(booted_image("a"), node_state=NodeState.from_api(node_with_image("b")))
    assert (verdict.verdict, ids(verdict)) == (Verdict.MATCH, ["node.annotation_disagrees"])
    assert verdict.findings[0].evidence == image_of("b")


@pytest.mark.parametrize("claim", ["", "no image", f"quay.io/os:{4.20}"])
def test_an_annotation_that_names_no_digest_disagrees_with_nothing(claim):
    state = NodeState.from_api(node(annotations={"currentImage": claim}))
    assert judged(booted_image("a"), node_state=state).findings == ()


# What the caller may expect -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("given_spec", [image_of("a"), f"quay.io/os:4.20@{digest_of('a')}", digest_of("a")])
def test_an_expectation_is_a_digest_with_or_without_a_name(given_spec):
    expected = Expected.of_pull_spec(given_spec, "option")
    assert (expected.pull_spec, expected.digest, expected.current) == (given_spec, digest_of("a"), True)


@pytest.mark.parametrize("given_spec", ["", "quay.io/os:4.20", "quay.io/os", "sha256:abc", digest_of("a") + " ", "a@b"])
def test_an_expectation_without_a_digest_is_refused(given_spec):
    with pytest.raises(ValueError, match=r"digest|not the name"):
        Expected.of_pull_spec(given_spec, "option")


# The verdict of the whole -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "whole"),
    [
        ([], None),
        (["match"], "match"),
        (["match", "mismatch"], "mismatch"),
        (["mismatch", "unknown", "match"], "unknown"),
    ],
)
def test_the_worst_verdict_is_the_one_of_the_whole(verdicts, whole):
    assert worst(map(Verdict, verdicts)) == (Verdict(whole) if whole else None)


def test_verdicts_are_counted():
    assert summarize(map(Verdict, ["match", "unknown", "match"])) == {
        "total": 3,
        "match": 2,
        "mismatch": 0,
        "unknown": 1,
    }


# Whatever a node answers --------------------------------------------------------------------------------------------


@given(st.binary(max_size=200), st.binary(max_size=50), st.none() | st.integers(-1, 255))
def test_any_bytes_are_judged_and_none_match(stdout, stderr, exit_status):
    answer = Answer(exit_status, stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace"))
    assert judge(NODE, EXPECTED, answer).verdict is Verdict.UNKNOWN


_REFERENCES = st.builds(
    "{}{}{}".format,
    st.sampled_from(
        [
            "",
            "ostree-unverified-registry:",
            "ostree-unverified-image:docker://",
            "ostree-unverified-image:containers-storage:",
            "ostree-remote-registry:x:",
            "pivot://",
        ]
    ),
    st.sampled_from(["quay.io/os", "os", "", "registry:5000/os", digest_of("a"), "quay.io/os:" + "a" * 64]),
    st.sampled_from(["", "@" + digest_of("b"), "@" + digest_of("a")[:-1], "@sha512:" + "a" * 64, ":t", "@"]),
)
_RESOLVED = st.none() | st.sampled_from([digest_of("b"), digest_of("a")[:-1], digest_of("a").upper(), "", 7])


@given(_REFERENCES, _RESOLVED, st.booleans(), st.sampled_from([None, "none", "hotfix"]))
def test_nothing_that_lacks_the_digest_matches(reference, resolved, with_staged, unlocked):
    entry = {"booted": True, "container-image-reference": reference, "unlocked": unlocked}
    if resolved is not None:
        entry["container-image-reference-digest"] = resolved
    others = [{**booted_image("a"), "booted": False, "staged": with_staged}]
    answer = Answer(0, json.dumps({"deployments": [*others, entry]}))
    assert judge(NODE, EXPECTED, answer).verdict is not Verdict.MATCH
