# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks, run by their names from a folder of the user's own."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass

import pytest
from accounts import CREATE_EXEC, EXPLAINS, Account, forbidden, granted, manifest, unused
from pools import BUILD_TIMEOUT, ROLLOUT_TIMEOUT, containerfile, push_spec

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run
    from audit_log import AuditLog, Recording
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool, Pools

APPLY = "imagemode.openshift.apply"
VERIFY = "imagemode.openshift.verify"
POOLS = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools"
OTHER = "sha256:" + "0" * 64


def handed_on(run: Run) -> list[dict[str, t.Any]]:
    """Return what leaves a playbook for Automation Platform: an entry a host."""
    published = [result["ansible_stats"] for result in run.results if result.action.endswith("set_stats")]
    return [entry for stats in published for entry in stats["data"]["image_mode_result"]]


def failure(run: Run) -> str:
    """Return the message of the one task that failed, which reads as it should at -vvv too."""
    (failed,) = [result for result in run.results if result.failed]
    assert run.rc != 0
    assert failed.msg.startswith("Could not "), failed.msg
    assert "\n" not in failed.msg
    assert "Traceback" not in run.output
    return failed.msg


def asked(lab: Facts, pool: str, **variables: t.Any) -> dict[str, t.Any]:
    """Return the variables that give a pool an image, with the lab's own push secret."""
    return {
        "image_mode_pool": pool,
        "image_mode_containerfile": containerfile(f"echo {pool} > /etc/pool"),
        "image_mode_rendered_image_push_spec": push_spec(lab, pool),
        "image_mode_rendered_image_push_secret": "push",
        "image_mode_build_timeout": BUILD_TIMEOUT,
        "image_mode_rollout_timeout": ROLLOUT_TIMEOUT,
        **variables,
    }


@dataclass(frozen=True)
class Applied:
    """A run of apply for a pool that was not there, and what it was asked."""

    first: Run
    variables: t.Mapping[str, t.Any]
    password: str
    ansible: Ansible
    account: Account
    recording: Recording


@pytest.fixture(scope="module")
def applied(session_ansible: Ansible, lab: Facts, audit: AuditLog, account: t.Callable[[str], Account]) -> Applied:
    """Apply with files beside the user, everything shown that Ansible can show, as who may do this and no more."""
    applier = account("apply")
    ansible = session_ansible.with_environment(K8S_AUTH_KUBECONFIG=str(applier.kubeconfig))
    password = lab.registry_password_files.pusher.read_text(encoding="utf-8").strip()
    (session_ansible.scratch / "Containerfile").write_text(
        containerfile("echo '{{ no }}' > /etc/motd"), encoding="utf-8"
    )
    (session_ansible.scratch / "password").write_text(f"{password}\n", encoding="utf-8")
    secret = {
        "name": "played",
        "registry": lab.registry_host,
        "registry_username": "pusher",
        "registry_password_file": "password",
    }
    variables = asked(
        lab,
        "played",
        image_mode_create_pool=True,
        image_mode_max_unavailable="50%",
        image_mode_containerfile="",
        image_mode_containerfile_path="Containerfile",
        image_mode_secrets=[secret],
        image_mode_rendered_image_push_secret="played",
        image_mode_nodes="worker-2\n",
        image_mode_delete_superseded=True,
    )
    with audit.recording() as recording:
        first = ansible.run_playbook(APPLY, "-vvv", "--diff", variables=variables)
    assert first.rc == 0, first.output
    return Applied(first, variables, password, ansible, applier, recording)


def test_a_new_pool_gets_its_image_and_the_node_is_proven(applied: Applied, api: Api) -> None:
    (result,) = handed_on(applied.first)
    assert result["verdict"] == "match"
    assert result["rollout"] == {"total": 1, "done": 1, "updating": 0, "waiting": 0, "remaining_seconds": None}
    assert [node["name"] for node in result["nodes"]] == ["worker-2"]
    assert result["nodes"][0]["booted"]["pull_spec"] == result["build"]["digested_image_push_spec"]
    assert api.get(f"{POOLS}/played")["spec"]["maxUnavailable"] == "50%"


def test_no_secret_is_shown_when_everything_is(applied: Applied) -> None:
    login = base64.b64encode(f"pusher:{applied.password}".encode()).decode("ascii")
    assert "EXEC" in applied.first.output
    assert applied.password not in applied.first.output
    assert login not in applied.first.output


def test_apply_takes_what_its_manifest_grants(applied: Applied) -> None:
    assert not forbidden(applied.recording, applied.account)
    untouched = unused(granted(manifest("apply")), applied.recording.by(user=applied.account.user))
    # All objects were created, so no object was changed, and no older build exists. A test in
    # test_machineconfigpool_wait.py deletes one.
    changes = {("patch", "machineconfigpools"), ("patch", "machineosconfigs"), ("patch", "secrets")}
    changes.add(("delete", "machineosbuilds"))
    assert not {p for p in untouched - EXPLAINS - {CREATE_EXEC} if (p.verb, p.resource) not in changes}


def test_a_second_apply_changes_nothing(applied: Applied) -> None:
    second = applied.ansible.run_playbook(APPLY, variables=applied.variables)
    assert second.rc == 0, second.output
    assert second.changed == 0
    assert [entry["verdict"] for entry in handed_on(second)] == ["match"]


def test_check_mode_foretells_a_pool_that_is_not_there(ansible: Ansible, lab: Facts, api: Api, audit: AuditLog) -> None:
    variables = asked(lab, "foretold", image_mode_create_pool=True, image_mode_nodes=["worker-5"])
    with audit.recording() as recording:
        run = ansible.run_playbook(APPLY, "--check", "--diff", variables=variables)
    assert run.rc == 0, run.output
    assert {result.action.rpartition(".")[2] for result in run.results if result.changed} == {
        "machineconfigpool",
        "machineosconfig",
        "machineconfigpool_nodes",
    }
    assert "foretold" not in {pool["metadata"]["name"] for pool in api.get(POOLS)["items"]}
    writes = [request for request in recording.ours if request.is_write]
    assert writes
    assert all("dryRun=All" in request.uri for request in writes)


def test_pool_without_nodes_ends_after_its_build(ansible: Ansible, lab: Facts, pools: Pools) -> None:
    pool = pools.built("without-nodes")
    run = ansible.run_playbook(APPLY, variables=asked(lab, pool.name))
    assert run.rc == 0, run.output
    assert [(entry["verdict"], entry["nodes"]) for entry in handed_on(run)] == [("none", [])]


def test_a_change_of_the_image_needs_consent_where_nodes_would_reboot(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    variables = asked(lab, rolled_out.name, image_mode_containerfile=containerfile("echo another"))
    run = ansible.run_playbook(APPLY, "-vvv", variables={**variables, "image_mode_nodes": ["worker-0", "worker-1"]})
    assert "worker-0, worker-1" in failure(run)
    assert "allow_node_reboots" in failure(run)
    assert run.changed == 0


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (
            {"image_mode_containerfile": "", "image_mode_containerfile_path": "no/Containerfile"},
            "{here}/no/Containerfile",
        ),
        ({"image_mode_containerfile_path": "Containerfile"}, "both containerfile and containerfile_path"),
        ({"image_mode_containerfile": ""}, "neither containerfile nor containerfile_path"),
        ({"image_mode_create_pool": False, "image_mode_max_unavailable": 2}, "create_pool is not set"),
        ({"image_mode_create_pool": False}, "MachineConfigPool absent does not exist"),
        ({"image_mode_nodes": ["worker-5", "worker-99"]}, "Node worker-99 does not exist"),
        ({"image_mode_nodes": ["master-0"]}, "Node master-0 is of the control plane"),
        ({"image_mode_secrets": [{"name": "s"}]}, "it takes exactly one of registry_password_file"),
        (
            {
                "image_mode_secrets": [
                    {"name": "s", "registry": "r", "registry_username": "u", "registry_password_file": "no"}
                ]
            },
            "there is no file {here}/no",
        ),
        (
            {
                "image_mode_secrets": [
                    {"name": "s", "registry": "r", "registry_username": "u", "registry_password_env": "NOT_SET"}
                ]
            },
            "environment variable NOT_SET is not set",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is(
    ansible: Ansible, lab: Facts, api: Api, variables: dict[str, t.Any], reason: str
) -> None:
    everything = {**asked(lab, "absent", image_mode_create_pool=True), **variables}
    run = ansible.run_playbook(APPLY, "-vvv", variables=everything)
    assert reason.format(here=ansible.scratch) in failure(run)
    assert run.changed == 0
    assert "absent" not in {pool["metadata"]["name"] for pool in api.get(POOLS)["items"]}


def test_all_variables_that_are_missing_are_named_at_once(ansible: Ansible) -> None:
    message = failure(ansible.run_playbook(APPLY, variables={"image_mode_pool": "layered"}))
    assert "image_mode_rendered_image_push_spec, image_mode_rendered_image_push_secret are not set" in message


def test_a_password_among_the_variables_is_refused_and_not_repeated(ansible: Ansible, lab: Facts) -> None:
    secret = {"name": "s", "registry": "r", "registry_username": "u", "registry_password": "correct-horse-battery"}
    (ansible.scratch / "pool.json").write_text(json.dumps(asked(lab, "absent", image_mode_secrets=[secret])))
    run = ansible.run_playbook(APPLY, "-vvv", "-e", "@pool.json")
    assert run.rc != 0
    assert "correct-horse-battery" not in run.output


def test_nodes_that_booted_something_else_are_shown_and_fail(ansible: Ansible, rolled_out: BuiltPool) -> None:
    run = ansible.run_playbook(
        VERIFY, variables={"image_mode_pool": rolled_out.name, "image_mode_expected_image": OTHER}
    )
    assert "2 of 2 nodes did not pass (worker-0, worker-1)" in failure(run)
    assert f"worker-1: mismatch, booted {rolled_out.digest} (" in run.output
    assert [(entry["verdict"], entry["summary"]["mismatch"]) for entry in handed_on(run)] == [("mismatch", 2)]


def test_what_may_fail_is_the_users_choice(ansible: Ansible, rolled_out: BuiltPool) -> None:
    variables = {"image_mode_pool": rolled_out.name, "image_mode_expected_image": OTHER, "image_mode_fail_on": []}
    run = ansible.run_playbook(VERIFY, variables=variables)
    assert run.rc == 0, run.output
    assert [entry["verdict"] for entry in handed_on(run)] == ["mismatch"]


def test_verification_of_a_pool_without_nodes_fails(ansible: Ansible, pools: Pools) -> None:
    pool = pools.built("without-nodes")
    run = ansible.run_playbook(VERIFY, variables={"image_mode_pool": pool.name})
    assert "no node is in it" in failure(run)
    assert [entry["verdict"] for entry in handed_on(run)] == ["unknown"]


def test_each_host_is_a_pool_of_the_cluster_that_its_variables_name(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    token = lab.admin_token_file.read_text(encoding="utf-8").strip()
    by_token = {"K8S_AUTH_HOST": lab.api_url, "K8S_AUTH_API_KEY": token, "K8S_AUTH_SSL_CA_CERT": str(lab.ca_cert)}
    hosts = {
        "one": {"kubeconfig": str(lab.kubeconfigs.admin)},
        "two": by_token,
        "three": {"kubeconfig": str(lab.kubeconfigs.nobody)},
    }
    inventory = ansible.scratch / "inventory.json"
    inventory.write_text(
        json.dumps({"pools": {"hosts": hosts, "vars": {"image_mode_pool": rolled_out.name}}}), encoding="utf-8"
    )
    nowhere = ansible.with_environment(K8S_AUTH_KUBECONFIG="/nowhere/kubeconfig")
    run = nowhere.run_playbook(VERIFY, "-vvv", "-i", str(inventory), variables={"image_mode_hosts": "pools"})
    assert "forbidden" in failure(run)
    assert {entry["host"]: entry["verdict"] for entry in handed_on(run)} == {
        "one": "match",
        "two": "match",
        "three": "unknown",
    }
    assert token not in run.output
