# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import (
    ProvenBuild,
    SpecEdit,
    creation_record,
    merged,
    read_spec_edit,
    spec_hash,
)
from hypothesis import given
from hypothesis import strategies as st

RECORD = SpecEdit(
    generation=3,
    spec_hash="sha256:1",
    builds=frozenset({"layered-a/1", "layered-b/2"}),
    image="registry.example.com/os@sha256:1",
    proven=(ProvenBuild("sha256:0", "layered-a/1", "registry.example.com/os@sha256:1"),),
)


def test_record_is_read_as_it_was_written():
    assert read_spec_edit(RECORD.annotation()) == RECORD


def test_record_of_a_creation_names_the_first_generation_and_no_build():
    record = read_spec_edit(creation_record({"machineConfigPool": {"name": "layered"}}))
    assert record == SpecEdit(1, spec_hash({"machineConfigPool": {"name": "layered"}}))


@pytest.mark.parametrize(
    "change",
    [
        {"generation": "3"},
        {"specHash": None},
        {"builds": "layered-a/1"},
        {"builds": [1]},
        {"builds": [{}]},
        {"image": 1},
        {"proven": {}},
        {"proven": ["layered-a/1"]},
        {"proven": [{"specHash": "x", "build": "y"}]},
    ],
)
def test_record_with_a_wrong_type_is_no_record(change):
    assert read_spec_edit(json.dumps({**json.loads(RECORD.annotation()), **change})) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "[" * 100_000])
def test_text_that_is_no_record_is_none(text):
    assert read_spec_edit(text) is None


def test_record_of_too_many_builds_is_an_error():
    many = SpecEdit(2, "sha256:1", frozenset(f"layered-{n:032}/{n:036}" for n in range(3000)))
    with pytest.raises(ValueError, match="it has 3000 builds, too many"):
        many.annotation()


SPEC = {
    "machineConfigPool": {"name": "layered"},
    "imageBuilder": {"imageBuilderType": "Job"},
    "containerFile": [{"containerfileArch": "NoArch", "content": "FROM configs AS final\n"}],
}


@pytest.mark.parametrize(
    "same",
    [
        {**SPEC, "baseImagePullSecret": None},
        {**SPEC, "baseImagePullSecret": {}},
        {key: SPEC[key] for key in reversed(list(SPEC))},
        {key: value for key, value in SPEC.items() if key != "imageBuilder"},
        {**SPEC, "containerFile": [{"content": "FROM configs AS final\n"}]},
    ],
)
def test_specs_that_build_the_same_have_the_same_hash(same):
    assert spec_hash(same) == spec_hash(SPEC)


@pytest.mark.parametrize(
    "other",
    [
        {**SPEC, "containerFile": [{"containerfileArch": "NoArch", "content": "FROM configs AS final\n\n"}]},
        {**SPEC, "containerFile": [{"containerfileArch": "ARM64", "content": "FROM configs AS final\n"}]},
        {**SPEC, "containerFile": []},
        {**SPEC, "baseImagePullSecret": {"name": "pull"}},
        {**SPEC, "aLaterField": 0},
        {**SPEC, "aLaterField": False},
    ],
)
def test_specs_that_differ_in_a_field_have_different_hashes(other):
    assert spec_hash(other) != spec_hash(SPEC)


def test_merge_patch_removes_replaces_and_merges():
    before = {"kept": 1, "removed": 2, "list": [1, 2], "nested": {"a": 1, "b": 2}, "text": "x"}
    patch = {"removed": None, "list": [3], "nested": {"b": None, "c": 3}, "text": {"a": 1}, "absent": None}
    assert merged(before, patch) == {"kept": 1, "list": [3], "nested": {"a": 1, "c": 3}, "text": {"a": 1}}
    assert before["nested"] == {"a": 1, "b": 2}


VALUES = st.recursive(
    st.none() | st.integers(0, 2) | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3))
def test_hash_of_a_spec_merged_into_nothing_is_the_hash_of_the_spec(spec):
    assert spec_hash(merged({}, spec)) == spec_hash(spec)
