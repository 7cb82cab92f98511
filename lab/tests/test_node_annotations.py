# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest

from lab import node_annotations as says
from lab.node_annotations import PREFIX, NodeView, Target

IMAGE = "127.0.0.1:5000/lab/os@sha256:" + "1" * 64


def _node(**annotations: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "worker-0",
            "uid": "u1",
            "resourceVersion": "42",
            "annotations": {PREFIX + key: value for key, value in annotations.items()},
        },
        "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"bootID": "b1"}},
    }


def _view(**annotations: str) -> NodeView:
    return NodeView.of(_node(**{"currentConfig": "a", "desiredConfig": "a", "state": "Done", **annotations}))


@pytest.mark.parametrize(
    ("annotations", "settled"),
    [
        ({}, True),
        ({"desiredConfig": "b"}, False),
        ({"desiredImage": IMAGE}, False),
        ({"desiredImage": IMAGE, "currentImage": IMAGE}, True),
        ({"desiredImage": IMAGE, "currentImage": IMAGE, "state": "Working"}, False),
        # The image was taken away: back to the operating system of the MachineConfig.
        ({"currentImage": IMAGE}, False),
        ({"state": "Degraded"}, False),
    ],
)
def test_a_node_is_settled_when_config_and_image_are_as_wanted_and_it_says_done(
    annotations: dict[str, str], settled: bool
) -> None:
    assert _view(**annotations).settled is settled


def test_a_node_of_which_nothing_is_wanted_is_settled() -> None:
    view = NodeView.of({"metadata": {"name": "n", "uid": "u", "resourceVersion": "1"}})
    assert view.settled
    assert not view.ready
    assert view.boot_id == ""


def test_a_node_is_ready_only_when_it_says_so() -> None:
    node = _node()
    assert NodeView.of(node).ready
    node["status"]["conditions"][0]["status"] = "Unknown"
    assert not NodeView.of(node).ready


def test_done_writes_everything_in_one_patch() -> None:
    assert says.done(Target("b", IMAGE)) == {
        f"{PREFIX}state": "Done",
        f"{PREFIX}reason": "",
        f"{PREFIX}currentConfig": "b",
        f"{PREFIX}currentImage": IMAGE,
    }


def test_done_without_an_image_removes_both_image_annotations() -> None:
    annotations = says.done(Target("b", ""))
    assert annotations[f"{PREFIX}currentImage"] is None
    assert annotations[f"{PREFIX}desiredImage"] is None


def test_drain_requests_carry_the_config_and_not_the_image() -> None:
    assert (Target("b", IMAGE).drain, Target("b", IMAGE).uncordon) == ("drain-b", "uncordon-b")


def test_a_failed_rebase_names_the_image_the_command_and_the_registrys_words() -> None:
    reason = says.rebase_failure(IMAGE, "reading manifest x in y: unauthorized: authentication required")
    assert reason.startswith(f"failed to update OS to {IMAGE}: error running rpm-ostree rebase --experimental ")
    assert f"ostree-unverified-registry:{IMAGE}" in reason
    assert "unauthorized: authentication required" in reason


def test_a_reason_is_cut_as_the_daemon_cuts_it() -> None:
    assert says.degraded("x" * 5000)[f"{PREFIX}reason"] == "x" * 2000
