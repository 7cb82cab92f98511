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
from ansible_collections.imagemode.openshift.plugins.action import verify_pool
from ansible_collections.imagemode.openshift.plugins.module_utils._options import CHECKED_BEFORE

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
    assert not {"base_image_pull_secret", "current_image_pull_secret"} & modules.arguments("machineosconfig").keys()
    assert "log_dir" not in modules.arguments("machineosbuild_wait")


def test_build_passes_the_secret_of_the_nodes_on():
    modules = Modules()
    run("build_image", modules, **CONFIG, current_image_pull_secret="os-pull")
    assert modules.arguments("machineosconfig")["current_image_pull_secret"] == "os-pull"


def test_build_waits_for_the_spec_that_it_wrote():
    modules = Modules(machineosconfig={"machineosconfig": {"spec_hash": "sha256:s"}})
    run("build_image", modules, **CONFIG)
    assert modules.arguments("machineosbuild_wait")["spec_hash"] == "sha256:s"


def test_rollout_is_bound_to_the_build_of_the_run_before_a_node_is_labelled():
    built = {"build": {"name": "layered-1"}}
    modules = Modules(machineconfigpool_wait=current(a="waiting"), machineconfigpool_nodes={"nodes": []})
    run("roll_out", modules, pool="layered", nodes=["a"], build=built)
    waits = [arguments for name, arguments, dummy in modules.calls if name == "machineconfigpool_wait"]
    assert modules.names[0] == "machineconfigpool_wait"
    assert [wait["build"] for wait in waits] == [built, built]


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
    name = "MachineOSConfig layered"
    assert result["diff"] == [{**diff, "before_header": name, "after_header": name}]
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
    assert ([shown["after"] for shown in result["diff"]], result["warnings"]) == ([{"a": 1}], ["mind the gap"])


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


ROLES: t.Mapping[str, t.Any] = {
    **{f"build_image_{name}": value for name, value in CONFIG.items()},
    "build_image_create_pool": "",
    "build_image_nodes": "worker-0\nworker-1",
    "build_image_max_unavailable": "10%",
    "build_image_allow_node_reboots": "true",
    "registry_access_secrets": [{"name": "os-push", "registry_password_env": "NOT_SET"}],
}
FORECAST: t.Mapping[str, t.Any] = {
    "complete": False,
    "labels": {"worker-0": {"before": {"os": None}, "after": {"os": "x"}}},
}


def test_request_is_checked_with_the_variables_of_the_roles():
    modules = Modules(rollout_forecast={"forecast": None})
    result = run("check_request", modules, variables=ROLES)
    assert modules.names == ["rollout_forecast"]
    assert (result["changed"], result["forecast"]) == (False, None)
    assert modules.arguments("rollout_forecast") == {
        **CONFIG,
        "create_pool": False,
        "nodes": ["worker-0", "worker-1"],
        "max_unavailable": "10%",
        "new_secrets": ["os-push"],
        "allow_node_reboots": True,
        "delete_superseded": False,
        "details": False,
    }


def test_request_is_checked_with_the_secret_of_the_nodes():
    modules = Modules(rollout_forecast={"forecast": None})
    run("check_request", modules, variables={**ROLES, "build_image_current_image_pull_secret": "os-pull"})
    assert modules.arguments("rollout_forecast")["current_image_pull_secret"] == "os-pull"


def test_forecast_is_made_in_check_mode_only():
    modules = Modules(rollout_forecast={"forecast": FORECAST})
    result = run("check_request", modules, variables=ROLES, check_mode=True)
    assert modules.arguments("rollout_forecast")["details"] is True
    assert result["forecast"] == FORECAST


def test_request_that_cannot_work_fails_the_step_in_one_line():
    failed = {"failed": True, "msg": "Could not apply the image of MachineConfigPool layered: it is paused. Do it."}
    assert run("check_request", Modules(rollout_forecast=failed), variables=ROLES)["msg"] == failed["msg"]
    result = run("check_request", Modules(), variables={**ROLES, "build_image_containerfile": "RUN true"})
    assert result["msg"].startswith("Could not check the request: the Containerfile has no FROM instruction. Start it")
    result = run("check_request", Modules(), variables={**ROLES, "registry_access_secrets": "{"})
    assert result["msg"].startswith("Could not check the request: it is not a list.")


@pytest.mark.parametrize(
    ("playbook", "prefix"), [("apply", "image_mode_"), ("", "build_image_")], ids=["playbook", "role"]
)
def test_check_of_the_request_names_variables_and_no_options(playbook, prefix):
    variables = {**ROLES, "validate_variables_result": {"playbook": playbook}}
    failed = {"failed": True, "msg": "Could not apply the image: it would reboot nodes. Set allow_node_reboots=true."}
    result = run("check_request", Modules(rollout_forecast=failed), variables=variables)
    assert result["msg"].endswith(f"Set {prefix}allow_node_reboots=true.")
    forecast = {"lines": ["it may never start. Set delete_superseded=true"], "findings": []}
    result = run("check_request", Modules(rollout_forecast={"forecast": forecast}), variables=variables)
    assert result["forecast"]["lines"] == [f"it may never start. Set {prefix}delete_superseded=true"]


CHECKED: t.Mapping[str, t.Any] = {"check_request_result": {"cluster": {"api_url": "https://api"}, "forecast": FORECAST}}


def test_nodes_that_were_checked_before_are_not_checked_again():
    modules = Modules()
    run("build_image", modules, **CONFIG, nodes=["worker-0"], variables=CHECKED)
    assert modules.names == ["machineosconfig", "machineosbuild_wait"]


@pytest.mark.parametrize(
    ("check_mode", "variables", "checked"), [(True, CHECKED, True), (True, {}, False), (False, CHECKED, False)]
)
def test_check_mode_warns_of_missing_objects_only_if_no_earlier_step_checked_the_request(
    check_mode, variables, checked
):
    modules = Modules()
    run("build_image", modules, **CONFIG, check_mode=check_mode, variables=variables)
    assert modules.arguments("machineosconfig").get(CHECKED_BEFORE, False) is checked


def test_build_of_another_spec_is_no_part_of_a_forecast():
    modules = Modules(machineosconfig={"changed": True}, machineosbuild_wait={"build": {"name": "old"}})
    result = run("build_image", modules, **CONFIG, delete_superseded=True, check_mode=True)
    assert modules.names == ["machineosconfig"]
    assert (result["build"], result["machineosconfig"], result["changes"]) == (None, None, ["MachineOSConfig layered"])


def test_build_of_the_unchanged_spec_is_shown_in_check_mode():
    modules = Modules(machineosbuild_wait={"build": {"name": "layered-1"}})
    assert run("build_image", modules, **CONFIG, check_mode=True)["build"] == {"name": "layered-1"}


@pytest.mark.parametrize(
    ("nodes", "build"),
    [(["worker-0"], []), ([], ["MachineOSConfig layered"])],
)
def test_state_of_the_nodes_before_a_change_is_no_part_of_a_forecast(nodes, build):
    modules = Modules(machineconfigpool_wait=current(b="done"))
    variables = {**CHECKED, "build_image_result": {"changes": build}}
    result = run("roll_out", modules, pool="layered", nodes=nodes, check_mode=True, variables=variables)
    assert modules.names == ["machineconfigpool_wait"]
    assert (result["rollout"], result["nodes"]) == (None, [])
    assert result["changes"] == (["Node worker-0"] if nodes else [])
    labels = {"before": {"worker-0": {"os": None}}, "after": {"worker-0": {"os": "x"}}}
    header = {"before_header": "labels of nodes", "after_header": "labels of nodes"}
    assert result.get("diff", []) == ([{**labels, **header}] if nodes else [])


def test_state_of_the_nodes_is_shown_in_check_mode_if_nothing_changes():
    modules = Modules(machineconfigpool_wait=current(b="done"))
    assert run("roll_out", modules, pool="layered", check_mode=True)["rollout"] == {"total": 1}


VERIFIED: t.Mapping[str, t.Any] = {"verdict": "match", "nodes": [{"name": "worker-0"}]}
BUILT: t.Mapping[str, t.Any] = {"build": {"state": "succeeded"}, "changes": []}
UPDATED: t.Mapping[str, t.Any] = {"rollout": {"total": 2, "done": 2}, "changes": []}


def test_verification_passes_its_options_on():
    modules = Modules(node_image_verify=dict(VERIFIED))
    result = run("verify_pool", modules, pool="layered", allowed_deviations="a\nb", fail_on=[], node_timeout="90")
    assert result["verdict"] == "match"
    assert modules.arguments("node_image_verify") == {
        "pool": "layered",
        "allowed_deviations": ["a", "b"],
        "transport": "auto",
        "node_timeout": 90,
        "fail_on": [],
        "allow_empty_pool": False,
    }


def test_verification_knows_the_nodes_that_the_rollout_waited_for():
    modules = Modules(node_image_verify=dict(VERIFIED))
    rollout = {**UPDATED, "nodes": [{"name": "worker-0", "phase": "done"}, {"name": "worker-1", "phase": "left"}]}
    run("verify_pool", modules, variables={"roll_out_result": rollout}, pool="layered")
    assert modules.arguments("node_image_verify")["awaited_nodes"] == ["worker-0", "worker-1"]


def test_verification_knows_a_node_that_left_before_the_wait_observed_it():
    modules = Modules(machineconfigpool_wait=current(b="done"), machineconfigpool_nodes={"nodes": []})
    rollout = run("roll_out", modules, pool="layered", nodes=["a"])
    assert [node["name"] for node in rollout["nodes"]] == ["b"]
    modules = Modules(node_image_verify=dict(VERIFIED))
    run("verify_pool", modules, variables={"roll_out_result": rollout}, pool="layered")
    assert modules.arguments("node_image_verify")["awaited_nodes"] == ["a", "b"]


def test_verification_is_bound_to_the_build_of_the_run():
    modules = Modules(node_image_verify=dict(VERIFIED))
    run("verify_pool", modules, pool="layered", build=dict(BUILT))
    assert modules.arguments("node_image_verify")["build"] == BUILT


@pytest.mark.parametrize(
    ("build", "rollout", "reason"),
    [
        (BUILT, UPDATED, ""),
        ({}, {}, ""),
        ({**BUILT, "changes": ["MachineOSConfig layered"]}, UPDATED, "the run would change objects before"),
        ({**BUILT, "build": None}, UPDATED, "the build has not succeeded"),
        ({**BUILT, "build": {"state": "building"}}, UPDATED, "the build has not succeeded"),
        (BUILT, {**UPDATED, "changes": ["Node worker-0"]}, "the run would change objects before"),
        (BUILT, {"rollout": {"total": 2, "done": 1}, "changes": []}, "the rollout is not done"),
    ],
)
def test_check_mode_verifies_only_if_the_earlier_steps_change_nothing(monkeypatch, build, rollout, reason):
    printed: list[str] = []
    monkeypatch.setattr(verify_pool.display, "display", printed.append)
    variables = {"build_image_result": build, "roll_out_result": rollout}
    modules = Modules(node_image_verify=dict(VERIFIED))
    result = run("verify_pool", modules, check_mode=True, variables=variables, pool="layered")
    assert modules.names == ([] if reason else ["node_image_verify"])
    assert printed == ([f"  check mode: no node is verified, because {reason}"] if reason else [])
    assert ("verdict" in result) is not bool(reason)
    modules = Modules(node_image_verify=dict(VERIFIED))
    assert run("verify_pool", modules, variables=variables, pool="layered")["verdict"] == "match"


STALLED = "Could not wait for the build: no progress. Raise stall_timeout."
IN_ROLE: t.Mapping[str, t.Any] = {"ansible_role_name": "imagemode.openshift.build_image"}


def test_warning_of_a_module_names_the_variable_that_the_user_sets():
    summary = mock.Mock(event=mock.Mock(msg="Set max_unavailable=1."))  # as ansible-core 2.19 and later pass it
    warnings = ["Set delete_superseded=true.", summary]
    modules = Modules(machineconfigpool={"changed": True, "warnings": warnings})
    result = run("build_image", modules, variables=IN_ROLE, **CONFIG, create_pool=True)
    assert result["warnings"] == ["Set build_image_delete_superseded=true.", "Set build_image_max_unavailable=1."]


@pytest.mark.parametrize(
    ("variables", "option"),
    [
        ({}, "stall_timeout"),
        ({"ansible_role_name": "mine"}, "stall_timeout"),
        (IN_ROLE, "build_image_stall_timeout"),
        ({**IN_ROLE, "validate_variables_result": {"playbook": "apply"}}, "image_mode_build_stall_timeout"),
        ({**IN_ROLE, "validate_variables_result": {"playbook": None}}, "build_image_stall_timeout"),
        ({**IN_ROLE, "validate_variables_result": "text"}, "build_image_stall_timeout"),
    ],
)
def test_failure_of_a_step_names_what_its_user_sets(variables, option):
    modules = Modules(machineosbuild_wait={"failed": True, "msg": STALLED})
    result = run("build_image", modules, variables=variables, **CONFIG)
    assert result["msg"] == STALLED.replace("stall_timeout", option)
