# SPDX-License-Identifier: GPL-3.0-or-later
"""Times of nodes: each test folds the states of one node over the times, as the wait observes them."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfignode import (
    MachineConfigNode,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.timestamp import (
    seconds_of,
    timestamp_at,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import Phase
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_times import (
    Moment,
    NodeTimes,
    RolloutTimes,
    state_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import image_of, machine_config_node, node

NOON = seconds_of("2026-11-24T12:00:00Z") or 0.0
TARGET = image_of("a")
DRAIN = {"desiredImage": TARGET, "state": "Working", "desiredDrain": "drain-x"}
APPLY = {**DRAIN, "lastAppliedDrain": "drain-x"}
DONE = {"currentImage": TARGET, "desiredImage": TARGET}
Step = tuple[int, str, dict[str, t.Any]]

WAITS: dict[str, t.Any] = {}
DRAINS: dict[str, t.Any] = {"annotations": DRAIN, "unschedulable": True}
APPLIES: dict[str, t.Any] = {"annotations": APPLY, "unschedulable": True}
REBOOTS: dict[str, t.Any] = {**APPLIES, "ready": "False"}
IS_DONE: dict[str, t.Any] = {"annotations": DONE}


def at(second: int) -> str:
    return timestamp_at(NOON + second)


def observed(second: int) -> Moment:
    return Moment(NOON + second)


def stated(second: int) -> Moment:
    return Moment(NOON + second, stated=True)


def state(name: str = "a", ready_since: int | str | None = None, **arguments: t.Any) -> NodeState:
    obj = node(name, **arguments)
    if ready_since is not None:
        time = at(ready_since) if isinstance(ready_since, int) else ready_since
        obj["status"]["conditions"][1]["lastTransitionTime"] = time
    return NodeState.from_api(obj)


def fold(*steps: Step, times: RolloutTimes | None = None, reports: t.Any = None) -> RolloutTimes:
    """Return the times after observations of node a: second, phase, and the arguments of its node."""
    times = times or RolloutTimes()
    for second, phase, arguments in steps:
        times = times.after([state(**arguments)], {"a": Phase(phase)}, reports or {}, NOON + second + 0.4)
    return times


WHOLE_UPDATE: tuple[Step, ...] = (
    (0, "waiting", {**WAITS, "ready_since": -9000}),
    (10, "updating", {"annotations": {"desiredImage": TARGET}, "ready_since": -9000}),
    (15, "updating", {**DRAINS, "ready_since": -9000}),
    (40, "updating", {**APPLIES, "ready_since": -9000}),
    (100, "updating", {**REBOOTS, "ready_since": 95}),
    (130, "updating", {**APPLIES, "ready_since": 128}),
    (140, "done", {**IS_DONE, "ready_since": 128}),
)


def test_update_of_a_node_has_all_its_times():
    times = fold(*WHOLE_UPDATE)
    assert times.nodes["a"] == NodeTimes(
        started=observed(10),
        drain_started=observed(15),
        drain_finished=observed(40),
        not_ready=stated(95),
        ready=stated(128),
        done=observed(140),
    )


@pytest.mark.parametrize("last", range(1, len(WHOLE_UPDATE) + 1))
def test_second_observation_of_the_same_state_changes_nothing(last):
    times = fold(*WHOLE_UPDATE[:last])
    second, phase, arguments = WHOLE_UPDATE[last - 1]
    assert fold((second + 30, phase, arguments), times=times) == times


def test_nothing_is_recorded_of_a_node_that_waits_or_was_done_before():
    assert fold((0, "waiting", WAITS), (60, "waiting", WAITS)).nodes == {}
    assert fold((0, "done", {**IS_DONE, "ready_since": -60}), (60, "done", IS_DONE)).nodes == {}


def test_what_began_before_the_wait_has_no_start():
    times = fold((0, "updating", DRAINS), (20, "updating", APPLIES), (30, "done", IS_DONE)).nodes["a"]
    assert (times.started, times.drain_started) == (None, None)
    assert (times.drain_finished, times.done) == (observed(20), observed(30))


def test_reboot_that_began_before_the_wait_has_the_time_of_the_condition():
    times = fold((0, "updating", {**REBOOTS, "ready_since": -50}), (20, "updating", {**APPLIES, "ready_since": 19}))
    assert (times.nodes["a"].not_ready, times.nodes["a"].ready) == (stated(-50), stated(19))


def test_condition_whose_time_did_not_change_does_not_state_the_end_of_a_reboot():
    times = fold(*WHOLE_UPDATE[:5], (130, "updating", {**APPLIES, "ready_since": 94})).nodes["a"]
    assert (times.not_ready, times.ready) == (stated(95), observed(130))


def test_node_that_never_comes_back_has_no_end():
    times = fold(*WHOLE_UPDATE[:5], (9000, "updating", {**REBOOTS, "ready_since": 95})).nodes["a"]
    assert (times.not_ready, times.ready, times.done) == (stated(95), None, None)


def test_node_that_is_ready_for_a_moment_while_it_reboots_has_one_reboot():
    times = fold(
        *WHOLE_UPDATE[:6],
        (131, "updating", {**REBOOTS, "ready_since": 130}),
        (150, "updating", {**APPLIES, "ready_since": 149}),
    ).nodes["a"]
    assert (times.not_ready, times.ready) == (stated(95), stated(149))


def test_node_that_is_lost_after_its_update_keeps_its_times():
    times = fold(*WHOLE_UPDATE)
    assert fold((200, "updating", {**IS_DONE, "ready": "Unknown", "ready_since": 190}), times=times) == times


def test_next_update_of_a_node_replaces_its_times():
    times = fold(*WHOLE_UPDATE, (300, "updating", DRAINS)).nodes["a"]
    assert times == NodeTimes(updating=True, draining=True, started=observed(300), drain_started=observed(300))


def test_drain_that_is_requested_again_has_its_first_start_and_its_last_end():
    times = fold(*WHOLE_UPDATE[:4], (50, "updating", DRAINS), (70, "updating", APPLIES)).nodes["a"]
    assert (times.drain_started, times.drain_finished) == (observed(15), observed(70))


@pytest.mark.parametrize("time", ["", "soon", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z"])
def test_time_that_no_condition_of_the_run_can_have_is_not_used(time):
    times = fold(*WHOLE_UPDATE[:4], (100, "updating", {**REBOOTS, "ready_since": time})).nodes["a"]
    assert times.not_ready == observed(100)


@pytest.mark.parametrize(
    ("first", "since", "expected"),
    [("waiting", 12, stated(12)), ("waiting", 30, observed(15)), ("updating", -700, stated(-700))],
)
def test_drain_has_the_start_that_a_machine_config_node_states_if_it_is_earlier(first, since, expected):
    obj = machine_config_node("a")
    obj["status"]["conditions"] = [{"type": "Drained", "status": "Unknown", "lastTransitionTime": at(since)}]
    reports = {"a": MachineConfigNode.from_api(obj)}
    steps: list[Step] = [(0, first, DRAINS if first == "updating" else WAITS), (15, "updating", DRAINS)]
    assert fold(*steps, reports=reports).nodes["a"].drain_started == expected


def test_machine_config_node_states_nothing_of_a_node_that_does_not_drain():
    obj = machine_config_node("a")
    obj["status"]["conditions"] = [{"type": "Drained", "status": "Unknown", "lastTransitionTime": at(1)}]
    reports = {"a": MachineConfigNode.from_api(obj)}
    assert fold((0, "waiting", WAITS), (20, "updating", APPLIES), reports=reports).nodes["a"].drain_started is None


def test_node_that_left_the_pool_keeps_its_times_and_a_deleted_one_has_none():
    times = fold(*WHOLE_UPDATE[:4])
    left = times.after([], {"a": Phase.LEFT}, {}, NOON + 60)
    assert left.nodes == times.nodes
    assert times.after([], {}, {}, NOON + 60).nodes == {}


def test_state_names_a_degraded_node():
    degraded, good = state(annotations={"state": "Degraded"}), state()
    assert state_of(Phase.UPDATING, degraded) == "degraded"
    assert [state_of(phase, good) for phase in Phase] == ["done", "updating", "waiting", "left"]
    assert state_of(Phase.LEFT, None) == "left"
