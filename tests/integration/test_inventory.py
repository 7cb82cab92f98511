# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory plugin nodes, and verify_hosts as a play over its hosts."""

from __future__ import annotations

import json
import re
import typing as t
from collections import Counter

import pytest
import yaml
from ansible_run import TREE
from jsonschema import Draft202012Validator

if t.TYPE_CHECKING:
    from pathlib import Path

    from ansible_run import Ansible
    from audit_log import AuditLog
    from lab.facts import Facts

VERIFY_HOSTS = "imagemode.openshift.verify_hosts"
SCHEMA = TREE / "ansible_collections/imagemode/openshift/roles/evidence_report/files/evidence-1.schema.json"
OTHER = "sha256:" + "0" * 64
NODES = ["worker-3", "worker-4", "worker-5"]
THROUGH_DAEMON_PODS = {
    "ansible_connection": "'kubernetes.core.kubectl'",
    "ansible_kubectl_namespace": "image_mode_daemon_pod.namespace",
    "ansible_kubectl_pod": "image_mode_daemon_pod.name",
    "ansible_kubectl_container": "image_mode_daemon_pod.container",
    "image_mode_host_root": "'/rootfs'",
}


def source(ansible: Ansible, **options: t.Any) -> str:
    """Write an inventory file and return its path."""
    file = ansible.scratch / "lab.imagemode.yml"
    file.write_text(yaml.safe_dump({"plugin": "imagemode.openshift.nodes", **options}), encoding="utf-8")
    return str(file)


def read_inventory(listed: str) -> t.Any:
    """Return the output of ansible-inventory. Up to ansible-core 2.18 it marks texts of a cluster as unsafe."""
    return json.loads(listed, object_hook=lambda found: found.get("__ansible_unsafe", found))


@pytest.fixture
def two_contexts(lab: Facts, tmp_path: Path) -> str:
    """A kubeconfig with two contexts that both name the lab."""
    config = yaml.safe_load(lab.kubeconfigs.admin.read_text(encoding="utf-8"))
    (context,) = config["contexts"]
    config["contexts"] = [{**context, "name": name} for name in ("one", "two")]
    file = tmp_path / "two.kubeconfig"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return str(file)


def test_nodes_are_grouped_by_pool_with_one_list_request_for_each_kind(
    ansible: Ansible, lab: Facts, audit: AuditLog
) -> None:
    with audit.recording() as recording:
        listed = ansible.list_inventory("-i", source(ansible, daemon_pods=True), "--list")
    assert listed.returncode == 0, listed.stderr
    inventory = read_inventory(listed.stdout)
    assert set(NODES) <= set(inventory["pool_worker"]["hosts"])
    assert inventory["pool_master"]["hosts"] == ["master-0"]
    host = read_inventory(ansible.list_inventory("-i", source(ansible), "--host", "worker-3").stdout)
    assert host["image_mode_expected"]["pull_spec"] == lab.base_image
    assert (host["image_mode_ready"], host["image_mode_expected"]["current"]) == (True, True)
    assert host["image_mode_cluster"]["api_url"] == lab.api_url
    requests = Counter((r.verb, r.resource) for r in recording.ours)
    lists = {resource: count for (verb, resource), count in requests.items() if verb == "list"}
    kinds = ("machineconfigpools", "nodes", "machineosconfigs", "machineosbuilds", "pods")
    assert lists == dict.fromkeys(kinds, 1)
    assert requests[("get", "machineconfigs")] <= sum(name.startswith("pool_") for name in inventory)
    assert not [r for r in recording.ours if r.is_write]


def test_contexts_of_one_kubeconfig_are_clusters(ansible: Ansible, two_contexts: str) -> None:
    file = source(
        ansible,
        kubeconfig=two_contexts,
        clusters=[{"context": "one"}, {"context": "two"}],
        keyed_groups=[{"key": "image_mode_cluster_name", "prefix": "cluster"}],
    )
    graph = ansible.with_environment(K8S_AUTH_KUBECONFIG="").list_inventory("-i", file, "--graph")
    assert graph.returncode == 0, graph.stderr
    below: dict[str, list[str]] = {}
    for line in graph.stdout.splitlines():
        name = line.rpartition("--")[2].rstrip(":")
        below[name] = [] if name.startswith("@") else below.get(name, [])
    assert {"@cluster_one", "@cluster_two", "@pool_worker", "worker-3.one", "worker-3.two"} <= set(below)


def test_cluster_that_denies_access_is_named_without_its_credentials(ansible: Ansible, lab: Facts) -> None:
    clusters = [
        {"name": "good", "kubeconfig": str(lab.kubeconfigs.admin)},
        {"name": "bad", "host": lab.api_url, "ca_cert": str(lab.ca_cert), "api_key": "sha256~not-this-one"},
    ]
    failed = ansible.list_inventory("-vvv", "-i", source(ansible, clusters=clusters), "--list")
    assert failed.returncode != 0
    printed = " ".join(failed.stderr.split())
    assert "Could not read cluster bad: could not list MachineConfigPools: " in printed
    assert "does not accept the credentials" in printed
    assert "not-this-one" not in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stdout + failed.stderr
    tolerated = ansible.list_inventory("-i", source(ansible, clusters=clusters, fail_on_errors=False), "--list")
    assert tolerated.returncode == 0
    assert "None of its nodes is in the inventory" in " ".join(tolerated.stderr.split())
    assert "worker-3.good" in json.loads(tolerated.stdout)["pool_worker"]["hosts"]


def test_missing_permission_is_named(unprivileged_ansible: Ansible) -> None:
    failed = unprivileged_ansible.list_inventory("-i", source(unprivileged_ansible), "--list")
    assert failed.returncode != 0
    assert 'cannot list resource "machineconfigpools"' in " ".join(failed.stderr.split())


def test_verify_hosts_summarizes_a_match_a_mismatch_and_an_unreachable_host(
    ansible_with_kubectl: Ansible, lab: Facts, script_node: t.Callable[..., None]
) -> None:
    script_node("worker-4", "--boots", OTHER)
    by_ssh = "'ansible.builtin.ssh' if image_mode_node == 'worker-5' else 'kubernetes.core.kubectl'"
    file = source(
        ansible_with_kubectl,
        daemon_pods=True,
        compose={**THROUGH_DAEMON_PODS, "ansible_connection": by_ssh, "ansible_port": "1"},
        cache=True,
        cache_plugin="ansible.builtin.jsonfile",
        cache_connection=str(ansible_with_kubectl.scratch / "cache"),
    )
    assert (
        ansible_with_kubectl.list_inventory("-i", file, "--list").returncode == 0
    )  # the expected image is in the cache now
    run = ansible_with_kubectl.run_playbook(
        VERIFY_HOSTS,
        "-i",
        file,
        variables={"image_mode_hosts": ",".join(NODES), "image_mode_report_dir": "reports"},
    )
    assert run.rc != 0
    (failed,) = [result for result in run.results if result.failed]
    assert "2 of 3 nodes are not verified (worker-4, worker-5)" in failed.msg
    assert "worker-4 does not match" in failed.msg
    assert "Traceback" not in run.output
    summed = run.of("Summarize the verdicts of all hosts")
    assert (summed["summary"]["match"], summed["summary"]["mismatch"]) == (1, 1)
    assert summed["summary"]["total"] == summed["pool_total"] == 3 + summed["left_out"]
    assert {n["name"]: n["verdict"] for n in summed["nodes"]} == dict(zip(NODES, ("match", "mismatch", "unknown")))
    assert summed["nodes"][2]["findings"][0]["id"] == "node.exec_failed"
    (entry,) = run.published
    assert [(n["name"], n["verdict"]) for n in entry["unproven_nodes"]] == [
        ("worker-4", "mismatch"),
        ("worker-5", "unknown"),
    ]
    (written,) = (ansible_with_kubectl.scratch / "reports").glob("*.json")
    report = json.loads(written.read_text(encoding="utf-8"))
    Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(report)
    assert re.fullmatch(rf"image-mode-{report['cluster']['id']}-[0-9a-f]{{8}}-worker\.json", written.name)
    assert (report["verdict"], len(report["nodes"]), report["transport"]) == ("unknown", 3, "connection")
    assert run.changed == 0


def test_expected_image_from_a_cache_is_rejected(ansible_with_kubectl: Ansible) -> None:
    cache = {
        "cache_plugin": "ansible.builtin.jsonfile",
        "cache_connection": str(ansible_with_kubectl.scratch / "cache"),
    }
    file = source(ansible_with_kubectl, daemon_pods=True, compose=THROUGH_DAEMON_PODS, cache=True, **cache)
    assert ansible_with_kubectl.list_inventory("-i", file, "--list").returncode == 0
    role = {"name": "Verify", "ansible.builtin.include_role": {"name": "imagemode.openshift.verify_nodes"}}
    play: dict[str, t.Any] = {"hosts": "worker-3", "vars": {"verify_nodes_transport": "connection"}}
    cached = ansible_with_kubectl.run_tasks([role], "-i", file, **play)
    assert "comes from a cache, read at" in cached.output
    assert "Refresh the inventory" in cached.output
    assert cached.rc != 0
    play["vars"]["verify_nodes_fail_on"] = "mismatch"  # the other nodes of the pool are unknown
    fresh = ansible_with_kubectl.run_tasks([role], "-i", file, "--flush-cache", **play)
    assert fresh.rc == 0, fresh.output


def test_host_that_failed_before_its_verification_is_in_the_summary(ansible_with_kubectl: Ansible) -> None:
    file = source(ansible_with_kubectl, daemon_pods=True, compose=THROUGH_DAEMON_PODS)
    lost = {"name": "Lose one", "ansible.builtin.fail": {"msg": "gone"}, "when": "inventory_hostname == 'worker-3'"}
    role = {"name": "Verify", "ansible.builtin.include_role": {"name": "imagemode.openshift.verify_nodes"}}
    play = {"hosts": ",".join(NODES), "serial": 2, "vars": {"verify_nodes_transport": "connection"}}
    run = ansible_with_kubectl.run_tasks([lost, role], "-i", file, **play)
    assert run.rc != 0
    (summed,) = [r.result["summary"] for r in run.results if "clusters" in r.result]
    assert (summed["match"], summed["mismatch"]) == (2, 0)
    (message,) = [r.msg for r in run.results if r.failed and r.host != "worker-3"]
    assert "1 of 3 nodes are not verified (worker-3)" in message


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, "image_mode_hosts is not set"),
        ({"image_mode_hosts": "pool_nowhere"}, "no host of the inventory matches image_mode_hosts (pool_nowhere)"),
        (
            {"image_mode_hosts": "worker-3", "image_mode_secret": 1},
            "image_mode_secret is not read by any playbook",
        ),
    ],
)
def test_wrong_hosts_and_unknown_variables_fail_before_the_verification(
    ansible: Ansible, variables: dict[str, t.Any], reason: str
) -> None:
    run = ansible.run_playbook(VERIFY_HOSTS, "-i", source(ansible), variables=variables)
    assert run.rc != 0
    assert reason in " ".join(run.output.split())
    assert len([result for result in run.results if result.failed]) <= 1


def test_a_node_is_no_pool(ansible: Ansible) -> None:
    variables = {"image_mode_hosts": "worker-3", "image_mode_pool": "worker"}
    run = ansible.run_playbook("imagemode.openshift.verify", "-i", source(ansible), variables=variables)
    assert run.rc != 0
    (failed,) = [result for result in run.results if result.failed]
    assert "run imagemode.openshift.verify_hosts" in failed.msg
