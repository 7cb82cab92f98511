# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build import log_lines
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_lines import (
    MAX_LINE,
    MAX_LINES,
    MAX_LOG_SIZE,
    MAX_SHOWN,
    lines_of,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry import masking
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.masking import Span, secrets_in
from hypothesis import given
from hypothesis import strategies as st

HALF = MAX_LINE // 2
KEY = [
    "-----BEGIN PRIVATE KEY-----",
    *["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" * 2] * 9,
    "-----END PRIVATE KEY-----",
]


def test_short_lines_are_unchanged():
    lines = lines_of("one\r\ntwo  \rthree\n")
    assert [line.text for line in lines] == ["one", "two", "three"]
    assert [line.shown() for line in lines] == ["one", "two", "three"]


def test_long_line_is_matched_and_shown_with_both_ends():
    line = lines_of("begin " + "x" * 100000 + " end")[0]
    assert len(line.text) <= MAX_LINE + 5
    assert line.text.startswith("begin x")
    assert line.text.endswith("x end")
    assert line.shown().startswith("begin x")
    assert line.shown().endswith("x end")
    assert len(line.shown()) <= MAX_SHOWN + 5


def test_only_the_end_of_a_long_log_is_read():
    assert len(lines_of("a\n" * (MAX_LINES * 2))) == MAX_LINES
    assert len(lines_of("a\r" * (MAX_LINES * 2))) == MAX_LINES
    assert len(lines_of("x" * (MAX_LOG_SIZE + 7))[0].whole) == MAX_LOG_SIZE


@given(st.integers(0, 3 * MAX_LINE), st.integers(0, 3 * MAX_LINE), st.integers(0, 2 * MAX_LINE))
def test_no_part_of_a_credential_is_shown_from_any_start(before, after, start):
    line = lines_of(f"{'a ' * (before // 2)} --password  hunter2hunter3  {'b ' * (after // 2)}")[0]
    shown = line.shown(min(start, len(line.text)))
    assert not any("hunter2hunter3"[n : n + 3] in shown for n in range(11))


@pytest.mark.parametrize("before", range(HALF - 24, HALF + 4, 3))
def test_no_part_of_a_credential_is_shown_beside_the_gap(before):
    line = lines_of("a" * before + " token=hunter2hunter3 " + "b" * MAX_LINE)[0]
    for start in (0, before, HALF - 1, HALF, HALF + 5, HALF + 30):
        assert "hun" not in line.shown(start)
        assert "er3" not in line.shown(start)


def test_a_part_is_the_part_of_the_line_as_it_was_written():
    whole = "".join(f"{n:05}" for n in range(3000))
    line = lines_of(whole)[0]
    for start in (0, 10, HALF - 500):
        assert line.shown(start).startswith(line.text[start : start + 100])
    for start in (len(line.text) - 900, len(line.text) - 100):
        assert line.shown(start).startswith(line.text[start : start + 100])
        assert line.shown(start).endswith(whole[-100:])


def test_the_lines_of_a_private_key_are_not_shown():
    shown = [line.shown() for line in lines_of("\n".join(("words", *KEY, "more")))]
    assert shown == ["words", *["***"] * 10, "-----END PRIVATE KEY-----", "more"]


def test_credentials_in_a_long_line_are_looked_for_once(monkeypatch):
    """A hostile build can write lines in which looking takes long, and each is shown in several parts."""
    looked: list[str] = []

    def counted(line: str) -> list[Span]:
        looked.append(line)
        return secrets_in(line)

    monkeypatch.setattr(log_lines, "secrets_in", counted)
    monkeypatch.setattr(masking, "secrets_in", counted)
    line = lines_of("a" * MAX_LINE * 2)[0]
    assert line.shown() == line.shown(0)
    assert len(looked) == 1
