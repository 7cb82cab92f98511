# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.node_annotations import NodeView
from lab.node_daemon import Gone, Watched, restarted_pod

NOW = "2025-01-01T00:00:20Z"


def _view(version: int, state: str = "Done") -> NodeView:
    node = {"metadata": {"name": "worker-0", "uid": "u", "resourceVersion": "1"}}
    return replace(NodeView.of(node), version=version, state=state)


def test_an_older_sight_of_a_node_does_not_hide_a_newer_one() -> None:
    watched = Watched(_view(1))
    watched.see(_view(10, "Working"))
    # The watch tells late of what an answer to a write has shown already.
    watched.see(_view(9))
    assert watched.view.state == "Working"


def test_waiting_ends_at_once_when_the_node_is_as_waited_for_and_says_when_it_is_not() -> None:
    watched = Watched(_view(1))
    assert watched.wait(lambda view: view.state == "Done", timeout=0)
    assert not watched.wait(lambda view: view.state == "Working", timeout=0)


def test_a_node_that_left_ends_every_wait() -> None:
    watched = Watched(_view(1))
    watched.leave()
    with pytest.raises(Gone):
        watched.wait(lambda view: True, timeout=0)
    with pytest.raises(Gone):
        _ = watched.view


def _status() -> dict[str, Any]:
    return {
        "containerStatuses": [
            {"name": "a", "ready": False, "restartCount": 1, "state": {"running": {"startedAt": "before"}}},
            {"name": "b", "ready": False, "restartCount": 0, "state": {"terminated": {"exitCode": 0}}},
        ],
        "conditions": [
            {"type": "Ready", "status": "False", "lastTransitionTime": "before"},
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "before"},
        ],
    }


def test_after_a_reboot_running_containers_were_started_once_more() -> None:
    container, ended = restarted_pod(_status(), NOW)["containerStatuses"]
    assert (container["restartCount"], container["ready"]) == (2, True)
    assert container["state"]["running"]["startedAt"] == NOW
    assert container["lastState"]["terminated"]["startedAt"] == "before"
    assert ended == _status()["containerStatuses"][1]


def test_after_a_reboot_a_pod_is_ready_again() -> None:
    ready, scheduled = restarted_pod(_status(), NOW)["conditions"]
    assert (ready["status"], ready["lastTransitionTime"]) == ("True", NOW)
    assert scheduled == _status()["conditions"][1]
