# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.deployment import (
    UnreadableAnswer,
    read_deployments,
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


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]])
def test_the_booted_deployment_is_the_one_that_says_so_in_any_position(order):
    entries = [booted_image("a"), STAGED, ROLLBACK]
    deployments = read_deployments(rpm_ostree_status(*(entries[i] for i in order)))
    (booted,) = (d for d in deployments if d.booted)
    assert booted.digests == {digest_of("a")}


@pytest.mark.parametrize(
    ("entries", "counted"),
    [
        ([], "0 of 0"),
        ([STAGED], "0 of 1"),
        ([ROLLBACK, STAGED], "0 of 2"),
        ([booted_image("a"), booted_image("b")], "2 of 2"),
        ([deployment(booted=None)], "0 of 1"),
        ([{}], "0 of 1"),
        ([deployment(booted="true")], "0 of 1"),
    ],
)
def test_not_exactly_one_booted_deployment_proves_nothing(entries, counted):
    with pytest.raises(UnreadableAnswer, match=f"{counted} deployments are booted") as unreadable:
        read_deployments(rpm_ostree_status(*entries))
    assert unreadable.value.finding == "node.no_booted_deployment"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "State: idle\nDeployments:\n● ostree-unverified-registry:quay.io/os\n",
        # a warning before the answer, and an answer that was cut off
        "warning: Failed to query journal\n" + rpm_ostree_status(booted_image("a")),
        rpm_ostree_status(booted_image("a"))[:-1],
        "null",
        "[]",
        '"deployments"',
        "{}",
        '{"deployments": null}',
        '{"deployments": {}}',
        '{"deployments": ["a"]}',
        "[" * 100_000,
    ],
    ids=range(12),
)
def test_what_is_not_the_json_of_rpm_ostree_is_unreadable(text):
    with pytest.raises(UnreadableAnswer) as unreadable:
        read_deployments(text)
    assert unreadable.value.finding == "node.answer_unreadable"


def test_unknown_keys_and_a_transaction_do_not_matter():
    answer = rpm_ostree_status(
        booted_image("a", news=[1]), transaction=["rebase", ":1.5", "/x"], **{"update-driver": 1}
    )
    (booted,) = read_deployments(answer)
    assert booted.digests == {digest_of("a")}


def test_everything_but_booted_may_be_missing():
    (booted,) = read_deployments('{"deployments": [{"booted": true}]}')
    assert (booted.staged, booted.reference, booted.version, booted.local_changes) == (False, "", "", ())
    assert (booted.image, booted.digests) == (None, frozenset())


def test_a_manifest_list_has_two_digests_and_both_count():
    entry = deployment(f"ostree-unverified-registry:{image_of('a')}", digest_of("b"))
    (booted,) = read_deployments(rpm_ostree_status(entry))
    assert booted.digests == {digest_of("a"), digest_of("b")}


def test_a_tag_has_the_digest_that_was_imported():
    entry = deployment("ostree-unverified-registry:quay.io/os:4.20", digest_of("b"))
    (booted,) = read_deployments(rpm_ostree_status(entry))
    assert booted.digests == {digest_of("b")}


def test_a_reference_keeps_its_digest_when_the_imported_one_cannot_be_read():
    entry = deployment(f"ostree-unverified-registry:{image_of('a')}")
    (booted,) = read_deployments(rpm_ostree_status(entry))
    assert booted.digests == {digest_of("a")}


def test_the_nodes_container_storage_is_another_spelling_of_the_same_image():
    entry = deployment(f"ostree-unverified-image:containers-storage:{image_of('a')}", digest_of("a"))
    (booted,) = read_deployments(rpm_ostree_status(entry))
    assert str(booted.image) == image_of("a")


@pytest.mark.parametrize(
    "entry",
    [
        deployment(origin="fedora:fedora/x86_64/coreos/stable"),
        deployment(**{"custom-origin": ["pivot://" + image_of("a"), "Managed by machine-config-operator"]}),
        deployment("ostree-unverified-image:oci:/var/tmp/os"),
        deployment("no image at all"),
    ],
)
def test_what_is_not_booted_from_a_registry_has_no_image(entry):
    (booted,) = read_deployments(rpm_ostree_status(entry))
    assert booted.image is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"requested-packages": ["htop"]}, "requested-packages"),
        ({"requested-local-packages": ["x.rpm"]}, "requested-local-packages"),
        ({"requested-local-fileoverride-packages": ["x.rpm"]}, "requested-local-fileoverride-packages"),
        ({"requested-base-removals": ["vim"]}, "requested-base-removals"),
        ({"requested-base-local-replacements": ["kernel"]}, "requested-base-local-replacements"),
        ({"requested-base-remote-replacements": {"repo": ["kernel"]}}, "requested-base-remote-replacements"),
        ({"regenerate-initramfs": True}, "regenerate-initramfs"),
        ({"initramfs-args": ["--add", "x"]}, "initramfs-args"),
        ({"initramfs-etc": ["/etc/x"]}, "initramfs-etc"),
        ({"live-inprogress": "4f1c"}, "live-inprogress"),
        ({"live-replaced": "4f1c"}, "live-replaced"),
        ({"unlocked": "development"}, "unlocked"),
        ({"unlocked": "hotfix"}, "unlocked"),
        ({"unlocked": "transient"}, "unlocked"),
    ],
)
def test_what_changes_the_image_on_the_node_is_named(change, named):
    (booted,) = read_deployments(rpm_ostree_status(booted_image("a", **change)))
    assert booted.local_changes == (named,)


@pytest.mark.parametrize("nothing", [{}, {"unlocked": None}, {"unlocked": ""}, {"requested-packages": None}])
def test_a_plain_image_has_no_local_changes(nothing):
    (booted,) = read_deployments(rpm_ostree_status({**booted_image("a"), **nothing}))
    assert booted.local_changes == ()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
_KEYS = st.sampled_from([*booted_image("a"), "live-replaced", "requested-base-remote-replacements", "news"])


@given(st.lists(st.dictionaries(_KEYS, _JSON, max_size=8), max_size=3))
def test_values_of_any_type_are_read_or_refused(entries):
    try:
        deployments = read_deployments(json.dumps({"deployments": entries}))
    except UnreadableAnswer:
        return
    assert sum(d.booted for d in deployments) == 1
    assert all(isinstance(d.digests, frozenset) for d in deployments)
