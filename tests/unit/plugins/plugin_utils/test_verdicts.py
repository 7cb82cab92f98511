# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._verdicts import (
    MAX_LINES,
    failing_nodes,
    node_lines,
    why_not_verified,
)

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
BOTH = ["mismatch", "unknown"]


def node(name: str, verdict: str = "match", *findings: tuple[str, str], booted: str = DIGEST) -> dict[str, t.Any]:
    """Return a node as node_image_verify returns it; a finding is a severity and a message."""
    return {
        "name": name,
        "pool": "layered",
        "verdict": verdict,
        "booted": {"digest": booted} if booted else None,
        "expected": {"digest": DIGEST},
        "findings": [{"severity": s, "message": m, "remedy": f"Repair {m}"} for s, m in findings],
    }


@pytest.mark.parametrize(
    ("fail_on", "expected"),
    [
        (["mismatch", "unknown"], ["mismatch", "unknown", "mism********tch"]),
        (["mismatch"], ["mismatch", "mism********tch"]),
        ([], []),
    ],
)
def test_verdict_in_which_ansible_masked_a_secret_does_not_pass(fail_on, expected):
    nodes = [node("worker", verdict) for verdict in ("match", "mismatch", "unknown", "mism********tch")]
    assert [failing["verdict"] for failing in failing_nodes(nodes, fail_on)] == expected


def test_failure_names_nodes_and_the_most_severe_finding():
    nodes = [node("worker-0"), node("worker-1", "mismatch", ("warning", "a"), ("fatal", "z"), ("error", "b"))]
    assert why_not_verified({"nodes": nodes}, BOTH) == (
        "Could not verify MachineConfigPool layered: 1 of 2 nodes are not verified (worker-1); worker-1 does not "
        "match: z. Repair z."
    )


def test_failure_of_many_nodes_names_the_first():
    nodes = [node(f"worker-{n:03}", "unknown") for n in range(500)]
    message = why_not_verified({"nodes": nodes}, BOTH)
    assert "500 of 500 nodes are not verified (worker-000, " in message
    assert "worker-009 and 490 more); worker-000 is unknown" in message


def test_verified_nodes_are_no_failure():
    assert why_not_verified({"nodes": [node("worker-0")]}, BOTH) == ""
    assert why_not_verified({}, BOTH) == ""


def test_unproven_nodes_are_shown_first():
    nodes = [node("a"), node("b", "mismatch", ("error", "differs"), booted=OTHER), node("c", "unknown", booted="")]
    assert node_lines(nodes) == [
        "c: unknown",
        "b: mismatch: differs",
        f"a: match: booted {DIGEST}",
    ]


def test_verdict_without_a_finding_is_shown_with_the_booted_image():
    assert node_lines([node("a", "mismatch", booted=OTHER)]) == [f"a: mismatch: booted {OTHER}"]
    assert node_lines([node("a", "match", ("warning", "old"))]) == [f"a: match: booted {DIGEST} (old)"]


def test_findings_are_shown_by_weight_of_their_severity():
    (line,) = node_lines([node("a", "mismatch", ("warning", "third"), ("error", "second"), ("fatal", "first"))])
    assert line == "a: mismatch: first; second; third"


def test_of_many_nodes_the_rest_is_counted():
    nodes = [node(f"worker-{n:03}") for n in range(MAX_LINES + 5)] + [node("last", "unknown")]
    lines = node_lines(nodes)
    assert len(lines) == MAX_LINES + 1
    assert lines[0].startswith("last: unknown")
    assert lines[-1] == "... and 6 more nodes (6 match)"


def about_pool(finding_id: str) -> dict[str, t.Any]:
    """Return a result whose nodes all match, with a finding about the pool."""
    pool = {"kind": "MachineConfigPool", "namespace": "", "name": "layered"}
    finding = {"id": finding_id, "object": pool, "message": "a fact", "remedy": "Do it", "severity": "error"}
    return {"nodes": [node("worker-0")], "findings": [finding]}


@pytest.mark.parametrize(
    ("finding_id", "fail_on", "fails"),
    [
        ("pool.nodes_left_out", BOTH, True),
        ("pool.nodes_left_out", ["unknown"], True),
        ("pool.nodes_left_out", ["mismatch"], False),
        ("pool.nodes_left_out", [], False),
        ("pool.no_nodes", BOTH, True),
        ("pool.no_nodes", ["mismatch"], True),
        ("pool.no_nodes", [], False),
        ("pool.paused", BOTH, False),
    ],
)
def test_pool_that_is_not_verified_as_a_whole_fails_although_its_nodes_match(finding_id, fail_on, fails):
    expected = "Could not verify MachineConfigPool layered: a fact. Do it." if fails else ""
    assert why_not_verified(about_pool(finding_id), fail_on) == expected
