# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.plugin_utils._run_result import (
    MAX_BYTES,
    MAX_NODES,
    Run,
    Steps,
    full_result,
    published_entry,
    summary_lines,
)

IMAGE = "registry.example.com/os/layered@sha256:" + "a" * 64


def node(name: str, verdict: str = "match", message: str = "differs") -> dict[str, t.Any]:
    findings = [] if verdict == "match" else [{"severity": "error", "message": message, "remedy": "Repair it"}]
    return {"name": name, "pool": "layered", "verdict": verdict, "booted": None, "findings": findings}


def verification(*nodes: dict[str, t.Any]) -> dict[str, t.Any]:
    verdicts = [n["verdict"] for n in nodes]
    counts = {"total": len(nodes), **{v: verdicts.count(v) for v in ("match", "mismatch", "unknown")}}
    worst = next((v for v in ("unknown", "mismatch", "match") if v in verdicts), "unknown")
    return {"verdict": worst, "summary": counts, "nodes": list(nodes), "cluster": {"api_url": "https://api", "id": "1"}}


def run(
    verified: t.Mapping[str, t.Any], *, secrets: t.Any = None, build: t.Any = None, rollout: t.Any = None
) -> tuple[Run, dict[str, t.Any]]:
    steps = Steps({"started_at": 1}, secrets or {}, build or {}, rollout or {}, verified)
    own = Run("localhost", "layered", ("mismatch", "unknown"), 140, steps)
    return own, full_result(own, own.verified()[0])


def test_entry_counts_nodes_and_names_those_that_are_not_proven():
    own, full = run(verification(node("a"), node("b", "mismatch")))
    entry = published_entry(own, full, [])
    assert entry["verdict"] == "mismatch"
    assert entry["counts"] == {"total": 2, "match": 1, "mismatch": 1, "unknown": 0}
    assert entry["unproven_nodes"] == [{"name": "b", "verdict": "mismatch", "reason": "differs"}]
    assert entry["failure"].startswith("Could not verify MachineConfigPool layered: 1 of 2 nodes")
    assert entry["message"] == entry["failure"]


def test_entry_of_a_large_pool_is_small():
    nodes = [node(f"worker-{n}-{'x' * 240}", "unknown", "y" * 2000) for n in range(2000)]
    changes = [f"Node {'z' * 253}"] * 2000
    own, full = run(verification(*nodes), rollout={"changes": changes})
    entry = published_entry(own, full, [])
    assert len(json.dumps(entry).encode()) <= MAX_BYTES
    assert 0 < len(entry["unproven_nodes"]) <= MAX_NODES


@pytest.mark.parametrize("text", ["x", "\x1b", "\N{SNOWMAN}", "\N{GRINNING FACE}", '"', "\n"])
def test_entry_with_long_texts_of_the_cluster_is_small(text):
    long = text * 30000
    verified = {
        **verification(*(node(long, "mismatch", long) for dummy in range(30))),
        "cluster": dict.fromkeys(("api_url", "id", "name", "version"), long),
        "account": long,
        "transport": long,
        "verdict": long,
        "summary": {"total": 30, **{f"{number}{long}": long for number in range(100)}},
    }
    build = {
        "build": dict.fromkeys(("name", "state", "digested_image_push_spec"), long),
        "changes": [long] * 30,
        "failed": True,
        "msg": long,
    }
    own, full = run(verified, build=build, rollout={"rollout": {str(number): [long] * 100 for number in range(100)}})
    reports = [{"format": "json", "path": long}] * 100
    entry = published_entry(own, full, reports, long)
    assert len(json.dumps(entry).encode()) <= MAX_BYTES
    assert "\x1b" not in json.dumps(entry, ensure_ascii=False)
    assert entry["failure"]


def test_entry_is_printable():
    own, full = run({**verification(node("a")), "account": "a\x1b[2Jb"})
    assert published_entry(own, full, [])["account"] == "a\\x1b[2Jb"


def test_failure_of_a_report_is_the_failure_of_a_run_without_one():
    own, full = run(verification(node("a")))
    entry = published_entry(own, full, [], "Could not write the report: no. Do it.")
    assert entry["failure"] == "Could not write the report: no. Do it."
    assert entry["message"] == "pool layered: 1 of 1 nodes match"
    own, full = run(verification(node("a", "mismatch")))
    assert published_entry(own, full, [], "Could not write the report: no. Do it.")["failure"] == full["failure"]


def test_name_of_an_image_keeps_its_digest():
    image = f"registry.example.com/{'a' * 350}@sha256:{'b' * 64}"
    own, full = run(verification(node("a")), build={"build": {"digested_image_push_spec": image}})
    assert published_entry(own, full, [])["build"]["digested_image_push_spec"] == image


def test_failure_is_that_of_whatever_step_failed():
    own, full = run({}, secrets={"failed": True, "msg": "Could not apply Secret s: no. Do it."})
    entry = published_entry(own, full, [])
    assert (entry["verdict"], entry["failure"]) == ("unknown", "Could not apply Secret s: no. Do it.")


def test_verdict_on_a_pool_without_nodes_is_none():
    own, full = run({"skipped": True}, rollout={"rollout": {"total": 0}})
    assert full["verdict"] == "none"
    assert summary_lines(own, full, [], check_mode=False)[0] == "Result: pool layered: no nodes to verify"


def test_nothing_verified_is_unknown():
    dummy, full = run({})
    assert full["verdict"] == "unknown"


def test_summary_names_image_nodes_changes_reports_and_time():
    built = {"build": {"digested_image_push_spec": IMAGE}, "changes": ["MachineOSConfig layered"]}
    own, full = run(verification(node("a")), build=built)
    assert summary_lines(own, full, [{"format": "json", "path": "/reports/a.json"}], check_mode=False) == [
        "Result: pool layered: 1 of 1 nodes match",
        f"Image: {IMAGE}",
        "Node a: match",
        "Changed: MachineOSConfig layered",
        "Report: /reports/a.json",
        "Time: 2m20s",
    ]


def test_summary_of_check_mode_says_so():
    own, full = run({}, build={"changes": ["MachineOSConfig layered"]})
    lines = summary_lines(own, full, [], check_mode=True)
    assert lines[0] == "Result: check mode: pool layered: not verified"
    assert "Would change: MachineOSConfig layered" in lines


def test_each_cluster_of_a_play_over_hosts_is_verified_on_its_own():
    clusters = [verification(node("a")), verification(node("b"))]
    own, dummy = run({**verification(node("a"), node("b")), "clusters": clusters})
    assert [[n["name"] for n in v["nodes"]] for v in own.verified()] == [["a"], ["b"]]
