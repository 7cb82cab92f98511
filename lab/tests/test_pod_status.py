# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from lab.pod_status import ContainerEnd, status_after

NOW = "2025-01-01T00:00:20Z"
GOOD = ContainerEnd(0, "Completed", "2025-01-01T00:00:00Z", "2025-01-01T00:00:10Z", "all went well\n")
BAD = ContainerEnd(7, "Error", "2025-01-01T00:00:00Z", "2025-01-01T00:00:10Z", "exit status 7\n")


def _pod() -> dict[str, Any]:
    names = ("image-build", "wait-for-done")
    return {
        "metadata": {"uid": "u1"},
        "spec": {"containers": [{"name": name} for name in names]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": name,
                    "image": "os",
                    "ready": True,
                    "restartCount": 0,
                    "state": {"running": {"startedAt": "x"}},
                }
                for name in names
            ],
            "conditions": [
                {"type": kind, "status": "True", "lastTransitionTime": "x"}
                for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
            ],
        },
    }


def _condition(status: dict[str, Any], kind: str) -> dict[str, Any]:
    (found,) = [condition for condition in status["conditions"] if condition["type"] == kind]
    return dict(found)


def test_a_pod_with_one_container_left_still_runs_and_is_not_ready() -> None:
    status = status_after(_pod(), {"image-build": GOOD}, NOW)
    assert status["phase"] == "Running"
    assert "terminated" in status["containerStatuses"][0]["state"]
    assert "running" in status["containerStatuses"][1]["state"]
    assert _condition(status, "Ready")["reason"] == "ContainersNotReady"
    assert "[image-build]" in _condition(status, "Ready")["message"]
    assert _condition(status, "PodScheduled")["status"] == "True"


def test_a_pod_succeeds_when_every_container_did() -> None:
    status = status_after(_pod(), {"image-build": GOOD, "wait-for-done": GOOD}, NOW)
    assert status["phase"] == "Succeeded"
    assert _condition(status, "Ready") == {
        "type": "Ready",
        "status": "False",
        "reason": "PodCompleted",
        "lastTransitionTime": NOW,
    }
    terminated = status["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (0, "Completed")
    assert "message" not in terminated


def test_a_pod_fails_with_the_exit_code_and_last_words_of_its_container() -> None:
    status = status_after(_pod(), {"image-build": BAD, "wait-for-done": GOOD}, NOW)
    assert status["phase"] == "Failed"
    assert _condition(status, "ContainersReady")["reason"] == "PodFailed"
    terminated = status["containerStatuses"][0]["state"]["terminated"]
    assert (terminated["exitCode"], terminated["reason"], terminated["message"]) == (7, "Error", "exit status 7\n")


def test_last_words_are_as_long_as_a_kubelet_takes() -> None:
    end = ContainerEnd(1, "Error", "x", "y", "a" * 3000 + "the end")
    message = end.terminated("id")["message"]
    assert len(message) == 2048
    assert message.endswith("the end")


def test_the_time_of_a_condition_that_was_false_already_stays() -> None:
    pod = _pod()
    pod["status"]["conditions"][1].update({"status": "False", "lastTransitionTime": "earlier"})
    status = status_after(pod, {"image-build": GOOD, "wait-for-done": GOOD}, NOW)
    assert _condition(status, "Ready")["lastTransitionTime"] == "earlier"
