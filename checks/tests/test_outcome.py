# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from checks.outcome import Count, Outcome, table, total


def outcome(passed: int, failed: int) -> Outcome:
    return Outcome("unit", Count(passed, failed), 1.0)


@pytest.mark.parametrize(
    ("outcomes", "passed", "failed"),
    [
        ([outcome(3, 0), outcome(1, 0)], 4, 0),
        ([outcome(3, 0), outcome(0, 1)], 3, 1),
        ([outcome(3, 0), outcome(0, 0)], 3, 1),
        ([outcome(0, 0)], 0, 1),
    ],
    ids=["all passed", "one failed", "one step ran nothing", "nothing ran at all"],
)
def test_a_failure_and_a_step_that_ran_nothing_count_against_the_whole(outcomes, passed, failed):
    assert total(outcomes) == Count(passed, failed)


def test_the_count_stands_alone_on_the_last_line():
    assert table([outcome(3, 1), outcome(2, 0)]).splitlines()[-1] == "5 passed, 1 failed"


def test_a_step_that_ran_nothing_is_no_ok():
    assert "FAILED" in table([outcome(0, 0)])
