# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import (
    Phase,
    Target,
    count_phases,
    phases_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    RENDERED,
    image_of,
    node,
    node_with_image,
)
from hypothesis import given
from hypothesis import strategies as st

A, B = image_of("a"), image_of("b")
IMAGE_A = {"currentImage": A, "desiredImage": A}


@pytest.mark.parametrize(
    ("target", "obj", "phase"),
    [
        # a pool with a MachineOSConfig
        (A, node_with_image("a"), Phase.DONE),
        (A, node(), Phase.WAITING),
        (A, node_with_image("b"), Phase.WAITING),
        (A, node(annotations={"desiredImage": A}), Phase.UPDATING),
        (A, node(annotations={"desiredImage": A, "state": "Working"}), Phase.UPDATING),
        (A, node(annotations={"desiredImage": A, "state": "Degraded"}), Phase.UPDATING),
        (A, node(annotations={**IMAGE_A, "currentConfig": OLD_RENDERED}), Phase.UPDATING),
        (A, node(annotations={**IMAGE_A, "currentConfig": OLD_RENDERED, "desiredConfig": OLD_RENDERED}), Phase.WAITING),
        (A, node(annotations={"currentImage": B, "desiredImage": B, "state": "Working"}), Phase.UPDATING),
        # the image is not enough: the node has to accept workloads
        (A, node_with_image("a", ready="False"), Phase.UPDATING),
        (A, node_with_image("a", ready="Unknown"), Phase.UPDATING),
        (A, node_with_image("a", unschedulable=True), Phase.UPDATING),
        # a pool without a MachineOSConfig
        ("", node(), Phase.DONE),
        ("", node_with_image("a"), Phase.WAITING),
        ("", node(annotations={"currentImage": A}), Phase.UPDATING),
        ("", node(annotations={"currentConfig": OLD_RENDERED, "desiredConfig": OLD_RENDERED}), Phase.WAITING),
        ("", node(annotations={"currentConfig": None, "desiredConfig": None, "state": None}), Phase.WAITING),
    ],
)
def test_node_is_done_only_with_the_target_and_ready_and_schedulable(target, obj, phase):
    assert Target(RENDERED, target).phase_of(NodeState.from_api(obj)) is phase


@given(
    st.fixed_dictionaries(
        {
            "currentConfig": st.sampled_from([None, "", RENDERED, OLD_RENDERED]),
            "desiredConfig": st.sampled_from([None, "", RENDERED, OLD_RENDERED]),
            "currentImage": st.sampled_from([None, "", A, B]),
            "desiredImage": st.sampled_from([None, "", A, B]),
            "state": st.sampled_from([None, "Working", "Done", "Degraded"]),
        }
    ),
    st.sampled_from(["True", "False", "Unknown"]),
    st.booleans(),
)
def test_done_is_exactly_the_predicate_of_the_operator(annotations, ready, unschedulable):
    state = NodeState.from_api(node(annotations=annotations, ready=ready, unschedulable=unschedulable))
    done = (
        annotations["currentConfig"] == annotations["desiredConfig"] == RENDERED
        and annotations["currentImage"] == annotations["desiredImage"] == A
        and annotations["state"] == "Done"
        and ready == "True"
        and not unschedulable
    )
    assert (Target(RENDERED, A).phase_of(state) is Phase.DONE) is done


def test_phases_are_counted():
    assert count_phases([Phase.DONE, Phase.WAITING, Phase.DONE]) == {
        "total": 3,
        "done": 2,
        "updating": 0,
        "waiting": 1,
        "left": 0,
    }


def test_without_a_target_all_nodes_are_waiting():
    nodes = [NodeState.from_api(node_with_image("a", "worker-0")), NodeState.from_api(node("worker-1"))]
    assert phases_of(nodes, None) == {"worker-0": Phase.WAITING, "worker-1": Phase.WAITING}
    assert phases_of(nodes, Target(RENDERED, A)) == {"worker-0": Phase.DONE, "worker-1": Phase.WAITING}
