# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.json_members import (
    read_members,
    write_members,
)
from hypothesis import given
from hypothesis import strategies as st

_VALUES: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_OBJECTS = st.dictionaries(st.text(), _VALUES)


@given(_OBJECTS, st.sampled_from([None, 0, 3, "\t"]), st.booleans())
def test_an_object_is_taken_apart_and_put_together_however_it_is_laid_out(content, indent, is_ascii):
    members = read_members(json.dumps(content, indent=indent, ensure_ascii=is_ascii))
    assert {name: json.loads(value) for name, value in members.items()} == content
    assert json.loads(write_members(members)) == content
    assert list(json.loads(write_members(members))) == list(content)


@given(_OBJECTS, st.sampled_from([None, 2]))
def test_the_text_of_a_value_is_never_changed(content, indent):
    text = json.dumps(content, indent=indent)
    assert all(value in text for value in read_members(text).values())
    assert read_members(write_members(read_members(text))) == read_members(text)


@pytest.mark.parametrize(
    "value", ["1.10", "1e999", "-0", "100000000000000000000000000.0", '"\\u00e9"', "[1 , 2]", "{ }"]
)
def test_what_would_be_written_differently_keeps_its_text(value):
    assert read_members(f' {{ "a" :\r\n {value} , "b":1}}\t') == {"a": value, "b": "1"}


@given(st.text() | st.binary(max_size=50).map(lambda data: data.decode("latin-1")))
def test_any_text_is_an_object_or_a_value_error(text):
    try:
        members = read_members(text)
    except ValueError:
        return
    assert json.loads(write_members(members)) == json.loads(text)
