# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory as Ansible loads it: from a file, into groups and variables, with a cache."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import inventory_loader
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    all_pools,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, Reply, refusal

NAME = "imagemode.openshift.nodes"
TOKEN = "sha256~secret"
REFUSED = refusal(401, "Unauthorized", "Unauthorized")


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch):
    for name in [n for n in os.environ if n.startswith(("K8S_AUTH_", "KUBE", "ANSIBLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(Session, "_repeated", lambda self, send: send())  # an API server that is away stays away


def filled(server: ApiServer) -> ApiServer:
    gpu = machine_config_pool("infra-gpu")
    server.keep(MACHINE_CONFIG_POOL, *all_pools(), gpu)
    server.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    server.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    server.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"osImageURL": image_of("b")}})
    worker, other = node("worker-0"), node("worker-1", roles=["worker", "infra-gpu"], ready="False")
    worker["status"]["addresses"] = [{"type": "InternalIP", "address": "10.0.0.7"}]
    worker["status"]["nodeInfo"]["osImage"] = "{{ 1 + 1 }}"
    server.keep(NODE, worker, other)
    return server


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    return filled(api)


@pytest.fixture
def other() -> t.Iterator[ApiServer]:
    server = filled(ApiServer())
    yield server
    server.stop()


class Source:
    """A file of the inventory, and what it comes to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "t.imagemode.yml"
        self.loader = DataLoader()
        self.inventory: InventoryData | None = None
        self.before: t.Callable[[InventoryData], t.Any] | None = None

    def read(self, from_cache: bool = True, **options: t.Any) -> InventoryData:
        self.path.write_text(yaml.safe_dump({"plugin": NAME, **options}), encoding="utf-8")
        plugin, inventory = inventory_loader.get(NAME), InventoryData()
        if self.before:
            self.before(inventory)
        self.inventory = inventory
        assert plugin.verify_file(str(self.path))
        plugin.parse(inventory, self.loader, str(self.path), cache=from_cache)
        with contextlib.suppress(AttributeError):  # as Ansible does, for a plugin that has no cache
            plugin.update_cache_if_changed()
        inventory.reconcile_inventory()
        return inventory

    def refuse(self, **options: t.Any) -> str:
        with pytest.raises(AnsibleError) as refused:
            self.read(**options)
        message = str(refused.value)
        assert "\n" not in message
        assert TOKEN not in message
        return message


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


def login(server: ApiServer) -> dict[str, str]:
    return {"host": server.url, "api_key": TOKEN}


def groups(inventory: InventoryData) -> dict[str, list[str]]:
    found = {name: sorted(host.name for host in group.hosts) for name, group in inventory.groups.items()}
    return {name: hosts for name, hosts in found.items() if hosts}


def test_nodes_are_grouped_by_pool_in_names_that_ansible_allows(source, cluster):
    read = source.read(**login(cluster))
    assert groups(read) == {"pool_layered": ["worker-0"], "pool_infra_gpu": ["worker-1"]}
    worker = read.get_host("worker-0").get_vars()
    assert (worker["ansible_host"], worker["image_mode_pool"]) == ("10.0.0.7", "layered")
    assert worker["image_mode_expected"]["pull_spec"] == image_of("a")
    assert "ansible_host" not in read.get_host("worker-1").get_vars()


def test_what_a_node_says_of_itself_is_no_template(source, cluster):
    from ansible.template import Templar

    read = source.read(**login(cluster), compose={"same": "image_mode_os_image"})
    variables = read.get_host("worker-0").get_vars()
    templar = Templar(loader=source.loader, variables=variables)
    assert templar.template(variables["image_mode_os_image"]) == "{{ 1 + 1 }}"
    assert templar.template(variables["same"]) == "{{ 1 + 1 }}"


def test_variables_and_groups_are_composed(source, cluster):
    read = source.read(
        **login(cluster),
        compose={"ansible_user": "'core'", "lost": "no.such"},
        groups={"away": "not image_mode_ready"},
        keyed_groups=[{"key": "image_mode_roles", "prefix": "role"}],
    )
    assert read.get_host("worker-0").get_vars()["ansible_user"] == "core"
    found = groups(read)
    assert found["away"] == ["worker-1"]
    assert found["role_worker"] == ["worker-0", "worker-1"]
    assert "lost" in source.refuse(**login(cluster), strict=True, compose={"lost": "no.such"})


def test_hosts_of_many_clusters_carry_their_clusters_names(source, cluster, other):
    clusters = [{"name": "prod", **login(cluster)}, {"name": "stage", **login(other)}]
    read = source.read(clusters=clusters)
    assert groups(read)["pool_layered"] == ["worker-0.prod", "worker-0.stage"]
    assert read.get_host("worker-0.stage").get_vars()["image_mode_cluster"]["api_url"] == other.url
    assert "two nodes would be the host worker-0" in source.refuse(clusters=clusters, cluster_in_names=False)


def test_one_cluster_can_be_in_the_names_too(source, cluster):
    assert groups(source.read(clusters=[{"name": "prod", **login(cluster)}]))["pool_layered"] == ["worker-0"]
    (host, dummy) = sorted(source.read(**login(cluster), cluster_in_names=True).hosts)
    assert host == "worker-0.127.0.0.1"


def test_the_environment_names_the_cluster_where_the_file_does_not(source, cluster, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_HOST", cluster.url)
    monkeypatch.setenv("K8S_AUTH_API_KEY", TOKEN)
    assert sorted(source.read().hosts) == ["worker-0", "worker-1"]


def test_an_option_can_be_a_template(source, cluster, monkeypatch):
    monkeypatch.setenv("OTHER_TOKEN", TOKEN)
    template = "{{ lookup('ansible.builtin.env', 'OTHER_TOKEN') }}"
    source.read(host=cluster.url, api_key=template)
    source.read(clusters=[{"host": cluster.url, "api_key": template}])
    sent = {value for request in cluster.requests for name, value in request.headers if name == "Authorization"}
    assert sent == {f"Bearer {TOKEN}"}


def test_the_token_of_one_cluster_is_not_sent_to_another(source, cluster, other, monkeypatch):
    monkeypatch.setenv("K8S_AUTH_API_KEY", "sha256~of-the-first")
    source.read(clusters=[{"name": "a", **login(cluster)}, {"name": "b", "host": other.url, "api_key": "sha256~b"}])
    sent = {value for request in other.requests for name, value in request.headers if name == "Authorization"}
    assert sent == {"Bearer sha256~b"}


# What goes wrong -----------------------------------------------------------------------------------------------------


def test_one_cluster_that_cannot_be_read_leaves_no_smaller_inventory(source, cluster, other):
    other.always_fail("", REFUSED)
    clusters = [{"name": "prod", **login(cluster)}, {"name": "stage", **login(other)}]
    message = source.refuse(clusters=clusters)
    assert message.startswith("Could not read cluster stage: could not list MachineConfigPools: ")
    assert "does not accept the credentials" in message


def test_the_others_are_read_when_the_user_wants_that_and_he_is_warned(source, cluster, other, monkeypatch):
    other.always_fail("", REFUSED)
    clusters = [{"name": "prod", **login(cluster)}, {"name": "stage", **login(other)}]
    warnings: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text, **dummy: warnings.append(text))
    read = source.read(clusters=clusters, fail_on_errors=False)
    assert sorted(read.hosts) == ["worker-0.prod", "worker-1.prod"]
    (warning,) = [text for text in warnings if "stage" in text]
    assert warning.endswith("None of its nodes is in the inventory.")
    (error,) = read.groups["all"].vars["image_mode_inventory_errors"]
    assert error == warning.removesuffix(" None of its nodes is in the inventory.")
    cluster.always_fail("", REFUSED)
    assert "prod" in source.refuse(clusters=clusters, fail_on_errors=False)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"clustres": []}, "there is no option clustres"),
        ({"clusters": []}, "clusters is empty"),
        ({"clusters": ["prod"]}, "entry 1 of clusters is no dictionary"),
        ({"clusters": [{"nam": "prod"}]}, "entry 1 of clusters: there is no option nam"),
        ({"clusters": [{"validate_certs": "perhaps"}]}, "entry 1 of clusters: argument 'validate_certs'"),
        ({"clusters": [{"name": "a:b"}]}, "entry 1 of clusters: the name 'a:b' holds what a host name cannot"),
        ({"clusters": [{"name": "a"}, {"name": "a"}]}, "two clusters are called a"),
        ({"kubeconfig": "/nowhere/kubeconfig"}, "Could not read kubeconfig /nowhere/kubeconfig"),
        ({"host": "http://127.0.0.1:1", "api_key": TOKEN}, "no connection to http://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_meant_is_one_line(source, options, reason):
    assert reason in source.refuse(**options)


def test_a_cluster_without_image_mode_says_so(source, cluster):
    cluster.not_served.add("machineosconfigs")
    assert "Image mode needs OpenShift" in source.refuse(**login(cluster))


@pytest.mark.parametrize(
    ("name", "ours"),
    [("imagemode.yml", True), ("a.imagemode.yaml", True), ("a.yml", False), ("myimagemode.yml", False)],
)
def test_files_are_known_by_their_names(name, ours, tmp_path):
    (tmp_path / name).write_text("{}", encoding="utf-8")
    assert inventory_loader.get(NAME).verify_file(str(tmp_path / name)) is ours


# Names and texts that a cluster supplies -----------------------------------------------------------------------------


def listing(*names: str) -> Reply:
    """The answer of an API server that lists nodes with any names."""
    nodes = [{**node(), "metadata": {**node()["metadata"], "name": name}} for name in names]
    return Reply(200, json.dumps({"kind": "List", "metadata": {"resourceVersion": "1"}, "items": nodes}))


@pytest.mark.parametrize("name", ["x{{ lookup('pipe', 'id') }}", "x_1", "localhost", "all", "ungrouped", "127.0.0.1"])
def test_a_hostile_node_name_is_an_error_that_names_the_cluster(name, source, cluster):
    cluster.always_fail("/nodes", listing("worker-0", name))
    message = source.refuse(**login(cluster))
    assert message.startswith(f"Could not read cluster 127.0.0.1 ({cluster.url}): ")
    assert name in message


def test_a_node_name_that_is_a_path_is_an_error_before_it_is_a_name(source, cluster):
    cluster.always_fail("/nodes", listing("worker-0", "../../x"))
    assert source.refuse(**login(cluster)).startswith(
        f"Could not list Nodes: {cluster.url} responds, but not as a Kube"
    )


def test_only_the_cluster_with_the_hostile_name_is_left_out_where_the_user_wants_that(
    source, cluster, other, monkeypatch
):
    other.always_fail("/nodes", listing("x{{ 1 }}"))
    warnings: list[str] = []
    monkeypatch.setattr("ansible.utils.display.Display.warning", lambda self, text, **dummy: warnings.append(text))
    clusters = [{"name": "prod", **login(cluster)}, {"name": "stage", **login(other)}]
    read = source.read(clusters=clusters, fail_on_errors=False)
    assert sorted(read.hosts) == ["worker-0.prod", "worker-1.prod"]
    assert any("cluster stage" in text and "None of its nodes is in the inventory" in text for text in warnings)


def test_a_hostile_name_in_the_cache_is_refused_as_well(source, cluster, cached, tmp_path):
    source.read(**login(cluster), **cached)
    for file in (tmp_path / "cache").iterdir():
        file.write_text(file.read_text(encoding="utf-8").replace("worker-1", "{{ 1 }}"), encoding="utf-8")
    cluster.requests.clear()
    assert "no DNS-1123 subdomain" in source.refuse(**login(cluster), **cached)
    assert cluster.requests == []


def test_a_node_changes_no_group_and_no_host_of_another_source(source, cluster):
    cluster.always_fail("/nodes", listing("webservers"))
    source.before = lambda inventory: inventory.add_group("webservers")
    assert "name of a group" in source.refuse(**login(cluster))
    source.before = lambda inventory: inventory.add_host("webservers")
    assert "another inventory source" in source.refuse(**login(cluster))
    assert sorted(source.read(**login(cluster), cluster_in_names=True).hosts) == ["webservers", "webservers.127.0.0.1"]


def test_a_source_that_is_given_twice_is_read_twice(source, cluster):
    first = source.read(**login(cluster))
    source.before = lambda inventory: inventory.hosts.update(first.hosts)
    assert sorted(source.read(**login(cluster)).hosts) == ["worker-0", "worker-1"]


@pytest.mark.parametrize("label", ["localhost", "all", "gpu1"])
def test_a_label_makes_no_group_of_a_reserved_name_or_of_a_host(label, source, cluster):
    cluster.keep(NODE, node("a", labels={"zone": label}), node("gpu1"))
    entry = {"key": "image_mode_labels['zone'] | default('x')", "separator": ""}
    message = source.refuse(**login(cluster), keyed_groups=[entry])
    assert f"no group can be called {label}" in message
    assert source.inventory.hosts == {}
    assert source.read(**login(cluster), keyed_groups=[{**entry, "separator": "_", "prefix": "zone"}]).hosts


def test_a_file_that_fails_on_the_way_leaves_no_host_behind(source, cluster):
    source.refuse(**login(cluster), strict=True, groups={"x": "no.such"})
    assert source.inventory.hosts == {}


def test_a_hostile_label_is_a_harmless_group_name(source, cluster):
    cluster.keep(NODE, node("a", labels={"zone": "../{{ 1 }}\u202e\x1b[2J"}))
    read = source.read(
        **login(cluster), keyed_groups=[{"key": "image_mode_labels['zone'] | default('x')", "prefix": "z"}]
    )
    assert len([name for name in read.groups if name.startswith("z_")]) == 2
    assert re.fullmatch(r"[a-z0-9_J]+", "".join(read.groups))


def test_variables_of_a_node_hold_nothing_that_a_terminal_would_obey(source, cluster):
    hostile = node("a", labels={"zone": "\x1b]0;x\x07\u202e"})
    cluster.keep(NODE, hostile)
    labels = source.read(**login(cluster)).get_host("a").get_vars()["image_mode_labels"]
    assert labels["zone"] == "\\x1b]0;x\\x07\\u202e"


def test_an_error_of_a_cluster_is_one_printable_line_of_limited_length(source, cluster):
    cluster.always_fail("", refusal(403, "Forbidden", "no\x1b[31m\u202e\n" + "x" * 1_000_000))
    message = source.refuse(**login(cluster))
    assert message.isprintable()
    assert len(message) < 5000


# Credentials ----------------------------------------------------------------------------------------------------------

CONTENT = f"apiVersion: v1\nusers: [{{user: {{token: {TOKEN}}}}}]\n"


@pytest.mark.parametrize("several", [False, True])
def test_the_content_of_a_kubeconfig_is_refused_and_not_quoted(several, source):
    options = {"clusters": [{"name": "prod", "kubeconfig": CONTENT}]} if several else {"kubeconfig": CONTENT}
    message = source.refuse(**options)
    assert "from_yaml" in message
    assert "apiVersion" not in message


def test_a_template_that_cannot_be_evaluated_is_not_quoted(source, cluster):
    template = TOKEN + "{{ lookup('ansible.builtin.env', 'X') | no_such_filter }}"
    for options in ({"host": cluster.url, "api_key": template}, {"clusters": [{"name": "p", "api_key": template}]}):
        message = source.refuse(**options)
        assert "the template in " in message
        assert "no_such_filter" not in message


# The cache -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def cached(tmp_path: Path) -> dict[str, t.Any]:
    folder = tmp_path / "cache"
    return {"cache": True, "cache_plugin": "ansible.builtin.jsonfile", "cache_connection": str(folder)}


def test_a_second_run_asks_nobody_and_says_that_it_did_not(source, cluster, cached):
    first = source.read(**login(cluster), **cached)
    cluster.requests.clear()
    second = source.read(**login(cluster), **cached)
    assert cluster.requests == []
    assert groups(second) == groups(first)
    said = [read.get_host("worker-0").get_vars()["image_mode_cached"] for read in (first, second)]
    assert said == [False, True]


def test_a_refresh_reads_anew_and_remembers_that(source, cluster, cached):
    source.read(**login(cluster), **cached)
    cluster.drop(NODE, "worker-1")
    assert sorted(source.read(**login(cluster), **cached).hosts) == ["worker-0", "worker-1"]
    assert sorted(source.read(**login(cluster), **cached, cache_timeout=3600).hosts) == ["worker-0", "worker-1"]
    assert sorted(source.read(False, **login(cluster), **cached).hosts) == ["worker-0"]
    assert sorted(source.read(**login(cluster), **cached).hosts) == ["worker-0"]


def test_a_cache_of_other_clusters_is_not_read(source, cluster, other, cached):
    source.read(**login(cluster), **cached)
    other.drop(NODE, "worker-1")
    assert sorted(source.read(**login(other), **cached).hosts) == ["worker-0"]


def test_no_secret_is_in_the_cache(source, cluster, cached, tmp_path):
    source.read(clusters=[{"name": "prod", **login(cluster), "proxy_headers": {"basic_auth": "u:hunter2"}}], **cached)
    written = [file.read_text(encoding="utf-8") for file in (tmp_path / "cache").iterdir()]
    assert "worker-0" in "".join(written)
    assert TOKEN not in "".join(written)
    assert "hunter2" not in "".join(written)


def test_an_inventory_that_is_not_whole_is_not_remembered(source, cluster, other, cached):
    other.fail("machineconfigpools", REFUSED)
    clusters = [{"name": "prod", **login(cluster)}, {"name": "stage", **login(other)}]
    assert len(source.read(clusters=clusters, fail_on_errors=False, **cached).hosts) == 2
    assert len(source.read(clusters=clusters, fail_on_errors=False, **cached).hosts) == 4


def test_a_cache_that_is_broken_is_read_past(source, cluster, cached, tmp_path):
    source.read(**login(cluster), **cached)
    for file in (tmp_path / "cache").iterdir():
        file.write_text(json.dumps({"format": 1}), encoding="utf-8")
    assert sorted(source.read(**login(cluster), **cached).hosts) == ["worker-0", "worker-1"]


# The documentation ---------------------------------------------------------------------------------------------------


def examples() -> list[dict[str, t.Any]]:
    module = importlib.import_module("ansible_collections.imagemode.openshift.plugins.inventory.nodes")
    return list(yaml.safe_load_all(module.EXAMPLES))


@pytest.mark.parametrize("example", examples())
def test_an_example_uses_options_that_there_are(example, source, cluster, monkeypatch, tmp_path):
    monkeypatch.setenv("PROD_TOKEN", TOKEN)
    which = {"kubeconfig", "context", "clusters", "cache_connection"}
    clusters = [{"name": e.get("name") or e["context"], **login(cluster)} for e in example.get("clusters", [])]
    own = {name: value for name, value in example.items() if name not in which and name != "plugin"}
    named = {"clusters": clusters} if clusters else login(cluster)
    read = source.read(**named, **own, cache_connection=str(tmp_path / "cache"))
    assert len(read.hosts) == 2 * max(1, len(clusters))
