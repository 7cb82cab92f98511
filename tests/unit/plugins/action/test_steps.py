# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugins that call modules one after the other, with a stand-in for the modules."""

from __future__ import annotations

import base64
import json
import typing as t
from unittest import mock

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar

CONFIG: t.Mapping[str, t.Any] = {
    "pool": "layered",
    "containerfile": "FROM configs AS final\n",
    "rendered_image_push_spec": "registry.example.com/os/layered:latest",
    "rendered_image_push_secret": "os-push",
}


class Modules:
    """Stands in for the modules: returns results by their short names and keeps what it was called with."""

    def __init__(self, **results: dict[str, t.Any] | Exception) -> None:
        self.results = results
        self.calls: list[tuple[str, dict[str, t.Any], bool]] = []

    def has_plugin(self, dummy_name: str) -> bool:
        return True

    def get(self, name: str, task: Task, **dummy: t.Any) -> t.Any:
        short = name.rpartition(".")[2]
        self.calls.append((short, dict(task.args), bool(task.check_mode)))
        result = self.results.get(short, {})
        if isinstance(result, Exception):
            return mock.Mock(run=mock.Mock(side_effect=result))
        return mock.Mock(run=lambda task_vars: {"changed": False, **result})

    @property
    def names(self) -> list[str]:
        return [name for name, dummy, dummy_too in self.calls]

    def arguments(self, name: str) -> dict[str, t.Any]:
        """Return the options of the last call of a module."""
        return next(args for called, args, dummy in reversed(self.calls) if called == name)


def run(
    step: str,
    modules: Modules,
    check_mode: bool = False,
    variables: t.Mapping[str, t.Any] | None = None,
    **arguments: t.Any,
) -> dict[str, t.Any]:
    loader = DataLoader()
    full_name = f"imagemode.openshift.{step}"
    task = Task.load({"action": full_name, "args": arguments})
    task.check_mode = check_mode
    action = action_loader.get(
        full_name,
        task=task,
        connection=connection_loader.get("ansible.builtin.local", PlayContext(), "/dev/null"),
        play_context=PlayContext(),
        loader=loader,
        templar=Templar(loader=loader),
        shared_loader_obj=None,
    )
    # From ansible-core 2.19 on, an action plugin ignores the loader that it is given.
    action._shared_loader_obj = mock.Mock(action_loader=modules)
    return t.cast("dict[str, t.Any]", action.run(task_vars={"inventory_hostname": "localhost", **(variables or {})}))


def current(**phases: str) -> dict[str, t.Any]:
    nodes = [{"name": name, "phase": phase} for name, phase in phases.items()]
    return {"pool": {"paused": False, "paused_by_us": False}, "nodes": nodes, "rollout": {"total": len(nodes)}}


def test_build_without_further_wishes_applies_the_config_and_waits():
    modules = Modules(machineosbuild_wait={"build": {"name": "layered-1"}})
    result = run("build_image", modules, **CONFIG)
    assert modules.names == ["machineosconfig", "machineosbuild_wait"]
    assert result["build"] == {"name": "layered-1"}
    assert (result["changed"], result["changes"]) == (False, [])
    assert "base_image_pull_secret" not in modules.arguments("machineosconfig")
    assert "log_dir" not in modules.arguments("machineosbuild_wait")


def test_build_checks_nodes_first_and_in_check_mode():
    modules = Modules(machineconfigpool_nodes={"changed": True, "diff": {"before": {}, "after": {}}})
    result = run("build_image", modules, **CONFIG, nodes="worker-0\nworker-1", create_pool="true")
    assert modules.names[:3] == ["machineconfigpool_nodes", "machineconfigpool", "machineosconfig"]
    assert modules.calls[0][1:] == ({"pool": "layered", "nodes": ["worker-0", "worker-1"]}, True)
    assert not modules.calls[1][2]
    assert "diff" not in result
    assert not result["changed"]


def test_step_collects_changes_diffs_and_warnings():
    diff = {"before": {}, "after": {"a": 1}}
    modules = Modules(
        machineconfigpool={"changed": True, "warnings": ["mind the gap"]},
        machineosconfig={"changed": True, "diff": diff, "warnings": ["mind the gap"]},
        machineosbuild_superseded={"changed": True},
    )
    result = run("build_image", modules, **CONFIG, create_pool=True, delete_superseded=True)
    assert result["changes"] == ["MachineConfigPool layered", "MachineOSConfig layered", "older MachineOSBuilds"]
    assert result["diff"] == [diff]
    assert result["warnings"] == ["mind the gap"]


def test_step_ends_with_the_module_that_failed():
    failed = {"failed": True, "msg": "Could not create MachineOSConfig layered: no. Do it."}
    modules = Modules(machineconfigpool={"changed": True}, machineosconfig=failed)
    result = run("build_image", modules, **CONFIG, create_pool=True)
    assert (result["failed"], result["msg"]) == (True, failed["msg"])
    assert result["changes"] == ["MachineConfigPool layered"]
    assert modules.names == ["machineconfigpool", "machineosconfig"]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("nodes"), "Could not finish: an unexpected KeyError"),
        (AnsibleError("the module\nis missing"), "the module is missing"),
    ],
)
def test_exception_after_a_change_keeps_what_was_collected(error, message):
    diff = {"before": {}, "after": {"a": 1}}
    changed = {"changed": True, "diff": diff, "warnings": ["mind the gap"]}
    result = run("build_image", Modules(machineconfigpool=changed, machineosconfig=error), **CONFIG, create_pool=True)
    assert (result["failed"], result["changed"]) == (True, True)
    assert result["msg"].startswith(message)
    assert "\n" not in result["msg"]
    assert result["changes"] == ["MachineConfigPool layered"]
    assert (result["diff"], result["warnings"]) == ([diff], ["mind the gap"])


def test_ansible_error_before_a_change_is_left_to_ansible():
    with pytest.raises(AnsibleError, match="the module is missing"):
        run("build_image", Modules(machineosconfig=AnsibleError("the module is missing")), **CONFIG)


@pytest.mark.parametrize(
    ("step", "what", "arguments"), [("build_image", "build the image", CONFIG), ("roll_out", "roll out the image", {})]
)
def test_list_that_is_none_is_an_error_of_one_line(step, what, arguments):
    modules = Modules()
    result = run(step, modules, **{"pool": "layered", **arguments, "nodes": {"worker-0": True}})
    assert result["failed"]
    assert result["msg"] == f"Could not {what}: nodes: {{'worker-0': True}} is not a list. Give a list."
    assert modules.calls == []


def test_step_passes_connection_options_to_every_module():
    modules = Modules()
    run("build_image", modules, **CONFIG, kubeconfig="/one", api_key="sha256~token")
    assert all(
        args["kubeconfig"] == "/one" and args["api_key"] == "sha256~token" for dummy, args, *dummy_rest in modules.calls
    )


def test_empty_option_of_a_step_is_not_set():
    modules = Modules()
    run("build_image", modules, **CONFIG, timeout="", nodes="", base_image_pull_secret="", allow_node_reboots="")
    assert modules.arguments("machineosbuild_wait")["timeout"] == 3600
    assert modules.arguments("machineosconfig")["allow_node_reboots"] is False


def test_containerfile_of_a_build_is_read_from_its_path(tmp_path):
    (tmp_path / "Containerfile").write_text("FROM configs AS final\nRUN echo '{{ no }}'\n")
    modules = Modules()
    config = {**CONFIG, "containerfile": "", "containerfile_path": str(tmp_path / "Containerfile")}
    run("build_image", modules, **config)
    assert modules.arguments("machineosconfig")["containerfile"].endswith("RUN echo '{{ no }}'\n")


def test_build_without_a_containerfile_calls_no_module():
    modules = Modules()
    result = run("build_image", modules, **{**CONFIG, "containerfile": ""})
    assert result["msg"].startswith("Could not build the image of MachineConfigPool layered: neither")
    assert modules.calls == []


def test_rollout_adds_nodes_and_waits():
    added = {"changed": True, "nodes": [{"name": "a", "changed": True}, {"name": "b", "changed": False}]}
    modules = Modules(machineconfigpool_wait=current(b="done"), machineconfigpool_nodes=added)
    result = run("roll_out", modules, pool="layered", nodes=["a", "b"])
    assert modules.names == ["machineconfigpool_wait", "machineconfigpool_nodes", "machineconfigpool_wait"]
    assert [check for dummy, dummy_args, check in modules.calls] == [True, False, False]
    assert result["changes"] == ["Node a"]


def test_rollout_of_a_pool_without_nodes_waits_for_nothing():
    modules = Modules(machineconfigpool_wait=current())
    assert run("roll_out", modules, pool="layered")["rollout"] == {"total": 0}
    assert modules.names == ["machineconfigpool_wait"]


def test_rollout_unpauses_a_pool_of_this_collection_with_consent():
    paused = {**current(a="waiting"), "pool": {"paused": True, "paused_by_us": True}}
    modules = Modules(machineconfigpool_wait=paused, machineconfigpool={"changed": True})
    result = run("roll_out", modules, pool="layered", allow_node_reboots=True)
    assert modules.arguments("machineconfigpool") == {"pool": "layered", "paused": False}
    assert result["changes"] == ["MachineConfigPool layered"]


def test_rollout_to_a_paused_pool_fails_before_a_node_is_labelled():
    paused = {**current(a="waiting"), "pool": {"paused": True, "paused_by_us": True}}
    modules = Modules(machineconfigpool_wait=paused)
    result = run("roll_out", modules, pool="layered", nodes=["b"])
    assert result["msg"].startswith("Could not roll out to MachineConfigPool layered: it is paused")
    assert modules.names == ["machineconfigpool_wait"]


def test_secret_is_passed_to_the_module_and_is_not_in_the_result(monkeypatch):
    monkeypatch.setenv("ROBOT_PASSWORD", "correct-horse")
    entry = {"name": "s", "registry": "r", "registry_username": "u", "registry_password_env": "ROBOT_PASSWORD"}
    modules = Modules(registry_secret={"changed": True})
    result = run("registry_secrets", modules, secrets=[entry])
    assert modules.arguments("registry_secret")["registry_password"] == "correct-horse"
    assert (result["changes"], result["secrets"]) == (["Secret s"], ["s"])
    assert "correct-horse" not in str(result)


def test_without_secrets_no_module_is_called():
    modules = Modules()
    assert run("registry_secrets", modules, secrets="")["changed"] is False
    assert modules.calls == []


@pytest.mark.parametrize("password", ["", None])
def test_secret_without_a_password_is_an_error_of_one_line(password):
    entry = {"name": "s", "registry": "r", "registry_username": "u", "registry_password_env": password}
    result = run("registry_secrets", Modules(), secrets=[entry])
    assert result["msg"].startswith("Could not read registry secrets: secrets[0] (s) needs exactly one of")


def test_secrets_nested_too_deeply_are_an_error_of_one_line():
    result = run("registry_secrets", Modules(), secrets="[" * 5000)
    assert result["msg"].startswith("Could not read registry secrets: it is not a list. Give a list")


@pytest.mark.parametrize("hidden", ["whole-password", "part-of-a-login", "an-identity-token"])
def test_traceback_never_shows_the_credentials_that_were_read(hidden, monkeypatch, tmp_path):
    monkeypatch.setenv("ROBOT_PASSWORD", "whole-password")
    auth = base64.b64encode(b"robot:part-of-a-login").decode()
    logins = {"a.example.com": {"auth": auth}, "b.example.com": {"identitytoken": "an-identity-token"}}
    (tmp_path / "auth.json").write_text(json.dumps({"auths": logins}))
    secrets = [
        {"name": "s", "registry": "r", "registry_username": "u", "registry_password_env": "ROBOT_PASSWORD"},
        {"name": "w", "dockerconfigjson_file": str(tmp_path / "auth.json")},
    ]
    error = RuntimeError(f"{hidden} and {auth}")
    result = run("registry_secrets", Modules(registry_secret=error), secrets=secrets)
    assert "RuntimeError: ******** and ********" in result["exception"]


def test_nodes_are_checked_before_a_secret_is_written(monkeypatch):
    monkeypatch.setenv("ROBOT_PASSWORD", "correct-horse")
    entry = {"name": "s", "registry": "r", "registry_username": "u", "registry_password_env": "ROBOT_PASSWORD"}
    variables = {"__registry_access_nodes": {"pool": "layered", "nodes": "worker-0"}}
    modules = Modules()
    run("registry_secrets", modules, variables=variables, secrets=[entry])
    assert modules.names == ["machineconfigpool_nodes", "registry_secret"]
    assert modules.calls[0][1:] == ({"pool": "layered", "nodes": ["worker-0"]}, True)
    modules = Modules(machineconfigpool_nodes={"failed": True, "msg": "Could not add nodes: no. Do it."})
    result = run("registry_secrets", modules, variables=variables, secrets=[entry])
    assert (result["msg"], modules.names) == ("Could not add nodes: no. Do it.", ["machineconfigpool_nodes"])


@pytest.mark.parametrize(
    "variables",
    [
        {"__registry_access_nodes": {"pool": "layered", "nodes": ""}},
        {"__registry_access_nodes": {"pool": "layered", "nodes": []}},
        {"image_mode_pool": "layered", "image_mode_nodes": ["worker-0"]},
    ],
)
def test_without_nodes_to_check_a_secret_is_written_at_once(variables, monkeypatch):
    monkeypatch.setenv("ROBOT_PASSWORD", "correct-horse")
    entry = {"name": "s", "registry": "r", "registry_username": "u", "registry_password_env": "ROBOT_PASSWORD"}
    modules = Modules()
    run("registry_secrets", modules, variables=variables, secrets=[entry])
    assert modules.names == ["registry_secret"]
