# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible_collections.imagemode.openshift.plugins.action.node_image_verify import ActionModule
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import REPORT_FIRST_CONTACT
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.timestamp import timestamp_now
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    booted_image,
    digest_of,
    image_of,
    rpm_ostree_status,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.module_run import run_module

MODULE = ActionModule.MODULE
STATUS = "rpm-ostree status --json"
GIVEN = {"transport": "connection", "expected_image": image_of("a")}


class Host:
    """A host at the end of a connection: what its commands come to, and what it was told to run."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bool]] = []
        self.status: dict[str, t.Any] = {"rc": 0, "stdout": rpm_ostree_status(booted_image("a")), "stderr": ""}
        self.boot: dict[str, t.Any] = {"rc": 0, "stdout": "boot-1\n", "stderr": ""}
        self.reach = mock.Mock()

    def run(self, command: str, sudoable: bool = True) -> dict[str, t.Any]:
        self.said.append((command, sudoable))
        self.reach()
        return self.status if STATUS in command else self.boot


@pytest.fixture
def host() -> Host:
    return Host()


def action(host: Host, arguments: dict[str, t.Any], become: t.Any = None, in_background: int = 0) -> ActionModule:
    task = mock.MagicMock(args=arguments, async_val=in_background, check_mode=False, diff=False, action=MODULE)
    connection = mock.MagicMock(become=become, has_native_async=False)
    templar = mock.MagicMock(template=lambda value: value)
    plugin = ActionModule(task, connection, mock.MagicMock(), mock.MagicMock(), templar, None)
    plugin._load_name = MODULE  # as Ansible's loader does
    plugin._low_level_execute_command = host.run
    return plugin


def run(host: Host, **arguments: t.Any) -> dict[str, t.Any]:
    return action(host, {**GIVEN, **arguments}).run(task_vars={"inventory_hostname": "worker-0"})


def test_host_reports_its_booted_image(host):
    done = run(host)
    assert not done.get("failed")
    assert (done["changed"], done["transport"], done["verdict"]) == (False, "connection", "match")
    assert done["summary"] == {"total": 1, "match": 1, "mismatch": 0, "unknown": 0}
    assert done["cluster"] == {"api_url": None, "id": None, "name": None, "version": None}
    (node,) = done["nodes"]
    assert (node["name"], node["pool"], node["boot_id"]) == ("worker-0", "", "boot-1")
    assert node["booted"]["digest"] == digest_of("a")
    assert node["expected"]["source"] == "option"


def test_only_the_status_and_the_boot_id_are_read(host):
    run(host)
    assert host.said == [
        ("cat /proc/sys/kernel/random/boot_id", False),
        ("timeout 60 rpm-ostree status --json", False),
    ]


def test_host_root_changes_the_root_of_the_command(host):
    run(host, host_root="/root fs", node_timeout=7)
    assert host.said[1][0] == "timeout 7 chroot '/root fs' rpm-ostree status --json"


def test_terminal_is_used_only_for_a_become_password(host):
    action(host, GIVEN, become=mock.MagicMock()).run(task_vars={"inventory_hostname": "worker-0"})
    assert {sudoable for dummy, sudoable in host.said} == {True}


def test_other_image_fails_with_the_result(host):
    host.status["stdout"] = rpm_ostree_status(booted_image("b"))
    done = run(host, pool="layered", nodes=["worker-7"])
    assert done["failed"]
    assert done["msg"].startswith("Could not verify Node worker-7: 1 of 1 nodes not verified; worker-7: mismatch, ")
    assert (done["nodes"][0]["pool"], done["nodes"][0]["verdict"]) == ("layered", "mismatch")


def test_fail_on_selects_the_failures(host):
    host.status["stdout"] = rpm_ostree_status(booted_image("b"))
    assert not run(host, fail_on=[]).get("failed")


def test_allowed_deviation_is_no_failure(host):
    changed = booted_image("a", **{"requested-packages": ["usbguard"], "packages": ["usbguard"]})
    host.status["stdout"] = rpm_ostree_status(changed)
    assert run(host)["verdict"] == "mismatch"
    assert run(host, allowed_deviations=["usbguard"])["verdict"] == "match"


@pytest.mark.parametrize(
    ("answer", "finding"),
    [
        ({"rc": 124, "stdout": "", "stderr": ""}, "node.no_response"),
        ({"rc": 143, "stdout": "", "stderr": ""}, "node.no_response"),
        ({"rc": 127, "stdout": "", "stderr": "timeout: not found"}, "node.command_failed"),
        ({"rc": 1, "stdout": rpm_ostree_status(booted_image("a")), "stderr": "no"}, "node.command_failed"),
        ({"rc": 0, "stdout": rpm_ostree_status(booted_image("a"))[:-9], "stderr": ""}, "node.output_unreadable"),
        ({"rc": 0, "stdout": "", "stderr": ""}, "node.output_unreadable"),
        ({"rc": "0", "stdout": rpm_ostree_status(booted_image("a")), "stderr": ""}, "node.exec_failed"),
        ({"rc": False, "stdout": rpm_ostree_status(booted_image("a")), "stderr": ""}, "node.exec_failed"),
        ({"rc": None, "stdout": rpm_ostree_status(booted_image("a")), "stderr": ""}, "node.exec_failed"),
        ({"rc": 10**5000, "stdout": "", "stderr": ""}, "node.exec_failed"),
        ({"rc": 0, "stdout": b"{}", "stderr": None}, "node.exec_failed"),
        ({"rc": 0, "stdout": rpm_ostree_status(booted_image("a")) + " " * (2 << 20)}, "node.output_unreadable"),
        ({}, "node.exec_failed"),
    ],
)
def test_invalid_output_is_unknown(answer, finding, host):
    host.status = answer
    done = run(host)
    assert (done["failed"], done["verdict"]) == (True, "unknown")
    assert done["nodes"][0]["findings"][0]["id"] == finding


@pytest.mark.parametrize("fail_on", [[], ["unknown"]])
def test_output_of_a_node_has_no_terminal_escape_sequences(fail_on, host):
    host.status = {"rc": 1, "stdout": "", "stderr": "a\x1b]0;x\x07\u202e\r\nb"}
    host.boot = {"rc": 0, "stdout": "boot\x1b[2J", "stderr": ""}
    assert json.dumps(run(host, fail_on=fail_on), ensure_ascii=False).isprintable()


def test_unreachable_host_is_unknown(host):
    host.reach.side_effect = AnsibleConnectionFailure("no route")
    done = run(host)
    assert (done["failed"], done["verdict"], done["nodes"][0]["boot_id"]) == (True, "unknown", "")
    assert done["nodes"][0]["findings"][0]["id"] == "node.exec_failed"
    assert "no connection to Node worker-0 (no route)" in done["msg"]


@pytest.mark.parametrize(
    "boot",
    [
        {"rc": 1, "stdout": "cat: no"},
        {"rc": 0, "stdout": "x" * 65},
        {"rc": 0, "stdout": "\x1b[2J"},
        {"rc": 0, "stdout": None},
        {},
    ],
)
def test_host_without_a_boot_id_gets_a_verdict(boot, host):
    host.boot = boot
    done = run(host)
    assert (done["verdict"], done["nodes"][0]["boot_id"]) == ("match", "")


def test_expected_image_without_a_digest_fails(host):
    done = run(host, expected_image="quay.io/os:latest")
    assert done["failed"]
    assert "has no digest" in done["msg"]
    assert "nodes" not in done


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"expected_image": None}, "Set expected_image"),
        ({"expected_image": ""}, "Set expected_image"),
        ({"label_selector": "zone=a"}, "Leave label_selector out"),
        ({"nodes": ["a", "b"]}, "only to the name of this node"),
        ({"colour": "red"}, "colour"),
        ({"node_timeout": "soon"}, "node_timeout"),
    ],
)
def test_options_for_several_nodes_fail_before_any_command(arguments, reason, host):
    with pytest.raises(AnsibleActionFail, match=reason):
        run(host, **arguments)
    assert host.said == []


def test_async_fails(host):
    with pytest.raises(AnsibleActionFail, match="cannot be async"):
        action(host, GIVEN, in_background=60).run(task_vars={})


def test_invalid_allowed_deviation_fails(host):
    done = run(host, allowed_deviations=["node.nonsense"])
    assert done["failed"]
    assert "allowed_deviations: " in done["msg"]


@pytest.mark.parametrize("transport", [{}, {"transport": "pod_exec"}, {"transport": "api"}])
@pytest.mark.parametrize("in_background", [0, 60])
def test_other_transports_run_the_module(transport, in_background, host):
    options = {"pool": "layered", **transport}
    plugin = action(host, options, in_background=in_background)
    plugin._execute_module = mock.MagicMock(return_value={"verdict": "match"})
    assert plugin.run(task_vars={"x": 1}) == {"verdict": "match"}
    how = {"wrap_async": True} if in_background else {"module_args": {**options, REPORT_FIRST_CONTACT: True}}
    plugin._execute_module.assert_called_once_with(module_name=MODULE, task_vars={"x": 1}, **how)
    assert host.said == []


def test_module_without_its_action_plugin_fails():
    result = run_module("node_image_verify", {"pool": "layered", **GIVEN})
    assert result["failed"]
    assert "transport connection needs the action plugin" in result["msg"]


# What the inventory of nodes says ------------------------------------------------------------------------------------

CLUSTER = {"api_url": "https://api.prod:6443", "id": "one", "name": "prod-1", "version": "4.20.1"}
OF_THE_INVENTORY = {
    "inventory_hostname": "worker-0.prod",
    "image_mode_node": "worker-0",
    "image_mode_pool": "layered",
    "image_mode_cluster": CLUSTER,
    "image_mode_expected": {
        "pull_spec": image_of("a"),
        "digest": digest_of("a"),
        "source": "machineosconfig",
        "current": True,
    },
    "image_mode_read_at": timestamp_now(),
    "image_mode_cached": False,
}


def run_known(host: Host, arguments: dict[str, t.Any] | None = None, **variables: t.Any) -> dict[str, t.Any]:
    given = {"transport": "connection", "fail_on": [], **(arguments or {})}
    return action(host, given).run(task_vars={**OF_THE_INVENTORY, **variables})


def expected(**changes: t.Any) -> dict[str, t.Any]:
    return {**OF_THE_INVENTORY["image_mode_expected"], **changes}


def test_inventory_names_the_node_and_its_expected_image(host):
    done = run_known(host)
    (node,) = done["nodes"]
    assert (node["name"], node["pool"], node["verdict"]) == ("worker-0", "layered", "match")
    assert node["expected"]["source"] == "machineosconfig"
    assert done["cluster"] == CLUSTER


def test_age_of_the_expectation_is_measured_at_the_start_of_the_play(host):
    started = {"validate_variables_result": {"started_at": 1772366460}}
    (node,) = run_known(host, image_mode_read_at="2026-03-01T12:00:00Z", **started)["nodes"]
    assert (node["verdict"], node["expected"]["read_at"]) == ("match", "2026-03-01T12:00:00Z")


def test_options_take_precedence_over_the_inventory(host):
    done = run_known(host, {"expected_image": image_of("b"), "nodes": ["other"], "pool": "mine"})
    (node,) = done["nodes"]
    assert (node["name"], node["pool"], node["verdict"]) == ("other", "mine", "mismatch")
    assert node["expected"]["source"] == "option"


@pytest.mark.parametrize(
    ("variables", "finding"),
    [
        ({"image_mode_expected": expected(current=False)}, "cluster.expectation_not_current"),
        ({"image_mode_expected": expected(current="true")}, "cluster.expectation_not_current"),
        ({"image_mode_expected": expected(pull_spec=None)}, "cluster.expectation_not_current"),
        ({"image_mode_expected": expected(source="none", pull_spec=None, current=False)}, "node.in_no_pool"),
        ({"image_mode_expected": expected(source="forbidden", pull_spec=None)}, "cluster.expectation_forbidden"),
        ({"image_mode_cached": True}, "cluster.expectation_cached"),
        ({"image_mode_read_at": "2026-03-01T12:00:00Z"}, "cluster.expectation_outdated"),
        ({"image_mode_read_at": None}, "cluster.expectation_outdated"),
        ({"validate_variables_result": {"started_at": 2**31}}, "cluster.expectation_outdated"),
    ],
)
def test_expectation_that_is_not_current_matches_no_node(host, variables, finding):
    (node,) = run_known(host, **variables)["nodes"]
    assert (node["verdict"], node["findings"][0]["id"]) == ("unknown", finding)


def test_node_without_a_reply_is_unknown_with_a_cache(host):
    host.reach.side_effect = AnsibleConnectionFailure("no route to host")
    (node,) = run_known(host, image_mode_cached=True)["nodes"]
    assert [f["id"] for f in node["findings"]] == ["cluster.expectation_cached", "node.exec_failed"]


@pytest.mark.parametrize("said", ["text", {}, {"source": 1}, expected(pull_spec="quay.io/os:t")])
def test_invalid_expectation_fails_before_any_command(host, said):
    done = run_known(host, image_mode_expected=said)
    assert done["failed"]
    assert done["msg"].startswith("Could not verify Node worker-0: ")
    assert "image_mode_expected" in done["msg"]
    assert host.said == []
