# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.inventory import (
    RESERVED,
    ClusterRequest,
    Taken,
    bad_name,
    cluster_of,
    environment_for,
    from_cache,
    is_dns_subdomain,
    is_group_name,
    named_hosts,
    node_variables,
    own_name,
    the_cluster,
    to_cache,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Expected
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import digest_of, image_of, node
from hypothesis import example, given
from hypothesis import strategies as st

EXPECTED = Expected.of_pull_spec(image_of("a"), "machineosconfig")


def reading(name: str = "prod", *nodes: str) -> dict[str, t.Any]:
    return {
        "name": name,
        "cluster": {"api_url": f"https://api.{name}:6443", "id": None, "name": None, "version": None},
        "read_at": "2026-03-01T12:00:00Z",
        "nodes": [node_variables(node(n), "layered", EXPECTED, None) for n in nodes or ("worker-0",)],
    }


# Which cluster is meant ----------------------------------------------------------------------------------------------

SHARED = {"kubeconfig": "/all", "host": "https://one", "api_key": "secret", "ca_cert": "/ca", "proxy": None}


def test_an_entry_takes_what_it_leaves_out_from_the_top():
    requested = cluster_of({"name": "prod", "proxy": "http://proxy"}, SHARED)
    assert requested.options == {
        "kubeconfig": "/all",
        "host": "https://one",
        "api_key": "secret",
        "ca_cert": "/ca",
        "proxy": "http://proxy",
    }
    assert requested.left_out == frozenset()


@pytest.mark.parametrize(
    ("entry", "options"),
    [
        ({"host": "https://two"}, {"host": "https://two", "ca_cert": "/ca"}),
        ({"kubeconfig": "/two"}, {"kubeconfig": "/two", "ca_cert": "/ca"}),
        ({"context": "two"}, {"context": "two", "kubeconfig": "/all", "ca_cert": "/ca"}),
        ({"context": "two", "kubeconfig": "/two"}, {"context": "two", "kubeconfig": "/two", "ca_cert": "/ca"}),
    ],
)
def test_an_entry_that_names_its_cluster_takes_no_credentials_of_another(entry, options):
    assert cluster_of(entry, SHARED).options == options


def test_nor_does_it_take_them_from_the_environment():
    environment = {
        "K8S_AUTH_HOST": "h",
        "K8S_AUTH_API_KEY": "k",
        "K8S_AUTH_CERT_FILE": "c",
        "K8S_AUTH_PROXY": "p",
        "HOME": "/",
    }
    requested = cluster_of({"kubeconfig": "/two"}, {})
    assert environment_for(requested, environment, {"client_cert": ["cert_file"]}) == {
        "K8S_AUTH_PROXY": "p",
        "HOME": "/",
    }
    assert environment_for(the_cluster({}), environment, {}) == environment


@pytest.mark.parametrize("name", ["a/b", "a:b", "-a", "a b", "a,b", "[a]"])
def test_a_name_that_no_host_can_carry_is_refused(name):
    with pytest.raises(ValueError, match="holds what a host name cannot"):
        cluster_of({"name": name}, {})


@pytest.mark.parametrize(
    ("requested", "infrastructure", "name"),
    [
        (ClusterRequest("prod", {}), "cluster-7xk2p", "prod"),
        (the_cluster({"context": "ns/api-example-com:6443/admin"}), "cluster-7xk2p", "ns-api-example-com-6443-admin"),
        (the_cluster({}), "cluster-7xk2p", "cluster-7xk2p"),
        (the_cluster({}), None, "api.example.com"),
    ],
)
def test_a_cluster_is_called_as_the_user_calls_it_else_as_it_calls_itself(requested, infrastructure, name):
    assert own_name(requested, {"api_url": "https://api.example.com:6443", "name": infrastructure}) == name


# What is said of a node ----------------------------------------------------------------------------------------------


def test_a_node_says_what_it_is_and_what_is_expected_of_it():
    seen = node("worker-0", roles=("worker", "layered"), ready="Unknown", unschedulable=True)
    seen["status"]["addresses"] = [
        {"type": "Hostname", "address": "worker-0.example.com"},
        {"type": "InternalIP", "address": "10.0.0.7"},
        {"type": "InternalIP", "address": "fd00::7"},
    ]
    seen["status"]["nodeInfo"]["kubeletVersion"] = "v1.33.0"
    said = node_variables(seen, "layered", EXPECTED, "machine-config-daemon-x")
    assert said["image_mode_address"] == "10.0.0.7"
    assert (said["image_mode_ready"], said["image_mode_schedulable"]) == (False, False)
    assert said["image_mode_roles"] == ["layered", "worker"]
    assert said["image_mode_kubelet_version"] == "v1.33.0"
    assert said["image_mode_expected"] == {
        "pull_spec": image_of("a"),
        "digest": digest_of("a"),
        "source": "machineosconfig",
        "current": True,
    }
    assert said["image_mode_daemon_pod"] == {
        "namespace": "openshift-machine-config-operator",
        "name": "machine-config-daemon-x",
        "container": "machine-config-daemon",
    }


@pytest.mark.parametrize(
    ("addresses", "address"),
    [
        ([], None),
        ([{"type": "Hostname", "address": "h"}], "h"),
        ([{"type": "ExternalIP", "address": "1.2.3.4"}, {"type": "InternalDNS", "address": "d"}], "d"),
        ([{"type": "InternalIP", "address": ""}, {"type": "Hostname", "address": "h"}], "h"),
    ],
)
def test_without_an_internal_address_the_next_best_is_taken(addresses, address):
    seen = node()
    seen["status"]["addresses"] = addresses
    assert node_variables(seen, "", None, None)["image_mode_address"] == address


def test_the_name_of_a_host_carries_its_cluster_when_asked():
    (plain,) = named_hosts([reading()], with_cluster=False, cached=False)
    (carrying,) = named_hosts([reading()], with_cluster=True, cached=True)
    assert (plain.name, carrying.name) == ("worker-0", "worker-0.prod")
    assert carrying.variables["image_mode_node"] == "worker-0"
    assert carrying.variables["image_mode_cluster"]["api_url"] == "https://api.prod:6443"
    assert (plain.variables["image_mode_cached"], carrying.variables["image_mode_cached"]) == (False, True)


def test_host_knows_how_many_nodes_its_pool_has_in_its_cluster():
    one, two = reading("a", "worker-0", "worker-1", "infra-0", "alone"), reading("b", "worker-0")
    one["nodes"][2]["image_mode_pool"], one["nodes"][3]["image_mode_pool"] = "infra", ""
    hosts = {host.name: host.variables for host in named_hosts([one, two], with_cluster=True, cached=False)}
    assert {name: known["image_mode_pool_size"] for name, known in hosts.items()} == {
        "worker-0.a": 2,
        "worker-1.a": 2,
        "infra-0.a": 1,
        "alone.a": None,
        "worker-0.b": 1,
    }


@pytest.mark.parametrize(
    ("readings", "with_cluster", "reason"),
    [
        ([reading("a"), reading("b")], False, "two nodes would be the host worker-0. Leave cluster_in_names out"),
        (
            [reading("b.c", "a"), reading("c", "a.b")],
            True,
            "two nodes would be the host a.b.c. Give the clusters names",
        ),
        ([reading("a", "one"), reading("a", "two")], True, "two clusters are called a. Give each"),
    ],
)
def test_two_nodes_are_never_one_host(readings, with_cluster, reason):
    with pytest.raises(ValueError, match=reason):
        named_hosts(readings, with_cluster, cached=False)


# Names and texts that a cluster supplies ----------------------------------------------------------------------------

HOSTILE = [
    "x{{ lookup('pipe', 'id') }}",
    "../../x",
    "a/b",
    "-oProxyCommand=id",
    "a\n",
    "A",
    "a_b",
    ".",
    "",
    "a..b",
    "\u202ea",
]
TOO_LONG = "a" * 254


def problem(found: dict[str, t.Any], with_cluster: bool = False, taken: Taken | None = None) -> str:
    bad = bad_name(found, with_cluster, taken or Taken())
    return f"{bad.reason}. {bad.remedy}." if bad else ""


@pytest.mark.parametrize("name", ["worker-0", "ip-10-0-1-7.eu-west-1.compute.internal", "10.0.0.7", "0", "a" * 253])
def test_names_that_the_api_server_accepts_are_accepted(name):
    assert problem(reading("prod", name)) == ""


@pytest.mark.parametrize("name", [*HOSTILE, TOO_LONG])
def test_a_node_name_that_the_api_server_would_not_accept_is_refused(name):
    found = problem(reading("prod", "worker-0", name))
    assert "has a name that is no DNS-1123 subdomain" in found
    assert found.isprintable()
    assert len(found) < 300


@pytest.mark.parametrize("name", HOSTILE[:-1])
def test_the_names_of_pools_and_pods_are_held_to_the_same_rule(name):
    pool, pod = reading(), reading()
    pool["nodes"][0]["image_mode_pool"] = name
    pod["nodes"][0]["image_mode_daemon_pod"] = {"name": name}
    assert problem(pool).startswith("MachineConfigPool ") or not name
    assert problem(pod).startswith("Pod ")


@pytest.mark.parametrize("name", sorted(RESERVED - {"::1"}))
def test_a_node_does_not_take_a_name_that_ansible_reserves_unless_its_cluster_follows(name):
    assert "reserved by Ansible. Set cluster_in_names" in problem(reading("prod", name))
    assert problem(reading("prod", name), with_cluster=True) == ""


def test_a_node_does_not_take_the_name_of_a_group():
    taken = Taken(groups={"webservers"})
    assert "name of a group" in problem(reading("prod", "webservers"), taken=taken)
    assert problem(reading("prod", "webservers"), with_cluster=True, taken=taken) == ""


def test_a_node_does_not_take_the_name_of_a_host_of_another_source():
    assert "another inventory source" in problem(reading("prod", "db"), taken=Taken(hosts={"db": ""}))
    assert "another inventory source" in problem(reading("prod", "db"), taken=Taken(hosts={"db": "https://api.b:6443"}))
    assert problem(reading("prod", "db"), taken=Taken(hosts={"db": "https://api.prod:6443"})) == ""


@pytest.mark.parametrize("name", ["", "-a", "a/b", "a" * 254, "{{ 1 }}"])
def test_a_cluster_with_a_name_that_no_host_can_carry_is_refused_where_hosts_carry_it(name):
    assert "cannot be part of a host name" in problem(reading(name), with_cluster=True)


def test_the_name_that_a_cluster_gives_itself_is_short_and_harmless():
    name = own_name(the_cluster({}), {"api_url": "https://a", "name": "../../{{ x }}" + "y" * 1_000_000})
    assert name.startswith("x-y")
    assert len(name) <= 63


@given(st.text())
@example("localhost")
@example("worker-0\n")
def test_only_a_dns_subdomain_becomes_a_host(name):
    accepted = not problem(reading("prod", name) | {"nodes": [{**reading()["nodes"][0], "image_mode_node": name}]})
    assert accepted == (is_dns_subdomain(name) and name not in RESERVED)
    if accepted:
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-")


@pytest.mark.parametrize("name", ["localhost", "all", "ungrouped", "worker", "a" * 254])
def test_no_group_takes_a_reserved_name_or_that_of_a_host(name):
    assert not is_group_name(name, {"worker"})
    assert is_group_name("role_worker", {"worker"})


@pytest.mark.parametrize(
    "address", ["-oProxyCommand=id", "a b", "{{ 1 }}", "fe80::1%$(id)", "a/b", "\x1b[2J", 7, None, "x" * 254, "\u212a"]
)
def test_what_a_program_could_take_for_an_option_is_no_address(address):
    seen = node()
    seen["status"]["addresses"] = [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": "h"}]
    assert node_variables(seen, "", None, None)["image_mode_address"] == "h"


@pytest.mark.parametrize("address", ["10.0.0.7", "fd00::7", "worker-0.example.com", "Worker-0"])
def test_ip_addresses_and_host_names_are_addresses(address):
    seen = node()
    seen["status"]["addresses"] = [{"type": "InternalIP", "address": address}]
    assert node_variables(seen, "", None, None)["image_mode_address"] == address


@given(st.text(st.characters(exclude_categories=[])))
@example("\x1b]0;owned\x07\u202e\u2066\x9b\ud800")
def test_no_variable_of_a_host_has_a_character_that_cannot_be_printed(text):
    hostile = reading()
    hostile["cluster"].update(id=text, version=text)
    hostile["nodes"][0].update(image_mode_os_image=text, image_mode_labels={text: text}, image_mode_roles=[text])
    (host,) = named_hosts([hostile], with_cluster=False, cached=True)
    shown = json.dumps(host.variables, ensure_ascii=False).replace("\\n", "").replace("\\t", "")
    assert shown.isprintable()


# What is remembered --------------------------------------------------------------------------------------------------

TOKEN = ClusterRequest("prod", {"host": "https://one", "api_key": "secret-1", "password": "secret-2"})
WHOLE = ClusterRequest(
    "prod", {"kubeconfig": {"users": [{"token": "secret-3"}]}, "proxy_headers": {"basic_auth": "secret"}}
)


@pytest.mark.parametrize("requested", [TOKEN, WHOLE])
def test_no_credential_is_remembered(requested):
    remembered = json.loads(json.dumps(to_cache([reading()], [requested], [True, False])))
    assert "secret" not in json.dumps(remembered)
    assert from_cache(remembered, [requested], [True, False]) == [reading()]


@pytest.mark.parametrize(
    ("requested", "rest"),
    [
        ([TOKEN, TOKEN], [True, False]),
        ([ClusterRequest("stage", TOKEN.options)], [True, False]),
        ([ClusterRequest("prod", {"host": "https://two"})], [True, False]),
        ([TOKEN], [True, True]),
    ],
    ids=["another cluster beside it", "another name", "another address", "something else read"],
)
def test_cache_of_another_request_is_not_read(requested, rest):
    remembered = to_cache([reading()], [TOKEN], [True, False])
    assert from_cache(remembered, requested, rest) is None


@pytest.mark.parametrize("remembered", [None, [], "text", {}, {"format": 99, "requested": [], "clusters": []}])
def test_what_another_release_has_written_is_not_read(remembered):
    assert from_cache(remembered, [TOKEN], []) is None
