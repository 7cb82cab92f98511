# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
import yaml
from ansible_collections.imagemode.openshift.plugins.modules.publish_result import RETURN
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
    verified: t.Mapping[str, t.Any],
    *,
    secrets: t.Any = None,
    build: t.Any = None,
    rollout: t.Any = None,
    request: t.Any = None,
) -> tuple[Run, dict[str, t.Any]]:
    steps = Steps({"started_at": 1}, request or {}, secrets or {}, build or {}, rollout or {}, verified)
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


def documented_names(documentation: t.Mapping[str, t.Any], path: str = "") -> set[str]:
    """Return the names of return values, those below another one behind a dot."""
    names = set()
    for name, value in documentation.items():
        names |= {f"{path}{name}"} | documented_names(value.get("contains", {}), f"{path}{name}.")
    return names


def published_names(value: t.Any, path: str = "") -> set[str]:
    """Return the names of fields, those below another one behind a dot."""
    if isinstance(value, list):
        return set().union(*(published_names(one, path) for one in value))
    if not isinstance(value, dict):
        return set()
    return {f"{path}{name}" for name in value}.union(*(published_names(v, f"{path}{n}.") for n, v in value.items()))


def test_every_field_of_an_entry_is_documented():
    build = {"build": {"name": "layered-1", "state": "succeeded", "digested_image_push_spec": IMAGE, "seeded": False}}
    verified = {**verification(node("a"), node("b", "unknown")), "containerfile": containerfile()}
    entries = [
        published_entry(*run(verified, build=build), [{"format": "json", "path": "layered.json"}]),
        published_entry(*forecast_run(forecast()), []),
    ]
    statistics = yaml.safe_load(RETURN)["ansible_stats"]["contains"]["data"]["contains"]["image_mode_result"]
    documented = documented_names(statistics["contains"])
    # These are documented where they are made.
    published = {name for name in published_names(entries) if not name.startswith(("rollout.", "forecast.build."))}
    assert published == documented


def test_timeline_is_in_the_report_and_not_in_the_entry():
    timeline = {"nodes": [{"name": f"worker-{n}", "state": "done"} for n in range(2000)], "left_out": 0}
    own, full = run(verification(node("a")), rollout={"timeline": timeline})
    assert full["timeline"] == timeline
    entry = published_entry(own, full, [])
    assert "timeline" not in entry
    assert len(json.dumps(entry).encode()) <= MAX_BYTES


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


def containerfile(proven: bool = True) -> dict[str, t.Any]:
    """Return a Containerfile as node_image_verify returns it."""
    text = "FROM configs AS final\n" * 190
    why_not = None if proven else "it was seeded"
    return {"machineosconfig": "layered", "sha256": "c" * 64, "text": text, "proven": proven, "why_not": why_not}


@pytest.mark.parametrize("proven", [True, False])
def test_entry_has_the_hash_of_the_containerfile_and_not_its_text(proven):
    own, full = run({**verification(node("a")), "containerfile": containerfile(proven)})
    assert full["containerfile"]["text"]
    assert published_entry(own, full, [])["containerfile"] == {"sha256": "c" * 64, "proven": proven}


def test_entry_without_a_containerfile_has_none():
    own, full = run(verification(node("a")))
    assert published_entry(own, full, [])["containerfile"] is None


HOSTILE = ("x", "\x1b", "\n", "\r\n", "\u2028", "\u202e", "\N{GRINNING FACE}", '"', "\\", "{{ x }}", "\ud800")


@pytest.mark.parametrize("failed", [False, True])
@pytest.mark.parametrize("text", HOSTILE)
def test_entry_of_2000_nodes_with_hostile_texts_is_small_and_its_message_is_one_line(text, failed):
    finding = {"id": f"node.{text * 500}", "severity": "error", "message": text * 3000, "remedy": text * 3000}
    nodes = [
        {**node(f"{text * 250}{number}", ("match", "mismatch", "unknown")[number % 3]), "findings": [finding] * 5}
        for number in range(2000)
    ]
    paused = {**finding, "id": "pool.updates_paused", "object": {"kind": text, "name": text}}
    verified = {**verification(*nodes), "containerfile": containerfile(), "findings": [paused] * 100}
    build = {"failed": True, "msg": f"Could not {text * 4000}."} if failed else {}
    own, full = run(verified, build=build)
    entry = published_entry(own, full, [{"format": "json", "path": text * 4000}] * 3, text * 4000)
    assert len(json.dumps(entry).encode()) <= MAX_BYTES
    for line in (entry["message"], entry["failure"]):
        assert line.isprintable()
        assert line
    assert entry["containerfile"]["sha256"] == "c" * 64
    assert all(line.isprintable() for line in summary_lines(own, full, [], check_mode=False)[:1])


def test_message_of_a_forecast_with_line_ends_is_one_line():
    own, full = forecast_run({**forecast(), "lines": ["a\nbuild", "3\r\nnodes"]})
    assert published_entry(own, full, [])["message"] == "pool layered: forecast: a build; 3 nodes"


def test_summary_says_that_the_pool_is_paused():
    message = "MachineConfigPool layered is paused by oc, so the operator updates none of its nodes"
    paused = {"id": "pool.updates_paused", "severity": "warning", "message": message, "remedy": "Unpause it"}
    own, full = run({**verification(node("a")), "findings": [paused]})
    assert (full["verdict"], full["failure"]) == ("match", None)
    assert summary_lines(own, full, [], check_mode=False)[:3] == [
        "Result: pool layered: 1 of 1 nodes match",
        f"Pool: {message}",
        "Node a: match",
    ]


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
    assert summary_lines(own, full, [], check_mode=False)[0] == "Result: pool layered has no nodes"


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


def test_seeded_image_is_not_shown_as_built():
    built = {"name": "layered-a", "state": "succeeded", "digested_image_push_spec": IMAGE, "seeded": True}
    own, full = run(verification(node("a")), build={"build": built})
    assert f"Image: {IMAGE} (seeded, not built from the Containerfile)" in summary_lines(own, full, [], False)
    assert published_entry(own, full, [])["build"]["seeded"] is True


def forecast(count: int = 3, complete: bool = False, name: str = "worker") -> dict[str, t.Any]:
    """Return a forecast as rollout_forecast returns it."""
    names = [f"{name}-{number}" for number in range(count)]
    finding = {"id": "node.drain_blocked", "message": "PodDisruptionBudget shop/db"}
    return {
        "complete": complete,
        "changes": not complete,
        "pool": "unchanged",
        "machineosconfig": "unchanged" if complete else "changed",
        "labels": {name: {} for name in names},
        "build": {"expected": "none" if complete else "start", "name": None},
        "rollout": {
            "total": count,
            "max_unavailable": "1",
            "at_once": 1,
            "batches": [[name] for name in names],
            "later": {},
            "updating": [],
        },
        "findings": [finding] * min(count, 50),
        "lines": ["a build would start", f"{count} nodes would drain and reboot", *(name * 40 for name in names[:18])],
    }


def forecast_run(made: dict[str, t.Any], **steps: t.Any) -> tuple[Run, dict[str, t.Any]]:
    return run({"nodes": []}, request={"forecast": made, "cluster": {"api_url": "https://api", "id": "1"}}, **steps)


def test_forecast_has_no_verdict_and_nothing_of_an_image():
    own, full = forecast_run(forecast(), build={"build": None, "changes": ["MachineOSConfig layered"]})
    entry = published_entry(own, full, [])
    assert (entry["verdict"], entry["failure"], entry["build"], entry["rollout"]) == ("none", None, None, None)
    assert entry["message"] == "pool layered: forecast: a build would start; 3 nodes would drain and reboot"
    assert entry["cluster"]["id"] == "1"
    assert {**entry["forecast"], "lines": []} == {
        "complete": False,
        "changes": True,
        "pool": "unchanged",
        "machineosconfig": "changed",
        "build": {"expected": "start", "name": None},
        "reboots": 3,
        "max_unavailable": "1",
        "at_once": 1,
        "batches": 3,
        "first_nodes": ["worker-0", "worker-1", "worker-2"],
        "findings": ["node.drain_blocked"],
        "lines": [],
    }


def test_summary_of_a_forecast_is_the_forecast():
    made = {**forecast(), "lines": ["a build would start", "3 nodes would drain and reboot"]}
    own, full = forecast_run(made, build={"changes": ["MachineOSConfig layered"]})
    assert summary_lines(own, full, [], check_mode=True) == [
        "Forecast: a build would start",
        "Forecast: 3 nodes would drain and reboot",
        "Would change: MachineOSConfig layered",
        "Time: 2m20s",
    ]


def test_complete_pool_is_verified_in_check_mode():
    request = {"forecast": forecast(0, complete=True)}
    own, full = run(verification(node("a")), request=request)
    entry = published_entry(own, full, [])
    assert (entry["verdict"], entry["forecast"]["complete"]) == ("match", True)
    lines = summary_lines(own, full, [], check_mode=True)
    assert lines[:-4] == [f"Forecast: {line}" for line in request["forecast"]["lines"]]
    assert lines[-4] == "Result: check mode: pool layered: 1 of 1 nodes match"


def test_failure_comes_before_the_forecast():
    failed = {"failed": True, "msg": "Could not roll out: no. Do it.", "forecast": forecast()}
    own, full = run({}, request=failed)
    assert published_entry(own, full, [])["verdict"] == "unknown"
    assert summary_lines(own, full, [], check_mode=True)[0] == "Result: check mode: Could not roll out: no. Do it."


@pytest.mark.parametrize("name", ["x" * 250, "\x1b" * 250, "\N{GRINNING FACE}" * 60])
def test_forecast_of_a_large_pool_is_small(name):
    own, full = forecast_run(forecast(2000, name=name), build={"changes": [f"Node {'z' * 253}"] * 2000})
    entry = published_entry(own, full, [])
    assert len(json.dumps(entry).encode()) <= MAX_BYTES
    assert entry["forecast"]["reboots"] == 2000
