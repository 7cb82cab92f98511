# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks, run by their names from a folder of the user."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass
from pathlib import Path

import pytest
from accounts import CREATE_EXEC, EXPLAINS, Account, forbidden, granted, manifest, unused
from pools import containerfile, variables_of

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


def failure(run: Run) -> str:
    """Return the message of the one task that failed, which is one line at -vvv too."""
    (failed,) = [result for result in run.results if result.failed]
    assert run.rc != 0
    assert failed.msg.startswith("Could not "), failed.msg
    assert "\n" not in failed.msg
    assert "Traceback" not in run.output
    return failed.msg


@dataclass(frozen=True)
class Applied:
    """A run of apply for a new pool."""

    first: Run
    variables: t.Mapping[str, t.Any]
    password: str
    ansible: Ansible
    account: Account
    recording: Recording
    report: t.Mapping[str, t.Any]


@pytest.fixture(scope="module")
def applied(session_ansible: Ansible, lab: Facts, audit: AuditLog, account: t.Callable[[str], Account]) -> Applied:
    """Apply with files of the user, with the least rights, and with the most output that Ansible has."""
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
    variables = variables_of(
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
        image_mode_report_dir="played-reports",
    )
    with audit.recording() as recording:
        first = ansible.run_playbook(APPLY, "-vvv", "--diff", variables=variables)
    assert first.rc == 0, first.output
    (report,) = (session_ansible.scratch / "played-reports").glob("*.json")
    content = json.loads(report.read_text(encoding="utf-8"))
    return Applied(first, variables, password, ansible, applier, recording, content)


def test_new_pool_gets_its_image_and_its_node_is_verified(applied: Applied, api: Api) -> None:
    (entry,) = applied.first.published
    verified = applied.first.of("Verify booted images")
    assert entry["verdict"] == "match"
    assert entry["rollout"] == {
        "total": 1,
        "done": 1,
        "updating": 0,
        "waiting": 0,
        "left": 0,
        "remaining_seconds": None,
    }
    assert [node["name"] for node in verified["nodes"]] == ["worker-2"]
    assert verified["nodes"][0]["booted"]["pull_spec"] == entry["build"]["digested_image_push_spec"]
    assert entry["changed"] == [
        "Secret played",
        "MachineConfigPool played",
        "MachineOSConfig played",
        "Node worker-2",
    ]
    assert api.get(f"{POOLS}/played")["spec"]["maxUnavailable"] == "50%"


def in_order(times: t.Mapping[str, t.Any], *steps: str) -> bool:
    """Whether the known times of these steps are in this order."""
    known = [times[step] for step in steps if times[step] is not None]
    return known == sorted(known)


def test_report_of_apply_has_the_timeline_of_the_run(applied: Applied) -> None:
    (attempt,) = applied.report["build"]["attempts"]
    (node,) = applied.report["timeline"]["nodes"]
    assert attempt["state"] == "succeeded"
    assert (node["name"], node["state"]) == ("worker-2", "done")
    # On a busy machine the update begins before the wait does, so the first times can be unknown. What the wait
    # observes, and what the condition states, are two orders: an observation can be late.
    assert in_order(node, "started", "drain_started", "drain_finished", "done")
    assert in_order(node, "started", "not_ready", "ready", "done")
    # The operator deletes the pod of a build that succeeded, maybe before the wait observes its end.
    assert attempt["started"] <= (attempt["finished"] or node["done"]) <= node["done"]
    assert not {"not_ready", "ready"} & set(node["observed"])
    assert "timeline" not in applied.first.published[0]


def test_no_secret_is_shown_with_the_most_output(applied: Applied) -> None:
    login = base64.b64encode(f"pusher:{applied.password}".encode()).decode("ascii")
    assert "EXEC" in applied.first.output
    assert applied.password not in applied.first.output
    assert login not in applied.first.output


def test_apply_uses_the_rights_of_its_manifest_and_no_others(applied: Applied) -> None:
    assert not forbidden(applied.recording, applied.account)
    untouched = unused(granted(manifest("apply")), applied.recording.by(user=applied.account.user))
    # All objects were created, so no object was changed, and no older build exists. A test in
    # test_machineconfigpool_wait.py deletes one.
    changes = {("patch", "machineconfigpools"), ("patch", "machineosconfigs"), ("patch", "secrets")}
    changes.add(("delete", "machineosbuilds"))
    assert not {p for p in untouched - EXPLAINS - {CREATE_EXEC} if (p.verb, p.resource) not in changes}


def test_second_apply_changes_nothing(applied: Applied) -> None:
    second = applied.ansible.run_playbook(APPLY, "-i", "localhost,", variables=applied.variables)
    assert second.rc == 0, second.output
    assert second.changed == 0
    assert [entry["verdict"] for entry in second.published] == ["match"]
    assert [entry["changed"] for entry in second.published] == [[]]


def test_pool_without_nodes_ends_after_its_build(ansible: Ansible, lab: Facts, pools: Pools) -> None:
    pool = pools.built("without-nodes")
    run = ansible.run_playbook(APPLY, variables=variables_of(lab, pool.name))
    assert run.rc == 0, run.output
    assert [(entry["verdict"], entry["unproven_nodes"]) for entry in run.published] == [("none", [])]


def test_change_of_the_image_requires_consent_to_reboots(ansible: Ansible, lab: Facts, rolled_out: BuiltPool) -> None:
    variables = variables_of(lab, rolled_out.name, image_mode_containerfile=containerfile("echo another"))
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
        (
            {"image_mode_containerfile_path": "Containerfile"},
            "image_mode_containerfile and image_mode_containerfile_path are both set",
        ),
        ({"image_mode_containerfile": ""}, "neither image_mode_containerfile_path nor image_mode_containerfile is set"),
        ({"image_mode_create_pool": False, "image_mode_max_unavailable": 2}, "image_mode_create_pool is not true"),
        ({"image_mode_create_pool": False}, "MachineConfigPool absent does not exist"),
        ({"image_mode_nodes": ["worker-5", "worker-99"]}, "Node worker-99 does not exist"),
        ({"image_mode_nodes": ["master-0"]}, "master-0 is a control-plane node and cannot join a custom pool"),
        ({"image_mode_secrets": [{"name": "s"}]}, "needs exactly one of registry_password_file"),
        (
            {
                "image_mode_secrets": [
                    {"name": "s", "registry": "r", "registry_username": "u", "registry_password_file": "no"}
                ]
            },
            "{here}/no does not exist",
        ),
        (
            {
                "image_mode_secrets": [
                    {"name": "s", "registry": "r", "registry_username": "u", "registry_password_env": "NOT_SET"}
                ]
            },
            "environment variable NOT_SET of image_mode_secrets[0] (s) is not set",
        ),
    ],
)
def test_wrong_request_fails_before_anything_is_changed(
    ansible: Ansible, lab: Facts, api: Api, variables: dict[str, t.Any], reason: str
) -> None:
    everything = {**variables_of(lab, "absent", image_mode_create_pool=True), **variables}
    run = ansible.run_playbook(APPLY, "-vvv", variables=everything)
    assert reason.format(here=ansible.scratch) in failure(run)
    assert run.changed == 0
    assert "absent" not in {pool["metadata"]["name"] for pool in api.get(POOLS)["items"]}


def test_all_missing_variables_are_named_at_once(ansible: Ansible) -> None:
    message = failure(ansible.run_playbook(APPLY, variables={"image_mode_pool": "layered"}))
    assert "image_mode_rendered_image_push_spec, image_mode_rendered_image_push_secret are not set" in message


def test_password_in_a_variable_is_an_error_that_does_not_repeat_it(ansible: Ansible, lab: Facts) -> None:
    secret = {"name": "s", "registry": "r", "registry_username": "u", "registry_password": "correct-horse-battery"}
    (ansible.scratch / "pool.json").write_text(json.dumps(variables_of(lab, "absent", image_mode_secrets=[secret])))
    run = ansible.run_playbook(APPLY, "-vvv", "-e", "@pool.json")
    assert run.rc != 0
    assert "correct-horse-battery" not in run.output


def test_nodes_that_booted_another_image_are_shown_and_fail_the_run(ansible: Ansible, rolled_out: BuiltPool) -> None:
    run = ansible.run_playbook(
        VERIFY, variables={"image_mode_pool": rolled_out.name, "image_mode_expected_image": OTHER}
    )
    assert "2 of 2 nodes are not verified (worker-0, worker-1)" in failure(run)
    assert f"worker-1: mismatch: booted {rolled_out.digest}, expected {OTHER}" in run.output
    assert [(entry["verdict"], entry["counts"]["mismatch"]) for entry in run.published] == [("mismatch", 2)]


def test_fail_on_without_a_verdict_only_shows_them(ansible: Ansible, rolled_out: BuiltPool) -> None:
    variables = {"image_mode_pool": rolled_out.name, "image_mode_expected_image": OTHER, "image_mode_fail_on": []}
    run = ansible.run_playbook(VERIFY, variables=variables)
    assert run.rc == 0, run.output
    assert [entry["verdict"] for entry in run.published] == ["mismatch"]


def test_verification_of_a_pool_without_nodes_fails(ansible: Ansible, pools: Pools) -> None:
    pool = pools.built("without-nodes")
    run = ansible.run_playbook(VERIFY, variables={"image_mode_pool": pool.name})
    assert "has no nodes" in failure(run)
    assert [entry["verdict"] for entry in run.published] == ["none"]


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
    assert {entry["host"]: entry["verdict"] for entry in run.published} == {
        "one": "match",
        "two": "match",
        "three": "unknown",
    }
    assert token not in run.output


def pools_of_two_clusters(ansible: Ansible, lab: Facts, pool: str, *order: str) -> str:
    """Return an inventory with the hosts ``here``, a pool of the lab, and ``denied``, whose user has no rights."""
    kubeconfigs = {"here": str(lab.kubeconfigs.admin), "denied": str(lab.kubeconfigs.nobody)}
    hosts = {host: {"kubeconfig": kubeconfigs[host]} for host in order}
    inventory = ansible.scratch / f"{'-'.join(order)}.json"
    content = {"pools": {"hosts": hosts, "vars": {"image_mode_pool": pool}}}
    inventory.write_text(json.dumps(content), encoding="utf-8")
    return str(inventory)


def test_hosts_of_a_later_batch_are_finished_after_one_batch(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    inventory = pools_of_two_clusters(ansible, lab, rolled_out.name, "here", "denied")
    run = ansible.run_playbook(VERIFY, "-i", inventory, variables={"image_mode_hosts": "pools", "image_mode_serial": 1})
    assert "forbidden" in failure(run)
    assert [(entry["host"], entry["verdict"]) for entry in run.published] == [("here", "match"), ("denied", "unknown")]
    assert [result.host for result in run.results if result.task.endswith("Show the summary")] == ["here", "denied"]


def test_no_batch_begins_after_one_in_which_each_host_failed(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    inventory = pools_of_two_clusters(ansible, lab, rolled_out.name, "denied", "here")
    variables = {"image_mode_hosts": "pools", "image_mode_serial": "50%", "image_mode_report_dir": "batches"}
    run = ansible.run_playbook(VERIFY, "-i", inventory, variables=variables)
    assert "forbidden" in failure(run)
    assert [entry["host"] for entry in run.published] == ["denied"]
    assert "  Not started: here, because each host of the batch failed\n" in run.output
    index = (ansible.scratch / "batches" / "image-mode-index.html").read_text(encoding="utf-8")
    assert "Not started: each host of the batch before failed" in index


@pytest.mark.parametrize(
    ("size", "where", "reason"),
    [
        ("lots", "-e", "lots is not a number or percentage of hosts"),
        (1, "inventory", "Give it with -e image_mode_serial=1 or in the survey"),
    ],
)
def test_size_of_batches_that_cannot_be_used_ends_the_run_before_its_first_request(
    ansible: Ansible, audit: AuditLog, lab: Facts, size: t.Any, where: str, reason: str
) -> None:
    inventory = pools_of_two_clusters(ansible, lab, "layered", "here", "denied")
    options = ["-e", f"image_mode_serial={size}"]
    if where == "inventory":
        content = json.loads(Path(inventory).read_text(encoding="utf-8"))
        content["pools"]["vars"]["image_mode_serial"] = size
        Path(inventory).write_text(json.dumps(content), encoding="utf-8")
        options = []
    with audit.recording() as recording:
        run = ansible.run_playbook(VERIFY, "-i", inventory, *options, variables={"image_mode_hosts": "pools"})
    assert run.rc != 0
    assert reason in " ".join(run.output.split())
    assert not recording.ours


def test_apply_for_two_nodes_prints_a_short_output_that_ends_in_a_summary(
    ansible: Ansible, lab: Facts, rolled_out: BuiltPool
) -> None:
    secret = {"name": "short", "registry": lab.registry_host, "registry_username": "pusher"}
    secret["registry_password_file"] = str(lab.registry_password_files.pusher)
    variables = variables_of(lab, rolled_out.name, image_mode_secrets=[secret])
    run = ansible.run_playbook(APPLY, "-i", "localhost,", variables=variables)
    assert run.rc == 0, run.output
    assert run.stderr == ""
    lines = run.stdout.splitlines()
    assert len(lines) < 40
    summary = lines[lines.index(next(line for line in lines if "Show the summary" in line)) + 1 :]
    assert summary[0] == f"  Result: pool {rolled_out.name}: 2 of 2 nodes match"
    assert summary[1] == f"  Image: {rolled_out.image}"
    assert [line.partition(":")[0] for line in summary[2:4]] == ["  Node worker-0", "  Node worker-1"]
    assert summary[4] == "  Changed: Secret short"
    assert summary[5].startswith("  Time: ")
    assert not [result for result in run.results if result.outcome == "skipped"]


def test_verify_as_the_readme_shows_it_prints_nothing_to_stderr(ansible: Ansible, rolled_out: BuiltPool) -> None:
    shown = ansible.with_environment(ANSIBLE_LOCALHOST_WARNING="true", ANSIBLE_INVENTORY_UNPARSED_WARNING="true")
    run = shown.run_playbook(VERIFY, "-i", "localhost,", variables={"image_mode_pool": rolled_out.name})
    assert (run.rc, run.stderr) == (0, "")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--tags", "deploy"), "--tags deploy selects none of its tasks. Leave --tags out."),
        (("--limit", "two"), "--limit two leaves no host of image_mode_hosts (one)."),
        (("-e", "image_mode_hosts=three"), "no host of the inventory matches image_mode_hosts (three)."),
    ],
)
def test_run_that_would_do_nothing_fails(ansible: Ansible, options: tuple[str, ...], reason: str) -> None:
    hosts = ("-i", "one,two", "-e", "image_mode_hosts=one", "-e", "image_mode_pool=layered")
    run = ansible.run_playbook(VERIFY, *hosts, *options)
    assert run.rc != 0
    assert reason in " ".join(run.output.split())


def test_unknown_variable_is_named_with_the_nearest_name(ansible: Ansible, lab: Facts) -> None:
    run = ansible.run_playbook(APPLY, variables=variables_of(lab, "absent", image_mode_containerfle="FROM configs"))
    assert "image_mode_containerfle is not read by any playbook. Did you mean image_mode_containerfile?" in failure(run)
    (entry,) = run.published
    assert entry["failure"] == entry["message"] == failure(run)
