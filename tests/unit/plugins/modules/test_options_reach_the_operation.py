# SPDX-License-Identifier: GPL-3.0-or-later
"""Each option of each module reaches its operation, and no secret among them reaches a result."""

from __future__ import annotations

import importlib
import json
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.wait import BuildWaitState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import WantedPool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import WantedConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Verdict
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.credentials import Credential
from ansible_collections.imagemode.openshift.plugins.module_utils._operation import (
    apply_machineosconfig,
    apply_pool,
    apply_secret,
    delete_superseded,
    forecast_inputs,
    label_nodes,
    verify_nodes,
    wait_for_build,
    wait_for_rollout,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.select_nodes import Selection
from ansible_collections.imagemode.openshift.plugins.module_utils._options import CHECKED_BEFORE, CONNECTION
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import Cursor, Progress, read_cursor
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import auth
from ansible_collections.imagemode.openshift.tests.unit.plugins.module_run import MODULES, run_module

OPERATION = {
    "machineconfigpool": "apply_pool",
    "machineconfigpool_nodes": "label_nodes",
    "machineconfigpool_wait": "wait_for_rollout",
    "machineosbuild_superseded": "delete_superseded",
    "machineosbuild_wait": "wait_for_build",
    "machineosconfig": "apply_machineosconfig",
    "node_image_verify": "verify_nodes",
    "registry_secret": "apply_secret",
    "rollout_forecast": "forecast",
}
CLUSTER = {"host": "https://api.example.com:6443", "api_key": "sha256~token"}
NAMESPACE = "openshift-machine-config-operator"
REGISTRY = "registry.example.com"

BUILT = {
    "machineosconfig": {"pool": "layered", "spec_hash": "sha256:s"},
    "build": {"digested_image_push_spec": "registry.example.com/os@sha256:b"},
}
RUN = RunSpec("sha256:s", "registry.example.com/os@sha256:b")


class Operation:
    """A stand-in for the operation of a module and for its session."""

    def __init__(self) -> None:
        self.options: t.Mapping[str, t.Any] = {}
        self.request: t.Any = None
        self.result: dict[str, t.Any] = {"changed": True}
        self.start = mock.Mock()

    def open_session(self, options: t.Mapping[str, t.Any]) -> str:
        self.options = options
        return "the session"

    def __call__(self, session: str, request: t.Any, *warn: t.Any, **keywords: t.Any) -> dict[str, t.Any]:
        assert session == "the session"
        self.request = request
        for function in (*warn, *keywords.values()):
            function("mind the gap")
        self.start()
        return self.result


@pytest.fixture
def operation(monkeypatch) -> Operation:
    """The operation of every module."""
    stand_in = Operation()
    for module, function in OPERATION.items():
        monkeypatch.setattr(importlib.import_module(MODULES + module), function, stand_in)
        monkeypatch.setattr(importlib.import_module(MODULES + module), "open_session", stand_in.open_session)
    return stand_in


DEFAULTS = Limits(timeout=0, window=300, stall_timeout=3600)


CASES: list[tuple[str, dict[str, t.Any], t.Any]] = [
    (
        "machineosconfig",
        {
            "pool": "layered",
            "name": "old-name",
            "containerfile": "FROM configs",
            "rendered_image_push_spec": f"{REGISTRY}/os:t",
            "rendered_image_push_secret": "push",
            "base_image_pull_secret": "",
            "current_image_pull_secret": "nodes",
            "allow_node_reboots": True,
        },
        apply_machineosconfig.MachineOSConfigRequest(
            True,
            "old-name",
            WantedConfig("layered", "FROM configs", f"{REGISTRY}/os:t", "push", "", "nodes"),
            True,
            False,
        ),
    ),
    (
        "machineosconfig",
        {"machine_config_pool": "layered", "state": "absent"},
        apply_machineosconfig.MachineOSConfigRequest(False, "", WantedConfig("layered"), False, False),
    ),
    (
        "machineconfigpool",
        {"pool": "layered", "node_selector": {"zone": "a"}, "paused": "yes", "max_unavailable": 2},
        apply_pool.PoolRequest(True, WantedPool("layered", {"zone": "a"}, True, "2"), False),
    ),
    (
        "machineconfigpool",
        {"pool": "layered", "state": "absent"},
        apply_pool.PoolRequest(False, WantedPool("layered"), False),
    ),
    (
        "registry_secret",
        {"name": "push", "registry": REGISTRY, "registry_username": "builder", "registry_password": "hunter2"},
        apply_secret.SecretRequest(True, "push", NAMESPACE, {REGISTRY: Credential("builder", "hunter2")}, False, False),
    ),
    (
        "registry_secret",
        {"name": "push", "namespace": "ns", "dockerconfigjson": {"auths": {REGISTRY: {"auth": auth("b", "p")}}}},
        apply_secret.SecretRequest(True, "push", "ns", {REGISTRY: Credential("b", "p")}, True, False),
    ),
    (
        "registry_secret",
        {"name": "push", "dockerconfigjson": json.dumps({"auths": {REGISTRY: {"auth": auth("b", "p")}}})},
        apply_secret.SecretRequest(True, "push", NAMESPACE, {REGISTRY: Credential("b", "p")}, True, False),
    ),
    (
        "registry_secret",
        {"name": "push", "state": "absent"},
        apply_secret.SecretRequest(False, "push", NAMESPACE, {}, False, False),
    ),
    (
        "machineosbuild_superseded",
        {"pool": "layered", "state": "absent"},
        delete_superseded.SupersededRequest("layered", False, False),
    ),
    (
        "machineosbuild_superseded",
        {"machine_config_pool": "layered", "allow_node_reboots": True},
        delete_superseded.SupersededRequest("layered", True, False),
    ),
    (
        "machineosbuild_wait",
        {"pool": "layered"},
        wait_for_build.BuildWaitRequest("layered", Limits(3600, 300, 1800), "", False),
    ),
    (
        "machineosbuild_wait",
        {
            "pool": "layered",
            "timeout": 60,
            "stall_timeout": 0,
            "fail_on_findings": [],
            "window": 5,
            "cursor": "c",
            "waited": 7,
            "progress": "none",
            "replacement_grace": 9,
            "max_build_attempts": 2,
            "log_dir": "/home/user/logs",
            "spec_hash": "sha256:s",
        },
        wait_for_build.BuildWaitRequest(
            "layered", Limits(60, 5, 0, (), 7), "c", False, "/home/user/logs", 9, 2, "sha256:s"
        ),
    ),
    (
        "machineconfigpool_nodes",
        {"pool": "layered", "nodes": ["worker-0", "worker-1"]},
        label_nodes.LabelNodesRequest(True, "layered", Selection(["worker-0", "worker-1"]), False),
    ),
    (
        "machineconfigpool_nodes",
        {"pool": "layered", "label_selector": "zone=a", "state": "absent"},
        label_nodes.LabelNodesRequest(False, "layered", Selection([], "zone=a"), False),
    ),
    (
        "machineconfigpool_wait",
        {"pool": "layered"},
        wait_for_rollout.RolloutWaitRequest("layered", [], DEFAULTS, "", False),
    ),
    (
        "machineconfigpool_wait",
        {
            "pool": "layered",
            "nodes": "worker-0,worker-1",
            "timeout": 60,
            "stall_timeout": 30,
            "fail_on_findings": "fatal,node.degraded",
            "window": 5,
            "cursor": "c",
            "waited": 7,
            "build": BUILT,
        },
        wait_for_rollout.RolloutWaitRequest(
            "layered", ["worker-0", "worker-1"], Limits(60, 5, 30, ("fatal", "node.degraded"), 7), "c", False, RUN
        ),
    ),
    (
        "node_image_verify",
        {"pool": "layered"},
        verify_nodes.VerificationRequest(
            "layered", Selection([]), "", 50, 60, "/rootfs", frozenset((Verdict.MISMATCH, Verdict.UNKNOWN))
        ),
    ),
    (
        "node_image_verify",
        {
            "nodes": ["worker-0"],
            "expected_image": "sha256:x",
            "transport": "pod_exec",
            "concurrency": 5,
            "node_timeout": 6,
            "host_root": "/host",
            "fail_on": ["mismatch"],
            "allowed_deviations": ["node.local_packages"],
            "allow_empty_pool": True,
            "awaited_nodes": ["worker-0"],
        },
        verify_nodes.VerificationRequest(
            "",
            Selection(["worker-0"]),
            "sha256:x",
            5,
            6,
            "/host",
            frozenset((Verdict.MISMATCH,)),
            "pod_exec",
            ("node.local_packages",),
            True,
            awaited_nodes=("worker-0",),
        ),
    ),
    (
        "node_image_verify",
        {"pool": "layered", "label_selector": "zone=a", "fail_on": [], "build": BUILT},
        verify_nodes.VerificationRequest(
            "layered", Selection([], "zone=a"), "", 50, 60, "/rootfs", frozenset(), run=RUN
        ),
    ),
    (
        "rollout_forecast",
        {
            "pool": "layered",
            "create_pool": True,
            "node_selector": {"os": "x"},
            "max_unavailable": "10%",
            "nodes": ["worker-0"],
            "containerfile": "FROM configs AS final",
            "rendered_image_push_spec": "registry.example.com/os:1",
            "rendered_image_push_secret": "push",
            "base_image_pull_secret": "pull",
            "current_image_pull_secret": "nodes",
            "new_secrets": ["push"],
            "allow_node_reboots": True,
            "delete_superseded": True,
            "details": False,
        },
        forecast_inputs.ForecastRequest(
            WantedConfig("layered", "FROM configs AS final", "registry.example.com/os:1", "push", "pull", "nodes"),
            WantedPool("layered", {"os": "x"}, max_unavailable="10%"),
            True,
            ["worker-0"],
            ["push"],
            True,
            True,
            False,
        ),
    ),
]
"""Module, options, and the request that its operation has to receive."""

CONNECTION_VALUES: dict[str, t.Any] = {
    **CLUSTER,
    "kubeconfig": "/home/user/kubeconfig",
    "context": "blue",
    "username": "me",
    "password": "mine",
    "validate_certs": False,
    "ca_cert": "/home/user/ca.crt",
    "client_cert": "/home/user/client.crt",
    "client_key": "/home/user/client.key",
    "tls_server_name": "api.internal",
    "proxy": "http://proxy.example.com:3128",
    "no_proxy": ".example.com",
    "proxy_headers": {"proxy_basic_auth": "me:mine", "basic_auth": "me:mine", "user_agent": "agent"},
    "persist_config": True,
    "impersonate_user": "auditor",
    "impersonate_groups": ["auditors"],
}
WITHOUT_EFFECT = {
    "machineosbuild_superseded": {"state"},  # it has one choice
    "machineosbuild_wait": {"progress"},  # the action plugin reads it
    "machineconfigpool_wait": {"progress"},
}
ACTION_PLUGINS = {
    "build_image",
    "check_request",
    "check_verdicts",
    "evidence_report",
    "node_image_summary",
    "publish_result",
    "registry_secrets",
    "roll_out",
    "show_summary",
    "validate_variables",
    "verify_pool",
}
"""Modules that only document an action plugin. The tests of the plugins cover their options."""


@pytest.mark.parametrize(("module", "options", "request_"), CASES)
def test_options_reach_the_operation(module, options, request_, operation):
    result = run_module(module, {**options, **CLUSTER})
    assert operation.request == request_
    assert {name: operation.options[name] for name in CLUSTER} == CLUSTER
    assert result["changed"] is True


def argument_spec(module: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, t.Any]]:
    """Return the argument spec of a module."""
    specs = []
    create = AnsibleModule.__init__

    def record(self: AnsibleModule, argument_spec: dict[str, t.Any], **keywords: t.Any) -> None:
        specs.append(argument_spec)
        create(self, argument_spec=argument_spec, **keywords)

    with monkeypatch.context() as patched:
        patched.setattr(AnsibleModule, "__init__", record)
        run_module(module, LEAST[module])
    (spec,) = specs
    return spec


def test_every_module_has_cases():
    folder = Path(importlib.import_module(MODULES + "machineosconfig").__file__).parent
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert modules == set(OPERATION) | ACTION_PLUGINS
    assert {module for module, *dummy in CASES} == set(LEAST) == set(OPERATION)


@pytest.mark.parametrize("module", OPERATION)
def test_each_option_changes_the_request_in_a_case(module, operation, monkeypatch):
    """A new option without a case fails here: in one case, the request has to differ without the option."""
    spec = argument_spec(module, monkeypatch)
    names = {alias: name for name, option in spec.items() for alias in option.get("aliases", ())}
    effective = set()
    for options in (options for name, options, dummy in CASES if name == module):
        run_module(module, options)
        request = operation.request
        for option in options:
            operation.request = None
            run_module(module, {name: value for name, value in options.items() if name != option})
            if operation.request != request:
                effective.add(names.get(option, option))
    assert set(spec) - set(CONNECTION) - effective == WITHOUT_EFFECT.get(module, set())


@pytest.mark.parametrize("module", OPERATION)
def test_connection_options_reach_the_session(module, operation):
    assert set(CONNECTION_VALUES) == set(CONNECTION)
    run_module(module, {**LEAST[module], **CONNECTION_VALUES})
    assert {name: operation.options[name] for name in CONNECTION} == CONNECTION_VALUES


LEAST: dict[str, dict[str, t.Any]] = {
    "machineosconfig": {"pool": "layered"},
    "machineconfigpool": {"pool": "layered"},
    "registry_secret": {
        "name": "push",
        "registry": REGISTRY,
        "registry_username": "builder",
        "registry_password": "hunter2",
    },
    "machineosbuild_superseded": {"pool": "layered"},
    "machineosbuild_wait": {"pool": "layered"},
    "machineconfigpool_nodes": {"pool": "layered", "nodes": ["worker-0"]},
    "machineconfigpool_wait": {"pool": "layered"},
    "node_image_verify": {"pool": "layered"},
    "rollout_forecast": {"pool": "layered"},
}
WRITERS_AND_WAITS = sorted(set(LEAST) - {"node_image_verify", "rollout_forecast"})


@pytest.mark.parametrize("module", WRITERS_AND_WAITS)
def test_check_mode_reaches_the_operation(module, operation):
    run_module(module, LEAST[module], check_mode=True)
    assert operation.request.check_mode is True


def test_earlier_check_reaches_the_operation(operation):
    run_module("machineosconfig", {**LEAST["machineosconfig"], CHECKED_BEFORE: True})
    assert operation.request.checked_before
    run_module("machineosconfig", LEAST["machineosconfig"])
    assert not operation.request.checked_before


def test_check_mode_of_a_verification_is_the_same_because_it_writes_nothing(operation):
    assert run_module("node_image_verify", LEAST["node_image_verify"], check_mode=True)["changed"]
    assert operation.request.pool == "layered"


@pytest.mark.parametrize("module", LEAST)
def test_error_is_one_line_with_the_results_so_far(module, operation):
    operation.start.side_effect = OperationError("try", "it\nis away", "Wait", {"changed": True, "findings": []})
    result = run_module(module, LEAST[module])
    assert result["failed"]
    assert result["msg"] == "Could not try: it is away. Wait."
    assert (result["changed"], result["findings"]) == (True, [])
    assert "exception" not in result


def test_warning_of_the_operation_is_a_warning_of_the_module(operation, monkeypatch):
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda dummy, warning: warnings.append(warning))
    for module in ("machineosconfig", "machineosbuild_wait", "machineconfigpool_wait"):
        run_module(module, LEAST[module])
        assert warnings.pop() == "mind the gap"
        assert not warnings


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        ("machineosconfig", {}, "missing required arguments: pool"),
        ("machineosconfig", {"pool": "a", "state": "gone"}, "value of state must be one of: present, absent"),
        ("machineconfigpool_nodes", {"pool": "a"}, "one of the following is required: nodes, label_selector"),
        ("machineconfigpool_nodes", {"pool": "a", "nodes": ["b"], "label_selector": "c"}, "mutually exclusive"),
        ("node_image_verify", {}, "one of the following is required: pool, nodes, label_selector"),
        ("node_image_verify", {"nodes": ["b"], "label_selector": "c"}, "mutually exclusive"),
        ("node_image_verify", {"pool": "a", "transport": "ssh"}, "value of transport must be one of"),
        ("node_image_verify", {"pool": "a", "fail_on": ["match"]}, "value of fail_on must be one or more of"),
        ("registry_secret", {"name": "push"}, "any of the following are missing: registry, dockerconfigjson"),
        ("registry_secret", {"name": "push", "registry": "r"}, "required together"),
        (
            "registry_secret",
            {"name": "push", "dockerconfigjson": "{}", "registry_username": "u"},
            "required together: registry, registry_username, registry_password",
        ),
        ("registry_secret", {"name": "push", "registry": "r", "dockerconfigjson": "{}"}, "mutually exclusive"),
        ("machineosbuild_wait", {"pool": "a", "timeout": "soon"}, "timeout"),
        (
            "machineosbuild_wait",
            {"pool": "a", "stall_timeout": -1},
            "stall_timeout: -1 seconds is negative. Set a whole number",
        ),
        ("machineconfigpool_wait", {"pool": "a", "fail_on_findings": ["pool.pause"]}, "names pool.pause, which is no"),
    ],
)
def test_invalid_options_fail_before_any_request(module, options, message, operation):
    result = run_module(module, options)
    assert result["failed"]
    assert message in result["msg"]
    assert operation.request is None


# Secrets -----------------------------------------------------------------------------------------------------------


def test_registry_login_is_not_used_for_the_api_server(operation):
    run_module("registry_secret", LEAST["registry_secret"])
    assert (operation.options["username"], operation.options["password"]) == (None, None)


def test_api_login_of_registry_secret_comes_from_its_connection_options(operation):
    run_module("registry_secret", {**LEAST["registry_secret"], "username": "me", "password": "mine"})
    assert (operation.options["username"], operation.options["password"]) == ("me", "mine")


@pytest.mark.parametrize(
    "options",
    [
        {"registry": REGISTRY, "registry_username": "builder", "registry_password": "hunter2"},
        {"dockerconfigjson": {"auths": {REGISTRY: {"auth": auth("builder", "hunter2")}}}},
        {"dockerconfigjson": json.dumps({"auths": {REGISTRY: {"auth": auth("builder", "hunter2")}}})},
        {"dockerconfigjson": "hunter2"},
    ],
    ids=["password", "dictionary", "text", "broken"],
)
def test_registry_password_is_in_no_result(options, operation):
    operation.start.side_effect = OperationError("try", "it is away", "Wait")
    text = json.dumps(run_module("registry_secret", {"name": "push", **options, **CLUSTER}))
    for hidden in ("hunter2", auth("builder", "hunter2"), CLUSTER["api_key"]):
        assert hidden not in text


@pytest.mark.parametrize("secret", ["a", "1", "0", " ", "}", "-", "c", "\\", "\u00fc"])
@pytest.mark.parametrize("module", ["machineosbuild_wait", "machineconfigpool_wait"])
def test_secret_of_one_character_does_not_change_the_cursor(module, secret, operation):
    """Ansible masks each occurrence of a secret in a result. A masked cursor would start the wait again."""
    progress = Progress(started=1772366400.0, reported="build layered-a: building")
    known = Cursor(progress, {}, BuildWaitState(log_cluster="a-1"))
    operation.result = {"changed": False, "note": "ab", "cursor": str(known)}
    result = run_module(module, {"pool": "layered", "host": "https://api.example.com:6443", "api_key": secret})
    assert read_cursor(result["cursor"], BuildWaitState) == known


def test_secrets_of_a_kubeconfig_are_in_no_result(operation):
    kubeconfig = {"users": [{"name": "a", "user": {"token": "sha256~hidden", "password": "hunter2"}}]}
    operation.result = {"changed": False, "note": "sha256~hidden and hunter2"}
    text = json.dumps(run_module("machineconfigpool", {"pool": "layered", "kubeconfig": kubeconfig}))
    assert "sha256~hidden" not in text
    assert "hunter2" not in text


@pytest.mark.parametrize("text", ["\ud800", "●", "\x00"], ids=["surrogate", "sign", "null"])
def test_any_text_of_a_node_can_be_printed(text, operation):
    operation.result = {"changed": False, "nodes": [{"name": "worker-0", "evidence": text}]}
    assert run_module("node_image_verify", LEAST["node_image_verify"])["nodes"][0]["name"] == "worker-0"


def test_missing_kubeconfig_is_named(monkeypatch, tmp_path):
    for name in ("K8S_AUTH_KUBECONFIG", "K8S_AUTH_HOST", "K8S_AUTH_CONTEXT", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    missing = tmp_path / "missing"
    result = run_module("machineconfigpool", {"pool": "layered", "kubeconfig": str(missing)})
    assert result["failed"]
    assert result["msg"].startswith(f"Could not read kubeconfig {missing}: ")
    assert result["changed"] is False
