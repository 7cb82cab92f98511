# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.host_connection import (
    HostConnection,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.deviation import (
    NOTHING_ALLOWED,
    Allowed,
)
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


def in_pool_of(total: t.Any, answer: HostResult, **variables: t.Any) -> HostResult:
    """Return the answer of a host whose inventory states how many nodes its pool has."""
    return HostResult(answer.host, answer.result, {**answer.known, "image_mode_pool_size": total, **variables})


@pytest.mark.parametrize("total", [3, "3"])
def test_size_of_a_pool_counts_as_a_number_and_as_a_text(total):
    summed = summarize_hosts([in_pool_of(total, host("worker-0"))], NOW)
    assert (summed["verdict"], summed["pool_total"], summed["left_out"]) == ("unknown", 3, 2)


@pytest.mark.parametrize("total", [None, "", "many", [3], True, -1, 1.5, "9" * 5000])
def test_size_of_a_pool_that_is_no_number_is_not_known(total):
    summed = summarize_hosts([in_pool_of(total, host("worker-0"))], NOW)
    assert (summed["pool_total"], summed["left_out"]) == (None, 0)


def test_nodes_of_a_pool_that_are_no_hosts_count_as_unknown():
    """``--limit worker-0`` leaves the others out of the play, and the play proves nothing about them."""
    summed = summarize_hosts([in_pool_of(3, host("worker-0"))], NOW)
    assert [n["verdict"] for n in summed["nodes"]] == ["match"]
    assert (summed["verdict"], summed["pool_total"], summed["left_out"]) == ("unknown", 3, 2)
    assert summed["summary"] == {"total": 3, "match": 1, "mismatch": 0, "unknown": 2}
    (finding,) = summed["findings"]
    assert (finding["id"], finding["object"]["name"]) == ("pool.nodes_left_out", "layered")
    assert finding["message"] == "2 of 3 nodes of MachineConfigPool layered were not verified"


def test_all_hosts_of_a_pool_leave_none_out():
    summed = summarize_hosts([in_pool_of(2, host("worker-0")), in_pool_of(2, host("worker-1"))], NOW)
    assert (summed["verdict"], summed["pool_total"], summed["left_out"], summed["findings"]) == ("match", 2, 0, [])


def test_host_without_a_verdict_is_not_left_out_as_well():
    lost = in_pool_of(2, HostResult("worker-1.prod", {"msg": "unreachable"}, known("worker-1")))
    summed = summarize_hosts([in_pool_of(2, host("worker-0")), lost], NOW)
    assert (summed["summary"]["unknown"], summed["left_out"]) == (1, 0)


def test_two_hosts_that_are_one_node_do_not_cover_two_nodes():
    same = HostResult("alias", answered("worker-0", "a"), {**known("worker-0"), "image_mode_pool_size": 2})
    summed = summarize_hosts([in_pool_of(2, host("worker-0")), same], NOW)
    assert (summed["pool_total"], summed["left_out"], summed["verdict"]) == (2, 1, "unknown")


def test_size_of_a_pool_that_the_inventory_does_not_state_is_none():
    summed = summarize_hosts([host("worker-0"), host("worker-1")], NOW)
    assert (summed["verdict"], summed["pool_total"], summed["left_out"]) == ("match", None, 0)


def test_larger_size_of_a_pool_counts():
    """Two sources of the inventory were read at different times."""
    summed = summarize_hosts([in_pool_of(3, host("worker-0")), in_pool_of(2, host("worker-1"))], NOW)
    assert (summed["pool_total"], summed["left_out"]) == (3, 1)


def test_pools_of_one_name_in_two_clusters_are_counted_apart():
    answers = [
        in_pool_of(2, host("worker-0", of="prod")),
        in_pool_of(2, host("worker-1", of="prod")),
        in_pool_of(4, host("worker-0", of="stage")),
    ]
    summed = summarize_hosts(answers, NOW)
    assert (summed["pool_total"], summed["left_out"], summed["summary"]["total"]) == (6, 3, 6)
    assert [(c["verdict"], c["pool_total"], c["left_out"]) for c in summed["clusters"]] == [
        ("match", 2, 0),
        ("unknown", 4, 3),
    ]


def test_pools_of_one_cluster_are_counted_apart():
    answers = [
        in_pool_of(1, host("worker-0")),
        in_pool_of(2, host("gpu-0"), image_mode_pool="gpu"),
    ]
    summed = summarize_hosts(answers, NOW)
    assert (summed["pool_total"], summed["left_out"]) == (3, 1)
    assert [f["object"]["name"] for f in summed["findings"]] == ["gpu"]


def test_node_in_no_pool_belongs_to_the_count_of_none():
    stray = in_pool_of(None, host("stray"), image_mode_pool="")
    summed = summarize_hosts([in_pool_of(1, host("worker-0")), stray], NOW)
    assert (summed["pool_total"], summed["left_out"], summed["summary"]["total"]) == (1, 0, 2)


def allowing(unused: t.Any, answer: HostResult) -> HostResult:
    """Return the answer of a host on which these entries of allowed_deviations allowed nothing."""
    return HostResult(answer.host, {**answer.result, "unused_allowed_deviations": unused}, answer.known)


@pytest.mark.parametrize(
    ("first", "second", "unused"),
    [
        (["ipsec", "kernel*"], ["kernel*", "ipsec"], ["ipsec", "kernel*"]),
        (["ipsec", "kernel*"], ["ipsec"], ["ipsec"]),
        (["ipsec"], [], []),
        (["ipsec"], None, ["ipsec"]),
        (None, None, None),
        ("ipsec", None, None),
    ],
)
def test_entry_is_unused_if_it_allowed_nothing_on_any_host(first, second, unused):
    summed = summarize_hosts([allowing(first, host("worker-0")), allowing(second, host("worker-1"))], NOW)
    assert (summed["verdict"], summed["unused_allowed_deviations"]) == ("match", unused)
    assert [f["id"] for f in summed["findings"]] == (["cluster.allowed_deviation_unused"] if unused else [])


def test_host_reports_the_entries_that_allowed_nothing_on_it():
    request = HostVerificationRequest(
        name="worker-0",
        pool="layered",
        expected=Expected.of_pull_spec(image_of("a"), "option"),
        allowed=Allowed.of(["usb*", "ipsec"]),
        fail_on=frozenset(),
    )
    stdout = rpm_ostree_status(booted_image("a", packages=["usbguard"]))
    done = verify_host(HostConnection(lambda command: {"rc": 0, "stdout": stdout}, 60, ""), request)
    assert (done["verdict"], done["unused_allowed_deviations"]) == ("match", ["ipsec"])
