# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState, Phase
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import History
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import node


def seen(history: History, now: float, **phases: str) -> History:
    """The history with one look more: node -> phase."""
    nodes = [NodeState.from_api(node(name)) for name in phases]
    return history.after(nodes, {name: Phase(phase) for name, phase in phases.items()}, now)


def two_done_in_a_hundred_seconds() -> History:
    history = seen(History(), 1000, a="waiting", b="waiting", c="waiting")
    history = seen(history, 1010, a="updating", b="waiting", c="waiting")
    return seen(history, 1110, a="done", b="updating", c="waiting")


def test_how_long_a_node_takes_is_known_from_those_that_have_arrived():
    assert two_done_in_a_hundred_seconds().took == (100,)


def test_what_is_left_goes_by_those_that_have_arrived():
    history = two_done_in_a_hundred_seconds()
    assert history.remaining(waiting=1, at_once=1, now=1110) == 200
    assert history.remaining(waiting=1, at_once=1, now=1150) == 160


def test_nodes_that_may_be_away_together_take_no_longer_than_one():
    history = two_done_in_a_hundred_seconds()
    assert history.remaining(waiting=1, at_once=2, now=1110) == 100
    assert history.remaining(waiting=9, at_once=5, now=1110) == 200


def test_a_node_that_takes_longer_than_the_others_is_due():
    assert two_done_in_a_hundred_seconds().remaining(waiting=0, at_once=1, now=9999) == 0


def test_before_the_first_has_arrived_nobody_knows():
    history = seen(seen(History(), 1000, a="waiting"), 1010, a="updating")
    assert history.remaining(waiting=3, at_once=1, now=1020) is None


def test_a_node_that_was_on_its_way_before_the_wait_tells_nothing():
    history = seen(seen(History(), 1000, a="updating"), 1010, a="done")
    assert history.took == ()


def test_the_middle_one_counts_and_not_one_that_was_held_up():
    history = History({}, (100.0, 110.0, 5000.0), True)
    assert history.remaining(waiting=1, at_once=1, now=0) == 110


def test_a_node_that_left_on_its_way_tells_nothing():
    history = seen(seen(History(), 1000, a="waiting"), 1010, a="updating")
    assert seen(history, 1020).took == ()


def test_a_state_is_as_old_as_it_was_first_seen():
    away = NodeState.from_api(node("a", ready="False"))
    history = History().after([away], {"a": Phase.UPDATING}, 1000).after([away], {"a": Phase.UPDATING}, 1500)
    assert history.age("away", "a", 1600) == 600
    back = history.after([NodeState.from_api(node("a"))], {"a": Phase.UPDATING}, 1700)
    assert back.age("away", "a", 1800) == 0


@pytest.mark.parametrize("history", [History(), two_done_in_a_hundred_seconds()])
def test_a_cursor_carries_it(history):
    assert History.from_json(json.loads(json.dumps(history.as_json()))) == history


def test_nothing_is_an_empty_history():
    assert History.from_json(None) == History()
