# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId, Severity
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.paused_pool import (
    paused_findings,
    with_pause,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import (
    CommandResult,
    Expected,
    NodeVerdict,
    Verdict,
    evaluate,
    evaluate_reported_state,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    OWN,
    RENDERED,
    booted_image,
    digest_of,
    image_of,
    machine_config_pool,
    node,
    rpm_ostree_status,
)

OF_CONFIG = Expected.of_pull_spec(image_of("a"), "machineosconfig")
OF_RENDERED = Expected.of_pull_spec(image_of("a"), "machineconfig")


def pool(*managers: str, paused: bool = True, ours: bool = False) -> Pool:
    """Return a pool that these managers pause."""
    notes = {OWN + "paused-by": "imagemode.openshift"} if ours else {}
    obj = machine_config_pool(paused=paused, annotations=notes)
    obj["metadata"]["managedFields"] += [
        {"manager": m, "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}} for m in managers
    ]
    return Pool.from_api(obj)


def node_of(desired: str = "b", config: str = OLD_RENDERED) -> NodeState:
    """Return a node to which the operator assigned an image and a configuration."""
    return NodeState.from_api(
        node("worker-0", annotations={"desiredImage": image_of(desired), "desiredConfig": config})
    )


def verdict_on(booted: str, state: NodeState, expected: Expected = OF_CONFIG) -> NodeVerdict:
    return evaluate(state, expected, CommandResult(0, rpm_ostree_status(booted_image(booted))))


def test_paused_pool_is_a_warning_that_names_who_paused_it():
    (finding,) = paused_findings([pool(paused=False), pool("kubectl-edit")])
    assert (finding.id, finding.severity) == (FindingId.POOL_UPDATES_PAUSED, Severity.WARNING)
    assert finding.object == ObjectRef("MachineConfigPool", "layered")
    assert finding.message == (
        "MachineConfigPool layered is paused by kubectl-edit, so the operator updates none of its nodes"
    )
    assert finding.remedy.startswith("Find the other manager of spec.paused with oc get machineconfigpool layered -o")


def test_pause_by_this_collection_has_its_own_remedy():
    (finding,) = paused_findings([pool(ours=True)])
    assert "is paused by this collection, so" in finding.message
    assert finding.remedy.startswith("Unpause the pool (machineconfigpool")


def test_pause_by_an_unknown_client_is_reported_without_a_name():
    (finding,) = paused_findings([pool()])
    assert finding.message.startswith("MachineConfigPool layered is paused, so the operator")


def test_node_that_matches_in_a_paused_pool_stays_a_match():
    state = node_of()
    match = verdict_on("a", state)
    assert with_pause(match, state, OF_CONFIG, pool("oc")) == match
    assert match.verdict is Verdict.MATCH


@pytest.mark.parametrize(
    ("expected", "state"), [(OF_CONFIG, node_of("b", RENDERED)), (OF_RENDERED, node_of("a", OLD_RENDERED))]
)
def test_node_with_another_image_names_the_pause_and_its_remedy(expected, state):
    before = verdict_on("b", state, expected)
    after = with_pause(before, state, expected, pool("oc"))
    (finding,) = after.findings
    assert (after.verdict, finding.id) == (Verdict.MISMATCH, FindingId.NODE_IMAGE_DIFFERS)
    assert finding.message == (
        f"booted {digest_of('b')}, expected {digest_of('a')}; MachineConfigPool layered is paused by oc, so the "
        "operator does not update the node"
    )
    assert "and unpause it with oc" in finding.remedy


def test_reported_state_names_the_pause_as_well():
    state = NodeState.from_api(node("worker-0", annotations={"currentImage": image_of("b")}))
    after = with_pause(evaluate_reported_state(state, OF_CONFIG), state, OF_CONFIG, pool("oc"))
    assert after.findings[0].id is FindingId.NODE_REPORTED_IMAGE_DIFFERS
    assert "is paused by oc" in after.findings[0].message


@pytest.mark.parametrize(
    ("state", "expected", "of"),
    [
        # The operator assigned the image before the pause.
        (node_of("a", OLD_RENDERED), OF_CONFIG, pool("oc")),
        (node_of("b", RENDERED), OF_RENDERED, pool("oc")),
        # The pool need not have the image that the user names.
        (node_of(), Expected.of_pull_spec(image_of("a"), "option"), pool("oc")),
        (node_of(), OF_CONFIG, pool(paused=False)),
        (node_of(), OF_CONFIG, None),
    ],
)
def test_pause_that_is_not_the_reason_is_not_named(state, expected, of):
    before = verdict_on("b", state, expected)
    assert before.verdict is Verdict.MISMATCH
    assert with_pause(before, state, expected, of) == before


def test_findings_with_another_cause_keep_their_text():
    state = node_of()
    pending = {**booted_image("a"), "booted": False, "staged": True}
    staged = evaluate(state, OF_CONFIG, CommandResult(0, rpm_ostree_status(pending, booted_image("b"))))
    assert [f.id for f in staged.findings] == [FindingId.NODE_IMAGE_STAGED]
    assert with_pause(staged, state, OF_CONFIG, pool("oc")) == staged
