# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugins that begin and end a playbook."""

from __future__ import annotations

import json
import typing as t
from unittest import mock

import pytest
from ansible import context
from ansible.errors import AnsibleError
from ansible.module_utils.common.collections import ImmutableDict
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
        ({"ansible_skip_tags": ["all"]}, ["always"], "--skip-tags all skips all of its tasks. Leave --skip-tags out."),
        ({"ansible_skip_tags": ["untagged"]}, ["always"], "--skip-tags untagged skips all of its tasks."),
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


STARTED: t.Mapping[str, t.Any] = {"changed": False, "started_at": 1}


def publish(results: t.Mapping[str, t.Any], playbook: str = "verify", **options: t.Any) -> dict[str, t.Any]:
    """Return the result of publish_result at the end of a playbook whose variables are valid."""
    variables = {"image_mode_pool": "layered", "validate_variables_result": STARTED, **results}
    return run("publish_result", variables, playbook=playbook, **options)


def entry_of(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the only entry of image_mode_result."""
    (entry,) = result["ansible_stats"]["data"]["image_mode_result"]
    return t.cast("dict[str, t.Any]", entry)


def test_result_is_published_with_its_summary_and_failure():
    result = publish({"verify_nodes_result": VERIFIED})
    entry = entry_of(result)
    assert result["ansible_stats"]["aggregate"]
    assert (entry["verdict"], entry["counts"], entry["pool"]) == ("mismatch", COUNTS, "layered")
    assert result["failure"] == entry["failure"]
    assert result["failure"].startswith("Could not verify MachineConfigPool layered: 1 of 1 nodes are not verified")
    assert result["summary"][0] == f"Result: {entry['failure']}"


@pytest.mark.parametrize(
    ("results", "playbook", "failure"),
    [
        ({"build_image_result": {"failed": True, "msg": "Could not reach: no. Do it."}}, "apply", "Could not reach"),
        ({"validate_variables_result": {"failed": True, "msg": "Could not start: no. Do it."}}, "verify", "Could not"),
        ({"verify_nodes_result": {"failed": True, "msg": "'nope' is\nundefined"}}, "verify", "'nope' is undefined"),
        ({"verify_nodes_result": {"unreachable": True, "msg": "no route"}}, "verify", "no route"),
        ({"verify_nodes_result": {"failed": True}}, "verify", "a task failed"),
    ],
)
def test_failure_of_a_step_is_published_in_one_line_and_not_repeated(results, playbook, failure):
    result = publish(results, playbook)
    assert entry_of(result)["failure"].startswith(failure)
    assert "\n" not in entry_of(result)["message"]
    assert entry_of(result)["message"] == entry_of(result)["failure"]
    assert entry_of(result)["verdict"] == "unknown"
    assert result["failure"] == ""


@pytest.mark.parametrize(
    ("results", "playbook", "task"),
    [
        ({}, "verify", "Verify booted images"),
        ({"verify_nodes_result": {"skipped": True}}, "verify_hosts", "Verify booted images"),
        ({"validate_variables_result": {}, "verify_nodes_result": VERIFIED}, "verify", "Validate variables"),
        ({"verify_nodes_result": VERIFIED}, "apply", "Check the request"),
        (
            {"verify_nodes_result": VERIFIED, "check_request_result": {"forecast": None}},
            "apply",
            "Manage registry secrets",
        ),
    ],
)
def test_task_that_did_not_run_is_a_failure(results, playbook, task):
    result = publish(results, playbook)
    assert f"Could not finish the playbook: task {task} did not run." in result["failure"]
    assert entry_of(result)["failure"] == result["failure"]


def test_variable_whose_template_fails_does_not_keep_the_result_from_being_published():
    variables = dict.fromkeys(("image_mode_pool", "verify_nodes_fail_on", "image_mode_report_dir"), "{{ nope }}")
    failed = {"failed": True, "msg": "Could not use variable image_mode_pool: its template fails. Correct it."}
    result = publish({**variables, "validate_variables_result": failed})
    assert entry_of(result)["failure"] == failed["msg"]


def test_report_that_cannot_be_written_is_a_failure():
    reporter = {"failed": True, "msg": "Could not write report /a: no. Do it."}
    results = {"verify_nodes_result": {**VERIFIED, "nodes": [], "verdict": "match"}, "image_mode_report_dir": "reports"}
    result = publish(results, reporter=reporter)
    assert result["failure"] == reporter["msg"]
    assert entry_of(result)["verdict"] == "match"


def test_error_of_ansible_in_a_report_is_a_failure_and_keeps_the_entry():
    error = AnsibleError("formats must be\none of: html")
    results = {"verify_nodes_result": {**VERIFIED, "nodes": [], "verdict": "match"}, "image_mode_report_dir": "reports"}
    result = publish(results, reporter=error)
    assert not result.get("failed")
    assert "formats must be one of: html" in result["failure"]
    assert (entry_of(result)["verdict"], entry_of(result)["failure"]) == ("match", result["failure"])


def test_failure_before_the_cluster_is_known_writes_no_report():
    failed = {"failed": True, "msg": "Could not reach the cluster: no. Do it."}
    reporter = AssertionError("a report was written")
    result = publish({"verify_nodes_result": failed, "image_mode_report_dir": "reports"}, reporter=reporter)
    assert entry_of(result)["failure"] == failed["msg"]
    assert entry_of(result)["reports"] == []


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
    result = publish({"verify_nodes_result": {**VERIFIED, "nodes": [], "verdict": "match"}, **malformed})
    entry = entry_of(result)
    assert not result.get("failed")
    assert result["failure"].startswith("Could not finish: an unexpected ")
    assert (entry["failure"], entry["verdict"], entry["pool"]) == (result["failure"], "unknown", "layered")
    assert result["summary"][0] == f"Result: {result['failure']}"


def test_options_that_cannot_be_used_are_published_as_a_failure():
    result = run("publish_result", {}, playbooks="verify")
    assert not result.get("failed")
    assert result["failure"].startswith("Could not publish the result: ")
    assert entry_of(result)["failure"] == result["failure"]


def test_entry_with_a_failed_report_is_small():
    reporter = {"failed": True, "msg": "\x1b" * 30000}
    result = publish({"verify_nodes_result": VERIFIED, "image_mode_report_dir": "reports"}, reporter=reporter)
    assert len(json.dumps(entry_of(result)).encode()) <= MAX_BYTES


def test_reports_are_published():
    reporter = {"reports": [{"format": "json", "path": "/reports/a.json"}]}
    result = publish({"verify_nodes_result": VERIFIED, "image_mode_report_dir": "reports"}, reporter=reporter)
    assert entry_of(result)["reports"] == reporter["reports"]
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


def test_summary_without_a_result_fails():
    result = run("show_summary", {}, summary=[])
    assert result["msg"].startswith("Could not show the summary: the task that publishes the result did not run.")


def test_line_of_the_summary_cannot_add_lines(printed):
    result = run("show_summary", {}, summary=["Image: a\nResult: all nodes match"], failure="Could not verify:\nno.")
    assert printed == ["  Image: a Result: all nodes match"]
    assert result["msg"] == "Could not verify: no."


def summary_of(reports: t.Sequence[t.Any], reporter: t.Any) -> dict[str, t.Any]:
    """Show the summary of a host beside another one that failed, and had these reports."""
    entry = {"host": "edge.stage", "pool": "edge", "failure": "Could not list Nodes: no.", "reports": reports}
    published = {"ansible_stats": {"data": {"image_mode_result": [entry]}}}
    proven = {"ansible_stats": {"data": {"image_mode_result": [{"host": "edge.prod", "failure": None}]}}}
    hosts = {"edge.stage": {"__image_mode_published": published}, "edge.prod": {"__image_mode_published": proven}}
    task_vars = {"image_mode_report_dir": "reports", "ansible_play_hosts_all": list(hosts), "hostvars": hosts}
    return run("show_summary", task_vars, reporter=reporter, summary=["a"], failure="Could not verify: no.")


def test_host_without_a_report_is_added_to_the_index(printed):
    written = {"failed": True, "msg": "Could not write report /a: no. Do it."}
    assert summary_of([], written)["msg"] == "Could not verify: no. Could not write report /a: no. Do it."
    assert summary_of([], {"index": "/reports/image-mode-index.html"})["msg"] == "Could not verify: no."


def test_host_with_a_report_is_in_the_index_already(printed):
    never = AssertionError("the index was written again")
    assert summary_of([{"format": "json", "path": "/a"}], never)["msg"] == "Could not verify: no."


def hosts_of_play(variables: t.Mapping[str, t.Any], pattern: str = "", **options: t.Any) -> list[str]:
    lookup = lookup_loader.get("imagemode.openshift.play_hosts", loader=DataLoader())
    groups = {"all": ["one", "two"], "pools": ["one"]}
    return t.cast("list[str]", lookup.run([pattern], variables={"groups": groups, **variables}, **options))


@pytest.mark.parametrize(
    ("pattern", "limit", "error"),
    [
        ("pools", None, ""),
        ("", None, ""),
        ("pools", "one", ""),
        ("nowhere", None, r"no host of the inventory matches image_mode_hosts \(nowhere\)"),
        ("pools", "two", r"--limit two leaves no host of image_mode_hosts \(pools\)"),
        ("", "one", r"--limit one leaves no host of image_mode_hosts \(localhost\)"),
        ("pools", "nowhere", r"--limit nowhere leaves no host of image_mode_hosts \(pools\)"),
    ],
)
def test_pattern_without_a_host_is_an_error(pattern, limit, error):
    variables = {"ansible_limit": limit}
    if not error:
        assert hosts_of_play(variables, pattern) == [pattern or "localhost"]
        return
    with pytest.raises(Exception, match=error):
        hosts_of_play(variables, pattern)


@pytest.mark.parametrize(
    ("limit", "host"), [(None, "localhost"), ("all", "one"), ("two", "two"), ("localhost,two", "localhost")]
)
def test_play_that_needs_no_particular_host_runs_on_one_that_the_limit_leaves(limit, host):
    assert hosts_of_play({"ansible_limit": limit}, any_host=True) == [host]


def test_limit_that_leaves_no_host_at_all_is_an_error():
    with pytest.raises(Exception, match="--limit nowhere leaves no host of the inventory"):
        hosts_of_play({"ansible_limit": "nowhere"}, any_host=True)


@pytest.mark.parametrize("skipped", [["always"], ["tagged"], ["deploy", "always"]])
@pytest.mark.parametrize("options", [{}, {"any_host": True}])
def test_skipped_validation_is_an_error_before_any_task(skipped, options):
    with pytest.raises(Exception, match=f"--skip-tags {','.join(skipped)} leaves out the task that validates"):
        hosts_of_play({"ansible_skip_tags": skipped}, **options)


def test_skipped_tags_of_other_tasks_are_no_error():
    assert hosts_of_play({"ansible_skip_tags": ["deploy"]}) == ["localhost"]


@pytest.mark.parametrize("options", [{}, {"any_host": True}])
def test_start_at_task_is_an_error(options, monkeypatch):
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(start_at_task="Show the summary"))
    with pytest.raises(Exception, match="--start-at-task Show the summary leaves out tasks"):
        hosts_of_play({}, **options)


# Batches


def serial_of_play(size: t.Any) -> list[str]:
    lookup = lookup_loader.get("imagemode.openshift.play_serial", loader=DataLoader())
    return t.cast("list[str]", lookup.run([size], variables={}))


@pytest.mark.parametrize(
    ("size", "serial"), [("", "100%"), (" ", "100%"), (None, "100%"), (1, "1"), (" 2", "2"), ("25%", "25%")]
)
def test_size_of_batches_is_a_number_or_percentage_of_hosts(size, serial):
    assert serial_of_play(size) == [serial]


@pytest.mark.parametrize("size", ["lots", "0", 0, "0%", "-1", 1.5, "1,2", True, "%", "10 %", [1, 2], "9" * 50])
def test_other_size_of_batches_is_an_error(size):
    with pytest.raises(Exception, match=r"Could not use variable image_mode_serial: .* is not a number or percentage"):
        serial_of_play(size)


FLEET = ("dev", "stage", "prod")


def validated(size: t.Any, batch: t.Sequence[str]) -> dict[str, t.Any]:
    play = {"ansible_play_hosts_all": list(FLEET), "ansible_play_batch": list(batch)}
    return run("validate_variables", {**APPLY, **play, "image_mode_serial": size}, playbook="apply")


@pytest.mark.parametrize(
    ("size", "batch"), [(1, FLEET[:1]), ("67%", FLEET[:2]), ("100%", FLEET), (5, FLEET), ("", FLEET)]
)
def test_batch_of_the_requested_size_is_valid(size, batch):
    assert not validated(size, batch).get("failed")


@pytest.mark.parametrize("size", [1, "2", "50%"])
def test_size_of_batches_in_the_inventory_is_an_error_since_ansible_would_not_read_it(size):
    result = validated(size, FLEET)
    assert "so all of them would be handled at the same time" in result["msg"]
    assert f"-e image_mode_serial={size} or in the survey" in result["msg"]


def ended_batch(
    failures: t.Mapping[str, str], active: t.Sequence[str] = (), host: str = "dev"
) -> list[tuple[str, str | None]]:
    """Show the summary of a host of a batch, and return the hosts and pools that are added to the index.

    :param active: the hosts of which no task has failed yet
    """
    hostvars: dict[str, t.Any] = {name: {"image_mode_pool": f"{name}-pool"} for name in FLEET}
    for name, failure in failures.items():
        entry = {"host": name, "failure": failure or None, "reports": []}
        hostvars[name]["__image_mode_published"] = {"ansible_stats": {"data": {"image_mode_result": [entry]}}}
    play = {"ansible_play_hosts_all": list(FLEET), "ansible_play_batch": list(active), "hostvars": hostvars}
    given: list[t.Any] = []

    def reporter(dummy: t.Any, task: Task) -> mock.Mock:
        given.extend(task.args["failed_runs"])
        return mock.Mock(run=mock.Mock(return_value={}))

    with mock.patch.object(show_summary.ActionModule, "action_of", reporter):
        run("show_summary", {**play, "inventory_hostname": host, "image_mode_report_dir": "reports"}, summary=["a"])
    return [(entry["host"], entry.get("pool")) for entry in given]


# A host of which a task failed is not active any more; one whose verdict fails is, until its summary is shown.
@pytest.mark.parametrize("active", [(), ("dev",)])
def test_hosts_of_later_batches_are_named_if_each_host_of_a_batch_failed(active, printed):
    failed = [("dev", None), ("stage", "stage-pool"), ("prod", "prod-pool")]
    assert ended_batch({"dev": "Could not list Nodes: no."}, active) == failed
    assert printed == ["  a", "  Not started: stage, prod, because each host of the batch failed"]


def test_hosts_of_later_batches_start_if_one_host_of_a_batch_did_not_fail(printed):
    assert ended_batch({"dev": "no", "stage": ""}, active=("stage",), host="stage") == [("dev", None)]
    assert printed == ["  a"]


def test_hosts_of_later_batches_are_named_once(printed):
    ended_batch({"dev": "no", "stage": "no"})
    ended_batch({"dev": "no", "stage": "no"}, host="stage")
    assert printed == ["  a", "  a", "  Not started: prod, because each host of the batch failed"]


def test_batch_that_failed_after_one_that_did_not_is_the_last(printed):
    assert ended_batch({"dev": "", "stage": "no"}, host="stage") == [("stage", None), ("prod", "prod-pool")]
    assert printed[1:] == ["  Not started: prod, because each host of the batch failed"]


def test_hosts_that_were_not_started_are_counted_from_the_eleventh_on(printed):
    fleet = [f"edge-{number}" for number in range(13)]
    entry = {"host": "edge-0", "failure": "no"}
    hostvars: dict[str, t.Any] = {name: {} for name in fleet}
    hostvars["edge-0"]["__image_mode_published"] = {"ansible_stats": {"data": {"image_mode_result": [entry]}}}
    play = {"ansible_play_hosts_all": fleet, "ansible_play_batch": [], "hostvars": hostvars}
    run("show_summary", {**play, "inventory_hostname": "edge-0"}, summary=["a"])
    assert "edge-10 and 2 more, because" in printed[1]
