# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.text import (
    all_printable,
    legible,
    printable,
    truncate_bytes,
    truncate_middle,
)
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
def test_control_characters_are_shown_as_escapes(text, shown):
    assert printable(text) == shown


@given(st.text())
def test_any_text_becomes_printable_and_stays_the_same_when_repeated(text):
    shown = printable(text)
    assert all(c.isprintable() or c in "\n\t" for c in shown)
    assert printable(shown) == shown


def test_all_strings_of_a_value_become_printable_and_other_values_stay():
    assert all_printable({"a\x1b": ["b\x07", ("c", 1, None, True)], "d": {"e": "\u202e"}}) == {
        "a\\x1b": ["b\\x07", ["c", 1, None, True]],
        "d": {"e": "\\u202e"},
    }


@pytest.mark.parametrize(
    ("text", "limit", "shown"),
    [("abc", 3, "abc"), ("abc", 2, "ab"), ("aü", 2, "a"), ("\ud800", 9, "?"), ("abc", 0, "")],
)
def test_text_truncated_to_bytes_has_no_partial_characters(text, limit, shown):
    assert truncate_bytes(text, limit) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ü ●", "ü ●"),
        ("a\x1b[31m\nb", "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b"),
        ("\ud800", "\N{REPLACEMENT CHARACTER}"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 297 + "..."),
        ("x" * 9000, "x" * 297 + "..."),
    ],
)
def test_legible_text_is_short_and_has_no_control_characters(text, shown):
    assert legible(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"), [("abcdef", "abcdef"), ("abcdefg", "abc ... efg"), ("ab" * 50, "aba ... bab"), ("", "")]
)
def test_long_text_keeps_both_ends(text, shown):
    assert truncate_middle(text, 6) == shown
