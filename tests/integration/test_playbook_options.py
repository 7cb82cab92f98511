# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of ansible-playbook that leave out hosts or tasks never make a playbook succeed. No test needs a cluster.

The hosts are this machine, with a program rpm-ostree that reports the expected image. Without such an option all of
them match, so what fails a run is the option.
"""

from __future__ import annotations

import datetime
import json
import typing as t

import pytest
import yaml

if t.TYPE_CHECKING:
    from ansible_run import Ansible, Run

APPLY = "imagemode.openshift.apply"
VERIFY = "imagemode.openshift.verify"
VERIFY_HOSTS = "imagemode.openshift.verify_hosts"
DIGEST = "sha256:" + "a" * 64
IMAGE = f"registry.example.com/os/layered@{DIGEST}"
HOSTS = ("worker-0", "worker-1")


class Inventory(t.Protocol):
    """Write an inventory file whose hosts are nodes of one pool, and return its path."""

    def __call__(self, *hosts: str, name: str = "nodes.yml", **variables: t.Any) -> str:
        """Return the path; *variables* are more variables of the hosts."""


def read_at(ago: int = 0) -> str:
    """Return the time *ago* seconds before now."""
    now = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=ago)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def booted(image: str) -> dict[str, t.Any]:
    """Return what ``rpm-ostree status --json`` prints on a node that booted an image and has no local changes."""
    changes = ("packages", "local-packages", "base-removals", "base-local-replacements")
    entry = {
        "booted": True,
        "staged": False,
        "unlocked": "none",
        "checksum": "4f1c" * 16,
        "container-image-reference": f"ostree-unverified-registry:{image}",
        "container-image-reference-digest": DIGEST,
        "regenerate-initramfs": False,
        "base-commit-meta": {"ostree.manifest": '{"layers":[]}'},
        **{f"requested-{kind}": [] for kind in changes},
    }
    return {"deployments": [entry], "transaction": None}


@pytest.fixture
def nodes(ansible_without_cluster: Ansible) -> Ansible:
    """Ansible, and a machine that reports that it booted the image."""
    folder = ansible_without_cluster.scratch / "bin"
    folder.mkdir()
    (folder / "status.json").write_text(json.dumps(booted(IMAGE)), encoding="utf-8")
    (folder / "rpm-ostree").write_text(f"#!/bin/sh\ncat '{folder}/status.json'\n", encoding="utf-8")
    (folder / "rpm-ostree").chmod(0o755)
    path = ansible_without_cluster.environment(folder / "none")["PATH"]
    return ansible_without_cluster.with_environment(PATH=f"{folder}:{path}")


@pytest.fixture
def inventory(ansible_without_cluster: Ansible) -> Inventory:
    """Write inventories with the variables of imagemode.openshift.nodes."""

    def write(*hosts: str, name: str = "nodes.yml", **variables: t.Any) -> str:
        expected = {"pull_spec": IMAGE, "digest": DIGEST, "source": "machineosconfig", "current": True}
        shared = {
            "ansible_connection": "local",
            "image_mode_pool": "layered",
            "image_mode_pool_size": len(HOSTS),
            "image_mode_cluster": {"api_url": "https://api.example.com:6443", "id": "one", "name": None},
            "image_mode_expected": expected,
            "image_mode_read_at": read_at(),
            "image_mode_cached": False,
            **variables,
        }
        content = {"pool_layered": {"hosts": {host: {**shared, "image_mode_node": host} for host in hosts}}}
        file = ansible_without_cluster.scratch / name
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return str(file)

    return write


def verify_hosts(nodes: Ansible, *options: str, **variables: t.Any) -> Run:
    """Run verify_hosts over all nodes."""
    return nodes.run_playbook(VERIFY_HOSTS, *options, variables={"image_mode_hosts": "pool_layered", **variables})


def message_of(run: Run) -> str:
    """Return the output of a run that failed, with single spaces."""
    assert run.rc != 0, run.output
    assert "Traceback" not in run.output
    return " ".join(run.output.split())


def test_all_nodes_match_without_such_an_option(nodes: Ansible, inventory: Inventory) -> None:
    run = verify_hosts(nodes, "-i", inventory(*HOSTS))
    assert run.rc == 0, run.output
    assert [(entry["verdict"], entry["counts"]["match"]) for entry in run.published] == [("match", 2)]


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
def test_strategy_of_the_user_changes_no_result(nodes: Ansible, inventory: Inventory, strategy: str) -> None:
    run = verify_hosts(nodes.with_environment(ANSIBLE_STRATEGY=strategy), "-i", inventory(*HOSTS))
    assert run.rc == 0, run.output
    assert [entry["verdict"] for entry in run.published] == ["match"]


LEAVES_NO_TASK = [
    (("--tags", "deploy"), "--tags deploy selects none of its tasks. Leave --tags out."),
    (("--tags", "always"), "--tags always selects none of its tasks. Leave --tags out."),
    (("--tags", "tagged"), "--tags tagged selects none of its tasks. Leave --tags out."),
    (("--skip-tags", "all"), "--skip-tags all skips all of its tasks. Leave --skip-tags out."),
    (("--skip-tags", "untagged"), "--skip-tags untagged skips all of its tasks. Leave --skip-tags out."),
    (("--skip-tags", "always"), "--skip-tags always leaves out the task that validates. Leave --skip-tags out."),
    (("--skip-tags", "all,always"), "leaves out the task that validates. Leave --skip-tags out."),
    (("--tags", "deploy", "--skip-tags", "always"), "--skip-tags always leaves out the task that validates."),
    (("--skip-tags", "tagged", "--tags", "tagged"), "--skip-tags tagged leaves out the task that validates."),
    (("--start-at-task", "Show the summary"), "--start-at-task Show the summary leaves out tasks"),
    (("--start-at-task", "Verify booted images"), "--start-at-task Verify booted images leaves out tasks"),
    (("--start-at-task", "nowhere"), "--start-at-task nowhere leaves out tasks"),
]


@pytest.mark.parametrize(("options", "reason"), LEAVES_NO_TASK)
def test_verify_hosts_fails_if_tags_leave_no_task(
    nodes: Ansible, inventory: Inventory, options: tuple[str, ...], reason: str
) -> None:
    assert reason in message_of(verify_hosts(nodes, "-i", inventory(*HOSTS), *options))


@pytest.mark.parametrize("playbook", [APPLY, VERIFY])
@pytest.mark.parametrize(
    ("options", "reason"), [case for case in LEAVES_NO_TASK if case[0][1] in ("deploy", "all", "nowhere")]
)
def test_playbook_fails_if_tags_leave_no_task(
    ansible_without_cluster: Ansible, playbook: str, options: tuple[str, ...], reason: str
) -> None:
    run = ansible_without_cluster.run_playbook(playbook, *options, variables={"image_mode_pool": "layered"})
    assert reason in message_of(run)


@pytest.mark.parametrize("playbook", [APPLY, VERIFY])
def test_playbook_that_is_imported_with_a_tag_fails_if_another_tag_is_selected(
    ansible_without_cluster: Ansible, playbook: str
) -> None:
    site = ansible_without_cluster.scratch / "site.yml"
    site.write_text(yaml.safe_dump([{"import_playbook": playbook, "tags": ["os"]}]), encoding="utf-8")
    other = ansible_without_cluster.run_playbook(site, "--tags", "oss", variables={"image_mode_pool": "layered"})
    assert "--tags oss selects none of its tasks. Leave --tags out." in message_of(other)
    own = ansible_without_cluster.run_playbook(site, "--tags", "os", variables={"image_mode_pool": "layered"})
    assert "selects none" not in message_of(own)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-i", "one,two", "-e", "image_mode_hosts=one", "--limit", "two"), "--limit two leaves no host of"),
        (("-i", "one,two", "-e", "image_mode_hosts=three"), "no host of the inventory matches image_mode_hosts"),
        (("-i", "one,two", "--limit", "two"), "--limit two leaves no host of image_mode_hosts (localhost)"),
        (("-i", "localhost,", "--limit", "nothing"), "--limit"),
        (("--limit", "nothing"), "--limit nothing leaves no host of image_mode_hosts (localhost)"),
        (("-i", "one,two", "-e", "image_mode_hosts=all", "--limit", "!all"), "--limit"),
    ],
)
def test_playbook_fails_if_the_limit_leaves_no_host(
    ansible_without_cluster: Ansible, options: tuple[str, ...], reason: str
) -> None:
    run = ansible_without_cluster.run_playbook(VERIFY, *options, variables={"image_mode_pool": "layered"})
    assert reason in message_of(run)


@pytest.mark.parametrize("limit", ["nothing", "localhost", "worker-7", "pool_other", "all:!pool_layered"])
def test_verify_hosts_fails_if_the_limit_leaves_no_host(nodes: Ansible, inventory: Inventory, limit: str) -> None:
    assert "--limit" in message_of(verify_hosts(nodes, "-i", inventory(*HOSTS), "-i", "other,", "--limit", limit))


def test_verify_hosts_reads_the_inventory_again_under_a_limit(nodes: Ansible, inventory: Inventory) -> None:
    run = verify_hosts(nodes, "-i", inventory(*HOSTS), "--limit", "pool_layered")
    assert run.rc == 0, run.output
    assert "skipping: no hosts matched" not in run.stdout


def test_result_of_an_earlier_job_as_a_variable_is_ignored(nodes: Ansible, inventory: Inventory) -> None:
    file = inventory(*HOSTS)
    first = verify_hosts(nodes, "-i", file, image_mode_expected_image="sha256:" + "0" * 64)
    assert first.published[0]["verdict"] == "mismatch"
    second = verify_hosts(nodes, "-i", file, image_mode_result=first.published)
    assert second.rc == 0, second.output
    assert [entry["verdict"] for entry in second.published] == ["match"]


def test_limit_leaves_out_nodes_of_the_pool_and_they_count_as_unknown(nodes: Ansible, inventory: Inventory) -> None:
    options = ("-i", inventory(*HOSTS), "--limit", "worker-0")
    run = verify_hosts(nodes, *options, image_mode_report_dir="reports")
    assert "1 of 2 nodes of MachineConfigPool layered were not verified" in message_of(run)
    (entry,) = run.published
    assert (entry["verdict"], entry["pool_total"], entry["left_out"]) == ("unknown", 2, 1)
    assert entry["counts"] == {"total": 2, "match": 1, "mismatch": 0, "unknown": 1}
    (file,) = (nodes.scratch / "reports").glob("*.json")
    report = json.loads(file.read_text(encoding="utf-8"))
    assert (report["verdict"], report["pool_total"], report["left_out"]) == ("unknown", 2, 1)
    accepted = verify_hosts(nodes, *options, image_mode_fail_on="mismatch")
    assert (accepted.rc, accepted.published[0]["verdict"]) == (0, "unknown")


def test_expected_image_that_was_read_long_ago_matches_no_node(nodes: Ansible, inventory: Inventory) -> None:
    run = verify_hosts(nodes, "-i", inventory(*HOSTS, image_mode_read_at=read_at(ago=3600)))
    assert "was read at" in message_of(run)
    assert "60 minutes before the play" in message_of(run)
    assert "Update on launch" in message_of(run)
    assert [entry["counts"]["unknown"] for entry in run.published] == [2]


@pytest.mark.parametrize("kind", ["broken", "missing", "in a folder", "failing script"])
def test_inventory_source_that_cannot_be_read_fails_the_run(nodes: Ansible, inventory: Inventory, kind: str) -> None:
    good, bad = inventory(*HOSTS), nodes.scratch / "more" / "bad.yml"
    bad.parent.mkdir()
    if kind == "failing script":
        bad = bad.with_suffix(".sh")
        bad.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
        bad.chmod(0o755)
    elif kind != "missing":
        bad.write_text("plugin: [imagemode\n", encoding="utf-8")
    if kind == "in a folder":
        (bad.parent / "good.yml").write_text('{"other": {"hosts": {"worker-7": null}}}', encoding="utf-8")
    run = verify_hosts(nodes, "-i", good, "-i", str(bad.parent if kind == "in a folder" else bad))
    assert f"inventory source {bad} could not be read" in message_of(run)
    assert [entry["verdict"] for entry in run.published] == ["unknown"]
    assert "could not be read" in run.published[0]["failure"]


def test_cluster_that_the_inventory_could_not_read_fails_the_run(nodes: Ansible, inventory: Inventory) -> None:
    errors = ["Could not read cluster stage: could not list Nodes: no. Do it."]
    run = verify_hosts(nodes, "-i", inventory(*HOSTS, image_mode_inventory_errors=errors))
    assert "the inventory does not contain all nodes. Could not read cluster stage" in message_of(run)


def test_relative_path_of_a_kubeconfig_starts_where_the_user_is(ansible_without_cluster: Ansible) -> None:
    elsewhere = ansible_without_cluster.with_environment(K8S_AUTH_KUBECONFIG="sub/kubeconfig")
    message = message_of(elsewhere.run_playbook(VERIFY, variables={"image_mode_pool": "layered"}))
    assert f"Could not read kubeconfig {elsewhere.scratch}/sub/kubeconfig: the file does not exist" in message
    assert "set K8S_AUTH_KUBECONFIG to another one" in message


@pytest.mark.parametrize("way", ["environment", "variable"])
def test_ca_certificate_that_does_not_exist_is_named_with_its_variable(
    ansible_without_cluster: Ansible, way: str
) -> None:
    cluster = {
        "K8S_AUTH_HOST": "https://127.0.0.1:1",
        "K8S_AUTH_API_KEY": "sha256~unused",
        "K8S_AUTH_SSL_CA_CERT": "ca.crt",
    }
    environment = dict(cluster, K8S_AUTH_KUBECONFIG="") if way == "environment" else {"K8S_AUTH_KUBECONFIG": ""}
    given = {} if way == "environment" else cluster
    named = ansible_without_cluster.with_environment(**environment)
    message = message_of(named.run_playbook(VERIFY, variables={"image_mode_pool": "layered", **given}))
    assert f"{named.scratch}/ca.crt does not exist. Correct K8S_AUTH_SSL_CA_CERT, or the kubeconfig." in message
    assert "Correct ca_cert" not in message
