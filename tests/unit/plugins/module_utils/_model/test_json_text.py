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
