# SPDX-License-Identifier: GPL-3.0-or-later
"""machineosconfig against the real API: idempotence, consent, check mode and the mark of the previous build."""

from __future__ import annotations

import json
import typing as t
import uuid

import pytest
from lab.kube_rest import ApiError
from pools import config_options, containerfile

if t.TYPE_CHECKING:
    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

CONFIGS = "/apis/machineconfiguration.openshift.io/v1/machineosconfigs"
EDIT = "imagemode.openshift/edit"


@pytest.fixture
def empty_pool(ansible: Ansible) -> t.Iterator[str]:
    """A pool for one test, without nodes and without a MachineOSConfig."""
    name = f"empty-{uuid.uuid4().hex[:8]}"
    ansible.run_module("machineconfigpool", {"pool": name})
    yield name
    ansible.run_module("machineosconfig", {"pool": name, "state": "absent"})
    ansible.run_module("machineconfigpool", {"pool": name, "state": "absent"})


def test_unchanged_config_takes_at_most_two_requests_and_no_write(
    ansible: Ansible, lab: Facts, audit: AuditLog, rolled_out: BuiltPool
) -> None:
    with audit.recording() as recording:
        unchanged, dummy = ansible.run_module("machineosconfig", config_options(lab, rolled_out.name))
    assert not unchanged.failed, unchanged.msg
    assert not unchanged.changed
    assert 1 <= len(recording.ours) <= 2
    assert not [request for request in recording.ours if request.is_write]


def test_trailing_newlines_of_a_containerfile_are_no_change(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    options = config_options(lab, rolled_out.name)
    options["containerfile"] = options["containerfile"].rstrip("\n")
    unchanged, dummy = ansible.run_module("machineosconfig", options)
    assert not unchanged.failed, unchanged.msg
    assert not unchanged.changed


def test_change_that_reboots_nodes_requires_consent_and_names_the_nodes(
    ansible: Ansible, lab: Facts, api: Api, rolled_out: BuiltPool
) -> None:
    before = api.get(f"{CONFIGS}/{rolled_out.name}")
    options = config_options(lab, rolled_out.name, containerfile=containerfile("echo other > /etc/pool"))
    failed, dummy = ansible.run_module("machineosconfig", options)
    assert failed.failed
    assert "would drain and reboot" in failed.msg
    assert "worker-0, worker-1" in failed.msg
    assert "allow_node_reboots" in failed.msg
    assert api.get(f"{CONFIGS}/{rolled_out.name}")["spec"] == before["spec"]


def test_removal_requires_the_same_consent(ansible: Ansible, rolled_out: BuiltPool) -> None:
    failed, dummy = ansible.run_module("machineosconfig", {"pool": rolled_out.name, "state": "absent"})
    assert failed.failed
    assert "worker-0, worker-1" in failed.msg


def test_check_mode_changes_nothing(ansible: Ansible, lab: Facts, api: Api, empty_pool: str) -> None:
    forecast, dummy = ansible.run_module("machineosconfig", config_options(lab, empty_pool), "--check", "--diff")
    assert forecast.changed, forecast.msg
    names = [item["metadata"]["name"] for item in api.get(CONFIGS)["items"]]
    assert empty_pool not in names


def test_secret_of_the_nodes_is_not_written_where_v1_is_served_and_one_warning_says_so(
    ansible: Ansible, lab: Facts, api: Api, empty_pool: str
) -> None:
    options = config_options(lab, empty_pool, current_image_pull_secret="push")
    created, run = ansible.run_module("machineosconfig", options)
    assert created.changed, created.msg
    assert " ".join(run.output.split()).count("current_image_pull_secret is not used: this cluster serves v1") == 1
    spec = api.get(f"{CONFIGS}/{empty_pool}")["spec"]
    assert spec["renderedImagePushSecret"] == {"name": "push"}
    assert not {"currentImagePullSecret", "buildOutputs"} & spec.keys()
    again, dummy = ansible.run_module("machineosconfig", options)
    assert not again.changed, again.msg


def test_check_mode_reports_what_the_api_server_would_deny(ansible: Ansible, lab: Facts, empty_pool: str) -> None:
    options = config_options(lab, empty_pool, rendered_image_push_secret="A")
    failed, dummy = ansible.run_module("machineosconfig", options, "--check")
    assert failed.failed
    assert failed.msg.startswith(f"Could not create MachineOSConfig {empty_pool}: ")
    assert "renderedImagePushSecret" in failed.msg


def test_limit_of_the_containerfile_is_the_one_of_the_api_server(
    ansible: Ansible, lab: Facts, api: Api, empty_pool: str
) -> None:
    start = "FROM configs AS final\n#"
    longest = start + "\N{SNOWMAN}" * (4096 - len(start))
    accepted, dummy = ansible.run_module(
        "machineosconfig", config_options(lab, empty_pool, containerfile=longest), "--check"
    )
    assert accepted.changed, accepted.msg
    refused, dummy = ansible.run_module(
        "machineosconfig", config_options(lab, empty_pool, containerfile=longest + "#"), "--check"
    )
    assert "the Containerfile has 4097 characters; the limit is 4096" in refused.msg
    body = dict(accepted["resource"])
    body["spec"]["containerFile"][0]["content"] = longest + "#"
    body["metadata"] = {"name": empty_pool}
    with pytest.raises(ApiError, match="4096"):
        api.create(f"{CONFIGS}?dryRun=All", body)


def test_edit_records_what_existed_before_in_the_same_write(
    ansible: Ansible, lab: Facts, api: Api, audit: AuditLog, empty_pool: str
) -> None:
    ansible.run_module("machineosconfig", config_options(lab, empty_pool))
    with audit.recording() as recording:
        edited, dummy = ansible.run_module(
            "machineosconfig", config_options(lab, empty_pool, containerfile=containerfile("echo two > /etc/pool"))
        )
    assert edited.changed, edited.msg
    assert len([request for request in recording.ours if request.is_write and "dryRun" not in request.uri]) == 1
    record = json.loads(api.get(f"{CONFIGS}/{empty_pool}")["metadata"]["annotations"][EDIT])
    assert (record["generation"], record["specHash"]) == (2, edited["machineosconfig"]["spec_hash"])


def test_diff_shows_the_containerfile_before_and_after(ansible: Ansible, lab: Facts, empty_pool: str) -> None:
    ansible.run_module("machineosconfig", config_options(lab, empty_pool))
    options = config_options(lab, empty_pool, containerfile=containerfile("echo two > /etc/pool"))
    dummy, run = ansible.run_module("machineosconfig", options, "--check", "--diff")
    removed, added = (
        [line for line in run.stdout.splitlines() if line.startswith(sign) and "> /etc/pool" in line] for sign in "-+"
    )
    assert len(removed) == len(added) == 1, run.output
    assert f"echo {empty_pool} > /etc/pool" in removed[0]
    assert "echo two > /etc/pool" in added[0]
