# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab's folder holds before anything runs."""

from __future__ import annotations

import base64
import configparser
import json
import re
import shlex
import socket
import stat
from contextlib import closing
from dataclasses import asdict, fields, replace
from pathlib import Path

import bcrypt
import pytest
import yaml

from lab.build import Build
from lab.cache import lab_folder
from lab.cluster import initial_objects
from lab.components import REBOOTING_ANNOTATION, components
from lab.credentials import IDENTITIES, Secrets
from lab.errors import LabError
from lab.facts import Facts, Ports
from lab.keeper import LOCK_FILE
from lab.nodes import node, node_names
from lab.ports import choose_ports
from lab.preparation import prepare
from lab.release import JULY_2025
from lab.supervision import CONFIGURATION_FILE

NODE_INITIALIZE = {
    "kind": "Stage",
    "metadata": {"name": "node-initialize"},
    "spec": {
        "selector": {"matchExpressions": [{"key": "ready", "operator": "NotIn", "values": ["True"]}]},
        "next": {
            "statusTemplate": "{{ $lastTransitionTime := or .metadata.creationTimestamp $now }}\n"
            "conditions: x\n{{ $hasInternalIP := false }}\nwhat loses addresses\n"
            "{{ with NodePort }}\nport\n{{ end }}\nnodeInfo: kept\n"
        },
    },
}
POD_READY = {"kind": "Stage", "metadata": {"name": "pod-ready"}, "spec": {"selector": {}}}


@pytest.fixture
def build(tmp_path: Path) -> Build:
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "stages.json").write_text(json.dumps([NODE_INITIALIZE, POD_READY]))
    (manifests / "operator.json").write_text(json.dumps([{"kind": "ClusterRole", "metadata": {"name": "shipped"}}]))
    gate = {"kind": "FeatureGate", "metadata": {"name": "cluster"}, "status": {"featureGates": [{"version": ""}]}}
    (manifests / "feature-gate.json").write_text(json.dumps(gate))
    return Build(tmp_path / "bin", manifests)


@pytest.fixture
def facts(tmp_path: Path, build: Build) -> Facts:
    return prepare(tmp_path / "labs" / "one 100%", build, JULY_2025)


def test_facts_come_back_as_they_were_written(facts: Facts) -> None:
    pushed = facts.with_base_image("127.0.0.1:5000/lab/os@sha256:" + 64 * "0")
    pushed.save()

    assert Facts.load(facts.folder) == pushed


def test_facts_of_an_older_lab_say_what_to_do(facts: Facts) -> None:
    document = facts.document()
    del document["ports"]

    with pytest.raises(ValueError, match="no ports"):
        Facts.of(document)


def test_everything_secret_is_readable_by_its_owner_only(facts: Facts) -> None:
    own = Secrets.of(facts.folder)
    secret = [
        *asdict(facts.kubeconfigs).values(),
        *asdict(facts.registry_password_files).values(),
        *asdict(facts.registry_auth_files).values(),
        facts.admin_token_file,
        facts.kubeconfig_through_faults,
        facts.kubelet_key,
        facts.folder / CONFIGURATION_FILE,
        own.tokens,
        own.api_key,
        own.service_account_key,
        own.supervisor_password,
        own.registry_key,
        *(pair.key for pair in (own.etcd, own.etcd_client, own.kubelet_client)),
    ]

    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}


def test_no_secret_stands_in_the_facts(facts: Facts) -> None:
    text = (facts.folder / "lab.json").read_text()

    for path in (facts.admin_token_file, facts.registry_password_files.pusher, facts.registry_password_files.puller):
        assert path.read_text() not in text


def test_each_kubeconfig_carries_the_token_of_its_identity(facts: Facts) -> None:
    rows = [line.split(",", 3) for line in Secrets.of(facts.folder).tokens.read_text().splitlines()]
    tokens = {name: (token, user) for token, user, name, *_ in rows}

    for name, path in asdict(facts.kubeconfigs).items():
        document = yaml.safe_load(path.read_text())
        assert tokens[name] == (document["users"][0]["user"]["token"], IDENTITIES[name].user)
        assert document["clusters"][0]["cluster"]["server"] == facts.api_url


def test_one_kubeconfig_leads_through_the_fault_proxy(facts: Facts) -> None:
    straight, through = (
        yaml.safe_load(path.read_text()) for path in (facts.kubeconfigs.admin, facts.kubeconfig_through_faults)
    )

    assert through["clusters"][0]["cluster"].pop("server") == facts.through_faults_url
    assert straight["clusters"][0]["cluster"].pop("server") == facts.api_url
    assert through == straight


def test_nobody_belongs_to_no_group() -> None:
    assert IDENTITIES["nobody"].groups == ()


def test_the_registry_knows_both_users_by_their_passwords(facts: Facts) -> None:
    lines = Secrets.of(facts.folder).htpasswd.read_text().splitlines()
    hashes = dict(line.split(":", 1) for line in lines)

    for user, path in asdict(facts.registry_password_files).items():
        password = path.read_text()
        assert bcrypt.checkpw(password.encode(), hashes[user].encode())
        auths = json.loads(asdict(facts.registry_auth_files)[user].read_text())["auths"]
        assert base64.b64decode(auths[facts.registry_host]["auth"]).decode() == f"{user}:{password}"


def test_two_starts_share_no_secret(facts: Facts, build: Build) -> None:
    token = facts.admin_token_file.read_text()

    assert prepare(facts.folder, build, JULY_2025).admin_token_file.read_text() != token


def test_what_a_dead_lab_left_is_gone_at_the_next_start_but_its_locks_stay(facts: Facts, build: Build) -> None:
    (facts.logs / "etcd.log").write_text("old")
    (facts.folder / "up.lock").write_text("")
    lock = (facts.folder / LOCK_FILE).stat().st_ino

    prepare(facts.folder, build, JULY_2025)

    assert not (facts.logs / "etcd.log").exists()
    assert (facts.folder / "up.lock").exists()
    assert (facts.folder / LOCK_FILE).stat().st_ino == lock


def test_supervisord_gets_every_command_as_it_is_meant(facts: Facts, build: Build) -> None:
    parser = configparser.RawConfigParser(inline_comment_prefixes=(" ;",))
    parser.read(facts.folder / CONFIGURATION_FILE)

    for component in components(facts, build.manifests):
        command = parser[f"program:{component.name}"]["command"] % {}
        assert tuple(shlex.split(command)) == component.command
    grouped = [
        name
        for section in parser.sections()
        if section.startswith("group:")
        for name in parser[section]["programs"].split(",")
    ]
    assert sorted(grouped) == sorted(component.name for component in components(facts, build.manifests))


def test_only_tasks_stay_down_when_they_end(facts: Facts, build: Build) -> None:
    parser = configparser.RawConfigParser()
    parser.read(facts.folder / CONFIGURATION_FILE)

    once = {name for name in parser.sections() if parser[name].get("autorestart") == "false"}
    assert once == {"program:base-image"}


def test_kwok_leaves_a_rebooting_node_alone_and_never_drops_its_addresses(facts: Facts) -> None:
    _, initialize, pod_ready = yaml.safe_load_all((facts.folder / "kwok.yaml").read_text())

    assert initialize["spec"]["selector"]["matchExpressions"] == [
        *NODE_INITIALIZE["spec"]["selector"]["matchExpressions"],  # type: ignore[index]
        {"key": f'.metadata.annotations["{REBOOTING_ANNOTATION}"]', "operator": "DoesNotExist"},
    ]
    template = initialize["spec"]["next"]["statusTemplate"]
    assert template.startswith("{{ $lastTransitionTime := $now }}\nconditions: x\n")
    assert "what loses addresses" not in template
    assert re.search(r"addresses:\n- address: \{\{ NodeIP", template)
    assert template.endswith(f"{{{{ with {facts.kubelet_port} }}}}\nport\n{{{{ end }}}}\nnodeInfo: kept\n")
    assert pod_ready == POD_READY


def test_kwok_is_given_no_address_to_serve_at(facts: Facts) -> None:
    options = next(yaml.safe_load_all((facts.folder / "kwok.yaml").read_text()))["options"]

    assert not {"serverAddress", "nodePort"} & set(options)


def test_a_changed_kwok_stage_is_noticed(tmp_path: Path, build: Build) -> None:
    changed = {**NODE_INITIALIZE, "spec": {"selector": {"matchExpressions": []}, "next": {"statusTemplate": "other"}}}
    (build.manifests / "stages.json").write_text(json.dumps([changed]))

    with pytest.raises(LabError, match="its template has changed"):
        prepare(tmp_path / "labs" / "two", build, JULY_2025)


def test_every_object_speaks_of_one_release(facts: Facts, build: Build) -> None:
    facts = facts.with_base_image("127.0.0.1:5000/lab/os@sha256:" + 64 * "0")
    objects = {(item["kind"], item["metadata"]["name"]): item for item in initial_objects(facts, build.manifests)}

    assert objects["FeatureGate", "cluster"]["status"]["featureGates"][0]["version"] == facts.release
    version = objects["ClusterVersion", "version"]["status"]
    assert {version["desired"]["version"], version["history"][0]["version"]} == {facts.release}
    annotations = objects["ControllerConfig", "machine-config-controller"]["metadata"]["annotations"]
    assert set(annotations.values()) == {facts.release}
    assert objects["ConfigMap", "machine-config-osimageurl"]["data"]["baseOSContainerImage"] == facts.base_image


def test_namespaces_come_before_what_lies_in_them(facts: Facts, build: Build) -> None:
    facts = facts.with_base_image("127.0.0.1:5000/lab/os@sha256:" + 64 * "0")
    there: set[str] = set()
    for item in initial_objects(facts, build.manifests):
        if item["kind"] == "Namespace":
            there.add(item["metadata"]["name"])
        assert item["metadata"].get("namespace", "openshift-config") in there | {"openshift-config"}
    assert "openshift-config" in there


def test_nodes_pull_with_the_pullers_credentials_and_builds_push_with_the_pushers(facts: Facts, build: Build) -> None:
    facts = facts.with_base_image("127.0.0.1:5000/lab/os@sha256:" + 64 * "0")
    secrets = {
        item["metadata"]["name"]: base64.b64decode(item["data"][".dockerconfigjson"]).decode()
        for item in initial_objects(facts, build.manifests)
        if item["kind"] == "Secret"
    }

    puller, pusher = (path.read_text() for path in (facts.registry_auth_files.puller, facts.registry_auth_files.pusher))
    assert secrets == {"pull-secret": puller, "global-pull-secret-copy": puller, "push": pusher}


def test_nodes_are_at_rest_in_the_rendered_config_of_their_pool(facts: Facts) -> None:
    pools = node_names(2)
    master, worker, other = (node(facts, name, pool, f"rendered-{pool}") for name, pool in pools.items())

    assert list(pools.values()) == ["master", "worker", "worker"]
    annotations = worker["metadata"]["annotations"]
    prefix = "machineconfiguration.openshift.io"
    assert annotations[f"{prefix}/currentConfig"] == annotations[f"{prefix}/desiredConfig"] == "rendered-worker"
    assert "node-role.kubernetes.io/worker" not in master["metadata"]["labels"]
    assert worker["status"]["nodeInfo"]["bootID"] != other["status"]["nodeInfo"]["bootID"]


def test_ports_are_free_and_different() -> None:
    ports = asdict(choose_ports())

    assert len(set(ports.values())) == len(fields(Ports))
    for port in ports.values():
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", port))


def test_ports_lie_where_no_outgoing_connection_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ranges = tmp_path / "range"
    ranges.write_text("20000\t60999\n")
    monkeypatch.setattr("lab.ports._EPHEMERAL", ranges)

    assert max(asdict(choose_ports()).values()) < 20000


@pytest.mark.parametrize("name", ["", "../up", "Upper", "a" * 33, "-a", "a-"])
def test_a_name_that_is_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(LabError, match="not a DNS label"):
        lab_folder(name)


def test_lab_cache_moves_every_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))

    assert lab_folder("one") == tmp_path / "labs" / "one"


def test_a_lab_that_came_up_says_so(facts: Facts) -> None:
    assert not facts.ready
    assert replace(facts, ready=True) == facts.with_ready(True)
