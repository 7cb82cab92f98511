# SPDX-License-Identifier: GPL-3.0-or-later
"""The transports of node_image_verify, each with its real programs: the API, oc debug, kubectl and ssh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import typing as t
from pathlib import Path

import pytest
from oc_client import with_oc
from polling import wait_until
from ssh_server import running_sshd

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api

OTHER = "sha256:" + "0" * 64
NODES = ["worker-3", "worker-4", "worker-5"]
DAEMONS = "/api/v1/namespaces/openshift-machine-config-operator/pods"


@pytest.fixture
def ansible_with_oc(ansible: Ansible) -> Ansible:
    """Ansible with ``oc`` in its PATH."""
    return with_oc(ansible)


def leftovers(api: Api) -> list[str]:
    """Return the namespaces and the pods of oc debug that still exist."""
    namespaces = api.get("/api/v1/namespaces", labelSelector="imagemode.openshift/debug-run=true")["items"]
    kept = [n["metadata"]["name"] for n in namespaces if "deletionTimestamp" not in n["metadata"]]
    pods = api.get("/api/v1/pods", fieldSelector="spec.restartPolicy=Never")["items"]
    return kept + [p["metadata"]["name"] for p in pods if "-debug-" in p["metadata"]["name"]]


def process_of_the_run(api: Api) -> int:
    """Return the process that created the one namespace that exists."""
    namespaces = api.get("/api/v1/namespaces", labelSelector="imagemode.openshift/debug-run=true")["items"]
    (namespace,) = [n for n in namespaces if "deletionTimestamp" not in n["metadata"]]
    return int(namespace["metadata"]["annotations"]["imagemode.openshift/process"].split("/")[2])


# State that the operator reports ------------------------------------------------------------------------------------


def test_reported_state_shows_a_mismatch_and_never_a_match(ansible: Ansible, audit: AuditLog) -> None:
    with audit.recording() as recording:
        arguments = {"nodes": NODES, "transport": "api", "fail_on": ["mismatch"]}
        reported, dummy = ansible.run_module("node_image_verify", arguments)
        mismatch, dummy = ansible.run_module("node_image_verify", {**arguments, "expected_image": OTHER})
    assert not reported.failed, reported.msg
    assert reported["summary"] == {"total": 3, "match": 0, "mismatch": 0, "unknown": 3}
    assert mismatch.failed
    assert mismatch["summary"]["mismatch"] == 3
    assert not [r for r in recording.ours if r.subresource == "exec"]


def test_wrong_annotations_are_found_by_a_command_on_the_node(
    ansible: Ansible, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-3", "--boots", OTHER)
    arguments = {"nodes": ["worker-3"], "fail_on": []}
    reported, dummy = ansible.run_module("node_image_verify", {**arguments, "transport": "api"})
    verified, dummy = ansible.run_module("node_image_verify", arguments)
    assert (reported["verdict"], verified["verdict"]) == ("unknown", "mismatch")
    assert (reported["transport"], verified["transport"]) == ("api", "pod_exec")


# oc debug ------------------------------------------------------------------------------------------------------------


def test_oc_debug_verifies_the_nodes_and_leaves_nothing_behind(ansible_with_oc: Ansible, api: Api) -> None:
    verified, dummy = ansible_with_oc.run_module("node_image_verify", {"nodes": NODES, "transport": "oc_debug"})
    assert not verified.failed, verified.msg
    assert (verified["verdict"], verified["transport"]) == ("match", "oc_debug")
    assert [n["booted"]["evidence_source"] for n in verified["nodes"]] == ["rpm-ostree"] * 3
    wait_until(lambda: not leftovers(api))


def test_oc_debug_distinguishes_a_wrong_image_a_failed_command_and_a_hanging_node(
    ansible_with_oc: Ansible, api: Api, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-3", "--boots", OTHER)
    script_node("worker-4", "--exec", "fail")
    script_node("worker-5", "--exec", "hang")
    result, dummy = ansible_with_oc.run_module(
        "node_image_verify", {"nodes": NODES, "transport": "oc_debug", "node_timeout": 8, "fail_on": []}
    )
    assert [n["verdict"] for n in result["nodes"]] == ["mismatch", "unknown", "unknown"]
    found = [n["findings"][0]["id"] for n in result["nodes"]]
    assert found == ["node.image_differs", "node.command_failed", "node.no_response"]
    wait_until(lambda: not leftovers(api))


def test_oc_debug_ignores_warnings_and_rejects_a_truncated_answer(
    ansible_with_oc: Ansible, script_node: t.Callable[..., None]
) -> None:
    for name, mode in zip(NODES, ("noise", "cut", "lost")):
        script_node(name, "--exec", mode)
    result, dummy = ansible_with_oc.run_module(
        "node_image_verify", {"nodes": NODES, "transport": "oc_debug", "fail_on": []}
    )
    assert [n["verdict"] for n in result["nodes"]] == ["match", "unknown", "unknown"]


def test_missing_oc_is_an_error_of_one_line(ansible: Ansible) -> None:
    failed, dummy = ansible.with_environment(PATH=f"{ansible.programs}:/usr/bin:/bin").run_module(
        "node_image_verify", {"nodes": NODES, "transport": "oc_debug"}
    )
    assert failed.failed
    assert failed.msg.startswith("Could not query nodes with oc debug: the program oc is not in PATH. Install ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_next_run_removes_what_an_interrupted_or_killed_run_left_behind(
    number: signal.Signals, ansible_with_oc: Ansible, api: Api, script_node: t.Callable[..., None]
) -> None:
    for name in NODES:
        script_node(name, "--exec", "hang")
    playbook = ansible_with_oc.scratch / "hanging.yml"
    task = {"imagemode.openshift.node_image_verify": {"nodes": NODES, "transport": "oc_debug", "node_timeout": 300}}
    play = {"name": "Hang", "hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Hang", **task}]}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    with subprocess.Popen(
        [ansible_with_oc.programs / "ansible-playbook", playbook],
        env=ansible_with_oc.environment(ansible_with_oc.scratch / "hanging.jsonl"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as hanging:
        wait_until(lambda: len(leftovers(api)) == 4)
        if number is signal.SIGKILL:
            os.kill(process_of_the_run(api), number)
        os.killpg(hanging.pid, number)
    for name in NODES:
        script_node(name, "--reset")
    if number is signal.SIGINT:
        wait_until(lambda: not leftovers(api))
    else:
        assert leftovers(api)
    verified, dummy = ansible_with_oc.run_module("node_image_verify", {"nodes": NODES, "transport": "oc_debug"})
    assert not verified.failed, verified.msg
    wait_until(lambda: not leftovers(api))


# Connection plugins of Ansible --------------------------------------------------------------------------------------


def daemon_pod(api: Api, name: str) -> str:
    """Return the name of the daemon's pod on a node."""
    selected = {"labelSelector": "k8s-app=machine-config-daemon", "fieldSelector": f"spec.nodeName={name}"}
    (pod,) = api.get(DAEMONS, **selected)["items"]
    return str(pod["metadata"]["name"])


def verify_over(ansible: Ansible, hosts: dict[str, dict[str, str]], arguments: dict[str, t.Any]) -> Run:
    """Run the module as a play over hosts, none of which has Python."""
    inventory = ansible.scratch / "inventory.json"
    inventory.write_text(json.dumps({"nodes": {"hosts": hosts}}), encoding="utf-8")
    task = {"name": "Verify", "imagemode.openshift.node_image_verify": {"transport": "connection", **arguments}}
    return ansible.run_tasks([task], "--inventory", str(inventory), hosts="nodes")


def test_connection_kubectl_runs_the_command_in_the_pods_of_the_daemon(
    ansible_with_kubectl: Ansible, api: Api, lab: Facts, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-4", "--boots", OTHER)
    script_node("worker-5", "--exec", "fail")
    hosts = {
        name: {
            "ansible_connection": "kubernetes.core.kubectl",
            "ansible_kubectl_namespace": "openshift-machine-config-operator",
            "ansible_kubectl_pod": daemon_pod(api, name),
            "ansible_kubectl_container": "machine-config-daemon",
        }
        for name in NODES
    }
    arguments = {"expected_image": lab.base_image, "host_root": "/rootfs", "fail_on": []}
    run = verify_over(ansible_with_kubectl, hosts, arguments)
    results = {result.host: result for result in run.results}
    assert {name: result["verdict"] for name, result in results.items()} == {
        "worker-3": "match",
        "worker-4": "mismatch",
        "worker-5": "unknown",
    }
    booted = api.get("/api/v1/nodes/worker-3")["status"]["nodeInfo"]["bootID"]
    assert results["worker-3"]["nodes"][0]["boot_id"] == booted
    without_chroot = verify_over(ansible_with_kubectl, {"worker-3": hosts["worker-3"]}, {**arguments, "host_root": "/"})
    assert without_chroot.results[0]["verdict"] == "unknown"


@pytest.fixture
def sshd(lab: Facts, tmp_path: Path) -> t.Iterator[dict[str, str]]:
    """The variables of a host that a real sshd on loopback connects to the file system of worker-3."""
    root = lab.nodes_dir / "worker-3" / "container"
    with running_sshd(tmp_path, f'exec chroot {root} /bin/sh -c \\"$SSH_ORIGINAL_COMMAND\\"') as host:
        yield host


def test_connection_ssh_verifies_a_node_without_any_request_to_the_api(
    ansible: Ansible, sshd: dict[str, str], lab: Facts, audit: AuditLog
) -> None:
    with audit.recording() as recording:
        arguments = {"expected_image": lab.base_image, "host_root": "/rootfs"}
        run = verify_over(ansible.with_environment(K8S_AUTH_KUBECONFIG=""), {"worker-3": sshd}, arguments)
    assert run.rc == 0, run.output
    (result,) = run.results
    assert (result["verdict"], result["nodes"][0]["name"]) == ("match", "worker-3")
    assert result["cluster"]["api_url"] is None
    assert recording.ours == []


def test_host_that_ssh_cannot_reach_is_unknown(ansible: Ansible, sshd: dict[str, str], lab: Facts) -> None:
    run = verify_over(ansible, {"worker-3": {**sshd, "ansible_port": "1"}}, {"expected_image": lab.base_image})
    assert (run.results[0].outcome, run.results[0]["verdict"]) == ("failed", "unknown")


def test_connection_transport_requires_expected_image(ansible: Ansible, sshd: dict[str, str]) -> None:
    run = verify_over(ansible, {"worker-3": sshd}, {})
    assert run.results[0].msg.endswith("Set expected_image.")
