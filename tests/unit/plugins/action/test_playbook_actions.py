# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugins that begin and end a playbook."""

from __future__ import annotations

import json
import typing as t
from unittest import mock

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, connection_loader, lookup_loader
from ansible.template import Templar
from ansible_collections.imagemode.openshift.plugins.action import check_verdicts, show_summary
from ansible_collections.imagemode.openshift.plugins.plugin_utils._run_result import MAX_BYTES

NODES = [{"name": "worker-0", "pool": "layered", "verdict": "mismatch", "booted": None, "findings": []}]
COUNTS = {"total": 1, "match": 0, "mismatch": 1, "unknown": 0}
VERIFIED = {"verdict": "mismatch", "summary": COUNTS, "nodes": NODES, "cluster": {"api_url": "https://api"}}
APPLY: t.Mapping[str, t.Any] = {
    "image_mode_pool": "layered",
    "image_mode_rendered_image_push_spec": "registry.example.com/os/layered:latest",
    "image_mode_rendered_image_push_secret": "os-push",
    "image_mode_containerfile": "FROM configs AS final\n",
}


def run(
    name: str, task_vars: t.Mapping[str, t.Any], tags: t.Sequence[str] = (), reporter: t.Any = None, **arguments: t.Any
) -> dict[str, t.Any]:
    loader = DataLoader()
    full_name = f"imagemode.openshift.{name}"
    action = action_loader.get(
        full_name,
        task=Task.load({"action": full_name, "args": arguments, "tags": list(tags)}),
        connection=connection_loader.get("ansible.builtin.local", PlayContext(), "/dev/null"),
        play_context=PlayContext(),
        loader=loader,
        templar=Templar(loader=loader, variables=dict(task_vars)),
        shared_loader_obj=None,
    )
    # From ansible-core 2.19 on, an action plugin ignores the loader that it is given.
    action._shared_loader_obj = mock.Mock(
        action_loader=mock.Mock(get=lambda *a, **k: mock.Mock(run=mock.Mock(side_effect=[reporter])))
    )
    return t.cast("dict[str, t.Any]", action.run(task_vars={"inventory_hostname": "localhost", **task_vars}))


@pytest.fixture
def printed(monkeypatch) -> list[str]:
    lines: list[str] = []
    for module in (check_verdicts, show_summary):
        monkeypatch.setattr(module.display, "display", lines.append)
    return lines


def test_valid_variables_pass():
    assert not run("validate_variables", APPLY, playbook="apply").get("failed")


@pytest.mark.parametrize(
    ("variables", "tags", "problem"),
    [
        ({"image_mode_build_timeout": "soon"}, [], "Could not use variable image_mode_build_timeout: soon is not"),
        ({"image_mode_pol": "x"}, [], "image_mode_pol is not read by any playbook. Did you mean image_mode_pool?"),
        ({"image_mode_node": "worker-0"}, [], "host localhost is a node, and this playbook needs hosts that are pools"),
        ({"ansible_run_tags": ["deploy"]}, ["always"], "--tags deploy selects none of its tasks. Leave --tags out."),
    ],
)
def test_wrong_variables_fail_in_one_line(variables, tags, problem):
    result = run("validate_variables", {**APPLY, **variables}, tags, playbook="apply")
    assert result["failed"]
    assert problem in result["msg"]
    assert "\n" not in result["msg"]


def test_options_of_a_role_are_validated_by_their_own_names():
    result = run("validate_variables", {"roll_out_pool": "layered", "roll_out_progress": "x"}, role="roll_out")
    assert result["msg"].startswith("Could not use variable roll_out_progress: ")


def test_result_is_published_with_its_summary_and_failure():
    result = run("publish_result", {"verify_nodes_result": VERIFIED}, pool="layered")
    stats = result["ansible_stats"]
    (entry,) = stats["data"]["image_mode_result"]
    assert stats["aggregate"]
    assert (entry["verdict"], entry["counts"], entry["pool"]) == ("mismatch", COUNTS, "layered")
    assert result["failure"] == entry["failure"]
    assert result["failure"].startswith("Could not verify MachineConfigPool layered: 1 of 1 nodes are not verified")
    assert result["summary"][0] == f"Result: {entry['failure']}"


def test_failure_of_a_step_is_published_and_not_repeated():
    failed = {"failed": True, "msg": "Could not reach the cluster: no. Do it."}
    result = run("publish_result", {"build_image_result": failed}, pool="layered")
    assert result["ansible_stats"]["data"]["image_mode_result"][0]["failure"] == failed["msg"]
    assert result["failure"] == ""


def test_report_that_cannot_be_written_is_a_failure():
    reporter = {"failed": True, "msg": "Could not write report /a: no. Do it."}
    task_vars = {"verify_nodes_result": {**VERIFIED, "nodes": [], "verdict": "match"}}
    result = run("publish_result", task_vars, reporter=reporter, pool="layered", report_dir="reports")
    assert result["failure"] == reporter["msg"]
    assert result["ansible_stats"]["data"]["image_mode_result"][0]["verdict"] == "match"


def test_error_of_ansible_in_a_report_is_a_failure_and_keeps_the_entry():
    error = AnsibleError("formats must be\none of: html")
    task_vars = {"verify_nodes_result": {**VERIFIED, "nodes": [], "verdict": "match"}}
    result = run("publish_result", task_vars, reporter=error, pool="layered", report_dir="reports")
    (entry,) = result["ansible_stats"]["data"]["image_mode_result"]
    assert not result.get("failed")
    assert "formats must be one of: html" in result["failure"]
    assert (entry["verdict"], entry["failure"]) == ("match", result["failure"])


@pytest.mark.parametrize(
    "malformed",
    [
        {"verify_nodes_result": {**VERIFIED, "nodes": [{"name": "worker-0"}]}},
        {"verify_nodes_result": {**VERIFIED, "nodes": [], "summary": {"total": 1}}},
        {"verify_nodes_result": {**VERIFIED, "nodes": 7}},
        {"build_image_result": {"build": "layered-1"}},
        {"build_image_result": "text"},
        {"validate_variables_result": {"started_at": "soon"}},
        {"verify_nodes_result": {("a", "b"): 1}},
    ],
)
def test_result_that_cannot_be_read_is_published_as_a_failure(malformed):
    result = run("publish_result", malformed, pool="layered")
    (entry,) = result["ansible_stats"]["data"]["image_mode_result"]
    assert not result.get("failed")
    assert result["failure"].startswith("Could not finish: an unexpected ")
    assert (entry["failure"], entry["verdict"], entry["pool"]) == (result["failure"], "unknown", "layered")
    assert result["summary"] == [f"Result: {result['failure']}"]


def test_options_that_cannot_be_used_are_published_as_a_failure():
    result = run("publish_result", {}, pools="layered")
    assert not result.get("failed")
    assert result["failure"].startswith("Could not publish the result: ")
    assert result["ansible_stats"]["data"]["image_mode_result"][0]["failure"] == result["failure"]


def test_entry_with_a_failed_report_is_small():
    reporter = {"failed": True, "msg": "\x1b" * 30000}
    result = run("publish_result", {"verify_nodes_result": VERIFIED}, reporter=reporter, report_dir="reports")
    (entry,) = result["ansible_stats"]["data"]["image_mode_result"]
    assert len(json.dumps(entry).encode()) <= MAX_BYTES


def test_reports_are_published():
    reporter = {"reports": [{"format": "json", "path": "/reports/a.json"}]}
    result = run("publish_result", {"verify_nodes_result": VERIFIED}, reporter=reporter, report_dir="reports")
    assert result["ansible_stats"]["data"]["image_mode_result"][0]["reports"] == reporter["reports"]
    assert "Report: /reports/a.json" in result["summary"]


def test_verdicts_are_shown_and_fail(printed):
    result = run("check_verdicts", {"verify_nodes_result": VERIFIED})
    assert result["failed"]
    assert printed == ["  worker-0: mismatch"]


@pytest.mark.parametrize("fail_on", [[], "unknown", ["unknown"]])
def test_verdicts_that_do_not_fail_are_only_shown(fail_on, printed):
    assert not run("check_verdicts", {"verify_nodes_result": VERIFIED}, fail_on=fail_on).get("failed")
    assert printed == ["  worker-0: mismatch"]


def test_summary_is_shown_and_fails_with_the_failure(printed):
    assert run("show_summary", {}, summary=["a", "b"], failure="Could not verify: no. Do it.")["failed"]
    assert printed == ["  a", "  b"]
    assert not run("show_summary", {}, summary=["a"]).get("failed")


def test_line_of_the_summary_cannot_add_lines(printed):
    result = run("show_summary", {}, summary=["Image: a\nResult: all nodes match"], failure="Could not verify:\nno.")
    assert printed == ["  Image: a Result: all nodes match"]
    assert result["msg"] == "Could not verify: no."


@pytest.mark.parametrize(
    ("pattern", "limit", "error"),
    [
        ("pools", None, ""),
        ("", None, ""),
        ("pools", "one", ""),
        ("nowhere", None, r"no host of the inventory matches image_mode_hosts \(nowhere\)"),
        ("pools", "two", r"--limit two leaves no host of image_mode_hosts \(pools\)"),
    ],
)
def test_pattern_without_a_host_is_an_error(pattern, limit, error):
    variables = {"groups": {"all": ["one", "two"], "pools": ["one"]}, "ansible_limit": limit}
    lookup = lookup_loader.get("imagemode.openshift.play_hosts", loader=DataLoader())
    if not error:
        assert lookup.run([pattern], variables=variables) == [pattern or "localhost"]
        return
    with pytest.raises(Exception, match=error):
        lookup.run([pattern], variables=variables)
