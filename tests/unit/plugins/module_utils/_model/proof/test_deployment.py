# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.deployment import (
    Deployment,
    Origin,
    UnreadableStatus,
    read_status,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    booted_image,
    deployment,
    digest_of,
    image_of,
    rpm_ostree_status,
)
from hypothesis import given
from hypothesis import strategies as st

STAGED = deployment(f"ostree-unverified-registry:{image_of('b')}", digest_of("b"), booted=False, staged=True)
ROLLBACK = deployment(f"ostree-unverified-registry:{image_of('c')}", digest_of("c"), booted=False)


def booted(entry: dict) -> Deployment:
    return read_status(rpm_ostree_status(entry)).booted


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
def test_the_booted_deployment_is_the_one_that_says_so_in_any_position(order):
    entries = [booted_image("a"), STAGED, ROLLBACK]
    status = read_status(rpm_ostree_status(*(entries[i] for i in order)))
    assert status.booted.digests == {digest_of("a")}


@pytest.mark.parametrize(
    ("entries", "finding", "message"),
    [
        ([], "node.no_deployments", "rpm-ostree reports no deployments"),
        ([STAGED], "node.no_booted_deployment", "none of 1 deployments is booted"),
        ([ROLLBACK, STAGED], "node.no_booted_deployment", "none of 2 deployments is booted"),
        ([deployment(booted=None)], "node.no_booted_deployment", "none of 1 deployments is booted"),
        ([{"booted": None}], "node.no_booted_deployment", "none of 1 deployments is booted"),
        ([{}], "node.no_booted_deployment", "none of 1 deployments is booted"),
        (
            [booted_image("a"), booted_image("b")],
            "node.several_booted_deployments",
            "2 of 2 deployments are booted",
        ),
        (
            [booted_image("a"), booted_image("a"), STAGED],
            "node.several_booted_deployments",
            "2 of 3 deployments are booted",
        ),
    ],
)
def test_not_exactly_one_booted_deployment_proves_nothing(entries, finding, message):
    with pytest.raises(UnreadableStatus) as unreadable:
        read_status(rpm_ostree_status(*entries))
    assert (unreadable.value.finding, str(unreadable.value)) == (finding, message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the output cannot be parsed: it is not JSON"),
        ("State: idle\nDeployments:\n● ostree-unverified-registry:quay.io/os\n", "the output cannot be parsed: it is "),
        # a warning before the answer, and an answer that was cut off
        (
            "warning: Failed to query journal\n" + rpm_ostree_status(booted_image("a")),
            "the output cannot be parsed: it is ",
        ),
        (rpm_ostree_status(booted_image("a")) + "warning", "the output cannot be parsed: it is "),
        (rpm_ostree_status(booted_image("a"))[:-1], "the output cannot be parsed: it is "),
        ("[" * 100_000, "the output cannot be parsed: it is "),
        ("1" * 10_000, "the output cannot be parsed: it is "),
        ("null", "the output is not a JSON object"),
        ("[]", "the output is not a JSON object"),
        ('"deployments"', "the output is not a JSON object"),
        ("{}", "the output has no list of deployments"),
        ('{"deployments": null}', "the output has no list of deployments"),
        ('{"deployments": {}}', "the output has no list of deployments"),
        ('{"deployments": ["a"]}', "the output has no list of deployments"),
        (rpm_ostree_status(booted_image("a"), None), "the output has no list of deployments"),
        (rpm_ostree_status(deployment(booted="true")), "booted of a deployment is not a boolean"),
        (rpm_ostree_status(booted_image("a", staged=1)), "staged of a deployment is not a boolean"),
        (
            rpm_ostree_status(booted_image("a", **{"finalization-locked": []})),
            "finalization-locked of a deployment is not a boolean",
        ),
    ],
    ids=range(18),
)
def test_what_is_not_the_json_of_rpm_ostree_is_unreadable(text, message):
    with pytest.raises(UnreadableStatus) as unreadable:
        read_status(text)
    assert unreadable.value.finding == "node.output_unreadable"
    assert str(unreadable.value).startswith(message)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([booted_image("a")] + [deployment()] * 100, "the output lists more than 100 deployments"),
        (
            [booted_image("a", packages=[f"p{n}" for n in range(5001)])],
            "a deployment has more than 5000 local changes",
        ),
        (
            [booted_image("a", **{"base-local-replacements": [[]] * 5001})],
            "a deployment has more than 5000 local changes",
        ),
    ],
)
def test_an_answer_of_more_parts_than_a_node_has_is_unreadable_and_not_cut(entries, message):
    with pytest.raises(UnreadableStatus) as unreadable:
        read_status(rpm_ostree_status(*entries))
    assert (unreadable.value.finding, str(unreadable.value)) == ("node.output_unreadable", message)


@pytest.mark.parametrize("remote", ["r" * 3000, "\x1b[2J", "\ud800"])
def test_a_reference_that_cannot_be_shown_is_none(remote):
    reference = f"ostree-remote-image:{remote}:oci:/some/path"
    booted = read_status(rpm_ostree_status(deployment(booted=True, **{"container-image-reference": reference}))).booted
    assert (booted.origin, booted.reference) == (Origin.UNREADABLE, "")
    assert len(booted.source) <= 300
    assert booted.source.isprintable()


def test_unknown_keys_do_not_matter():
    answer = rpm_ostree_status(booted_image("a", news=[1]), **{"update-driver": 1, "cached-update": {"x": 1}})
    assert read_status(answer).booted.digests == {digest_of("a")}


def test_everything_but_booted_may_be_missing():
    status = read_status('{"deployments": [{"booted": true}]}')
    assert status.booted == Deployment(
        booted=True,
        staged=False,
        locked=False,
        origin=Origin.UNNAMED,
        source="",
        image=None,
        resolved_digest="",
        digests=frozenset(),
        version="",
        end_of_life="",
        deviations=(),
    )
    assert status.booted.reference == ""
    assert (status.pending, status.transaction) == ((), "")


@pytest.mark.parametrize(
    ("transaction", "doing"),
    [
        (None, ""),
        ([], ""),
        (["rebase", ":1.5", "/x"], "rebase"),
        ([""], "unnamed"),
        ([7], "unnamed"),
        ("rebase", "unnamed"),
    ],
)
def test_what_rpm_ostree_is_doing_is_read(transaction, doing):
    assert read_status(rpm_ostree_status(booted_image("a"), transaction=transaction)).transaction == doing


# What waits for a boot ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "waiting"),
    [
        ([booted_image("a")], ""),
        ([booted_image("a"), ROLLBACK], ""),
        ([STAGED, booted_image("a"), ROLLBACK], "b"),
        # the boot order was turned round, so nothing is staged and yet another one comes next
        ([ROLLBACK, booted_image("a")], "c"),
        ([booted_image("a"), STAGED], "b"),
        ([STAGED, ROLLBACK, booted_image("a")], "bc"),
    ],
)
def test_what_stands_before_the_booted_one_or_is_staged_waits(entries, waiting):
    status = read_status(rpm_ostree_status(*entries))
    assert [d.digests for d in status.pending] == [{digest_of(letter)} for letter in waiting]


def test_a_staged_deployment_may_be_locked():
    locked = {**STAGED, "finalization-locked": True}
    status = read_status(rpm_ostree_status(locked, booted_image("a")))
    assert [(d.booted, d.staged, d.locked) for d in (*status.pending, status.booted)] == [
        (False, True, True),
        (True, False, False),
    ]


# What it was made from ----------------------------------------------------------------------------------------------


def test_a_manifest_list_has_two_digests_and_both_count():
    entry = deployment(f"ostree-unverified-registry:{image_of('a')}", digest_of("b"))
    assert booted(entry).digests == {digest_of("a"), digest_of("b")}


def test_a_tag_has_the_digest_that_was_imported():
    entry = deployment("ostree-unverified-registry:quay.io/os:4.20", digest_of("b"))
    assert booted(entry).digests == {digest_of("b")}


@pytest.mark.parametrize("resolved", [None, "", "unknown", digest_of("b")[:-1], digest_of("b").upper()])
def test_a_reference_keeps_its_digest_when_the_imported_one_cannot_be_read(resolved):
    entry = deployment(f"ostree-unverified-registry:{image_of('a')}", resolved)
    assert booted(entry).digests == {digest_of("a")}
    assert booted(entry).resolved_digest == ""


def test_the_nodes_container_storage_is_another_spelling_of_the_same_image():
    entry = deployment(f"ostree-unverified-image:containers-storage:{image_of('a')}", digest_of("a"))
    assert str(booted(entry).image) == image_of("a")


@pytest.mark.parametrize("name", ["containers-storage:" + digest_of("a"), "oci:/var/tmp/os"])
def test_an_image_without_a_name_has_the_digest_that_was_imported_only(name):
    reference = f"ostree-unverified-image:{name}"
    entry = booted(deployment(reference, digest_of("b")))
    assert (entry.origin, entry.image, entry.digests) == (Origin.CONTAINER, None, {digest_of("b")})
    assert (entry.source, entry.reference) == (reference, reference)


def test_a_note_of_a_custom_origin_beside_a_container_reference_says_nothing():
    entry = booted(booted_image("a", **{"custom-origin": ["pivot://" + image_of("b"), "x"]}))
    assert (entry.origin, entry.digests) == (Origin.CONTAINER, {digest_of("a")})


@pytest.mark.parametrize(
    ("entry", "origin", "source"),
    [
        (deployment(origin="fedora:fedora/x86_64/stable"), Origin.BRANCH, "fedora:fedora/x86_64/stable"),
        (deployment(origin="4f1c" * 16), Origin.COMMIT, "4f1c" * 16),
        (deployment(origin="4f1c" * 16 + "0"), Origin.BRANCH, "4f1c" * 16 + "0"),
        (
            deployment(**{"custom-origin": ["pivot://" + image_of("a"), "Managed by machine-config-operator"]}),
            Origin.PIVOT,
            "pivot://" + image_of("a"),
        ),
        (deployment(origin="pivot://x"), Origin.PIVOT, "pivot://x"),
        (deployment(f"pivot://{image_of('a')}", digest_of("a")), Origin.PIVOT, f"pivot://{image_of('a')}"),
        (deployment(**{"custom-origin": ["my own", "x"]}), Origin.BRANCH, "my own"),
        (deployment(**{"custom-origin": []}), Origin.UNNAMED, ""),
        (deployment(**{"custom-origin": {"a": 1}, "origin": 7}), Origin.UNNAMED, ""),
        (deployment(), Origin.UNNAMED, ""),
        (deployment("", digest_of("a")), Origin.UNNAMED, ""),
        (deployment("no image at all"), Origin.UNREADABLE, "no image at all"),
        (deployment(image_of("a"), digest_of("a")), Origin.UNREADABLE, image_of("a")),
        (deployment(7, digest_of("a")), Origin.UNREADABLE, ""),
        (
            deployment("pivot:\x1b[31m\n"),
            Origin.UNREADABLE,
            "pivot:\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}",
        ),
    ],
)
def test_what_is_not_made_from_a_container_image_is_told_apart(entry, origin, source):
    read = booted(entry)
    assert (read.origin, read.source, read.image, read.reference) == (origin, source, None, "")
    assert read.digests == frozenset()


def test_what_a_node_says_of_itself_can_be_shown():
    read = booted(booted_image("a", version="9.6\x07", endoflife="\ud800 old"))
    assert read.version == "9.6\N{REPLACEMENT CHARACTER}"
    assert read.end_of_life == "\N{REPLACEMENT CHARACTER} old"
    assert booted(booted_image("a", version=9.6)).version == ""


# Whatever a node answers --------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from(
    [
        *booted_image("a"),
        "custom-origin",
        "origin",
        "live-replaced",
        "base-removals",
        "base-local-replacements",
        "requested-base-remote-replacements",
        "finalization-locked",
        "base-checksum",
        "news",
    ]
)


@given(st.lists(st.dictionaries(_KEYS, _JSON, max_size=8), max_size=3), st.integers(0, 3), _JSON)
def test_values_of_any_type_are_read_or_refused(entries, place, transaction):
    for number, entry in enumerate(entries):
        entry["booted"] = number == place
    try:
        status = read_status(json.dumps({"deployments": entries, "transaction": transaction}))
    except UnreadableStatus:
        return
    assert status.booted.booted
    assert not any(d.booted for d in status.pending)
    assert all(d.source.isprintable() and d.version.isprintable() for d in (status.booted, *status.pending))


_BOOTED_FLAGS = st.lists(st.sampled_from([True, False, None]), max_size=4)


@given(_BOOTED_FLAGS, st.permutations([0, 1, 2, 3]))
def test_exactly_one_booted_deployment_is_demanded_wherever_it_stands(flags, letters):
    entries = [booted_image("abcd"[letter], booted=flag) for flag, letter in zip(flags, letters)]
    answer = rpm_ostree_status(*entries)
    if flags.count(True) == 1:
        place = flags.index(True)
        assert read_status(answer).booted.digests == {digest_of("abcd"[letters[place]])}
        assert len(read_status(answer).pending) == place
        return
    with pytest.raises(UnreadableStatus):
        read_status(answer)
