# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import importlib
import json
import typing as t

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import WantedPool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import WantedConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Verdict
from ansible_collections.imagemode.openshift.plugins.module_utils._model.registry.credentials import Credential
from ansible_collections.imagemode.openshift.plugins.module_utils._operation import (
    apply_machineosconfig,
    apply_pool,
    apply_secret,
    delete_superseded,
    label_nodes,
    verify_nodes,
    wait_for_build,
    wait_for_rollout,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.select_nodes import Selection
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import Cursor, read_cursor
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
}
CLUSTER = {"host": "https://api.example.com:6443", "api_key": "sha256~token"}
NAMESPACE = "openshift-machine-config-operator"
REGISTRY = "registry.example.com"


class Operation:
    """Stands in for a module's operation and the session it is given."""

    def __init__(self) -> None:
        self.options: t.Mapping[str, t.Any] = {}
        self.ask: t.Any = None
        self.result: dict[str, t.Any] = {"changed": True}
        self.refusal: OperationError | None = None

    def open_session(self, options: t.Mapping[str, t.Any]) -> str:
        self.options = options
        return "the session"

    def __call__(self, session: str, ask: t.Any, *tell: t.Any, warn: t.Any = None) -> dict[str, t.Any]:
        assert session == "the session"
        self.ask = ask
        for warns in (*tell, warn):
            if warns:
                warns("mind the gap")
        if self.refusal:
            raise self.refusal
        return self.result


@pytest.fixture
def operation(monkeypatch) -> Operation:
    """The operation of whichever module is run."""
    stand_in = Operation()
    for module, function in OPERATION.items():
        monkeypatch.setattr(importlib.import_module(MODULES + module), function, stand_in)
        monkeypatch.setattr(importlib.import_module(MODULES + module), "open_session", stand_in.open_session)
    return stand_in


DEFAULTS = Limits(timeout=0, window=300, stall_timeout=3600)


@pytest.mark.parametrize(
    ("module", "options", "ask"),
    [
        (
            "machineosconfig",
            {
                "pool": "layered",
                "name": "old-name",
                "containerfile": "FROM configs",
                "rendered_image_push_spec": f"{REGISTRY}/os:t",
                "rendered_image_push_secret": "push",
                "base_image_pull_secret": "",
                "allow_node_reboots": True,
            },
            apply_machineosconfig.MachineOSConfigRequest(
                True, "old-name", WantedConfig("layered", "FROM configs", f"{REGISTRY}/os:t", "push", ""), True, False
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
            apply_secret.SecretRequest(
                True, "push", NAMESPACE, {REGISTRY: Credential("builder", "hunter2")}, False, False
            ),
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
            },
            wait_for_build.BuildWaitRequest("layered", Limits(60, 5, 0, (), 7), "c", False),
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
            },
            wait_for_rollout.RolloutWaitRequest(
                "layered", ["worker-0", "worker-1"], Limits(60, 5, 30, ("fatal", "node.degraded")), "c", False
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
            },
            verify_nodes.VerificationRequest(
                "", Selection(["worker-0"]), "sha256:x", 5, 6, "/host", frozenset((Verdict.MISMATCH,)), "pod_exec"
            ),
        ),
        (
            "node_image_verify",
            {"pool": "layered", "label_selector": "zone=a", "fail_on": []},
            verify_nodes.VerificationRequest("layered", Selection([], "zone=a"), "", 50, 60, "/rootfs", frozenset()),
        ),
    ],
)
def test_the_options_of_a_module_reach_its_operation(module, options, ask, operation):
    result = run_module(module, {**options, **CLUSTER})
    assert operation.ask == ask
    assert {name: operation.options[name] for name in CLUSTER} == CLUSTER
    assert result["changed"] is True


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
}
WRITERS_AND_WAITS = sorted(set(LEAST) - {"node_image_verify"})


@pytest.mark.parametrize("module", WRITERS_AND_WAITS)
def test_check_mode_reaches_the_operation(module, operation):
    run_module(module, LEAST[module], check_mode=True)
    assert operation.ask.check_mode is True


def test_a_verification_writes_nothing_so_check_mode_is_the_same(operation):
    assert run_module("node_image_verify", LEAST["node_image_verify"], check_mode=True)["changed"]
    assert operation.ask.pool == "layered"


@pytest.mark.parametrize("module", LEAST)
def test_a_refusal_is_a_failure_of_one_line_with_what_is_known(module, operation):
    operation.refusal = OperationError("try", "it\nis away", "Wait", {"changed": True, "findings": []})
    result = run_module(module, LEAST[module])
    assert result["failed"]
    assert result["msg"] == "Could not try: it is away. Wait."
    assert (result["changed"], result["findings"]) == (True, [])
    assert "exception" not in result


def test_a_warning_is_the_modules(operation, monkeypatch):
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda dummy, warning: warnings.append(warning))
    for module in ("machineosconfig", "machineosbuild_wait", "machineconfigpool_wait"):
        run_module(module, LEAST[module])
        assert warnings.pop() == "mind the gap"
        assert not warnings


@pytest.mark.parametrize(
    ("module", "options", "said"),
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
        ("machineosbuild_wait", {"pool": "a", "stall_timeout": -1}, "stall_timeout is -1. Give 0 or more."),
        ("machineconfigpool_wait", {"pool": "a", "fail_on_findings": ["pool.pause"]}, "names pool.pause, which is no"),
    ],
)
def test_options_that_do_not_go_together_are_refused_before_anything_is_sent(module, options, said, operation):
    result = run_module(module, options)
    assert result["failed"]
    assert said in result["msg"]
    assert operation.ask is None


# What must not leak --------------------------------------------------------------------------------------------------


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
def test_a_registrys_password_is_in_no_result(options, operation):
    operation.refusal = OperationError("try", "it is away", "Wait")
    text = json.dumps(run_module("registry_secret", {"name": "push", **options, **CLUSTER}))
    for hidden in ("hunter2", auth("builder", "hunter2"), CLUSTER["api_key"]):
        assert hidden not in text


@pytest.mark.parametrize("secret", ["a", "1", "0", " ", "}", "-", "c", "\\", "\u00fc"])
@pytest.mark.parametrize("module", ["machineosbuild_wait", "machineconfigpool_wait"])
def test_a_secret_of_one_character_does_not_change_the_cursor(module, secret, operation):
    """Ansible masks it wherever it is in a result, and the wait would begin again with each call."""
    known = Cursor(1772366400.0, {"Node": "1000"}, told="build layered-a: building", memory={"cluster": "a-1"})
    operation.result = {"changed": False, "note": "ab", "cursor": str(known)}
    result = run_module(module, {"pool": "layered", "host": "https://api.example.com:6443", "api_key": secret})
    assert read_cursor(result["cursor"]) == known


def test_the_secrets_of_a_kubeconfig_are_in_no_result(operation):
    kubeconfig = {"users": [{"name": "a", "user": {"token": "sha256~hidden", "password": "hunter2"}}]}
    operation.result = {"changed": False, "note": "sha256~hidden and hunter2"}
    text = json.dumps(run_module("machineconfigpool", {"pool": "layered", "kubeconfig": kubeconfig}))
    assert "sha256~hidden" not in text
    assert "hunter2" not in text


@pytest.mark.parametrize("text", ["\ud800", "●", "\x00"], ids=["surrogate", "sign", "null"])
def test_whatever_a_node_said_can_be_printed(text, operation):
    operation.result = {"changed": False, "nodes": [{"name": "worker-0", "evidence": text}]}
    assert run_module("node_image_verify", LEAST["node_image_verify"])["nodes"][0]["name"] == "worker-0"


def test_without_a_cluster_the_reader_learns_how_to_name_one(monkeypatch, tmp_path):
    for name in ("K8S_AUTH_KUBECONFIG", "K8S_AUTH_HOST", "K8S_AUTH_CONTEXT", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    missing = tmp_path / "missing"
    result = run_module("machineconfigpool", {"pool": "layered", "kubeconfig": str(missing)})
    assert result["failed"]
    assert result["msg"].startswith(f"Could not read kubeconfig {missing}: ")
    assert result["changed"] is False
