# SPDX-License-Identifier: GPL-3.0-or-later
"""node_image_verify with nodes that answer correctly, contradict their annotations, fail and hang."""

from __future__ import annotations

import os
import threading
import typing as t
from contextlib import contextmanager
from datetime import datetime, timezone

import pytest
from lab.cluster import is_stuck
from lab.scenarios.scenario import WaitCase
from polling import wait_until
from pools import PoolPlan, edit_task, join_task

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from audit_log import AuditLog
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool, Pools

OTHER = "sha256:" + "0" * 64
MCO = "machineconfiguration.openshift.io/"
DAEMONS = "/api/v1/namespaces/openshift-machine-config-operator/pods"
DAEMON = "k8s-app=machine-config-daemon"


def daemon_pods(api: Api, node: str) -> list[dict[str, t.Any]]:
    """Return the pods of the machine-config-daemon on a node."""
    pods = api.get(DAEMONS, labelSelector=DAEMON, fieldSelector=f"spec.nodeName={node}")["items"]
    return t.cast("list[dict[str, t.Any]]", pods)


@contextmanager
def daemon_not_ready(api: Api, node: str) -> t.Iterator[None]:
    """Set the container of a node's daemon to not ready, as between two starts."""
    (pod,) = daemon_pods(api, node)
    path, status = f"{DAEMONS}/{pod['metadata']['name']}/status", pod["status"]
    starting = [{**c, "ready": False} for c in status["containerStatuses"]]
    api.patch(path, {"status": {"containerStatuses": starting}})
    try:
        yield
    finally:
        api.patch(path, {"status": {"containerStatuses": status["containerStatuses"]}})


@contextmanager
def deleted_during_exec(api: Api, lab: Facts, name: str) -> t.Iterator[None]:
    """Delete a node as soon as a command starts on it, and create it again when the context ends."""
    path = f"/api/v1/nodes/{name}"
    node = api.get(path)
    kept = {key: node["metadata"][key] for key in ("name", "labels", "annotations")}
    (pod,) = daemon_pods(api, name)
    ended = threading.Event()

    def delete_node() -> None:
        with lab.audit_log.open(encoding="utf-8") as log:
            log.seek(0, os.SEEK_END)
            while not ended.wait(0.1):
                if f"{pod['metadata']['name']}/exec?" in log.read():
                    api.delete(path)
                    return

    thread = threading.Thread(target=delete_node)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if not any(n["metadata"]["name"] == name for n in api.get("/api/v1/nodes")["items"]):
            api.create("/api/v1/nodes", {**node, "metadata": kept})
        # Other tests run commands on this node.
        wait_until(lambda: _has_daemon(api, name))


def _has_daemon(api: Api, name: str) -> bool:
    """Whether the daemon of a node runs: the pod outlives a node that is back at once.

    KWOK misses a new pod that is bound just before KWOK holds the lease of the node.
    """
    pods = daemon_pods(api, name)
    for pod in pods:
        if is_stuck(pod, datetime.now(timezone.utc)):
            api.delete(f"{DAEMONS}/{pod['metadata']['name']}?gracePeriodSeconds=0")
    return any(_is_ready(pod) for pod in pods)


def _is_ready(pod: dict[str, t.Any]) -> bool:
    ready = all(c["ready"] for c in pod["status"].get("containerStatuses", [])) and pod["status"]["phase"] == "Running"
    return ready and "deletionTimestamp" not in pod["metadata"]


def finding_ids(result: TaskResult, node: str) -> list[str]:
    """Return the ids of the findings of one node."""
    return [f["id"] for n in result["nodes"] if n["name"] == node for f in n["findings"]]


def verdicts(result: TaskResult) -> list[str]:
    """Return the verdicts of the nodes in order."""
    return [node["verdict"] for node in result["nodes"]]


def test_each_node_matches_by_the_digest_it_booted(ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool) -> None:
    with audit.recording() as recording:
        matching, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert not matching.failed, matching.msg
    assert matching["verdict"] == "match"
    assert [(n["name"], n["booted"]["digest"], n["verdict"]) for n in matching["nodes"]] == [
        ("worker-0", rolled_out.digest, "match"),
        ("worker-1", rolled_out.digest, "match"),
    ]
    assert not [r for r in recording.ours if r.is_write and r.subresource != "exec"]


@pytest.mark.wait_case(WaitCase.ANNOTATIONS_DISAGREE)
def test_node_that_booted_another_image_does_not_match_although_its_annotations_are_done(
    ansible: Ansible, api: Api, rolled_out: BuiltPool, during: During
) -> None:
    with during("node-boots-another-image", rolled_out.name, "worker-0"):
        annotations = api.get("/api/v1/nodes/worker-0")["metadata"]["annotations"]
        assert (annotations[MCO + "state"], annotations[MCO + "currentImage"]) == ("Done", rolled_out.image)
        mismatch, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert mismatch.failed
    assert "worker-0: mismatch" in mismatch.msg
    assert mismatch["summary"] == {"total": 2, "match": 1, "mismatch": 1, "unknown": 0}
    assert finding_ids(mismatch, "worker-0") == ["node.image_differs", "node.annotation_disagrees"]


@pytest.mark.wait_case(WaitCase.IMAGE_ONLY_STAGED)
def test_image_that_is_only_staged_is_a_mismatch(ansible: Ansible, rolled_out: BuiltPool, during: During) -> None:
    with during("node-staged-only", rolled_out.name, "worker-0"):
        mismatch, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert mismatch.failed
    assert mismatch["verdict"] == "mismatch"
    assert verdicts(mismatch) == ["mismatch", "match"]
    assert finding_ids(mismatch, "worker-0")[0] == "node.image_staged"
    assert "Reboot the node" in mismatch.msg


@pytest.mark.parametrize(
    ("mode", "finding"),
    [
        ("fail", "node.command_failed"),
        ("hang", "node.no_response"),
        ("cut", "node.output_unreadable"),
        ("lost", "node.exec_failed"),
    ],
)
def test_node_without_an_answer_is_unknown_and_the_other_nodes_are_reported(
    ansible: Ansible, rolled_out: BuiltPool, script_node: t.Callable[..., None], mode: str, finding: str
) -> None:
    script_node("worker-1", "--exec", mode)
    unknown, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "node_timeout": 5})
    assert unknown.failed
    assert unknown["verdict"] == "unknown"
    assert verdicts(unknown) == ["match", "unknown"]
    assert finding_ids(unknown, "worker-1") == [finding]


@pytest.mark.wait_case(WaitCase.COMMANDS_FAIL)
def test_all_nodes_are_unknown_when_every_command_fails(
    ansible: Ansible, rolled_out: BuiltPool, during: During
) -> None:
    with during("exec-fails", rolled_out.name, "worker-0", "worker-1"):
        unknown, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert unknown.failed
    assert unknown["summary"] == {"total": 2, "match": 0, "mismatch": 0, "unknown": 2}


@pytest.mark.wait_case(WaitCase.WARNINGS_IN_OUTPUT)
def test_warnings_beside_the_answer_are_ignored(
    ansible: Ansible, rolled_out: BuiltPool, during: During, script_node: t.Callable[..., None]
) -> None:
    with during("exec-warns", rolled_out.name, "worker-1"):
        matching, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
        script_node("worker-1", "--boots", OTHER)
        mismatch, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert not matching.failed, matching.msg
    assert (matching["verdict"], finding_ids(matching, "worker-1")) == ("match", [])
    assert verdicts(mismatch) == ["match", "mismatch"]


def test_node_whose_daemon_restarts_is_unknown(ansible: Ansible, api: Api, rolled_out: BuiltPool) -> None:
    with daemon_not_ready(api, "worker-1"):
        unknown, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name})
    assert unknown.failed
    assert verdicts(unknown) == ["match", "unknown"]
    assert finding_ids(unknown, "worker-1") == ["node.no_daemon_pod"]


def test_node_that_is_deleted_during_the_verification_is_unknown(
    ansible: Ansible, api: Api, lab: Facts, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-5", "--exec", "hang")
    with deleted_during_exec(api, lab, "worker-5"):
        unknown, dummy = ansible.run_module(
            "node_image_verify", {"pool": "worker", "nodes": ["worker-5"], "node_timeout": 10}
        )
    assert unknown.failed
    assert unknown["verdict"] == "unknown"
    assert "node.deleted" in finding_ids(unknown, "worker-5")


def test_no_node_matches_while_the_image_of_an_edit_is_not_built(ansible: Ansible, lab: Facts, pools: Pools) -> None:
    # The pool is paused: its image is built and its node stays as it is.
    paused = pools.built("paused", PoolPlan(pool={"paused": True}))
    pool = {"pool": paused.name}
    leave = {**pool, "nodes": ["worker-8"], "state": "absent"}
    run = ansible.run_tasks(
        [
            join_task(paused.name, "worker-8"),
            {"name": "Built", "imagemode.openshift.node_image_verify": pool, "ignore_errors": True},
            edit_task(lab, paused.name, "echo edited > /etc/pool"),
            {"name": "Edited", "imagemode.openshift.node_image_verify": pool, "ignore_errors": True},
            {"name": "Leave", "imagemode.openshift.machineconfigpool_nodes": leave},
        ]
    )
    assert run.rc == 0, run.output
    built, edited = run.of("Built"), run.of("Edited")
    assert (built["verdict"], finding_ids(built, "worker-8")) == ("mismatch", ["node.image_differs"])
    assert "MachineConfigPool paused is paused by this collection, so the operator does not update" in built.msg
    assert [f["id"] for f in built["findings"]] == ["pool.updates_paused"]
    assert [result["containerfile"]["proven"] for result in (built, edited)] == [False, False]
    assert (edited["verdict"], finding_ids(edited, "worker-8")) == ("unknown", ["cluster.expectation_not_current"])
    expected = [result["nodes"][0]["expected"] for result in (built, edited)]
    assert [(e["digest"], e["current"]) for e in expected] == [(paused.digest, True), (paused.digest, False)]


@contextmanager
def paused_by_another_client(api: Api, pool: str) -> t.Iterator[None]:
    """Pause a pool as a user does."""
    path = f"/apis/machineconfiguration.openshift.io/v1/machineconfigpools/{pool}"
    api.patch(path, {"spec": {"paused": True}})
    try:
        yield
    finally:
        api.patch(path, {"spec": {"paused": False}})


def test_paused_pool_whose_nodes_match_is_a_match_and_the_summary_says_that_it_is_paused(
    ansible: Ansible, api: Api, rolled_out: BuiltPool
) -> None:
    with paused_by_another_client(api, rolled_out.name):
        run = ansible.run_playbook("imagemode.openshift.verify", variables={"image_mode_pool": rolled_out.name})
    assert run.rc == 0, run.output
    (entry,) = run.published
    assert (entry["verdict"], entry["failure"]) == ("match", None)
    (line,) = [line for line in run.output.splitlines() if line.startswith("  Pool: ")]
    assert line.startswith(f"  Pool: MachineConfigPool {rolled_out.name} is paused by ")
    assert line.endswith(", so the operator updates none of its nodes")


def test_task_succeeds_with_a_mismatch_when_fail_on_is_empty(
    ansible: Ansible, rolled_out: BuiltPool, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-0", "--boots", OTHER)
    mismatch, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name, "fail_on": []})
    assert not mismatch.failed, mismatch.msg
    assert mismatch["verdict"] == "mismatch"


def test_pool_without_a_machineosconfig_is_compared_with_its_rendered_config(ansible: Ansible, lab: Facts) -> None:
    matching, dummy = ansible.run_module("node_image_verify", {"nodes": ["worker-5"]})
    assert not matching.failed, matching.msg
    assert matching["nodes"][0]["expected"]["source"] == "machineconfig"
    assert matching["nodes"][0]["booted"]["pull_spec"] == lab.base_image


def test_expected_image_without_a_digest_is_an_error(ansible: Ansible, rolled_out: BuiltPool) -> None:
    failed, dummy = ansible.run_module(
        "node_image_verify", {"pool": rolled_out.name, "expected_image": "registry.example.com/os:latest"}
    )
    assert failed.failed
    assert "a tag does not identify an image" in failed.msg


def test_pool_without_nodes_is_an_error_and_not_zero_of_zero(ansible: Ansible) -> None:
    ansible.run_module("machineconfigpool", {"pool": "deserted"})
    failed, dummy = ansible.run_module("node_image_verify", {"pool": "deserted"})
    assert failed.failed
    assert "MachineConfigPool deserted has no nodes" in failed.msg
    assert failed.result["verdict"] == "none"
    assert failed.result["cluster"]["id"]


def test_check_mode_verifies_in_full(ansible: Ansible, rolled_out: BuiltPool) -> None:
    matching, dummy = ansible.run_module("node_image_verify", {"pool": rolled_out.name}, "--check")
    assert matching["verdict"] == "match"
