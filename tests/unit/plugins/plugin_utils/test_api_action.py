# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from unittest import mock

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import (
    NOT_REACHED,
    REPORT_FIRST_CONTACT,
    TRACEBACK,
)
from ansible_collections.imagemode.openshift.plugins.plugin_utils import _api_action
from ansible_collections.imagemode.openshift.plugins.plugin_utils._api_action import ApiAction
from ansible_collections.imagemode.openshift.tests.unit.plugins.module_run import run_module

LINE = "Could not reach https://api: Connection refused; retrying for 60 s"


class Action(ApiAction):
    MODULE = "imagemode.openshift.machineconfigpool"


class Calls:
    """Stands in for Ansible's call of a module: returns prepared results, and records the arguments."""

    def __init__(self, *results: dict[str, t.Any]) -> None:
        self.arguments: list[dict[str, t.Any]] = []
        self._results = list(results)

    def __call__(self, **arguments: t.Any) -> dict[str, t.Any]:
        self.arguments.append(arguments)
        return self._results.pop(0)


@pytest.fixture
def printed(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_api_action.display, "display", lambda line, **dummy: lines.append(line))
    return lines


def run(calls: t.Callable[..., t.Any], in_background: int = 0) -> dict[str, t.Any]:
    task = mock.MagicMock(args={"pool": "layered"}, async_val=in_background, check_mode=False, diff=False)
    connection = mock.MagicMock(has_native_async=False)
    action = Action(task, connection, mock.MagicMock(), mock.MagicMock(), mock.MagicMock(), None)
    action._load_name = Action.MODULE
    action._execute_module = calls
    return action.run(task_vars={"inventory_hostname": "east"})


def test_module_that_reaches_the_api_server_runs_once(printed: list[str]) -> None:
    calls = Calls({"changed": True})
    assert run(calls) == {"changed": True}
    (arguments,) = calls.arguments
    assert arguments["module_args"] == {"pool": "layered", REPORT_FIRST_CONTACT: True}
    assert printed == []


def test_failed_first_contact_is_printed_before_the_module_retries(printed: list[str]) -> None:
    calls = Calls({"changed": False, NOT_REACHED: LINE}, {"failed": True, "msg": "x"})
    assert run(calls) == {"failed": True, "msg": "x"}
    assert printed == [f"[WARNING]: [east] {LINE}"]
    assert "module_args" not in calls.arguments[1]


def test_module_in_the_background_runs_once_and_retries_itself(printed: list[str]) -> None:
    calls = Calls({"started": 1})
    assert run(calls, in_background=60) == {"started": 1}
    (arguments,) = calls.arguments
    assert (arguments["wrap_async"], "module_args" in arguments) == (True, False)


def test_unexpected_exception_is_a_failure_with_a_traceback_without_secrets() -> None:
    def fail(**dummy: t.Any) -> t.NoReturn:
        raise ValueError("Authorization: Bearer sha256~secret")

    result = run(fail)
    assert result["failed"]
    assert result["msg"].startswith("Could not finish: an unexpected ValueError in fail, line ")
    assert "ValueError: Authorization: " in result["exception"]
    assert "sha256~secret" not in result["msg"] + result["exception"]


def test_traceback_of_the_module_is_printed_only_at_vvv(monkeypatch, printed: list[str]) -> None:
    verbose: list[str] = []
    monkeypatch.setattr(_api_action.display, "vvv", verbose.append)
    assert run(Calls({"failed": True, "msg": "x", TRACEBACK: "Traceback"})) == {"failed": True, "msg": "x"}
    assert (verbose, printed) == (["Traceback"], [])


def test_error_of_ansible_is_left_to_ansible() -> None:
    def fail(**dummy: t.Any) -> t.NoReturn:
        raise AnsibleActionFail("x")

    with pytest.raises(AnsibleActionFail):
        run(fail)


def test_module_reports_the_failed_first_contact_and_does_not_show_the_internal_parameter() -> None:
    options = {"pool": "layered", "host": "https://127.0.0.1:1", "api_key": "key-of-the-api"}
    result = run_module("machineconfigpool", {**options, REPORT_FIRST_CONTACT: True})
    assert result[NOT_REACHED] == "Could not reach https://127.0.0.1:1: Connection refused; retrying for 60 s"
    assert result["changed"] is False
    assert REPORT_FIRST_CONTACT not in str(result)


@pytest.mark.parametrize(
    "name", ["machineconfigpool", "machineconfigpool_nodes", "machineosbuild_superseded", "machineosconfig"]
)
def test_each_module_of_the_api_has_an_action_plugin(name: str) -> None:
    from importlib import import_module

    plugin = import_module(f"ansible_collections.imagemode.openshift.plugins.action.{name}")
    assert issubclass(plugin.ActionModule, ApiAction)
    assert f"imagemode.openshift.{name}" == plugin.ActionModule.MODULE
