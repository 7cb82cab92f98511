# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.drain_blockers import Blocker
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import Phase
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.progress_line import (
    counts_text,
    progress_line,
    stage_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import image_of, node

WORKING = {"desiredImage": image_of("a"), "state": "Working"}
FATAL, ERROR = FindingId.NODE_DRAIN_IMPOSSIBLE, FindingId.NODE_DRAIN_BLOCKED


def blocker(name: str, summary: str, finding_id: FindingId = ERROR) -> Blocker:
    return Blocker(name, Finding(finding_id, ObjectRef("Node", name), summary), summary)


def line(nodes: list[NodeState], *blockers: Blocker, phase: Phase = Phase.UPDATING) -> str:
    return progress_line("layered", {n.name: phase for n in nodes}, nodes, blockers)


def state(name: str, **annotations: str) -> NodeState:
    return NodeState.from_api(node(name, annotations={**WORKING, **annotations}))


def test_counts_are_the_done_and_all_awaited_nodes():
    phases = {"a": Phase.DONE, "b": Phase.UPDATING, "c": Phase.WAITING}
    assert counts_text("layered", phases) == "pool layered: 1/3 nodes updated"


def test_nodes_that_are_done_or_waiting_are_not_named():
    assert line([state("a")], phase=Phase.DONE) == "pool layered: 1/1 nodes updated"
    assert line([state("a")], phase=Phase.WAITING) == "pool layered: 0/1 nodes updated"


def test_waiting_node_that_is_blocked_is_named():
    text = line([state("a"), state("b")], blocker("b", "cordoned"), phase=Phase.WAITING)
    assert text == "pool layered: 0/2 nodes updated, b waiting (cordoned)"


def test_degraded_node_is_named_with_its_reason():
    nodes = [state("a", state="Degraded", desiredDrain="drain-x")]
    assert line(nodes, blocker("a", "disk full")) == "pool layered: 0/1 nodes updated, a degraded (disk full)"
    assert line(nodes, blocker("a", "")) == "pool layered: 0/1 nodes updated, a degraded"


def test_three_nodes_are_named():
    nodes = [state(name) for name in "abcde"]
    named = "a applying the image, b applying the image, c applying the image"
    assert line(nodes[:3]) == f"pool layered: 0/3 nodes updated, {named}"
    assert line(nodes[:4]) == f"pool layered: 0/4 nodes updated, {named} and 1 more"
    assert line(nodes) == f"pool layered: 0/5 nodes updated, {named} and 2 more"


def test_blocked_nodes_are_named_first_and_those_with_a_fatal_finding_before_them():
    nodes = [state(name) for name in "abcde"]
    text = line(nodes, blocker("d", "slow"), blocker("e", "slow"), blocker("e", "never", FATAL))
    assert text == (
        "pool layered: 0/5 nodes updated, e applying the image (never and 1 more), d applying the image (slow), "
        "a applying the image and 2 more"
    )


def test_fatal_reason_is_named_first():
    text = line([state("a")], blocker("a", "one"), blocker("a", "two", FATAL), blocker("a", "three"))
    assert text == "pool layered: 0/1 nodes updated, a applying the image (two and 2 more)"


@pytest.mark.parametrize(
    ("annotations", "more", "stage"),
    [
        ({**WORKING, "desiredDrain": "drain-x"}, {"ready": "False"}, "draining"),
        (WORKING, {"ready": "False"}, "rebooting"),
        ({**WORKING, "desiredDrain": "uncordon-x"}, {}, "returning"),
        ({"currentImage": image_of("a"), "desiredImage": image_of("a")}, {}, "returning"),
        (WORKING, {}, "applying the image"),
    ],
)
def test_stage_of_a_node(annotations, more, stage):
    assert stage_of(NodeState.from_api(node("a", annotations=annotations, **more))) == stage
