# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from ansible_collections.imagemode.openshift.plugins.module_utils._wait.outage import SETTLING, Sight
from hypothesis import given
from hypothesis import strategies as st


def test_an_outage_keeps_its_first_reason_until_everything_is_read_again():
    sight = Sight().without("Node", "refused", 10).without("Pod", "reset", 11)
    assert (sight.away, sight.reason, sight.since) == (("Node", "Pod"), "refused", 10)
    sight = sight.having("Node", 20)
    assert (sight.away, sight.reason) == (("Pod",), "refused")
    assert sight.having("Pod", 25) == Sight(back_at=25, lost=15)


def test_what_is_told_twice_is_away_once():
    once = Sight().without("Node", "refused", 10)
    assert once.without("Node", "reset", 12) == once


def test_what_was_never_away_does_not_come_back():
    assert Sight().having("Node", 10) == Sight()


def test_shortly_after_an_outage_what_is_known_may_still_be_of_the_past():
    away = Sight().without("Node", "refused", 10)
    assert away.is_blind(10**6)
    back = away.having("Node", 20)
    assert back.is_blind(20 + SETTLING / 2)
    assert not back.is_blind(20 + SETTLING)
    assert not Sight().is_blind(0)


def test_a_refusal_counts_from_its_latest_beginning_and_is_over_when_it_is_read():
    sight = Sight().without("Node", "forbidden", 10, denied=True).without("Pod", "forbidden", 12, denied=True)
    assert sight.denied == {"Node": 10, "Pod": 12}
    assert sight.without("Node", "reset", 13).denied == {"Node": 10, "Pod": 12}
    assert sight.without("Node", "forbidden", 40, denied=True).denied == {"Node": 40, "Pod": 12}
    assert sight.having("Node", 50).denied == {"Pod": 12}


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=9))
def test_the_time_that_was_lost_is_the_sum_of_the_outages(times):
    sight, expected = Sight(), 0.0
    for number, now in enumerate(sorted(times)):
        if number % 2:
            expected += now - sight.since
            sight = sight.having("Node", now)
        else:
            sight = sight.without("Node", "gone", now)
    assert abs(sight.lost_by(max(times)) - expected) < 1e-6
