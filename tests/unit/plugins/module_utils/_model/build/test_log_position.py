# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_position import LogPosition, has_time

FIRST = b"2026-03-01T12:00:00.1Z one"
SAME_SECOND = b"2026-03-01T12:00:00.9Z two"
NEXT_SECOND = b"2026-03-01T12:00:01Z three"


def test_unknown_log_is_read_from_its_start():
    assert LogPosition().since == ""


def test_position_counts_the_lines_of_its_second():
    one = LogPosition().after(FIRST)
    assert (one, one.since) == (LogPosition("2026-03-01T12:00:00", 1), "2026-03-01T12:00:00Z")
    two = one.after(SAME_SECOND)
    assert two == LogPosition("2026-03-01T12:00:00", 2)
    assert two.after(NEXT_SECOND) == LogPosition("2026-03-01T12:00:01", 1)


@pytest.mark.parametrize(
    "line", [b"", b"continued", b"2026-03-01 12:00:05 no", b"2026-03-01T11:59:59Z earlier", b"\xff\xfe"]
)
def test_line_without_a_later_time_belongs_to_the_second(line):
    assert LogPosition("2026-03-01T12:00:00", 4).after(line) == LogPosition("2026-03-01T12:00:00", 5)


def test_first_line_without_a_time_counts():
    assert LogPosition().after(b"text") == LogPosition("", 1)


@pytest.mark.parametrize(
    ("line", "is_time"), [(FIRST, True), (b" 2026-03-01T12:00:00Z", False), (b"2026-03-01T12:00", False), (b"", False)]
)
def test_time_is_recognized_at_the_start_only(line, is_time):
    assert has_time(line) is is_time
