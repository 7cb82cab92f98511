# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.imagemode.openshift.plugins.module_utils._wait.outage import SETTLING, OutageTracker
from hypothesis import given
from hypothesis import strategies as st


def test_outage_keeps_its_first_reason_until_all_subjects_are_read_again():
    outage = OutageTracker().interrupted("Node", "refused", 10).interrupted("Pod", "reset", 11)
    assert (outage.away, outage.reason, outage.since) == (("Node", "Pod"), "refused", 10)
    outage = outage.restored("Node", 20)
    assert (outage.away, outage.reason) == (("Pod",), "refused")
    assert outage.restored("Pod", 25) == OutageTracker(back_at=25, lost=15)


def test_subject_that_is_interrupted_twice_is_away_once():
    once = OutageTracker().interrupted("Node", "refused", 10)
    assert once.interrupted("Node", "reset", 12) == once


def test_subject_that_was_not_away_is_not_restored():
    assert OutageTracker().restored("Node", 10) == OutageTracker()


def test_objects_are_uncertain_until_the_watches_have_settled():
    away = OutageTracker().interrupted("Node", "refused", 10)
    assert away.is_uncertain(10**6)
    back = away.restored("Node", 20)
    assert back.is_uncertain(20 + SETTLING / 2)
    assert not back.is_uncertain(20 + SETTLING)
    assert not back.is_uncertain(19), "the clock went back"
    assert not OutageTracker().is_uncertain(0)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=9))
def test_lost_time_is_the_sum_of_the_outages(times):
    outage, expected = OutageTracker(), 0.0
    for number, now in enumerate(sorted(times)):
        if number % 2:
            expected += now - outage.since
            outage = outage.restored("Node", now)
        else:
            outage = outage.interrupted("Node", "gone", now)
    assert abs(outage.lost_by(max(times)) - expected) < 1e-6
