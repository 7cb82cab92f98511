# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import (
    DELETED,
    Attempt,
    Container,
    attempts,
    last_failed,
    states_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import build_pod, container_status

MORNING, NOON, EVENING = "2026-03-01T08:00:00Z", "2026-03-01T12:00:00Z", "2026-03-01T18:00:00Z"


def results(*pods: dict[str, t.Any], since: str = "") -> list[dict[str, t.Any]]:
    return [attempt.as_result() for attempt in attempts(pods, since)]


def test_attempts_are_in_the_order_in_which_they_began():
    made = attempts([build_pod("b", created=NOON), build_pod("a", created=EVENING), build_pod("c", created=MORNING)])
    assert [(a.number, a.pod) for a in made] == [(1, "c"), (2, "b"), (3, "a")]


def test_pods_of_an_earlier_build_of_the_same_name_are_no_attempts():
    assert [a["pod"] for a in results(build_pod("old", created=MORNING), build_pod("new"), since=NOON)] == ["new"]


def test_an_attempt_says_how_it_ended_by_the_builder():
    pod = build_pod("x", container_status("wait-for-done", 1), container_status("image-build", 7))
    assert results(pod) == [{"pod": "x", "started": NOON, "finished": EVENING, "exit_code": 7, "reason": "Error"}]


def test_an_attempt_that_failed_after_the_builder_says_how_that_failed():
    pod = build_pod("x", container_status("image-build", 0), container_status("create-digest-configmap", 2))
    assert results(pod)[0]["exit_code"] == 2


def test_an_attempt_under_way_has_no_end():
    (running,) = results(build_pod("x", container_status("image-build", None)))
    assert (running["finished"], running["exit_code"], running["reason"]) == (None, None, None)


def test_a_pod_that_was_evicted_says_so():
    pod = build_pod("x", container_status("image-build", 137), reason="Evicted")
    assert results(pod)[0]["reason"] == "Evicted"
    assert results(build_pod("x", reason="Evicted")) == [
        {"pod": "x", "started": NOON, "finished": None, "exit_code": None, "reason": "Evicted"}
    ]


def test_the_last_attempt_that_failed_tells_why():
    failed = build_pod("a", container_status("image-build", 1), created=MORNING)
    assert last_failed(attempts([failed, build_pod("b", container_status("image-build", None))])).pod == "a"
    assert last_failed(attempts([build_pod("b", container_status("image-build", 0))])) is None
    assert last_failed([]) is None


BUILDER_FAILED = build_pod("a", container_status("image-build", 1), created=MORNING)
BUILDER_RUNS = build_pod("b", container_status("image-build", None))
BUILDER_SUCCEEDED = build_pod("b", container_status("image-build", 0))
EVICTED = {**BUILDER_RUNS, "status": {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}}


@pytest.mark.parametrize(
    ("pods", "has_succeeded", "states"),
    [
        ([], True, []),
        ([BUILDER_FAILED, BUILDER_RUNS], False, ["failed", "running"]),
        ([BUILDER_FAILED, BUILDER_SUCCEEDED], False, ["failed", "succeeded"]),
        ([BUILDER_FAILED, BUILDER_RUNS], True, ["failed", "succeeded"]),
        ([BUILDER_FAILED, {**BUILDER_RUNS, DELETED: True}], True, ["failed", "succeeded"]),
        ([BUILDER_FAILED, {**BUILDER_RUNS, DELETED: True}], False, ["failed", "failed"]),
        ([{**EVICTED, DELETED: True}], True, ["failed"]),
        ([BUILDER_FAILED], True, ["failed"]),
    ],
)
def test_states_of_attempts_agree_with_the_build(pods, has_succeeded, states):
    assert [state.value for state in states_of(attempts(pods), has_succeeded)] == states


def test_an_exit_code_that_is_no_number_is_that_of_a_failure():
    for code in ("9" * 5000, [0], "0"):
        status = container_status("image-build", 7)
        status["state"]["terminated"]["exitCode"] = code
        attempt = attempts([build_pod("x", status)])[0]
        assert attempt.containers[0].exit_code == 1
        assert not attempt.succeeded


def test_ended_container_is_read_completely():
    status = container_status("image-build", 7, "no such package")
    assert attempts([build_pod("x", status)])[0].containers == (
        Container(
            name="image-build",
            running=False,
            ended=True,
            exit_code=7,
            reason="Error",
            message="no such package",
            started=NOON,
            finished=EVENING,
        ),
    )


def test_running_container_is_read_completely():
    assert attempts([build_pod("x", container_status("image-build", None))])[0].containers == (
        Container(
            "image-build", running=True, ended=False, exit_code=0, reason="", message="", started=NOON, finished=""
        ),
    )


@pytest.mark.parametrize("state", [{}, {"state": {}}, {"state": {"waiting": {}}}])
def test_waiting_container_has_no_values(state):
    empty = Container("", running=False, ended=False, exit_code=0, reason="", message="", started="", finished="")
    (container,) = attempts([build_pod("x", state)])[0].containers
    assert container == empty
    assert not container.has_log


def test_container_without_values_is_read():
    for state in ({"terminated": {"exitCode": 0}}, {"running": None}):
        (container,) = attempts([build_pod("x", {"name": "n", "state": state})])[0].containers
        assert (container.reason, container.message, container.started, container.finished) == ("", "", "", "")


def test_init_containers_come_before_the_others():
    pod = build_pod("x", container_status("create-digest-configmap", None))
    pod["status"]["initContainerStatuses"] = [container_status("image-build", 0)]
    assert [c.name for c in attempts([pod])[0].containers] == ["image-build", "create-digest-configmap"]


def test_attempt_is_read_completely():
    pod = build_pod("x", reason="Evicted", message="The node was low on memory.")
    assert attempts([pod]) == [Attempt(1, "x", "uid-of-x", "Evicted", "The node was low on memory.", NOON, ())]


def test_pod_that_was_not_started_began_at_its_creation():
    pod = build_pod("x", created=MORNING)
    pod["status"] = {"startTime": NOON}
    assert attempts([pod])[0].started == NOON
    pod["status"] = {}
    del pod["metadata"]["uid"]
    assert attempts([pod]) == [Attempt(1, "x", "", "", "", MORNING, ())]
    del pod["metadata"]["creationTimestamp"]
    (attempt,) = attempts([pod])
    assert (attempt.started, attempt.as_result()["started"]) == ("", None)


def test_pod_that_was_deleted_while_it_ran_failed():
    lost = {**build_pod("x", container_status("image-build", None)), DELETED: True}
    (attempt,) = attempts([lost])
    assert (attempt.reason, attempt.message) == ("Deleted", "The pod was deleted before its containers ended.")
    assert attempt.failed
    (ended,) = attempts([{**build_pod("x", container_status("image-build", 0)), DELETED: True}])
    assert (ended.reason, ended.message, ended.failed) == ("", "", False)
