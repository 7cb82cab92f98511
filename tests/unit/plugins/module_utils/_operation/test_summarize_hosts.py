# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.host_connection import (
    HostConnection,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.deviation import NOTHING_ALLOWED
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Expected
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.summarize_hosts import (
    HostResult,
    summarize_hosts,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.verify_host import (
    HostVerificationRequest,
    verify_host,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    booted_image,
    image_of,
    rpm_ostree_status,
)

NOW = "2026-03-01T12:00:00Z"


def cluster(name: str) -> dict[str, t.Any]:
    return {"api_url": f"https://api.{name}:6443", "id": f"id-of-{name}", "name": name, "version": "4.20.1"}


def answered(node: str, booted: str, of: str = "prod") -> dict[str, t.Any]:
    request = HostVerificationRequest(
        name=node,
        pool="layered",
        expected=Expected.of_pull_spec(image_of("a"), "option"),
        allowed=NOTHING_ALLOWED,
        fail_on=frozenset(),
        cluster=cluster(of),
    )
    stdout = rpm_ostree_status(booted_image(booted))
    return verify_host(HostConnection(lambda command: {"rc": 0, "stdout": stdout}, 60, ""), request)


def known(node: str, of: str = "prod", pool: str = "layered") -> dict[str, t.Any]:
    return {
        "image_mode_node": node,
        "image_mode_pool": pool,
        "image_mode_cluster": cluster(of),
        "image_mode_expected": {"pull_spec": image_of("a"), "digest": "", "source": "machineosconfig", "current": True},
    }


def host(node: str, booted: str = "a", of: str = "prod") -> HostResult:
    return HostResult(f"{node}.{of}", answered(node, booted, of), known(node, of))


def test_many_answers_have_the_shape_of_one():
    summed = summarize_hosts([host("worker-1", "b"), host("worker-0")], NOW)
    assert {k for k in summed if k != "clusters"} == set(answered("worker-0", "a"))
    assert [(n["name"], n["verdict"]) for n in summed["nodes"]] == [("worker-0", "match"), ("worker-1", "mismatch")]
    assert summed["summary"] == {"total": 2, "match": 1, "mismatch": 1, "unknown": 0}
    assert (summed["verdict"], summed["cluster"]) == ("mismatch", cluster("prod"))
    assert [c["nodes"] for c in summed["clusters"]] == [summed["nodes"]]


def test_a_host_without_a_verdict_is_unknown_and_says_why():
    lost = HostResult(
        "worker-1.prod", {"failed": True, "msg": "kubectl command\nnot found in PATH."}, known("worker-1")
    )
    summed = summarize_hosts([host("worker-0"), lost], NOW)
    assert summed["verdict"] == "unknown"
    unknown = summed["nodes"][1]
    assert (unknown["name"], unknown["verdict"], unknown["pool"]) == ("worker-1", "unknown", "layered")
    assert unknown["expected"]["pull_spec"] == image_of("a")
    (finding,) = unknown["findings"]
    assert finding["id"] == "node.host_failed"
    assert finding["message"].endswith("failed before Node worker-1 was queried: kubectl command not found in PATH")


def test_a_host_of_which_nothing_is_known_is_unknown_too():
    summed = summarize_hosts([HostResult("elsewhere", {}, {})], NOW)
    assert (summed["nodes"][0]["name"], summed["verdict"]) == ("elsewhere", "unknown")
    assert summed["nodes"][0]["expected"]["current"] is False
    assert summed["cluster"]["api_url"] is None


def test_nodes_of_several_clusters_are_told_apart_and_each_cluster_has_its_own_result():
    summed = summarize_hosts([host("worker-0"), host("worker-0", "b", of="stage")], NOW)
    assert [n["name"] for n in summed["nodes"]] == ["worker-0.prod", "worker-0.stage"]
    assert summed["cluster"] == {"api_url": None, "id": None, "name": None, "version": None}
    assert [(c["cluster"]["name"], c["verdict"], c["nodes"][0]["name"]) for c in summed["clusters"]] == [
        ("prod", "match", "worker-0"),
        ("stage", "mismatch", "worker-0"),
    ]


def test_a_cluster_that_lost_all_of_its_hosts_still_has_its_result():
    lost = HostResult("worker-0.stage", {"failed": True, "msg": "no"}, known("worker-0", of="stage"))
    summed = summarize_hosts([host("worker-0"), lost], NOW)
    assert [(c["cluster"]["name"], c["verdict"]) for c in summed["clusters"]] == [
        ("prod", "match"),
        ("stage", "unknown"),
    ]


def test_two_hosts_that_are_one_node_are_told_apart():
    twice = [HostResult(name, answered("worker-0", "a"), known("worker-0")) for name in ("one", "two")]
    assert [n["name"] for n in summarize_hosts(twice, NOW)["nodes"]] == ["one", "two"]
