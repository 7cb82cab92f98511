# SPDX-License-Identifier: GPL-3.0-or-later
"""node_image_verify against nodes that tell the truth, lie, fail and hang."""

from __future__ import annotations

import os
import subprocess
import threading
import typing as t
from contextlib import contextmanager

import pytest
from pools import config_options, containerfile, wait_for_build

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

BUILDS = ("paused", "rolled-out")
OTHER = "sha256:" + "0" * 64
MCO = "machineconfiguration.openshift.io/"
DAEMONS = "/api/v1/namespaces/openshift-machine-config-operator/pods"
DAEMON = "k8s-app=machine-config-daemon"


def daemon_of(api: Api, name: str) -> dict[str, t.Any]:
    """Return the daemon's pod of a node."""
    (pod,) = api.get(DAEMONS, labelSelector=DAEMON, fieldSelector=f"spec.nodeName={name}")["items"]
    return dict(pod)


@contextmanager
def daemon_restarting(api: Api, name: str) -> t.Iterator[None]:
    """Let the daemon's container of a node be as between two starts."""
    pod = daemon_of(api, name)
    path, status = f"{DAEMONS}/{pod['metadata']['name']}/status", pod["status"]
    starting = [{**c, "ready": False} for c in status["containerStatuses"]]
    api.patch(path, {"status": {"containerStatuses": starting}})
    try:
        yield
    finally:
        api.patch(path, {"status": {"containerStatuses": status["containerStatuses"]}})


@contextmanager
def leaving_when_asked(api: Api, lab: Facts, name: str) -> t.Iterator[None]:
    """Delete a node as soon as a command is started on it, and make it again at the end."""
    path = f"/api/v1/nodes/{name}"
    node = api.get(path)
    kept = {key: node["metadata"][key] for key in ("name", "labels", "annotations")}
    pod = daemon_of(api, name)["metadata"]["name"]
    given_up = threading.Event()

    def leave() -> None:
        with lab.audit_log.open(encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            while not given_up.wait(0.1):
                if f"{pod}/exec?" in log.read():
                    api.delete(path)
                    return

    leaves = threading.Thread(target=leave)
    leaves.start()
    try:
        yield
    finally:
        given_up.set()
        leaves.join()
        if not any(n["metadata"]["name"] == name for n in api.get("/api/v1/nodes")["items"]):
            api.create("/api/v1/nodes", {**node, "metadata": kept})


@pytest.fixture
def node(lab: Facts, request: pytest.FixtureRequest) -> t.Callable[..., None]:
    """Script a node for one test: ``node("worker-0", "--boots", DIGEST)``."""

    def script(name: str, *what: str) -> None:
        subprocess.run(["lab", "node", "--name", lab.name, name, *what], check=True, capture_output=True)
        request.addfinalizer(lambda: _reset(lab, name))

    return script


def _reset(lab: Facts, name: str) -> None:
    subprocess.run(["lab", "node", "--name", lab.name, name, "--reset"], check=True, capture_output=True)


def test_every_node_is_proven_by_the_digest_it_booted(ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool) -> None:
    with audit.recording() as recording:
        proven, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert not proven.failed, proven.msg
    assert proven["verdict"] == "match"
    assert [(n["name"], n["booted"]["digest"], n["verdict"]) for n in proven["nodes"]] == [
        ("worker-0", rolled_out.digest, "match"),
        ("worker-1", rolled_out.digest, "match"),
    ]
    assert not [r for r in recording.ours if r.is_write and r.subresource != "exec"]


def findings_of(told: t.Any, name: str) -> list[str]:
    """Return the ids of what was found on one node."""
    return [f["id"] for n in told["nodes"] if n["name"] == name for f in n["findings"]]


def test_a_node_that_booted_another_image_is_named_though_its_annotations_say_done(
    ansible: Ansible, api: Api, rolled_out: BuiltPool, node: t.Callable[..., None]
) -> None:
    node("worker-0", "--boots", OTHER)
    notes = api.get("/api/v1/nodes/worker-0")["metadata"]["annotations"]
    assert (notes[MCO + "state"], notes[MCO + "currentImage"]) == ("Done", rolled_out.image)
    refuted, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert refuted.failed
    assert "worker-0: mismatch" in refuted.msg
    assert refuted["summary"] == {"total": 2, "match": 1, "mismatch": 1, "unknown": 0}
    assert findings_of(refuted, "worker-0") == ["node.image_differs", "node.annotation_disagrees"]


def test_the_right_image_that_only_waits_for_a_boot_is_not_booted(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None]
) -> None:
    node("worker-0", "--boots", OTHER, "--stages", rolled_out.digest)
    refuted, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert refuted.failed
    assert [n["verdict"] for n in refuted["nodes"]] == ["mismatch", "match"]
    assert findings_of(refuted, "worker-0")[0] == "node.image_staged"
    assert "Reboot the node" in refuted.msg


@pytest.mark.parametrize(
    ("mode", "finding"),
    [
        ("fail", "node.command_failed"),
        ("hang", "node.no_response"),
        ("cut", "node.output_unreadable"),
        ("lost", "node.exec_failed"),
    ],
)
def test_a_node_that_gives_no_answer_is_unknown_and_the_others_are_still_reported(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None], mode: str, finding: str
) -> None:
    node("worker-1", "--exec", mode)
    unsure, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "node_timeout": 5})
    assert unsure.failed
    assert unsure["verdict"] == "unknown"
    assert [n["verdict"] for n in unsure["nodes"]] == ["match", "unknown"]
    assert findings_of(unsure, "worker-1") == [finding]


def test_nodes_of_which_none_can_be_asked_are_all_unknown(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None]
) -> None:
    for name in ("worker-0", "worker-1"):
        node(name, "--exec", "fail")
    unsure, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert unsure.failed
    assert unsure["summary"] == {"total": 2, "match": 0, "mismatch": 0, "unknown": 2}


def test_noise_beside_the_answer_is_no_part_of_it(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None]
) -> None:
    node("worker-1", "--exec", "noise")
    proven, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert (proven.failed, proven["verdict"], findings_of(proven, "worker-1")) == (False, "match", [])
    node("worker-1", "--boots", OTHER)
    refuted, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert [n["verdict"] for n in refuted["nodes"]] == ["match", "mismatch"]


def test_a_node_whose_daemon_restarts_is_unknown(ansible: Ansible, api: Api, rolled_out: BuiltPool) -> None:
    with daemon_restarting(api, "worker-1"):
        unsure, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert unsure.failed
    assert [n["verdict"] for n in unsure["nodes"]] == ["match", "unknown"]
    assert findings_of(unsure, "worker-1") == ["node.no_daemon_pod"]


def test_a_node_that_leaves_the_cluster_while_it_is_asked_is_unknown(
    ansible: Ansible, api: Api, lab: Facts, node: t.Callable[..., None]
) -> None:
    node("worker-5", "--exec", "hang")
    with leaving_when_asked(api, lab, "worker-5"):
        unsure, dummy = ansible.run_module(
            "node_image_verify", {"pool": "worker", "nodes": ["worker-5"], "node_timeout": 10}
        )
    assert unsure.failed
    assert unsure["verdict"] == "unknown"
    assert "node.deleted" in findings_of(unsure, "worker-5")


def test_nothing_matches_while_an_edit_is_not_built(session_ansible: Ansible, lab: Facts) -> None:
    # The pool is paused: its image is built, and no node is changed.
    paused = wait_for_build(session_ansible, "paused")
    pool = {"pool": paused.name}
    edit = config_options(lab, paused.name, containerfile=containerfile("echo edited > /etc/pool"))
    join = {**pool, "nodes": ["worker-8"]}
    run = session_ansible.run_tasks(
        [
            {"name": "Join", "imagemode.openshift.machineconfigpool_nodes": join},
            {"name": "Built", "imagemode.openshift.node_image_verify": pool, "ignore_errors": True},
            {"name": "Edit", "imagemode.openshift.machineosconfig": edit},
            {"name": "Edited", "imagemode.openshift.node_image_verify": pool, "ignore_errors": True},
            {"name": "Leave", "imagemode.openshift.machineconfigpool_nodes": {**join, "state": "absent"}},
        ]
    )
    assert run.rc == 0, run.output
    built, edited = run.of("Built"), run.of("Edited")
    assert (built["verdict"], findings_of(built, "worker-8")) == ("mismatch", ["node.image_differs"])
    assert (edited["verdict"], findings_of(edited, "worker-8")) == ("unknown", ["cluster.expectation_not_current"])
    expected = [told["nodes"][0]["expected"] for told in (built, edited)]
    assert [(e["digest"], e["current"]) for e in expected] == [(paused.digest, True), (paused.digest, False)]


def test_findings_alone_do_not_fail_when_nothing_is_to_fail_on(
    ansible: Ansible, rolled_out: BuiltPool, node: t.Callable[..., None]
) -> None:
    node("worker-0", "--boots", OTHER)
    told, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "fail_on": []})
    assert not told.failed, told.msg
    assert told["verdict"] == "mismatch"


def test_a_pool_that_is_not_layered_is_held_against_its_rendered_config(ansible: Ansible, lab: Facts) -> None:
    proven, dummy = ansible.run_module("node_image_verify", {"pool": "worker", "nodes": ["worker-5"]})
    assert not proven.failed, proven.msg
    assert proven["nodes"][0]["expected"]["source"] == "machineconfig"
    assert proven["nodes"][0]["booted"]["pull_spec"] == lab.base_image


def test_an_expected_image_without_a_digest_proves_nothing(ansible: Ansible, rolled_out: BuiltPool) -> None:
    refused, dummy = ansible.run_module(
        "node_image_verify", {"pool": rolled_out.name, "expected_image": "registry.example.com/os:latest"}
    )
    assert "a tag proves nothing" in refused.msg


def test_a_pool_nobody_is_in_is_an_error_not_zero_of_zero(ansible: Ansible) -> None:
    ansible.run_module("machineconfigpool", {"pool": "deserted"})
    refused, dummy = ansible.run_module("node_image_verify", {"pool": "deserted"})
    assert refused.failed
    assert "no node is in it" in refused.msg


def test_a_verification_runs_in_full_in_check_mode(ansible: Ansible, rolled_out: BuiltPool) -> None:
    proven, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name}, "--check")
    assert proven["verdict"] == "match"
