# SPDX-License-Identifier: GPL-3.0-or-later
"""machineosbuild_wait and machineconfigpool_wait against real builds and real drains."""

from __future__ import annotations

import json
import sys
import typing as t

import pytest
from accounts import forbidden
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.stage import Stage
from pools import ROLLOUT_TIMEOUT, build_wait_task, config_options, containerfile, wait_for_build
from ssh_server import running_sshd

if t.TYPE_CHECKING:
    from pathlib import Path

    from accounts import Account
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

BUILDS = ("failing", "edited", "held", "rolled-out")
CONFIGS = "/apis/machineconfiguration.openshift.io/v1/machineosconfigs"


def test_a_build_that_is_done_is_told_at_once_with_the_digest_of_the_config(
    ansible: Ansible, api: Api, rolled_out: BuiltPool
) -> None:
    waited, dummy = ansible.run_module("machineosbuild_wait", {"pool": rolled_out.name})
    assert not waited.failed, waited.msg
    assert waited["finished"]
    assert waited["build"]["state"] == "succeeded"
    status = api.get(f"{CONFIGS}/{rolled_out.name}")["status"]
    assert waited["build"]["digested_image_push_spec"] == status["currentImagePullSpec"]


def test_a_rollout_that_is_done_is_told_at_once(ansible: Ansible, rolled_out: BuiltPool) -> None:
    waited, dummy = ansible.run_module("machineconfigpool_wait", {"pool": rolled_out.name, "timeout": 60})
    assert not waited.failed, waited.msg
    assert waited["rollout"] == {"total": 2, "done": 2, "updating": 0, "waiting": 0, "remaining_seconds": None}


def test_a_wait_lists_a_kind_once_and_watches_it_once_a_window(
    ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool
) -> None:
    with audit.recording() as recording:
        ansible.run_module("machineconfigpool_wait", {"pool": rolled_out.name, "timeout": 60})
    whole = [request for request in recording.ours if "fieldSelector" not in request.uri]
    asked = [(request.verb, request.resource) for request in whole if request.verb in ("list", "watch")]
    assert sorted(asked) == [
        ("list", "machineconfigpools"),
        ("list", "machineosbuilds"),
        ("list", "machineosconfigs"),
        ("list", "nodes"),
    ]
    # Whether the build that the end rests on is still there.
    selected = [r.uri for r in recording.ours if "fieldSelector" in r.uri]
    assert len(selected) == 1
    assert "/machineosbuilds?" in selected[0]


def test_progress_lines_tell_the_states_of_the_build_and_can_be_turned_off(
    ansible: Ansible, rolled_out: BuiltPool
) -> None:
    dummy, spoken = ansible.run_module("machineosbuild_wait", {"pool": rolled_out.name})
    assert f"build {rolled_out.build['build']['name']}: succeeded" in spoken.stdout
    dummy, silent = ansible.run_module("machineosbuild_wait", {"pool": rolled_out.name, "progress": "none"})
    assert "succeeded" not in silent.stdout


def test_a_wait_that_runs_on_a_bastion_tells_its_lines_where_the_playbook_runs(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool, tmp_path: Path
) -> None:
    # The bastion alone knows the cluster; it is reached by a real ssh.
    on_bastion = {"kubeconfig": str(lab.kubeconfigs.admin), "pool": rolled_out.name}
    task = {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": on_bastion, "delegate_to": "bastion"}
    with running_sshd(tmp_path) as bastion:
        hosts = {"localhost": {"ansible_connection": "local"}, "bastion": bastion}
        python = {"ansible_python_interpreter": sys.executable}
        inventory = tmp_path / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": hosts, "vars": python}}), encoding="utf-8")
        run = ansible.with_environment(K8S_AUTH_KUBECONFIG="").run_tasks([task], "--inventory", str(inventory))
    assert run.rc == 0, run.output
    assert f"[localhost] 0s  pool {rolled_out.name}: 2 of 2 nodes done" in run.stdout
    assert "[localhost -> bastion" in run.stdout


def test_an_edit_is_answered_by_its_own_build_not_by_the_one_before(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    first = wait_for_build(session_ansible, "edited")
    options = config_options(lab, "edited", containerfile=containerfile("echo again > /etc/pool"))
    run = session_ansible.run_tasks(
        [{"name": "Edit", "imagemode.openshift.machineosconfig": options}, build_wait_task("edited")]
    )
    assert run.rc == 0, run.output
    second = run.of("Build")
    assert second["build"]["name"] != first.build["build"]["name"]
    assert second["build"]["digested_image_push_spec"] != first.image
    assert api.get(f"{CONFIGS}/edited")["status"]["currentImagePullSpec"] == second["build"]["digested_image_push_spec"]


def test_a_failed_build_fails_with_the_builders_own_last_words(session_ansible: Ansible) -> None:
    run = session_ansible.run_tasks([build_wait_task("failing")], "-vvv")
    assert run.rc != 0
    failed = run.of("Build")
    assert failed["build"]["state"] == "failed"
    assert failed.msg.startswith("Could not await the build of MachineConfigPool failing: MachineOSBuild failing-")
    assert "exit status 7" in failed.msg
    assert failed["findings"][0]["id"] == "build.run_failed"
    assert "Traceback" not in run.output


def test_a_wait_whose_time_is_over_says_how_far_it_got(ansible: Ansible, lab: Facts) -> None:
    run = ansible.run_tasks(
        [
            {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": "hasty"}},
            {"name": "Config", "imagemode.openshift.machineosconfig": config_options(lab, "hasty")},
            {"name": "Build", "imagemode.openshift.machineosbuild_wait": {"pool": "hasty", "timeout": 3}},
        ]
    )
    late = run.of("Build")
    assert late.failed
    assert late.msg.startswith("Could not await the build of MachineConfigPool hasty: not done after 3 s")
    assert not late["finished"]


def test_a_rollout_that_has_not_begun_is_not_done(ansible: Ansible, lab: Facts, rolled_out: BuiltPool) -> None:
    run = ansible.run_tasks(
        [
            {
                "name": "Roll",
                "imagemode.openshift.machineconfigpool_wait": {
                    "pool": rolled_out.name,
                    "nodes": ["worker-0", "worker-5"],
                    "timeout": 5,
                },
            }
        ]
    )
    late = run.of("Roll")
    assert late.failed
    assert "worker-5 is not in MachineConfigPool" in late.msg
    assert late["rollout"]["done"] == 1


HELD = {"pool": "held"}


@pytest.fixture(scope="module")
def held(session_ansible: Ansible) -> str:
    """The one node of a pool that was paused when it came in."""
    join = {"name": "Join", "imagemode.openshift.machineconfigpool_nodes": {**HELD, "nodes": ["worker-6"]}}
    run = session_ansible.run_tasks([build_wait_task("held"), join])
    assert run.rc == 0, run.output
    return "worker-6"


def test_a_paused_pool_is_named_instead_of_waited_for(session_ansible: Ansible, held: str) -> None:
    waited, dummy = session_ansible.run_module("machineconfigpool_wait", HELD)
    assert waited.failed
    assert waited["findings"][0]["id"] == "pool.paused"


def test_a_pod_that_may_not_be_evicted_is_named_with_its_budget_and_its_node(
    session_ansible: Ansible, lab: Facts, api: Api, held: str
) -> None:
    blocked, stage = SCENARIOS["drain-blocked"], Stage(lab, api, HELD["pool"], held)
    assert blocked.undo is not None
    blocked.play(stage)
    release = {"name": "Release", "imagemode.openshift.machineconfigpool": {**HELD, "paused": False}}
    wait = {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": {**HELD, "timeout": ROLLOUT_TIMEOUT}}
    try:
        run = session_ansible.run_tasks([release, wait])
    finally:
        blocked.undo(stage)
    named = run.of("Roll")
    assert named.failed
    (finding,) = named["findings"]
    assert finding["id"] == "node.drain_impossible"
    assert finding["object"]["kind"] == "Pod"
    pod = f"{finding['object']['namespace']}/{finding['object']['name']}"
    assert f"Node {held} does not drain: PodDisruptionBudget {finding['object']['namespace']}/" in named.msg
    assert f"can allow no eviction of Pod {pod}. " in named.msg
    done = session_ansible.run_tasks([wait]).of("Roll")
    assert not done.failed, done.msg
    assert done["rollout"]["done"] == 1


def test_a_node_that_somebody_else_cordoned_is_named(session_ansible: Ansible, lab: Facts, api: Api, held: str) -> None:
    cordoned, stage = SCENARIOS["node-cordoned"], Stage(lab, api, HELD["pool"], held)
    assert cordoned.undo is not None
    release = {"name": "Release", "imagemode.openshift.machineconfigpool": {**HELD, "paused": False}}
    wait = {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": {**HELD, "timeout": ROLLOUT_TIMEOUT}}
    assert session_ansible.run_tasks([release, wait]).rc == 0
    cordoned.play(stage)
    try:
        options = {**HELD, "timeout": 60, "fail_on_findings": ["node.unschedulable"]}
        named, dummy = session_ansible.run_module("machineconfigpool_wait", options)
    finally:
        cordoned.undo(stage)
    assert named.failed
    assert f"Node {held} is cordoned" in named.msg


def test_a_rollout_that_an_older_build_keeps_from_beginning_begins_once_that_is_deleted(
    session_ansible: Ansible, lab: Facts, api: Api, audit: AuditLog, account: t.Callable[[str], Account], held: str
) -> None:
    answering = wait_for_build(session_ansible, "edited")
    SCENARIOS["older-build-first"].play(Stage(lab, api, "edited"))
    # After an edit the operator's own build of before may be in the way as well.
    superseded = [name for name in build_names(api, "edited") if name < answering.build["build"]["name"]]
    labels = {"node-role.kubernetes.io/held": None, "node-role.kubernetes.io/edited": ""}
    api.patch(f"/api/v1/nodes/{held}", {"metadata": {"labels": labels}})
    # The operator tells the first node within five seconds, if at all.
    stuck, dummy = session_ansible.run_module("machineconfigpool_wait", {"pool": "edited", "timeout": 15})
    assert stuck["rollout"]["waiting"] == 1

    applier = account("apply")
    ansible = session_ansible.with_environment(K8S_AUTH_KUBECONFIG=str(applier.kubeconfig))
    delete = {"imagemode.openshift.machineosbuild_superseded": {"pool": "edited", "allow_node_reboots": True}}
    refuse = {"imagemode.openshift.machineosbuild_superseded": {"pool": "edited"}}
    wait = {"pool": "edited", "timeout": ROLLOUT_TIMEOUT}
    with audit.recording() as recording:
        run = ansible.run_tasks(
            [
                {"name": "Without consent", **refuse, "ignore_errors": True},
                {"name": "Foretell", **delete, "check_mode": True},
                {"name": "Delete", **delete},
                {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": wait},
                {"name": "Again", **refuse},
            ]
        )
    assert run.rc == 0, run.output
    assert not forbidden(recording, applier)
    deletions = [r.uri for r in recording.by(user=applier.user) if r.verb == "delete" and "dryRun" not in r.uri]
    assert [uri.rpartition("/")[2] for uri in deletions] == superseded
    assert f"would drain and reboot the nodes of MachineConfigPool edited: {held}" in run.of("Without consent").msg
    for told in (run.of("Foretell"), run.of("Delete")):
        assert (told.changed, told["deleted"], told["reboots"]) == (True, superseded, [held])
    assert run.of("Roll")["nodes"][0]["current_image"] == answering.image
    assert not run.of("Again").changed


def build_names(api: Api, pool: str) -> list[str]:
    """Return the names of a pool's builds, sorted."""
    target = "machineconfiguration.openshift.io/target-machine-config-pool"
    builds = api.get("/apis/machineconfiguration.openshift.io/v1/machineosbuilds", labelSelector=f"{target}={pool}")
    return sorted(build["metadata"]["name"] for build in builds["items"])
