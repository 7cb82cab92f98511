# SPDX-License-Identifier: GPL-3.0-or-later
"""machineosconfig against the real API and the real operator."""

from __future__ import annotations

import typing as t
import uuid

import pytest
from pools import config_options, containerfile

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

CONFIGS = "/apis/machineconfiguration.openshift.io/v1/machineosconfigs"
BUILD_BEFORE = "imagemode.openshift/build-before"


@pytest.fixture
def empty_pool(ansible: Ansible) -> t.Iterator[str]:
    """A pool of the test's own, without nodes and without a MachineOSConfig."""
    name = f"empty-{uuid.uuid4().hex[:8]}"
    ansible.run_module("machineconfigpool", {"pool": name})
    yield name
    ansible.run_module("machineosconfig", {"pool": name, "state": "absent"})
    ansible.run_module("machineconfigpool", {"pool": name, "state": "absent"})


def test_an_unchanged_config_costs_two_requests_at_most_and_writes_nothing(
    ansible: Ansible, lab: Facts, audit: AuditLog, rolled_out: BuiltPool
) -> None:
    with audit.recording() as recording:
        same, dummy = ansible.run_module("machineosconfig", config_options(lab, rolled_out.name))
    assert not same.failed, same.msg
    assert not same.changed
    assert 1 <= len(recording.ours) <= 2
    assert not [request for request in recording.ours if request.is_write]


def test_line_ends_at_the_end_of_a_containerfile_are_no_change(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    options = config_options(lab, rolled_out.name)
    options["containerfile"] = options["containerfile"].rstrip("\n")
    same, dummy = ansible.run_module("machineosconfig", options)
    assert not same.failed, same.msg
    assert not same.changed


def test_a_change_that_would_reboot_nodes_needs_consent_and_names_them(
    ansible: Ansible, lab: Facts, api: Api, rolled_out: BuiltPool
) -> None:
    before = api.get(f"{CONFIGS}/{rolled_out.name}")
    options = config_options(lab, rolled_out.name, containerfile=containerfile("echo other > /etc/pool"))
    refused, dummy = ansible.run_module("machineosconfig", options)
    assert refused.failed
    assert "would drain and reboot" in refused.msg
    assert "worker-0, worker-1" in refused.msg
    assert "allow_node_reboots" in refused.msg
    assert api.get(f"{CONFIGS}/{rolled_out.name}")["spec"] == before["spec"]


def test_removal_needs_the_same_consent(ansible: Ansible, rolled_out: BuiltPool) -> None:
    refused, dummy = ansible.run_module("machineosconfig", {"pool": rolled_out.name, "state": "absent"})
    assert refused.failed
    assert "worker-0, worker-1" in refused.msg


def test_check_mode_asks_the_server_and_changes_nothing(
    ansible: Ansible, lab: Facts, api: Api, empty_pool: str
) -> None:
    planned, dummy = ansible.run_module("machineosconfig", config_options(lab, empty_pool), "--check", "--diff")
    assert planned.changed, planned.msg
    names = [item["metadata"]["name"] for item in api.get(CONFIGS)["items"]]
    assert empty_pool not in names


def test_check_mode_lets_the_server_speak_its_rules(ansible: Ansible, lab: Facts, empty_pool: str) -> None:
    options = config_options(lab, empty_pool, containerfile="FROM configs AS final\n" + "#" * 4097)
    refused, dummy = ansible.run_module("machineosconfig", options, "--check")
    assert refused.failed
    assert refused.msg.startswith(f"Could not create MachineOSConfig {empty_pool}: ")
    assert "4096" in refused.msg


def test_an_edit_leaves_a_mark_of_the_build_before_it_in_the_same_write(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog, empty_pool: str
) -> None:
    ansible.run_module("machineosconfig", config_options(lab, empty_pool))
    with audit.recording() as recording:
        edited, dummy = ansible.run_module(
            "machineosconfig", config_options(lab, empty_pool, containerfile=containerfile("echo two > /etc/pool"))
        )
    assert edited.changed, edited.msg
    assert len([request for request in recording.ours if request.is_write]) == 1
    assert api.get(f"{CONFIGS}/{empty_pool}")["metadata"]["annotations"][BUILD_BEFORE]


def test_the_diff_shows_the_containerfile_before_and_after(ansible: Ansible, lab: Facts, empty_pool: str) -> None:
    ansible.run_module("machineosconfig", config_options(lab, empty_pool))
    options = config_options(lab, empty_pool, containerfile=containerfile("echo two > /etc/pool"))
    dummy, run = ansible.run_module("machineosconfig", options, "--check", "--diff")
    assert "-    - content: " in run.output or "echo two" in run.output
