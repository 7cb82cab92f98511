# SPDX-License-Identifier: GPL-3.0-or-later
"""machineconfigpool against the real API: pools of our own, pools of other users, and who may end a pause."""

from __future__ import annotations

import typing as t

import pytest

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from lab.kube_rest import Api
    from pools import BuiltPool

POOLS = "/apis/machineconfiguration.openshift.io/v1/machineconfigpools"


def test_custom_pool_also_selects_the_configs_of_workers_and_can_be_removed(ansible: Ansible, api: Api) -> None:
    created, dummy = ansible.run_module("machineconfigpool", {"pool": "mine", "max_unavailable": "25%"})
    assert created.changed, created.msg
    spec = api.get(f"{POOLS}/mine")["spec"]
    assert spec["machineConfigSelector"]["matchExpressions"][0]["values"] == ["worker", "mine"]
    assert spec["maxUnavailable"] == "25%"
    again, dummy = ansible.run_module("machineconfigpool", {"pool": "mine", "max_unavailable": "25%"})
    assert not again.changed
    removed, dummy = ansible.run_module("machineconfigpool", {"pool": "mine", "state": "absent"})
    assert removed.changed, removed.msg


def test_pool_of_another_user_is_not_removed(ansible: Ansible, api: Api) -> None:
    failed, dummy = ansible.run_module("machineconfigpool", {"pool": "worker", "state": "absent"})
    assert failed.failed
    assert "did not create it" in failed.msg
    assert api.get(f"{POOLS}/worker")


def test_pool_with_nodes_is_not_removed(ansible: Ansible, api: Api, rolled_out: BuiltPool) -> None:
    failed, dummy = ansible.run_module("machineconfigpool", {"pool": rolled_out.name, "state": "absent"})
    assert failed.failed
    assert "nodes are in it: worker-0, worker-1" in failed.msg
    assert api.get(f"{POOLS}/{rolled_out.name}")


def test_pause_of_another_user_is_not_ended(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "theirs"})
    api.patch(f"{POOLS}/theirs", {"spec": {"paused": True}})
    failed, dummy = ansible.run_module("machineconfigpool", {"pool": "theirs", "paused": False})
    assert failed.failed
    assert "paused by another client" in failed.msg
    assert api.get(f"{POOLS}/theirs")["spec"]["paused"]


def apply_as(api: Api, pool: str, manager: str, **spec: t.Any) -> None:
    """Apply a pool by server-side apply, as GitOps controllers do."""
    kind = {"apiVersion": "machineconfiguration.openshift.io/v1", "kind": "MachineConfigPool"}
    body = {**kind, "metadata": {"name": pool}, **({"spec": spec} if spec else {})}
    api.patch(f"{POOLS}/{pool}?fieldManager={manager}", body, "application/apply-patch+yaml")


@pytest.mark.parametrize("manager", ["argocd", "imagemode.openshift"])
def test_pause_that_another_manager_applied_is_ended_only_after_that_manager_gave_it_up(
    manager: str, ansible: Ansible, api: Api
) -> None:
    pool = f"shared-{manager[:5]}"
    created, dummy = ansible.run_module("machineconfigpool", {"pool": pool, "paused": True})
    assert created["pool"]["paused_by_us"]
    apply_as(api, pool, manager, paused=True)
    failed, dummy = ansible.run_module("machineconfigpool", {"pool": pool, "paused": False})
    assert failed.failed
    assert f"by another client ({manager} by Apply)" in failed.msg
    assert api.get(f"{POOLS}/{pool}")["spec"]["paused"]

    apply_as(api, pool, manager)
    released, dummy = ansible.run_module("machineconfigpool", {"pool": pool, "paused": False})
    assert released.changed, released.msg
    assert not api.get(f"{POOLS}/{pool}")["spec"]["paused"]


def test_pause_without_managed_fields_is_not_ended(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "stripped", "paused": True})
    api.patch(f"{POOLS}/stripped", {"metadata": {"managedFields": [{}]}})
    failed, dummy = ansible.run_module("machineconfigpool", {"pool": "stripped", "paused": False})
    assert failed.failed
    assert "metadata.managedFields does not show which client paused it" in failed.msg
    assert api.get(f"{POOLS}/stripped")["spec"]["paused"]
