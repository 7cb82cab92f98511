# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import (
    NodeHistory,
    RolloutHistory,
    seconds_since,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import Phase
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import node


def after(history: RolloutHistory, now: float, **phases: str) -> RolloutHistory:
    """The history after one more observation: node -> phase."""
    nodes = [NodeState.from_api(node(name)) for name in phases]
    return history.after(nodes, {name: Phase(phase) for name, phase in phases.items()}, now)


def fold(*states: tuple[float, dict[str, t.Any]]) -> NodeHistory:
    """The history of one updating node after observations of it: time and arguments of its node."""
    history = RolloutHistory()
    for now, state in states:
        history = history.after([NodeState.from_api(node("a", **state))], {"a": Phase.UPDATING}, now)
    return history.of("a")


def test_duration_of_an_update_is_known_when_the_node_is_done():
    history = after(RolloutHistory(), 1000, a="waiting", b="waiting")
    history = after(history, 1010, a="updating", b="waiting")
    assert history.nodes == {"a": NodeHistory(updating=True, update_started=1010)}
    history = after(history, 1050, a="updating", b="waiting")
    history = after(history, 1110, a="done", b="updating")
    assert history.durations == (100,)
    assert history.nodes == {"b": NodeHistory(updating=True, update_started=1110)}
    assert after(history, 1200, a="done", b="done").durations == (100, 90)


def test_update_that_started_before_the_wait_has_no_duration():
    history = after(RolloutHistory(), 1000, a="updating")
    assert history.nodes == {"a": NodeHistory(updating=True, update_started=None)}
    assert after(history, 1010, a="updating").of("a").update_started is None
    assert after(history, 1010, a="done").durations == ()


def test_update_that_starts_again_has_a_new_start():
    history = after(RolloutHistory(), 1000, a="updating")
    history = after(after(history, 1010, a="waiting"), 1020, a="updating")
    assert after(history, 1050, a="done").durations == (30,)


def test_node_that_left_during_its_update_has_no_duration():
    history = after(after(RolloutHistory(), 1000, a="waiting"), 1010, a="updating")
    left = after(history, 1020)
    assert (left.durations, left.nodes) == ((), {})


def test_only_the_latest_fifty_durations_are_kept():
    history = RolloutHistory(durations=tuple(map(float, range(50))), started=True)
    history = after(after(history, 1000, a="updating"), 1100, a="done")
    assert history.durations == (*map(float, range(1, 50)), 100.0)


DENIED = {
    "state": "Degraded",
    "reason": "failed to update OS to registry.example.com/a: unauthorized",
}


@pytest.mark.parametrize(
    ("state", "field"),
    [
        ({"ready": "False"}, "not_ready_since"),
        ({"annotations": {"desiredDrain": "drain-x"}}, "draining_since"),
        ({"annotations": DENIED}, "pull_failed_since"),
    ],
)
def test_state_starts_when_it_is_first_observed_and_ends_with_it(state, field):
    assert getattr(fold((1000, state), (1500, state)), field) == 1000
    assert getattr(fold((1000, {}), (1500, state)), field) == 1500
    assert getattr(fold((1000, state), (1500, {})), field) is None
    assert getattr(fold((1000, state), (1500, {}), (1600, state)), field) == 1600


@pytest.mark.parametrize(("start", "seconds"), [(None, 0.0), (100.0, 60.0), (160.0, 0.0)])
def test_seconds_count_from_the_start(start, seconds):
    assert seconds_since(start, 160.0) == seconds


def test_longest_drain_is_first_and_short_drains_are_left_out():
    since = {"a": 30.0, "b": 10.0, "c": 10.0, "d": 45.1, "e": None}
    history = RolloutHistory({name: NodeHistory(draining_since=start) for name, start in since.items()})
    assert history.draining(15.0, 60.0) == ["b", "c", "a"]
    assert history.draining(0.0, 60.0) == ["b", "c", "a", "d"]
    assert history.draining(30.0, 60.0) == ["b", "c", "a"]


def failing(reason: str, state: str = "Degraded") -> dict[str, t.Any]:
    return {"annotations": {"state": state, "reason": reason}}


RETRY = "failed to update OS to x: error: Old and new refs are equal: x: exit status 1"
DISK_FULL = "failed to update OS to x: error: No space left on device: exit status 1"


def test_cause_of_a_failure_is_kept_while_the_daemon_retries():
    denied = (1000, {"annotations": DENIED})
    assert fold(denied, (1010, failing(RETRY))).failure == fold(denied).failure
    assert fold(denied, (1010, failing(DENIED["reason"], "Working")), (1020, failing(RETRY))).pull_failed_since == 1000
    assert fold(denied).failure.finding == "node.image_pull_denied"


@pytest.mark.parametrize(
    ("history", "failure", "since"),
    [
        (((1000, failing(RETRY)),), None, None),
        (((1000, {"annotations": DENIED}), (1010, {}), (1020, failing(RETRY))), None, None),
        (((1000, {"annotations": DENIED}), (1010, failing(""))), None, None),
        (((1000, {"annotations": DENIED}), (1010, failing("", "Working")), (1020, failing(RETRY))), None, None),
        (((1000, {"annotations": DENIED}), (1010, failing(DISK_FULL))), "No space left on device", None),
        (((1000, failing(DISK_FULL)), (1010, failing(RETRY))), "No space left on device", None),
        (((1000, failing(DISK_FULL, "Done")),), None, None),
    ],
)
def test_failure_ends_with_another_reason_or_a_success(history, failure, since):
    found = fold(*history)
    assert (found.failure.error if found.failure else None, found.pull_failed_since) == (failure, since)


def test_error_that_is_kept_is_bounded():
    assert len(fold((1000, failing("x" * 9999))).failure.error) == 500
