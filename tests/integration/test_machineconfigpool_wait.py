# SPDX-License-Identifier: GPL-3.0-or-later
"""machineconfigpool_wait against real rollouts and drains: those that finish, and those that something blocks."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import typing as t

import pytest
from accounts import forbidden
from ansible_run import write_playbook
from lab.faults import standing_still
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.scenario import WaitCase
from lab.scenarios.stage import BUILDS, POOLS, Stage
from pools import PoolPlan, config_options, containerfile, join_task, rollout_wait_task
from ssh_server import running_sshd

if t.TYPE_CHECKING:
    from pathlib import Path

    from accounts import Account
    from ansible_run import Ansible, TaskResult
    from audit_log import AuditLog
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool, Pools

PAUSED = PoolPlan(pool={"paused": True})
CHANGING = "changing"


def config_task(options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the task ``Config``, which applies a MachineOSConfig."""
    return {"name": "Config", "imagemode.openshift.machineosconfig": dict(options)}


def release_task(pool: str) -> dict[str, t.Any]:
    """Return the task ``Release``, which ends the pause of a pool."""
    return {"name": "Release", "imagemode.openshift.machineconfigpool": {"pool": pool, "paused": False}}


def finding_ids(result: TaskResult) -> list[str]:
    """Return the ids of the findings of a task."""
    return [finding["id"] for finding in result["findings"]]


def is_true(api: Api, pool: str, condition: str) -> bool:
    """Whether a condition of a pool is True; other tools wait for these conditions."""
    conditions = api.get(f"{POOLS}/{pool}")["status"]["conditions"]
    return any(c["type"] == condition and c["status"] == "True" for c in conditions)


# Rollouts that are done ---------------------------------------------------------------------------------------------


def test_finished_rollout_is_returned_at_once(ansible: Ansible, rolled_out: BuiltPool) -> None:
    waited, dummy = ansible.run_module("machineconfigpool_wait", {"pool": rolled_out.name, "timeout": 60})
    assert not waited.failed, waited.msg
    assert waited["rollout"] == {
        "total": 2,
        "done": 2,
        "updating": 0,
        "waiting": 0,
        "left": 0,
        "remaining_seconds": None,
    }


def test_wait_lists_each_kind_once(ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool) -> None:
    with audit.recording() as recording:
        ansible.run_module("machineconfigpool_wait", {"pool": rolled_out.name, "timeout": 60})
    whole = [request for request in recording.ours if "fieldSelector" not in request.uri]
    requests = [(request.verb, request.resource) for request in whole if request.verb in ("list", "watch")]
    assert sorted(requests) == [
        ("list", "machineconfigpools"),
        ("list", "machineosbuilds"),
        ("list", "machineosconfigs"),
        ("list", "nodes"),
    ]
    # One more request confirms that the current build still exists.
    selected = [r.uri for r in recording.ours if "fieldSelector" in r.uri]
    assert len(selected) == 1
    assert "/machineosbuilds?" in selected[0]


def test_wait_on_a_bastion_prints_its_progress_where_the_playbook_runs(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool, tmp_path: Path
) -> None:
    # Only the bastion has the kubeconfig; Ansible reaches it through a real sshd.
    on_bastion = {"kubeconfig": str(lab.kubeconfigs.admin), "pool": rolled_out.name}
    task = {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": on_bastion, "delegate_to": "bastion"}
    with running_sshd(tmp_path) as bastion:
        hosts = {"localhost": {"ansible_connection": "local"}, "bastion": bastion}
        python = {"ansible_python_interpreter": sys.executable}
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": python}}), encoding="utf-8")
        run = ansible.with_environment(K8S_AUTH_KUBECONFIG="").run_tasks([task], "--inventory", str(inventory))
    assert run.rc == 0, run.output
    assert re.search(rf"\[localhost\] \d+s  pool {rolled_out.name}: 2/2 nodes updated", run.stdout), run.output
    assert "[localhost -> bastion" in run.stdout


# Rollouts that have not started -------------------------------------------------------------------------------------


def test_node_outside_the_pool_is_not_done(ansible: Ansible, rolled_out: BuiltPool) -> None:
    run = ansible.run_tasks([rollout_wait_task(rolled_out.name, nodes=["worker-0", "worker-5"], timeout=5)])
    late = run.of("Roll")
    assert late.failed
    assert "worker-5 is not in MachineConfigPool" in late.msg
    assert late["rollout"]["done"] == 1


@pytest.mark.wait_case(WaitCase.POOL_EMPTY)
def test_pool_without_nodes_is_an_error(ansible: Ansible, api: Api, pools: Pools) -> None:
    pool = pools.built("without-nodes")
    assert is_true(api, pool.name, "Updated")
    empty, dummy = ansible.run_module("machineconfigpool_wait", {"pool": pool.name})
    assert empty.failed
    assert "no node is in it" in empty.msg


@pytest.mark.wait_case(WaitCase.ROLLOUT_NOT_STARTED)
def test_pool_that_is_updated_before_its_rollout_starts_is_not_done(
    ansible: Ansible, lab: Facts, api: Api, during: During, pools: Pools
) -> None:
    pools.built(CHANGING)
    # Without the controller, the rollout cannot finish before the wait on a busy machine.
    with standing_still(lab, "machine-config-controller"), during("node-joins", CHANGING, "worker-10"):
        assert is_true(api, CHANGING, "Updated")
        late = ansible.run_tasks([rollout_wait_task(CHANGING, timeout=2)]).of("Roll")
    assert late.failed
    assert "not done after 2 s" in late.msg
    assert late["rollout"]["done"] == 0


@pytest.mark.wait_case(WaitCase.NODES_JOIN_AND_LEAVE)
def test_wait_includes_nodes_that_join_and_reports_nodes_that_leave(
    ansible: Ansible, lab: Facts, api: Api, pools: Pools
) -> None:
    pools.built(CHANGING)

    def play(name: str, node: str) -> None:
        SCENARIOS[name].play(Stage(lab, api, CHANGING, node))

    playbook = write_playbook(ansible.scratch, [rollout_wait_task(CHANGING)])
    with contextlib.ExitStack() as controller:
        # Without it, no node is done before the wait has seen both in the pool.
        controller.enter_context(standing_still(lab, "machine-config-controller"))
        play("node-joins", "worker-10")
        play("node-joins", "worker-11")
        with ansible.started_playbook(playbook) as wait:
            wait.wait_for_line(f"pool {CHANGING}: 0/2 nodes updated")
            play("node-leaves", "worker-11")
            play("node-joins", "worker-12")
            wait.wait_for_line("worker-11 left the pool")
            controller.close()
            run = wait.ended()
    assert run.rc == 0, run.output
    phases = [(node["name"], node["phase"]) for node in run.of("Roll")["nodes"]]
    assert phases == [("worker-10", "done"), ("worker-11", "left"), ("worker-12", "done")]
    assert finding_ids(run.of("Roll")) == ["node.left_pool"]
    # The wait saw this node before its update began, so the beginning is known.
    (times,) = (node for node in run.of("Roll")["timeline"]["nodes"] if node["name"] == "worker-10")
    assert times["started"] <= times["not_ready"] < times["ready"] <= times["done"]
    for node in ("worker-10", "worker-12"):
        play("node-leaves", node)


@pytest.mark.wait_case(WaitCase.POOL_IDLE_DURING_BUILD)
def test_pool_that_is_not_updating_while_its_image_is_built_is_not_done(
    ansible: Ansible, lab: Facts, api: Api, pools: Pools
) -> None:
    pool = pools.built("idle").name
    assert ansible.run_tasks([join_task(pool, "worker-14"), rollout_wait_task(pool)]).rc == 0
    hanging = config_options(lab, pool, containerfile=containerfile("sleep 86400"), allow_node_reboots=True)
    late = ansible.run_tasks([config_task(hanging), rollout_wait_task(pool, timeout=20)]).of("Roll")
    assert is_true(api, pool, "Updated")
    assert not is_true(api, pool, "Updating")
    assert late.failed
    assert "not done after 20 s" in late.msg
    assert late["rollout"]["done"] == 0


# Rollouts that something blocks -------------------------------------------------------------------------------------


@pytest.mark.wait_case(WaitCase.POOL_PAUSED)
def test_paused_pool_ends_the_wait(ansible: Ansible, pools: Pools) -> None:
    pool = pools.built("held", PAUSED)
    assert ansible.run_tasks([join_task(pool.name, "worker-13")]).rc == 0
    waited, dummy = ansible.run_module("machineconfigpool_wait", {"pool": pool.name})
    assert waited.failed
    assert finding_ids(waited)[0] == "pool.paused"


@pytest.mark.wait_case(WaitCase.EVICTION_BLOCKED)
def test_pod_that_cannot_be_evicted_is_reported_with_its_budget_and_node(
    ansible: Ansible, during: During, pools: Pools
) -> None:
    pool, node = pools.built("drained", PAUSED).name, "worker-6"
    assert ansible.run_tasks([join_task(pool, node)]).rc == 0
    with during("drain-blocked", pool, node):
        blocked = ansible.run_tasks([release_task(pool), rollout_wait_task(pool)]).of("Roll")
    assert blocked.failed
    (finding,) = blocked["findings"]
    assert finding["id"] == "node.drain_impossible"
    assert finding["object"]["kind"] == "Pod"
    namespace, pod = finding["object"]["namespace"], finding["object"]["name"]
    assert f"Node {node} cannot be drained: PodDisruptionBudget {namespace}/" in blocked.msg
    assert f"never allows the eviction of Pod {namespace}/{pod}. " in blocked.msg

    done = ansible.run_tasks([rollout_wait_task(pool)]).of("Roll")
    assert not done.failed, done.msg
    assert done["rollout"]["done"] == 1


def test_node_that_another_user_cordoned_is_reported(ansible: Ansible, during: During, rolled_out: BuiltPool) -> None:
    with during("node-cordoned", rolled_out.name, "worker-1"):
        options = {"pool": rolled_out.name, "timeout": 60, "fail_on_findings": ["node.unschedulable"]}
        cordoned, dummy = ansible.run_module("machineconfigpool_wait", options)
    assert cordoned.failed
    assert "Node worker-1 is cordoned" in cordoned.msg


def test_rollout_that_an_older_build_blocks_starts_after_that_build_is_deleted(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog, account: t.Callable[[str], Account], pools: Pools
) -> None:
    pool, node = "superseding", "worker-9"
    current = pools.built(pool)
    SCENARIOS["older-build-first"].play(Stage(lab, api, pool))
    superseded = [name for name in _build_names(api, pool) if name < current.build["build"]["name"]]
    # The operator updates the first node within five seconds, if at all.
    assert ansible.run_tasks([join_task(pool, node)]).rc == 0
    stuck = ansible.run_tasks([rollout_wait_task(pool, timeout=15)]).of("Roll")
    assert stuck["rollout"]["waiting"] == 1

    applier = account("apply")
    delete = {"imagemode.openshift.machineosbuild_superseded": {"pool": pool, "allow_node_reboots": True}}
    without_consent = {"imagemode.openshift.machineosbuild_superseded": {"pool": pool}}
    with audit.recording() as recording:
        run = ansible.with_environment(K8S_AUTH_KUBECONFIG=str(applier.kubeconfig)).run_tasks(
            [
                {"name": "Without consent", **without_consent, "ignore_errors": True},
                {"name": "Forecast", **delete, "check_mode": True},
                {"name": "Delete", **delete},
                rollout_wait_task(pool),
                {"name": "Again", **without_consent},
            ]
        )
    assert run.rc == 0, run.output
    assert not forbidden(recording, applier)
    deletions = [r.uri for r in recording.by(user=applier.user) if r.verb == "delete" and "dryRun" not in r.uri]
    assert [uri.rpartition("/")[2] for uri in deletions] == superseded
    assert f"would drain and reboot the nodes of MachineConfigPool {pool}: {node}" in run.of("Without consent").msg
    for result in (run.of("Forecast"), run.of("Delete")):
        assert (result.changed, result["deleted"], result["reboots"]) == (True, superseded, [node])
    assert run.of("Roll")["nodes"][0]["current_image"] == current.image
    assert not run.of("Again").changed


def _build_names(api: Api, pool: str) -> list[str]:
    target = "machineconfiguration.openshift.io/target-machine-config-pool"
    builds = api.get(BUILDS, labelSelector=f"{target}={pool}")
    return sorted(build["metadata"]["name"] for build in builds["items"])
