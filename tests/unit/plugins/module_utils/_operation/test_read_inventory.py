# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.inventory import ClusterRequest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation import read_inventory
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.read_inventory import (
    Wanted,
    read_clusters,
    read_nodes,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    all_pools,
    cluster_version,
    daemon_pod,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, forbidden

ASKED = ClusterRequest("prod", {})


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    """A layered pool with its image, workers beside it, and a node that two custom pools select."""
    api.keep(MACHINE_CONFIG_POOL, *all_pools(), machine_config_pool("infra-gpu", rendered="rendered-infra"))
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool("worker", rendered="rendered-worker"))
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"), machine_os_build("other-b", config="o", pool="o"))
    api.keep(MACHINE_CONFIG, {"metadata": {"name": "rendered-worker"}, "spec": {"osImageURL": image_of("b")}})
    api.keep(NODE, node("worker-0"), node("worker-1", roles=["worker"]))
    api.keep(NODE, node("worker-2", roles=["worker", "layered", "infra-gpu"]))
    api.keep(POD, daemon_pod("worker-0"), daemon_pod("worker-1", ready=False))
    api.keep(CLUSTER_VERSION, cluster_version())
    return api


def said(read: dict[str, t.Any], variable: str) -> dict[str, t.Any]:
    return {n["image_mode_node"]: n[f"image_mode_{variable}"] for n in read["nodes"]}


def test_nodes_have_the_pool_that_drives_them_and_what_it_expects(cluster, session):
    read = read_nodes(session, ASKED, Wanted())
    assert said(read, "pool") == {"worker-0": "layered", "worker-1": "worker", "worker-2": ""}
    expected = said(read, "expected")
    assert {name: (e["pull_spec"], e["source"], e["current"]) for name, e in expected.items()} == {
        "worker-0": (image_of("a"), "machineosconfig", True),
        "worker-1": (image_of("b"), "machineconfig", True),
        "worker-2": (None, "none", False),
    }
    assert read["name"] == "prod"
    assert read["cluster"]["id"] == "11111111-2222-3333-4444-555555555555"


def test_every_kind_is_listed_once_however_many_pools_there_are(cluster, session):
    read_nodes(session, ASKED, Wanted(daemon_pods=True))
    lists = [r for r in cluster.said if r.endswith("s")]
    assert len(lists) == len(set(lists)) == 5
    assert [r for r in cluster.said if "/machineconfigs/" in r] == [
        "GET /apis/machineconfiguration.openshift.io/v1/machineconfigs/rendered-worker"
    ]


def test_an_edit_that_is_not_built_yet_is_no_expectation(cluster, session):
    edited = machine_os_config(
        build="layered-a", image=image_of("a"), generation=2, observed_generation=1, edits=[("oc", "9999")]
    )
    cluster.keep(MACHINE_OS_CONFIG, edited)
    assert said(read_nodes(session, ASKED, Wanted()), "expected")["worker-0"]["current"] is False


@pytest.mark.parametrize(("rendered", "image"), [("", None), ("rendered-tag", "quay.io/os:t")])
def test_a_pool_that_expects_nothing_provable_does_not_break_the_inventory(rendered, image, cluster, session):
    cluster.keep(MACHINE_CONFIG, {"metadata": {"name": "rendered-tag"}, "spec": {"osImageURL": "quay.io/os:t"}})
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool("worker", rendered=rendered))
    expected = said(read_nodes(session, ASKED, Wanted()), "expected")["worker-1"]
    assert (expected["pull_spec"], expected["digest"]) == (image, None)


def test_only_pods_in_which_a_command_runs_are_named(cluster, session):
    pods = said(read_nodes(session, ASKED, Wanted(daemon_pods=True)), "daemon_pod")
    assert pods["worker-0"]["name"] == "machine-config-daemon-worker-0"
    assert (pods["worker-1"], pods["worker-2"]) == (None, None)


def test_without_the_right_on_machineconfigs_the_other_pools_are_read_all_the_same(cluster, session):
    cluster.always_fail("/machineconfigs/", forbidden("machineconfigs"))
    expected = said(read_nodes(session, ASKED, Wanted()), "expected")
    assert expected["worker-0"]["digest"] is not None
    assert expected["worker-1"] == {"pull_spec": None, "digest": None, "source": "forbidden", "current": False}


def test_without_expectations_nodes_and_pools_are_enough(cluster, session):
    for plural in ("machineosconfigs", "machineosbuilds", "machineconfigs/", "pods"):
        cluster.always_fail(plural, forbidden(plural))
    read = read_nodes(session, ASKED, Wanted(expected_images=False))
    assert said(read, "expected") == {"worker-0": None, "worker-1": None, "worker-2": None}


def test_where_image_mode_is_not_served_that_is_said(cluster, session):
    cluster.not_served.add("machineosconfigs")
    with pytest.raises(OperationError, match=r"does not serve machineosconfigs\..*Image mode needs OpenShift"):
        read_nodes(session, ASKED, Wanted())


def test_a_cluster_that_cannot_be_read_is_named_and_the_others_are_read(cluster, tmp_path):
    reached = {"host": cluster.url, "api_key": "sha256~token"}
    requested = [
        ClusterRequest("one", reached),
        ClusterRequest("gone", {"kubeconfig": str(tmp_path / "none")}),
        ClusterRequest("two", reached),
    ]
    one, gone, two = read_clusters(requested, Wanted(), {})
    assert (one["name"], two["name"]) == ("one", "two")
    assert str(gone).startswith("Could not read cluster gone: could not read kubeconfig")
    assert "\n" not in str(gone)


def test_what_nobody_has_foreseen_is_one_line_without_its_text(cluster, monkeypatch):
    def breaks(*dummy: t.Any) -> t.NoReturn:
        raise RuntimeError("token sha256~secret")

    module = "ansible_collections.imagemode.openshift.plugins.module_utils._operation.read_inventory.read_cluster"
    monkeypatch.setattr(module, breaks)
    (failed,) = read_clusters([ClusterRequest("one", {"host": cluster.url, "api_key": "k"})], Wanted(), {})
    assert isinstance(failed, OperationError)
    assert "secret" not in str(failed)
    assert "RuntimeError" in str(failed)


def test_cluster_that_cannot_be_reached_at_first_is_reported():
    lines: list[str] = []
    requested = ClusterRequest("one", {"host": "https://127.0.0.1:1", "api_key": "k"})
    session = read_inventory._opened(requested, {}, lines.append)
    session.patience = 0
    with pytest.raises(OperationError):
        read_inventory.read_nodes(session, requested, Wanted())
    assert len(lines) == 1
    assert lines[0].startswith("Could not reach https://127.0.0.1:1: Connection refused; retrying for ")


def test_traceback_of_an_unexpected_exception_stays_with_the_error_of_the_cluster(cluster, monkeypatch):
    def fail(dummy: t.Any) -> t.NoReturn:
        raise ValueError("x")

    monkeypatch.setattr(read_inventory, "read_cluster", fail)
    (failed,) = read_clusters([ClusterRequest("one", {"host": cluster.url, "api_key": "k"})], Wanted(), {})
    assert "ValueError: x" in failed.traceback


def test_config_without_its_pool_is_reported(cluster, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config("gone", pool="gone"))
    reports: list[str] = []
    read_nodes(session, ASKED, Wanted(), reports.append)
    (report,) = reports
    assert "MachineConfigPool gone of MachineOSConfig gone does not exist" in report
    assert "(cluster.orphaned_machineosconfig). Delete the MachineOSConfig" in report
