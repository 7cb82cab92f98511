# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways in which node_image_verify asks nodes, each against real ones: oc, kubectl, sshd, and what the API says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from oc_client import oc_beside
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
def with_oc(ansible: Ansible) -> Ansible:
    """Ansible with ``oc`` in its PATH."""
    return oc_beside(ansible)


def left(api: Api) -> list[str]:
    """The namespaces of runs by oc debug that nobody has removed yet, and debug pods wherever they are."""
    namespaces = api.get("/api/v1/namespaces", labelSelector="imagemode.openshift/debug-run=true")["items"]
    kept = [n["metadata"]["name"] for n in namespaces if "deletionTimestamp" not in n["metadata"]]
    pods = api.get("/api/v1/pods", fieldSelector="spec.restartPolicy=Never")["items"]
    return kept + [p["metadata"]["name"] for p in pods if "-debug-" in p["metadata"]["name"]]


def asking(api: Api) -> int:
    """The process that made the one namespace that is there."""
    namespaces = api.get("/api/v1/namespaces", labelSelector="imagemode.openshift/debug-run=true")["items"]
    (namespace,) = [n for n in namespaces if "deletionTimestamp" not in n["metadata"]]
    return int(namespace["metadata"]["annotations"]["imagemode.openshift/process"].split("/")[2])


def await_that(happens: t.Callable[[], t.Any]) -> t.Any:
    """Wait until something is so, and return it."""
    deadline = time.monotonic() + 60
    while not (seen := happens()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return seen


# What the operator says ----------------------------------------------------------------------------------------------


def test_what_the_operator_says_finds_a_mismatch_and_proves_nothing(ansible: Ansible, audit: AuditLog) -> None:
    with audit.recording() as recording:
        arguments = {"nodes": NODES, "transport": "api", "fail_on": ["mismatch"]}
        audited, dummy = ansible.run_module("node_image_verify", arguments)
        refuted, dummy = ansible.run_module("node_image_verify", {**arguments, "expected_image": OTHER})
    assert not audited.failed, audited.msg
    assert audited["summary"] == {"total": 3, "match": 0, "mismatch": 0, "unknown": 3}
    assert refuted.failed
    assert refuted["summary"]["mismatch"] == 3
    assert not [r for r in recording.ours if r.subresource == "exec"]


def test_a_node_that_lies_in_its_annotations_only_is_found_by_asking_it(
    ansible: Ansible, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-3", "--boots", OTHER)
    arguments = {"nodes": ["worker-3"], "fail_on": []}
    claimed, dummy = ansible.run_module("node_image_verify", {**arguments, "transport": "api"})
    asked, dummy = ansible.run_module("node_image_verify", arguments)
    assert (claimed["verdict"], asked["verdict"]) == ("unknown", "mismatch")
    assert (claimed["transport"], asked["transport"]) == ("api", "pod_exec")


# oc debug ------------------------------------------------------------------------------------------------------------


def test_oc_debug_proves_what_the_nodes_booted_and_leaves_nothing(with_oc: Ansible, api: Api) -> None:
    proven, dummy = with_oc.run_module("node_image_verify", {"nodes": NODES, "transport": "oc_debug"})
    assert not proven.failed, proven.msg
    assert (proven["verdict"], proven["transport"]) == ("match", "oc_debug")
    assert [n["booted"]["evidence_source"] for n in proven["nodes"]] == ["rpm-ostree"] * 3
    await_that(lambda: not left(api))


def test_oc_debug_tells_a_wrong_image_a_failure_and_a_node_that_hangs_apart(
    with_oc: Ansible, api: Api, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-3", "--boots", OTHER)
    script_node("worker-4", "--exec", "fail")
    script_node("worker-5", "--exec", "hang")
    told, dummy = with_oc.run_module(
        "node_image_verify", {"nodes": NODES, "transport": "oc_debug", "node_timeout": 8, "fail_on": []}
    )
    assert [n["verdict"] for n in told["nodes"]] == ["mismatch", "unknown", "unknown"]
    found = [n["findings"][0]["id"] for n in told["nodes"]]
    assert found == ["node.image_differs", "node.command_failed", "node.no_response"]
    await_that(lambda: not left(api))


def test_noise_does_not_get_into_the_answer_of_oc_debug_and_half_an_answer_is_none(
    with_oc: Ansible, script_node: t.Callable[..., None]
) -> None:
    for name, mode in zip(NODES, ("noise", "cut", "lost")):
        script_node(name, "--exec", mode)
    told, dummy = with_oc.run_module("node_image_verify", {"nodes": NODES, "transport": "oc_debug", "fail_on": []})
    assert [n["verdict"] for n in told["nodes"]] == ["match", "unknown", "unknown"]


def test_without_oc_the_reason_is_one_line(ansible: Ansible) -> None:
    refused, dummy = ansible.with_environment(PATH=f"{ansible.programs}:/usr/bin:/bin").run_module(
        "node_image_verify", {"nodes": NODES, "transport": "oc_debug"}
    )
    assert refused.failed
    assert refused.msg.startswith("Could not ask nodes by oc debug: there is no program oc in PATH. Install ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_was_interrupted_or_killed_leaves_nothing_after_the_next(
    number: signal.Signals, with_oc: Ansible, api: Api, script_node: t.Callable[..., None]
) -> None:
    for name in NODES:
        script_node(name, "--exec", "hang")
    playbook = with_oc.scratch / "hanging.yml"
    task = {"imagemode.openshift.node_image_verify": {"nodes": NODES, "transport": "oc_debug", "node_timeout": 300}}
    play = {"name": "Hang", "hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Hang", **task}]}
    playbook.write_text(json.dumps([play]), encoding="utf-8")
    with subprocess.Popen(
        [with_oc.programs / "ansible-playbook", playbook],
        env=with_oc.environment(with_oc.scratch / "hanging.jsonl"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as hanging:
        await_that(lambda: len(left(api)) == 4)
        if number is signal.SIGKILL:
            os.kill(asking(api), number)
        os.killpg(hanging.pid, number)
    for name in NODES:
        script_node(name, "--reset")
    if number is signal.SIGINT:
        await_that(lambda: not left(api))
    else:
        assert left(api)
    proven, dummy = with_oc.run_module("node_image_verify", {"nodes": NODES, "transport": "oc_debug"})
    assert not proven.failed, proven.msg
    await_that(lambda: not left(api))


# Any connection of Ansible's -----------------------------------------------------------------------------------------


def daemon_pod(api: Api, name: str) -> str:
    selected = {"labelSelector": "k8s-app=machine-config-daemon", "fieldSelector": f"spec.nodeName={name}"}
    (pod,) = api.get(DAEMONS, **selected)["items"]
    return str(pod["metadata"]["name"])


def verify_over(ansible: Ansible, hosts: dict[str, dict[str, str]], arguments: dict[str, t.Any]) -> Run:
    """Run the module as a play over hosts, none of which has any Python."""
    inventory = ansible.scratch / "inventory.json"
    inventory.write_text(json.dumps({"nodes": {"hosts": hosts}}), encoding="utf-8")
    task = {"name": "Verify", "imagemode.openshift.node_image_verify": {"transport": "connection", **arguments}}
    return ansible.run_tasks([task], "--inventory", str(inventory), hosts="nodes")


def test_nodes_are_asked_in_their_daemons_pods_over_the_connection_of_kubectl(
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
    told = {result.host: result for result in run.results}
    assert {name: result["verdict"] for name, result in told.items()} == {
        "worker-3": "match",
        "worker-4": "mismatch",
        "worker-5": "unknown",
    }
    booted = api.get("/api/v1/nodes/worker-3")["status"]["nodeInfo"]["bootID"]
    assert told["worker-3"]["nodes"][0]["boot_id"] == booted
    without_chroot = verify_over(ansible_with_kubectl, {"worker-3": hosts["worker-3"]}, {**arguments, "host_root": "/"})
    assert without_chroot.results[0]["verdict"] == "unknown"


@pytest.fixture
def sshd(lab: Facts, tmp_path: Path) -> t.Iterator[dict[str, str]]:
    """A real sshd on loopback that leads into the file system of worker-3's containers: how a host is reached by it."""
    root = lab.nodes_dir / "worker-3" / "container"
    with running_sshd(tmp_path, f'exec chroot {root} /bin/sh -c \\"$SSH_ORIGINAL_COMMAND\\"') as host:
        yield host


def test_a_node_is_asked_over_ssh_and_nothing_talks_to_the_api(
    ansible: Ansible, sshd: dict[str, str], lab: Facts, audit: AuditLog
) -> None:
    with audit.recording() as recording:
        arguments = {"expected_image": lab.base_image, "host_root": "/rootfs"}
        run = verify_over(ansible.with_environment(K8S_AUTH_KUBECONFIG=""), {"worker-3": sshd}, arguments)
    assert run.rc == 0, run.output
    (told,) = run.results
    assert (told["verdict"], told["nodes"][0]["name"]) == ("match", "worker-3")
    assert told["cluster"]["api_url"] is None
    assert recording.ours == []


def test_a_host_that_ssh_does_not_reach_is_unknown(ansible: Ansible, sshd: dict[str, str], lab: Facts) -> None:
    run = verify_over(ansible, {"worker-3": {**sshd, "ansible_port": "1"}}, {"expected_image": lab.base_image})
    assert (run.results[0].outcome, run.results[0]["verdict"]) == ("failed", "unknown")


def test_over_a_connection_the_expected_image_has_to_be_given(ansible: Ansible, sshd: dict[str, str]) -> None:
    run = verify_over(ansible, {"worker-3": sshd}, {})
    assert run.results[0].msg.endswith("Give expected_image.")
