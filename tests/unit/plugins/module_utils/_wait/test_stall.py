# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.imagemode.openshift.plugins.module_utils._wait.stall import StallTimer


def test_stall_lasts_for_as_long_as_the_mark_stays_the_same():
    timer = StallTimer().after("a", 100).after("a", 130).after("a", 160)
    assert timer.seconds == 60
    assert timer.after("b", 170).seconds == 0


def test_outage_does_not_count():
    timer = StallTimer().after("a", 100).after("a", 110).after("a", 500, in_outage=True)
    assert timer.after("a", 505).seconds == 15


def test_progress_during_an_outage_counts_as_progress():
    assert StallTimer().after("a", 100).after("b", 500, in_outage=True).seconds == 0


def test_clock_that_goes_back_adds_no_time():
    assert StallTimer().after("a", 100).after("a", 50).after("a", 60).seconds == 10
