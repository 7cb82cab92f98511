# SPDX-License-Identifier: GPL-3.0-or-later
"""Each error is one line that names the object and the remedy, without a traceback and without a secret."""

from __future__ import annotations

import threading
import typing as t
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pools import config_options, push_spec

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run, TaskResult
    from lab.facts import Facts
    from pools import BuiltPool

TOKEN = "sha256~not-a-token-of-this-cluster"


class _PlainKubernetes(BaseHTTPRequestHandler):
    """An API server without the API of image mode."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *dummy: object) -> None:
        """Print nothing."""


@pytest.fixture
def plain_kubernetes() -> t.Iterator[str]:
    """The URL of an API server without the API of image mode."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _PlainKubernetes)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def assert_is_one_line(result: TaskResult, run: Run) -> None:
    """Check the form of an error, in the result and in the output at -vvv."""
    assert run.rc != 0
    assert result.failed
    assert result.msg.startswith("Could not "), result.msg
    assert "\n" not in result.msg
    assert "Traceback" not in run.output
    assert TOKEN not in run.output


def test_token_that_the_cluster_does_not_accept(ansible: Ansible, lab: Facts) -> None:
    client = ansible.with_environment(
        K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST=lab.api_url, K8S_AUTH_API_KEY=TOKEN, K8S_AUTH_SSL_CA_CERT=str(lab.ca_cert)
    )
    failed, run = client.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert_is_one_line(failed, run)
    assert "does not accept the credentials" in failed.msg


def test_api_server_with_an_unknown_certificate(ansible: Ansible, lab: Facts) -> None:
    client = ansible.with_environment(K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST=lab.api_url, K8S_AUTH_API_KEY=TOKEN)
    failed, run = client.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert_is_one_line(failed, run)
    assert "no trusted connection" in failed.msg


def test_address_without_an_api_server(ansible: Ansible) -> None:
    unreachable = ansible.with_environment(
        K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST="https://127.0.0.1:9", K8S_AUTH_API_KEY=TOKEN
    )
    failed, run = unreachable.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert_is_one_line(failed, run)
    assert "no connection to https://127.0.0.1:9 (Connection refused)" in failed.msg


def test_kubeconfig_that_does_not_exist(ansible: Ansible) -> None:
    failed, run = ansible.with_environment(K8S_AUTH_KUBECONFIG="/nowhere/kubeconfig").run_module(
        "machineosconfig", {"pool": "worker"}, "-vvv"
    )
    assert_is_one_line(failed, run)
    assert "/nowhere/kubeconfig" in failed.msg


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("machineosconfig", {"pool": "worker"}),
        ("machineconfigpool", {"pool": "worker"}),
        ("machineosbuild_wait", {"pool": "worker", "timeout": 30}),
        ("machineconfigpool_wait", {"pool": "worker", "timeout": 30}),
        ("machineconfigpool_nodes", {"pool": "other", "nodes": ["worker-0"]}),
        (
            "registry_secret",
            {"name": "push", "registry": "example.com", "registry_username": "robot", "registry_password": TOKEN},
        ),
        ("node_image_verify", {"pool": "worker"}),
    ],
)
def test_account_without_permissions(unprivileged_ansible: Ansible, module: str, options: dict[str, t.Any]) -> None:
    failed, run = unprivileged_ansible.run_module(module, options, "-vvv")
    assert_is_one_line(failed, run)
    assert "forbidden" in failed.msg
    assert "Grant the account that right" in failed.msg


def test_cluster_without_image_mode(ansible: Ansible, plain_kubernetes: str) -> None:
    plain = ansible.with_environment(K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST=plain_kubernetes, K8S_AUTH_API_KEY=TOKEN)
    failed, run = plain.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert_is_one_line(failed, run)
    assert "does not serve machineosconfigs" in failed.msg


def test_machineosconfig_of_a_pool_that_does_not_exist(ansible: Ansible, lab: Facts) -> None:
    failed, run = ansible.run_module("machineosconfig", config_options(lab, "missing"), "-vvv")
    assert_is_one_line(failed, run)
    assert "MachineConfigPool missing does not exist" in failed.msg


@pytest.mark.parametrize("module", ["machineosbuild_wait", "machineconfigpool_wait", "node_image_verify"])
def test_wait_and_verification_of_a_pool_that_does_not_exist(ansible: Ansible, module: str) -> None:
    failed, run = ansible.run_module(module, {"pool": "missing"}, "-vvv")
    assert_is_one_line(failed, run)
    assert "MachineConfigPool missing does not exist" in failed.msg


def test_secret_that_does_not_exist(ansible: Ansible, lab: Facts) -> None:
    ansible.run_module("machineconfigpool", {"pool": "secretless"})
    options = config_options(lab, "secretless", rendered_image_push_secret="nowhere")
    failed, run = ansible.run_module("machineosconfig", options, "-vvv")
    assert_is_one_line(failed, run)
    assert "Secret openshift-machine-config-operator/nowhere does not exist" in failed.msg


@pytest.mark.parametrize(
    ("spec", "reason"),
    [("localhost/os:latest", "the host localhost without a dot"), ("HOST/a/b/os:latest", "2 namespace segments (a/b)")],
)
def test_invalid_push_spec(ansible: Ansible, lab: Facts, spec: str, reason: str) -> None:
    ansible.run_module("machineconfigpool", {"pool": "nopush"})
    spec = spec.replace("HOST", lab.registry_host)
    options = config_options(lab, "nopush", rendered_image_push_spec=spec)
    failed, run = ansible.run_module("machineosconfig", options, "-vvv")
    assert_is_one_line(failed, run)
    assert reason in failed.msg


def test_containerfile_that_is_too_long(ansible: Ansible, lab: Facts) -> None:
    ansible.run_module("machineconfigpool", {"pool": "toolong"})
    options = config_options(lab, "toolong", containerfile="#" * 4097)
    failed, run = ansible.run_module("machineosconfig", options, "-vvv")
    assert_is_one_line(failed, run)
    assert "4096" in failed.msg


@pytest.mark.parametrize("module", ["machineosconfig", "machineconfigpool"])
def test_pool_name_that_is_too_long(ansible: Ansible, lab: Facts, module: str) -> None:
    name = "a-pool-of-22-character"
    options = {"pool": name}
    if module == "machineosconfig":
        options = config_options(lab, name, rendered_image_push_spec=push_spec(lab, "os"))
    failed, run = ansible.run_module(module, options, "-vvv")
    assert_is_one_line(failed, run)
    assert "has 22 characters" in failed.msg


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("machineconfigpool_nodes", {"nodes": ["worker-99"]}),
        ("machineconfigpool_wait", {"nodes": ["worker-99"]}),
        ("node_image_verify", {"nodes": ["worker-99"]}),
    ],
)
def test_node_that_does_not_exist(
    ansible: Ansible, rolled_out: BuiltPool, module: str, options: dict[str, t.Any]
) -> None:
    failed, run = ansible.run_module(module, {"pool": rolled_out.name, **options}, "-vvv")
    assert_is_one_line(failed, run)
    assert "Node worker-99 does not exist" in failed.msg
