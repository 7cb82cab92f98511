# SPDX-License-Identifier: GPL-3.0-or-later
"""machineconfigpool, machineconfigpool_nodes and registry_secret against the real API."""

from __future__ import annotations

import base64
import json
import typing as t

import pytest

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.kube_rest import Api
    from pools import BuiltPool

POOLS = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools"
SECRETS = "/api/v1/namespaces/openshift-machine-config-operator/secrets"
PASSWORD = "correct-horse-battery"


def test_a_custom_pool_takes_the_workers_configs_too_and_is_ours_to_remove(ansible: Ansible, api: Api) -> None:
    made, dummy = ansible.run_module("machineconfigpool", {"pool": "mine", "max_unavailable": "25%"})
    assert made.changed, made.msg
    spec = api.get(f"{POOLS}/mine")["spec"]
    assert spec["machineConfigSelector"]["matchExpressions"][0]["values"] == ["worker", "mine"]
    assert spec["maxUnavailable"] == "25%"
    again, dummy = ansible.run_module("machineconfigpool", {"pool": "mine", "max_unavailable": "25%"})
    assert not again.changed
    gone, dummy = ansible.run_module("machineconfigpool", {"pool": "mine", "state": "absent"})
    assert gone.changed, gone.msg


def test_a_pool_of_somebody_else_is_not_removed(ansible: Ansible, api: Api) -> None:
    refused, dummy = ansible.run_module("machineconfigpool", {"pool": "worker", "state": "absent"})
    assert "did not create it" in refused.msg
    assert api.get(f"{POOLS}/worker")


def test_a_pool_with_nodes_is_not_removed(ansible: Ansible, rolled_out: BuiltPool) -> None:
    refused, dummy = ansible.run_module("machineconfigpool", {"pool": rolled_out.name, "state": "absent"})
    assert "nodes are in it: worker-0, worker-1" in refused.msg


def test_a_pause_of_somebody_else_is_not_undone(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "theirs"})
    api.patch(f"{POOLS}/theirs", {"spec": {"paused": True}})
    refused, dummy = ansible.run_module("machineconfigpool", {"pool": "theirs", "paused": False})
    assert "paused by another client" in refused.msg
    assert api.get(f"{POOLS}/theirs")["spec"]["paused"]


def state_paused(api: Api, pool: str, manager: str) -> None:
    """State by server-side apply, as GitOps controllers do, that a pool is paused."""
    stated = {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfigPool",
        "metadata": {"name": pool},
        "spec": {"paused": True},
    }
    api.patch(f"{POOLS}/{pool}?fieldManager={manager}", stated, "application/apply-patch+yaml")


@pytest.mark.parametrize("manager", ["argocd", "imagemode.openshift"])
def test_a_pause_that_somebody_else_states_by_server_side_apply_is_not_released(
    manager: str, ansible: Ansible, api: Api
) -> None:
    pool = f"shared-{manager[:5]}"
    made, dummy = ansible.run_module("machineconfigpool", {"pool": pool, "paused": True})
    assert made["pool"]["paused_by_us"]
    state_paused(api, pool, manager)
    refused, dummy = ansible.run_module("machineconfigpool", {"pool": pool, "paused": False})
    assert f"by another client ({manager} by Apply)" in refused.msg
    assert api.get(f"{POOLS}/{pool}")["spec"]["paused"]

    given_up = {"apiVersion": "machineconfiguration.openshift.io/v1", "kind": "MachineConfigPool"}
    body = {**given_up, "metadata": {"name": pool}}
    api.patch(f"{POOLS}/{pool}?fieldManager={manager}", body, "application/apply-patch+yaml")
    released, dummy = ansible.run_module("machineconfigpool", {"pool": pool, "paused": False})
    assert released.changed, released.msg
    assert not api.get(f"{POOLS}/{pool}")["spec"]["paused"]


def test_a_pause_is_not_released_once_its_managed_fields_were_removed(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "stripped", "paused": True})
    api.patch(f"{POOLS}/stripped", {"metadata": {"managedFields": [{}]}})
    refused, dummy = ansible.run_module("machineconfigpool", {"pool": "stripped", "paused": False})
    assert "metadata.managedFields does not show which client paused it" in refused.msg
    assert api.get(f"{POOLS}/stripped")["spec"]["paused"]


def test_what_a_secret_of_somebody_else_holds_besides_stays_as_it_is(ansible: Ansible, api: Api) -> None:
    helpers = '"credHelpers" : {"a.example.com": "helper"}'
    theirs = f'{{{helpers}, "auths": {{"b.example.com": {{}}, "c.example.com": {{"auth": "%"}}}}}}'
    data = {".dockerconfigjson": base64.b64encode(theirs.encode()).decode(), "another": "a2V5"}
    meta = {"name": "shared", "namespace": "openshift-machine-config-operator"}
    kind = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson"}
    api.create(SECRETS, {**kind, "metadata": meta, "data": data})
    login = {"registry": "registry.example.com", "registry_username": "robot", "registry_password": PASSWORD}
    changed, dummy = ansible.run_module("registry_secret", {"name": "shared", **login})
    assert changed.changed, changed.msg
    now = api.get(f"{SECRETS}/shared")["data"]
    text = base64.b64decode(now[".dockerconfigjson"]).decode()
    assert now["another"] == "a2V5"
    assert text.startswith('{"credHelpers":{"a.example.com": "helper"},"auths":{"b.example.com":{},"c.example.com":')
    whole = json.dumps({"auths": {"registry.example.com": {"auth": "dTpw"}}})
    refused, dummy = ansible.run_module("registry_secret", {"name": "shared", "dockerconfigjson": whole})
    assert "the credentials for b.example.com, c.example.com and credHelpers would be lost" in refused.msg


def test_nodes_that_are_in_the_pool_already_are_not_written(
    ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool
) -> None:
    with audit.recording() as recording:
        same, dummy = ansible.run_module(
            "machineconfigpool_nodes", {"pool": rolled_out.name, "nodes": ["worker-0", "worker-1"]}
        )
    assert not same.failed, same.msg
    assert not same.changed
    assert not [request for request in recording.ours if request.is_write]


def test_one_node_that_cannot_join_leaves_all_the_others_alone(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "picky"})
    refused, dummy = ansible.run_module("machineconfigpool_nodes", {"pool": "picky", "nodes": ["worker-3", "master-0"]})
    assert "Node master-0 is of the control plane" in refused.msg
    assert "node-role.kubernetes.io/picky" not in api.get("/api/v1/nodes/worker-3")["metadata"]["labels"]


def test_a_node_of_another_custom_pool_is_refused(ansible: Ansible, rolled_out: BuiltPool) -> None:
    ansible.run_module("machineconfigpool", {"pool": "greedy"})
    refused, dummy = ansible.run_module("machineconfigpool_nodes", {"pool": "greedy", "nodes": ["worker-0"]})
    assert f"worker-0 is in MachineConfigPool {rolled_out.name}" in refused.msg


def test_a_node_joins_and_leaves_by_label_selector(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "visitors"})
    choice = {"pool": "visitors", "label_selector": "kubernetes.io/hostname in (worker-3)"}
    joined, dummy = ansible.run_module("machineconfigpool_nodes", choice)
    assert joined.changed, joined.msg
    assert [node["name"] for node in joined["nodes"]] == ["worker-3"]
    left, dummy = ansible.run_module("machineconfigpool_nodes", {**choice, "state": "absent"})
    assert left.changed, left.msg
    assert "node-role.kubernetes.io/visitors" not in api.get("/api/v1/nodes/worker-3")["metadata"]["labels"]


def test_a_registry_secret_is_written_once_and_its_password_is_never_shown(ansible: Ansible, api: Api) -> None:
    options = {
        "name": "robot",
        "registry": "registry.example.com",
        "registry_username": "robot",
        "registry_password": PASSWORD,
    }
    made, run = ansible.run_module("registry_secret", options, "-vvv", "--diff")
    assert made.changed, made.msg
    assert PASSWORD not in run.stdout.split("playbook.yml")[-1]
    assert PASSWORD not in json.dumps(made.result)
    content = base64.b64decode(api.get(f"{SECRETS}/robot")["data"][".dockerconfigjson"]).decode()
    assert json.loads(content)["auths"]["registry.example.com"]["auth"]
    again, dummy = ansible.run_module("registry_secret", options)
    assert not again.changed
    other, dummy = ansible.run_module("registry_secret", {**options, "registry_password": "another"})
    assert other.changed
    gone, dummy = ansible.run_module("registry_secret", {"name": "robot", "state": "absent"})
    assert gone.changed, gone.msg


def test_a_broken_dockerconfigjson_is_refused_without_being_quoted(ansible: Ansible) -> None:
    refused, dummy = ansible.run_module("registry_secret", {"name": "robot", "dockerconfigjson": f"{{{PASSWORD}"})
    assert "dockerconfigjson cannot be used: it is not JSON" in refused.msg
    assert PASSWORD not in json.dumps(refused.result)
