# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model import log_lines
from ansible_collections.imagemode.openshift.plugins.module_utils._model.log_lines import (
    GAP,
    LONGEST_LINE,
    LONGEST_SHOWN,
    lines_of,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.masking import MASK

TOKEN = "ghp_0123456789abcdefghijklmnop"


@pytest.mark.parametrize("size", [58 << 10, 1 << 20])
def test_patterns_see_the_two_ends_of_a_long_line_and_no_more(size):
    (line,) = lines_of(f"begin {'x' * size} end")
    assert len(line.text) == LONGEST_LINE + len(GAP)
    assert (line.text[:6], line.text[-4:]) == ("begin ", " end")
    assert len(line.shown()) <= LONGEST_SHOWN + len(GAP)


def test_a_log_is_looked_at_from_its_end_and_with_a_limit(monkeypatch):
    monkeypatch.setattr(log_lines, "MOST_LINES", 3)
    assert [line.text for line in lines_of("1\n2\n3\r\n4\n5\n")] == ["3", "4", "5"]
    monkeypatch.setattr(log_lines, "LONGEST_LOG", 3)
    assert [line.text for line in lines_of("1\n2\n3\n45")] == ["", "45"]


@pytest.mark.parametrize("before", [0, LONGEST_SHOWN // 2 - 10, LONGEST_LINE // 2 - 10, LONGEST_LINE])
@pytest.mark.parametrize("after", [0, LONGEST_SHOWN // 2 - 10, LONGEST_LINE // 2 - 10])
def test_no_part_of_a_credential_is_shown_where_a_line_is_cut(before, after):
    (line,) = lines_of(f"{'-' * before} {TOKEN} {'-' * after}")
    for start in (0, LONGEST_SHOWN, len(line.text) // 2, len(line.text) - LONGEST_SHOWN // 2):
        shown = line.shown(max(0, start)).replace(MASK, "")
        assert set(shown) <= set(f"- {GAP}")
