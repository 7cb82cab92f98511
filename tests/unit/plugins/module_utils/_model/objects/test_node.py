# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import node as model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import (
    NodeState,
    Phase,
    Target,
    count_phases,
    is_control_plane,
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
    ("annotations", "settled"),
    [
        ({}, True),
        (IMAGE_A, True),
        ({"currentConfig": None, "desiredConfig": None}, False),
        ({"currentConfig": None}, False),
        ({"desiredConfig": None}, False),
        ({"currentConfig": OLD_RENDERED}, False),
        ({"desiredImage": A}, False),
        ({"currentImage": A}, False),
        ({"currentImage": A, "desiredImage": B}, False),
        ({**IMAGE_A, "state": "Working"}, False),
        ({**IMAGE_A, "state": "Degraded"}, False),
        ({**IMAGE_A, "state": "Unreconcilable"}, False),
        ({**IMAGE_A, "state": None}, False),
    ],
)
def test_a_node_has_settled_by_the_operators_own_predicate(annotations, settled):
    assert NodeState.from_api(node(annotations=annotations)).settled is settled


@pytest.mark.parametrize(
    ("target", "seen", "phase"),
    [
        # a layered pool
        (A, node_with_image("a"), Phase.DONE),
        (A, node(), Phase.WAITING),
        (A, node_with_image("b"), Phase.WAITING),
        (A, node(annotations={"desiredImage": A}), Phase.UPDATING),
        (A, node(annotations={"desiredImage": A, "state": "Working"}), Phase.UPDATING),
        (A, node(annotations={"desiredImage": A, "state": "Degraded"}), Phase.UPDATING),
        (A, node(annotations={**IMAGE_A, "currentConfig": OLD_RENDERED}), Phase.UPDATING),
        (A, node(annotations={**IMAGE_A, "currentConfig": OLD_RENDERED, "desiredConfig": OLD_RENDERED}), Phase.WAITING),
        (A, node(annotations={"currentImage": B, "desiredImage": B, "state": "Working"}), Phase.UPDATING),
        # settled on the image is not enough: the node has to carry workload
        (A, node_with_image("a", ready="False"), Phase.UPDATING),
        (A, node_with_image("a", ready="Unknown"), Phase.UPDATING),
        (A, node_with_image("a", unschedulable=True), Phase.UPDATING),
        # a pool that is not layered
        ("", node(), Phase.DONE),
        ("", node_with_image("a"), Phase.WAITING),
        ("", node(annotations={"currentImage": A}), Phase.UPDATING),
        ("", node(annotations={"currentConfig": OLD_RENDERED, "desiredConfig": OLD_RENDERED}), Phase.WAITING),
        ("", node(annotations={"currentConfig": None, "desiredConfig": None, "state": None}), Phase.WAITING),
    ],
)
def test_a_node_is_done_only_when_it_reached_the_target_and_can_carry_workload(target, seen, phase):
    assert Target(RENDERED, target).phase_of(NodeState.from_api(seen)) is phase


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
def test_done_means_exactly_what_the_operator_means_by_it(annotations, ready, unschedulable):
    seen = NodeState.from_api(node(annotations=annotations, ready=ready, unschedulable=unschedulable))
    done = (
        annotations["currentConfig"] == annotations["desiredConfig"] == RENDERED
        and annotations["currentImage"] == annotations["desiredImage"] == A
        and annotations["state"] == "Done"
        and ready == "True"
        and not unschedulable
    )
    assert (Target(RENDERED, A).phase_of(seen) is Phase.DONE) is done


def test_a_node_tells_why_it_is_stuck_and_which_boot_it_is_in():
    seen = NodeState.from_api(node("worker-7", annotations={"reason": "cannot pull"}, boot_id="boot-9"))
    assert (seen.name, seen.reason, seen.boot_id) == ("worker-7", "cannot pull", "boot-9")


def test_a_node_without_conditions_is_not_ready():
    assert not NodeState.from_api({"metadata": {"name": "new"}}).ready


@pytest.mark.parametrize(
    ("desired", "applied", "draining"),
    [
        ("drain-x", "uncordon-w", True),
        ("drain-x", "drain-x", False),
        ("uncordon-x", "drain-x", False),
        ("uncordon-x", "uncordon-x", False),
        (None, None, False),
        ("drain-x", None, True),
    ],
)
def test_a_drain_is_under_way_until_the_controller_has_fulfilled_it(desired, applied, draining):
    seen = node(annotations={"desiredDrain": desired, "lastAppliedDrain": applied})
    assert NodeState.from_api(seen).draining is draining


@pytest.mark.parametrize(
    ("state", "degraded"), [("Degraded", True), ("Unreconcilable", True), ("Working", False), ("Done", False)]
)
def test_the_daemon_says_when_it_is_degraded(state, degraded):
    assert NodeState.from_api(node(annotations={"state": state})).degraded is degraded


@given(
    st.dictionaries(
        st.sampled_from(
            ["currentConfig", "desiredConfig", "currentImage", "desiredImage", "state", "reason", "desiredDrain"]
        ),
        st.none() | st.sampled_from([RENDERED, A, "Done", "Working", "disk full"]),
    ),
    st.sampled_from(["True", "False", "Unknown"]),
    st.booleans(),
)
def test_a_reduced_node_reads_as_the_whole_one_but_for_its_boot(annotations, ready, unschedulable):
    whole = node(annotations=annotations, ready=ready, unschedulable=unschedulable, boot_id="")
    reduced = model.reduced(whole)
    assert NodeState.from_api(reduced) == NodeState.from_api(whole)
    assert reduced["metadata"]["labels"] == whole["metadata"]["labels"]


def test_a_reduced_node_leaves_foreign_annotations_behind():
    whole = node()
    whole["metadata"]["annotations"]["k8s.ovn.org/node-subnets"] = "long" * 100
    assert "long" not in str(model.reduced(whole))


@pytest.mark.parametrize(
    ("roles", "control_plane"),
    [(["master"], True), (["control-plane", "worker"], True), (["worker", "layered"], False), ([], False)],
)
def test_a_role_of_the_control_plane_is_told_by_its_label(roles, control_plane):
    assert is_control_plane(node(roles=roles)) is control_plane


def test_phases_are_counted():
    assert count_phases([Phase.DONE, Phase.WAITING, Phase.DONE]) == {
        "total": 3,
        "done": 2,
        "updating": 0,
        "waiting": 1,
    }
