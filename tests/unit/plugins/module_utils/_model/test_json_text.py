# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.json_text import read_json


@pytest.mark.parametrize("text", ['{"a": [1, "b", null]}', b'{"a": [1, "b", null]}'])
def test_text_and_bytes_are_read(text):
    assert read_json(text) == {"a": [1, "b", None]}


@pytest.mark.parametrize(
    "text", ["", "{", "hunter2", b"\xff\xfe", None, "[" * 200_000, '{"a":' * 200_000], ids=range(7)
)
def test_what_cannot_be_read_is_one_kind_of_error_and_not_quoted(text):
    with pytest.raises(ValueError, match=r"^it is (not JSON|nested too deeply)$") as error:
        read_json(text)
    assert error.type is ValueError


@pytest.mark.parametrize("text", ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]', '{"a": 1, "\\u0061": 2}'])
def test_key_that_an_object_has_twice_is_an_error_where_keys_must_be_unique(text):
    with pytest.raises(ValueError, match=r"^an object has a key twice$"):
        read_json(text, unique_keys=True)
    assert read_json(text)


def test_objects_may_have_the_same_keys():
    assert read_json('[{"a": 1}, {"a": {"a": 2}}]', unique_keys=True) == [{"a": 1}, {"a": {"a": 2}}]
