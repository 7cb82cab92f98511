# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong ends in one line that names the object and the remedy: no traceback, no secret, nothing half done."""

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


class _NothingServed(BaseHTTPRequestHandler):
    """An API server that does not know image mode."""

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, *dummy: object) -> None:
        """Say nothing."""


@pytest.fixture
def plain_kubernetes() -> t.Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _NothingServed)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def is_one_good_line(result: TaskResult, run: Run) -> bool:
    """Whether a refusal reads as it should, in what the user sees at -vvv too."""
    assert run.rc != 0
    assert result.failed
    assert result.msg.startswith("Could not "), result.msg
    assert "\n" not in result.msg
    assert "Traceback" not in run.output
    assert TOKEN not in run.output
    return True


def test_wrong_token(ansible: Ansible, lab: Facts) -> None:
    stranger = ansible.with_environment(
        K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST=lab.api_url, K8S_AUTH_API_KEY=TOKEN, K8S_AUTH_SSL_CA_CERT=str(lab.ca_cert)
    )
    refused, run = stranger.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert is_one_good_line(refused, run)
    assert "does not accept the credentials" in refused.msg


def test_an_api_server_that_cannot_be_trusted(ansible: Ansible, lab: Facts) -> None:
    stranger = ansible.with_environment(K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST=lab.api_url, K8S_AUTH_API_KEY=TOKEN)
    refused, run = stranger.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert is_one_good_line(refused, run)
    assert "no trusted connection" in refused.msg


def test_no_cluster(ansible: Ansible) -> None:
    nowhere = ansible.with_environment(
        K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST="https://127.0.0.1:9", K8S_AUTH_API_KEY=TOKEN
    )
    refused, run = nowhere.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert is_one_good_line(refused, run)
    assert "no connection to https://127.0.0.1:9 (Connection refused)" in refused.msg


def test_a_kubeconfig_that_does_not_exist(ansible: Ansible) -> None:
    refused, run = ansible.with_environment(K8S_AUTH_KUBECONFIG="/nowhere/kubeconfig").run_module(
        "machineosconfig", {"pool": "worker"}, "-vvv"
    )
    assert is_one_good_line(refused, run)
    assert "/nowhere/kubeconfig" in refused.msg


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
def test_forbidden(unprivileged_ansible: Ansible, module: str, options: dict[str, t.Any]) -> None:
    refused, run = unprivileged_ansible.run_module(module, options, "-vvv")
    assert is_one_good_line(refused, run)
    assert "forbidden" in refused.msg
    assert "Grant the account that right" in refused.msg


def test_image_mode_not_served(ansible: Ansible, plain_kubernetes: str) -> None:
    elsewhere = ansible.with_environment(K8S_AUTH_KUBECONFIG="", K8S_AUTH_HOST=plain_kubernetes, K8S_AUTH_API_KEY=TOKEN)
    refused, run = elsewhere.run_module("machineosconfig", {"pool": "worker"}, "-vvv")
    assert is_one_good_line(refused, run)
    assert "does not serve machineosconfigs" in refused.msg


def test_pool_missing(ansible: Ansible, lab: Facts) -> None:
    refused, run = ansible.run_module("machineosconfig", config_options(lab, "missing"), "-vvv")
    assert is_one_good_line(refused, run)
    assert "MachineConfigPool missing does not exist" in refused.msg


@pytest.mark.parametrize("module", ["machineosbuild_wait", "machineconfigpool_wait", "node_image_verify"])
def test_pool_missing_is_told_by_what_only_reads(ansible: Ansible, module: str) -> None:
    refused, run = ansible.run_module(module, {"pool": "missing"}, "-vvv")
    assert is_one_good_line(refused, run)
    assert "MachineConfigPool missing does not exist" in refused.msg


def test_secret_missing(ansible: Ansible, lab: Facts) -> None:
    ansible.run_module("machineconfigpool", {"pool": "secretless"})
    options = config_options(lab, "secretless", rendered_image_push_secret="nowhere")
    refused, run = ansible.run_module("machineosconfig", options, "-vvv")
    assert is_one_good_line(refused, run)
    assert "Secret openshift-machine-config-operator/nowhere does not exist" in refused.msg


@pytest.mark.parametrize(
    ("spec", "reason"),
    [("localhost/os:latest", "spec.renderedImagePushSpec"), ("HOST/a/b/os:latest", "2 namespace segments (a/b)")],
)
def test_push_spec_that_cannot_work(ansible: Ansible, lab: Facts, spec: str, reason: str) -> None:
    ansible.run_module("machineconfigpool", {"pool": "nopush"})
    spec = spec.replace("HOST", lab.registry_host)
    options = config_options(lab, "nopush", rendered_image_push_spec=spec)
    refused, run = ansible.run_module("machineosconfig", options, "-vvv")
    assert is_one_good_line(refused, run)
    assert reason in refused.msg


def test_containerfile_over_the_limit(ansible: Ansible, lab: Facts) -> None:
    ansible.run_module("machineconfigpool", {"pool": "toolong"})
    options = config_options(lab, "toolong", containerfile="#" * 4097)
    refused, run = ansible.run_module("machineosconfig", options, "-vvv")
    assert is_one_good_line(refused, run)
    assert "4096" in refused.msg


@pytest.mark.parametrize("module", ["machineosconfig", "machineconfigpool"])
def test_pool_name_over_21_characters(ansible: Ansible, lab: Facts, module: str) -> None:
    name = "a-pool-of-22-character"
    options = {"pool": name}
    if module == "machineosconfig":
        options = config_options(lab, name, rendered_image_push_spec=push_spec(lab, "os"))
    refused, run = ansible.run_module(module, options, "-vvv")
    assert is_one_good_line(refused, run)
    assert "has 22 characters" in refused.msg


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("machineconfigpool_nodes", {"nodes": ["worker-99"]}),
        ("machineconfigpool_wait", {"nodes": ["worker-99"]}),
        ("node_image_verify", {"nodes": ["worker-99"]}),
    ],
)
def test_unknown_node(ansible: Ansible, rolled_out: BuiltPool, module: str, options: dict[str, t.Any]) -> None:
    refused, run = ansible.run_module(module, {"pool": rolled_out.name, **options}, "-vvv")
    assert is_one_good_line(refused, run)
    assert "there is no Node worker-99" in refused.msg
