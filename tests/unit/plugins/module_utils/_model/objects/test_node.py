# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import node as model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import (
    NodeState,
    is_control_plane,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    RENDERED,
    image_of,
    node,
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
def test_node_is_settled_by_the_predicate_of_the_operator(annotations, settled):
    assert NodeState.from_api(node(annotations=annotations)).settled is settled


def test_reason_and_boot_id_are_read():
    seen = NodeState.from_api(node("worker-7", annotations={"reason": "cannot pull"}, boot_id="boot-9"))
    assert (seen.name, seen.reason, seen.boot_id) == ("worker-7", "cannot pull", "boot-9")


def test_node_without_conditions_is_not_ready():
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
def test_node_is_draining_until_the_controller_has_applied_the_drain(desired, applied, draining):
    seen = node(annotations={"desiredDrain": desired, "lastAppliedDrain": applied})
    assert NodeState.from_api(seen).draining is draining


@pytest.mark.parametrize(
    ("state", "degraded"), [("Degraded", True), ("Unreconcilable", True), ("Working", False), ("Done", False)]
)
def test_node_is_degraded_by_the_state_of_its_daemon(state, degraded):
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
def test_reduced_node_reads_as_the_full_node_without_its_boot_id(annotations, ready, unschedulable):
    whole = node(annotations=annotations, ready=ready, unschedulable=unschedulable, boot_id="")
    reduced = model.reduced(whole)
    assert NodeState.from_api(reduced) == NodeState.from_api(whole)
    assert reduced["metadata"]["labels"] == whole["metadata"]["labels"]


@pytest.mark.parametrize("ready", ["True", "False", "Unknown"])
def test_reduced_node_keeps_when_it_became_ready_or_not(ready):
    whole = node(ready=ready)
    whole["status"]["conditions"][1].update(
        lastTransitionTime="2026-11-24T09:00:00Z", lastHeartbeatTime="x", message="y"
    )
    assert NodeState.from_api(whole).ready_since == "2026-11-24T09:00:00Z"
    reduced = model.reduced(whole)
    assert NodeState.from_api(reduced).ready_since == "2026-11-24T09:00:00Z"
    assert reduced["status"]["conditions"] == [
        {"type": "Ready", "status": ready, "lastTransitionTime": "2026-11-24T09:00:00Z"}
    ]


@pytest.mark.parametrize("time", [None, 7, ["x"]])
def test_time_of_the_condition_that_is_no_text_is_missing(time):
    whole = node()
    whole["status"]["conditions"][1]["lastTransitionTime"] = time
    assert NodeState.from_api(model.reduced(whole)).ready_since == ""


def test_reduced_node_has_no_foreign_annotations():
    whole = node()
    whole["metadata"]["annotations"]["k8s.ovn.org/node-subnets"] = "long" * 100
    assert "long" not in str(model.reduced(whole))


@pytest.mark.parametrize(
    ("roles", "control_plane"),
    [(["master"], True), (["control-plane", "worker"], True), (["worker", "layered"], False), ([], False)],
)
def test_control_plane_node_is_recognized_by_its_role(roles, control_plane):
    assert is_control_plane(node(roles=roles)) is control_plane
