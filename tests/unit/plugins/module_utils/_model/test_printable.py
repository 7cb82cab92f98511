# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.printable import all_printable, printable
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Résumé of node worker-0, 日本語 ✓", "Résumé of node worker-0, 日本語 ✓"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("\x1b]0;owned\x07\x1b[2Jmatch", "\\x1b]0;owned\\x07\\x1b[2Jmatch"),
        ("8-bit \x9b31m", "8-bit \\x9b31m"),
        ("over\rwritten", "over\\x0dwritten"),
        ("abc\u202etxt.exe", "abc\\u202etxt.exe"),
        ("\u2066isolated\u2069\u200b", "\\u2066isolated\\u2069\\u200b"),
        ("\U000e0041", "\\U000e0041"),
        ("half \ud800", "half \\ud800"),
    ],
)
def test_what_would_change_what_a_reader_sees_is_shown_as_its_escape(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_result_is_printable_for_any_text_and_stays_the_same_when_done_twice(text):
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert printable(shown) == shown


def test_every_text_of_a_result_is_made_printable_and_everything_else_stays():
    assert all_printable({"a\x1b": ["b\x07", ("c", 1, None, True)], "d": {"e": "\u202e"}}) == {
        "a\\x1b": ["b\\x07", ["c", 1, None, True]],
        "d": {"e": "\\u202e"},
    }
