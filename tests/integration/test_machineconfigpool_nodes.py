# SPDX-License-Identifier: GPL-3.0-or-later
"""machineconfigpool_nodes against the real API: nodes that join, leave, and cannot join."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.kube_rest import Api
    from pools import BuiltPool

WORKER = "/api/v1/nodes/worker-3"


def test_nodes_that_are_in_the_pool_are_not_written(ansible: Ansible, audit: AuditLog, rolled_out: BuiltPool) -> None:
    with audit.recording() as recording:
        unchanged, dummy = ansible.run_module(
            "machineconfigpool_nodes", {"pool": rolled_out.name, "nodes": ["worker-0", "worker-1"]}
        )
    assert not unchanged.failed, unchanged.msg
    assert not unchanged.changed
    assert not [request for request in recording.ours if request.is_write]


def test_no_node_joins_when_one_of_them_cannot(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "picky"})
    failed, dummy = ansible.run_module("machineconfigpool_nodes", {"pool": "picky", "nodes": ["worker-3", "master-0"]})
    assert failed.failed
    assert "Node master-0 is a control-plane node" in failed.msg
    assert "node-role.kubernetes.io/picky" not in api.get(WORKER)["metadata"]["labels"]


def test_node_of_another_custom_pool_cannot_join(ansible: Ansible, rolled_out: BuiltPool) -> None:
    ansible.run_module("machineconfigpool", {"pool": "greedy"})
    failed, dummy = ansible.run_module("machineconfigpool_nodes", {"pool": "greedy", "nodes": ["worker-0"]})
    assert failed.failed
    assert f"worker-0 is in MachineConfigPool {rolled_out.name}" in failed.msg


def test_node_joins_and_leaves_by_label_selector(ansible: Ansible, api: Api) -> None:
    ansible.run_module("machineconfigpool", {"pool": "visitors"})
    choice = {"pool": "visitors", "label_selector": "kubernetes.io/hostname in (worker-3)"}
    joined, dummy = ansible.run_module("machineconfigpool_nodes", choice)
    assert joined.changed, joined.msg
    assert [node["name"] for node in joined["nodes"]] == ["worker-3"]
    left, dummy = ansible.run_module("machineconfigpool_nodes", {**choice, "state": "absent"})
    assert left.changed, left.msg
    assert "node-role.kubernetes.io/visitors" not in api.get(WORKER)["metadata"]["labels"]
