# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.node_failure import failure_of
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.blockers import (
    LONGEST_REBOOT,
    PULL_RETRIED,
    max_unavailable_reached,
    node_blockers,
    pool_blockers,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import NodeHistory
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import Phase
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    image_of,
    machine_config_pool,
    node,
    node_with_image,
    render_degraded,
)

WORKING = {"desiredImage": image_of("a"), "state": "Working"}
DENIED = "failed to update OS to x: error: reading manifest: unauthorized: exit status 1"


def blockers(
    obj: dict, phase: Phase = Phase.UPDATING, history: NodeHistory | None = None, now: float = 1000.0
) -> list[tuple[str, str, str, str]]:
    """Id, message, summary and evidence of each blocker."""
    found = node_blockers(NodeState.from_api(obj), phase, history or NodeHistory(), now)
    assert all(
        (b.node, b.finding.object.kind, b.finding.object.name) == ("worker-0", "Node", "worker-0") for b in found
    )
    return [(str(b.finding.id), b.finding.message, b.summary, b.finding.evidence) for b in found]


def degraded(reason: str = "", state: str = "Degraded", **more: t.Any) -> dict:
    return node("worker-0", annotations={**WORKING, "state": state, "reason": reason}, **more)


def test_paused_pool_and_render_error_block_the_pool():
    pool = Pool.from_api(render_degraded(machine_config_pool(paused=True), "MachineConfig 99-x: bad"))
    found = pool_blockers(pool)
    assert [(str(f.id), f.message, f.evidence) for f in found] == [
        ("pool.paused", "MachineConfigPool layered is paused", ""),
        ("pool.render_degraded", "MachineConfig 99-x: bad", "MachineConfig 99-x: bad"),
    ]
    assert {str(f.object) for f in found} == {"MachineConfigPool layered"}
    assert pool_blockers(Pool.from_api(machine_config_pool())) == []


@pytest.mark.parametrize(
    ("obj", "expected"),
    [
        (degraded("disk full"), ("node.degraded", "Node worker-0 is degraded: disk full", "disk full", "disk full")),
        (degraded(state="Unreconcilable"), ("node.degraded", "Node worker-0 is degraded: Unreconcilable", "", "")),
        (
            node_with_image("a", ready="False"),
            ("node.not_ready", "Node worker-0 is not Ready", "not Ready", ""),
        ),
        (
            node_with_image("a", unschedulable=True),
            ("node.unschedulable", "Node worker-0 is cordoned", "cordoned", ""),
        ),
    ],
)
def test_blocker_has_a_message_and_a_summary(obj, expected):
    assert blockers(obj) == [expected]


def test_settled_node_may_be_blocked_twice():
    obj = node_with_image("a", ready="False", unschedulable=True)
    assert [found[0] for found in blockers(obj)] == ["node.not_ready", "node.unschedulable"]


def test_summary_of_a_long_reason_is_cut():
    ((dummy_id, message, summary, evidence),) = blockers(degraded("x" * 300))
    assert (summary, evidence, message) == ("x" * 200, "x" * 300, "Node worker-0 is degraded: " + "x" * 300)


@pytest.mark.parametrize("obj", [node_with_image("a"), node_with_image("a", ready="False", unschedulable=True)])
def test_node_that_is_done_is_not_blocked(obj):
    assert blockers(obj, Phase.DONE) == []


def test_node_that_is_degraded_is_blocked_in_each_phase():
    assert [found[0] for found in blockers(degraded("full"), Phase.DONE)] == ["node.degraded"]


@pytest.mark.parametrize("request_", ["drain-x", "uncordon-x"])
def test_cordoned_node_with_a_pending_drain_request_is_not_blocked(request_):
    obj = node_with_image("a", unschedulable=True)
    obj["metadata"]["annotations"]["machineconfiguration.openshift.io/desiredDrain"] = request_
    assert blockers(obj) == []


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        (None, []),
        (1000.0 - LONGEST_REBOOT + 1, []),
        (
            1000.0 - LONGEST_REBOOT,
            [
                (
                    "node.not_returned",
                    "Node worker-0 has not been Ready for more than 10 minutes",
                    "not Ready for more than 10 minutes",
                    "",
                )
            ],
        ),
    ],
)
def test_rebooting_node_is_blocked_after_ten_minutes(since, expected):
    obj = node("worker-0", annotations=WORKING, ready="False", unschedulable=True)
    assert blockers(obj, history=NodeHistory(not_ready_since=since)) == expected


@pytest.mark.parametrize(
    ("since", "finding_id", "summary"),
    [
        (1000.0 - PULL_RETRIED + 1, "node.degraded", "reading manifest: unauthorized"),
        (None, "node.degraded", "reading manifest: unauthorized"),
        (1000.0 - PULL_RETRIED, "node.image_pull_denied", "reading manifest: unauthorized"),
    ],
)
def test_denied_pull_is_reported_after_the_daemon_has_retried(since, finding_id, summary):
    ((found, dummy_message, found_summary, evidence),) = blockers(
        degraded(DENIED), history=NodeHistory(pull_failed_since=since)
    )
    assert (found, found_summary, evidence) == (finding_id, summary, DENIED)


SIGNATURE = (
    "failed to update OS to r.example.com/os: error running rpm-ostree rebase x: error: Creating importer: "
    "remote error: Source image rejected: A signature was required, but no signature exists\n: exit status 1"
)
RETRY = (
    "failed to update OS to x: error running rpm-ostree rebase x: error: Old and new refs are equal: x: exit status 1"
)


def test_pull_that_fails_for_another_reason_has_its_own_finding():
    ((found, message, summary, evidence),) = blockers(degraded(SIGNATURE), history=NodeHistory(pull_failed_since=0.0))
    assert found == "node.image_rejected"
    assert message == (
        "Node worker-0 cannot pull the image: Source image rejected: A signature was required, but no signature exists"
    )
    assert (summary, evidence) == (message.partition("image: ")[2], SIGNATURE)


def test_error_of_a_retry_is_not_quoted_as_the_cause():
    ((found, message, summary, evidence),) = blockers(degraded(RETRY), history=NodeHistory(pull_failed_since=0.0))
    assert (found, evidence) == ("node.cause_in_log", RETRY)
    assert "refs" not in message + summary
    assert "The first error is in the log of its machine-config-daemon" in message


@pytest.mark.parametrize(
    ("since", "finding_id", "begin"),
    [
        (None, "node.degraded", "Node worker-0 is degraded: "),
        (1000.0 - PULL_RETRIED, "node.image_rejected", "Node worker-0 cannot pull the image: "),
    ],
)
def test_cause_that_was_observed_before_the_retry_is_reported(since, finding_id, begin):
    history = NodeHistory(pull_failed_since=since, failure=failure_of(SIGNATURE))
    ((found, message, dummy_summary, evidence),) = blockers(degraded(RETRY), history=history)
    assert (found, evidence) == (finding_id, RETRY)
    assert message.startswith(begin)
    assert message.endswith("no signature exists")


# maxUnavailable ------------------------------------------------------------------------------------------------------


def reached(
    nodes: t.Sequence[tuple[dict, Phase]], awaited: t.Collection[str] | None = None, limit: int = 1
) -> list[str]:
    states = [NodeState.from_api(obj) for obj, dummy in nodes]
    phases = {state.name: phase for state, (dummy, phase) in zip(states, nodes)}
    pool = Pool.from_api(machine_config_pool(maxUnavailable=limit))
    found = max_unavailable_reached(pool, states, phases, phases if awaited is None else awaited)
    assert all(
        (str(f.id), str(f.object)) == ("pool.max_unavailable_reached", "MachineConfigPool layered") for f in found
    )
    assert all(f.message.endswith(f.evidence) for f in found)
    return [f.evidence for f in found]


NEXT = (node("worker-9"), Phase.WAITING)


@pytest.mark.parametrize(
    ("obj", "phase", "why"),
    [
        (degraded("full"), Phase.UPDATING, "worker-0 degraded (full)"),
        (degraded(), Phase.UPDATING, "worker-0 degraded"),
        (degraded("x" * 300), Phase.UPDATING, f"worker-0 degraded ({'x' * 200})"),
        (node("worker-0", ready="False"), Phase.WAITING, "worker-0 not Ready"),
        (node("worker-0", ready="False", unschedulable=True), Phase.WAITING, "worker-0 not Ready"),
        (node("worker-0", unschedulable=True), Phase.WAITING, "worker-0 cordoned"),
    ],
)
def test_blocked_node_counts_for_max_unavailable(obj, phase, why):
    assert reached([(obj, phase), NEXT]) == [why]
    assert reached([(obj, phase), NEXT], limit=2) == []


@pytest.mark.parametrize(
    ("obj", "phase"),
    [
        (degraded("full"), Phase.DONE),
        (node("worker-0"), Phase.WAITING),
        (node("worker-0", annotations=WORKING, ready="False", unschedulable=True), Phase.UPDATING),
    ],
    ids=["done", "ready and schedulable", "update in progress"],
)
def test_other_node_does_not_count_for_max_unavailable(obj, phase):
    assert reached([(obj, phase), NEXT]) == []


def test_all_blocked_nodes_are_named():
    nodes = [(degraded("full"), Phase.UPDATING), (node("worker-1", unschedulable=True), Phase.WAITING), NEXT]
    assert reached(nodes) == ["worker-0 degraded (full); worker-1 cordoned"]
    assert reached(nodes, limit=2) == ["worker-0 degraded (full); worker-1 cordoned"]


@pytest.mark.parametrize("awaited", [["worker-0"], ["worker-0", "worker-1"], []])
def test_max_unavailable_matters_only_if_an_awaited_node_is_waiting(awaited):
    nodes = [(degraded("full"), Phase.UPDATING), (node("worker-1"), Phase.UPDATING), NEXT]
    assert reached(nodes, awaited) == []
    assert reached(nodes, [*awaited, "worker-9"]) == ["worker-0 degraded (full)"]
