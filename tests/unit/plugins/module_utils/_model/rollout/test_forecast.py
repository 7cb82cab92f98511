# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import build_progress
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.budget import PodDisruptionBudget
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.pod import Pod
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.drain_blockers import DrainSnapshot
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.forecast import (
    ZONE_LABEL,
    PoolNode,
    RolloutForecast,
    RolloutInputs,
    forecast_rollout,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.forecast_build import (
    BuildForecast,
    ExpectedBuild,
    forecast_build,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.forecast_text import (
    forecast_lines,
    nothing_happens,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import Target
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
    RENDERED,
    budget,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
    pod,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of
from hypothesis import given
from hypothesis import strategies as st

MORNING = "2026-03-01T08:00:00Z"
NOW = 1_772_400_000.0
OLD_IMAGE = Target(RENDERED, image_of("a"))
NEW_IMAGE = None
BUILT = BuildForecast(ExpectedBuild.NONE, "no build would start: build layered-a has succeeded", "layered-a")


def pool(name: str = "layered", **spec: t.Any) -> Pool:
    return Pool.from_api(machine_config_pool(name, **spec))


def member(name: str, created: str = NOON, zone: str | None = None, **more: t.Any) -> PoolNode:
    """Return a node that is done with the old image."""
    served = node_with_image("a", name, labels={} if zone is None else {ZONE_LABEL: zone}, **more)
    served["metadata"]["creationTimestamp"] = created
    return PoolNode.from_api(served)


def members(count: int) -> list[PoolNode]:
    return [member(f"worker-{number:04}") for number in range(count)]


def forecast(nodes: t.Sequence[PoolNode], limit: t.Any = None, **more: t.Any) -> RolloutForecast:
    spec = {} if limit is None else {"maxUnavailable": limit}
    inputs = {"pool": pool(**spec), "nodes": nodes, "target": NEW_IMAGE, **more}
    return forecast_rollout(RolloutInputs(**inputs), NOW)


def ids(found: RolloutForecast) -> list[str]:
    return ids_of(found.findings)


def test_nodes_start_by_zone_then_by_age_and_without_a_zone_last():
    nodes = [
        member("a", MORNING),
        member("b", LATER, zone="west"),
        member("c", NOON, zone="west"),
        member("d", LATER, zone="east"),
        member("e", NOON, zone=""),
        member("f", NOON),
    ]
    assert forecast(nodes).order == ("e", "d", "c", "b", "a", "f")


def test_nodes_of_one_age_are_sorted_by_name_whatever_the_order_of_the_list():
    assert forecast([member("b"), member("c"), member("a")]).order == ("a", "b", "c")


def test_operator_node_of_the_control_plane_is_the_last_one():
    masters = [member(name) for name in ("master-0", "master-1", "master-2")]
    found = forecast(masters, pool=pool("master"), operator_node="master-0")
    assert found.order == ("master-1", "master-2", "master-0")
    assert forecast(masters, operator_node="master-0").order[0] == "master-0"


@pytest.mark.parametrize(
    ("limit", "sizes"),
    [
        (None, [1, 1, 1, 1, 1]),
        (2, [2, 2, 1]),
        ("40%", [2, 2, 1]),
        ("50%", [2, 2, 1]),
        ("1%", [1, 1, 1, 1, 1]),
        ("100%", [5]),
        (9, [5]),
        (0, [1, 1, 1, 1, 1]),
        ("lots", [1, 1, 1, 1, 1]),
    ],
)
def test_batches_follow_max_unavailable(limit, sizes):
    found = forecast(members(5), limit)
    assert [len(batch) for batch in found.batches] == sizes
    assert found.total == 5
    assert found.findings == ()


def test_nodes_that_have_the_image_do_not_reboot():
    assert forecast([member("a"), member("b")], target=OLD_IMAGE) == RolloutForecast()


def test_only_nodes_that_wait_for_the_image_reboot():
    joining = PoolNode.from_api(node("b"))
    found = forecast([member("a"), joining], target=OLD_IMAGE)
    assert (found.order, found.at_once) == (("b",), 1)


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ({"ready": "False"}, "not Ready"),
        ({"unschedulable": True}, "cordoned"),
    ],
)
def test_node_that_is_no_candidate_follows_later_and_uses_capacity(state, why):
    nodes = [member("a", **state), member("b"), member("c")]
    found = forecast(nodes, 2)
    assert (found.order, dict(found.later), found.at_once) == (("b", "c"), {"a": why}, 1)
    blocked = forecast(nodes)
    assert blocked.at_once == 0
    assert ids(blocked) == [FindingId.POOL_MAX_UNAVAILABLE_REACHED]
    assert f"maxUnavailable (1) is used up by a {why}" in blocked.findings[0].message


def in_state(name: str, state: str) -> PoolNode:
    notes = {"state": state, "currentImage": image_of("a"), "desiredImage": image_of("b")}
    return PoolNode.from_api(node(name, annotations=notes))


def test_node_that_is_being_updated_reboots_again_for_a_new_image():
    found = forecast([in_state("a", "Working"), member("b")], 2)
    assert (found.order, dict(found.later), found.at_once) == (("b",), {"a": "is being updated"}, 1)


def test_node_that_is_being_updated_to_the_image_has_started():
    found = forecast([in_state("a", "Working"), member("b")], target=Target(RENDERED, image_of("b")))
    assert (found.order, dict(found.later), found.at_once) == (("b",), {}, 0)
    assert ids(found) == [FindingId.POOL_MAX_UNAVAILABLE_REACHED]


def test_degraded_node_is_a_candidate_for_another_image_and_uses_capacity_of_its_own():
    assert forecast([in_state("a", "Degraded"), member("b")]).order == ("a", "b")
    stuck = forecast([in_state("a", "Degraded"), member("b")], target=Target(RENDERED, image_of("b")))
    assert (stuck.order, stuck.at_once) == (("b",), 0)
    assert "used up by a degraded" in stuck.findings[0].message


def drains(*parts: dict) -> DrainSnapshot:
    pods = [Pod.from_api(part) for part in parts if part["kind"] == "Pod"]
    return DrainSnapshot(pods, [PodDisruptionBudget.from_api(p) for p in parts if p["kind"] != "Pod"])


def test_budget_that_blocks_a_drain_now_is_named_for_each_of_its_nodes():
    blocked = drains(pod("db-0", node="a"), pod("db-1", node="b"), pod("db-2", node="outside"), budget())
    found = forecast([member("a"), member("b"), member("c")], drains=blocked)
    assert ids(found) == [FindingId.NODE_DRAIN_BLOCKED] * 2
    assert "PodDisruptionBudget shop/db does not currently allow the eviction" in found.findings[0].message


def test_budget_of_a_node_that_does_not_reboot_is_no_part_of_the_forecast():
    blocked = drains(pod("db-0", node="a"), budget())
    assert forecast([member("a"), PoolNode.from_api(node("b"))], target=OLD_IMAGE, drains=blocked).findings == ()


def test_only_node_of_a_cluster_does_not_drain():
    blocked = drains(pod("db-0", node="a"), budget())
    assert forecast([member("a")], drains=blocked, drained=False).findings == ()


@given(st.integers(0, 60), st.sampled_from([1, 2, 7, "10%", "100%"]))
def test_every_node_is_in_one_batch_that_is_not_too_large(count, limit):
    found = forecast(members(count), limit)
    assert [name for batch in found.batches for name in batch] == list(found.order)
    assert len(found.order) == count
    assert all(len(batch) <= pool(maxUnavailable=limit).most_unavailable(count) for batch in found.batches)


# The build


def build(config: dict, *builds: dict, changed: str = "") -> BuildForecast:
    read = [MachineOSBuild.from_api(b) for b in builds]
    progress = None if changed else build_progress(MachineOSConfig.from_api(config), read, RENDERED)
    return forecast_build(changed, progress, read)


def test_changed_spec_starts_a_build_and_names_no_older_one_as_its_result():
    found = build(machine_os_config(build="layered-a"), machine_os_build("layered-a"), changed="changed")
    assert (found.expected, found.build) == (ExpectedBuild.START, "")
    assert found.line == (
        "the MachineOSConfig would be changed, and a build would start, unless the older build layered-a has the same "
        "inputs: the operator would reuse it"
    )
    assert build(machine_os_config(), changed="created").line == (
        "the MachineOSConfig would be created, and a build would start"
    )


@pytest.mark.parametrize(
    ("state", "expected", "line"),
    [
        ("Succeeded", ExpectedBuild.NONE, "no build would start: build layered-a has succeeded"),
        ("Failed", ExpectedBuild.FAILED, "no build would start, and the run would fail: build layered-a: failed"),
        ("Building", ExpectedBuild.RUNNING, "the run would wait for a build: build layered-a: building"),
        ("", ExpectedBuild.RUNNING, "the run would wait for a build: build layered-a: waiting for its Job"),
        ("Interrupted", ExpectedBuild.FAILED, "the run would fail: build layered-a: interrupted"),
    ],
)
def test_unchanged_spec_starts_no_build(state, expected, line):
    image = image_of("a") if state == "Succeeded" else ""
    found = build(machine_os_config(build="layered-a", image=image), machine_os_build("layered-a", state=state))
    assert found.expected is expected
    assert line in found.line
    assert found.build == "layered-a"


def test_seeded_image_is_named_as_seeded():
    seeded = machine_os_build("layered-a")
    seeded["metadata"]["labels"]["machineconfiguration.openshift.io/pre-built-image"] = "true"
    found = build(machine_os_config(build="layered-a", image=image_of("a")), seeded)
    assert found.line == "no build would start: build layered-a was seeded"


# The lines


def test_lines_say_who_reboots_in_which_order():
    found = forecast(members(5), 2)
    assert forecast_lines(BUILT, found, [], found.findings)[1] == (
        "5 nodes would drain and reboot, at most 2 at once: worker-0000, worker-0001; then worker-0002, worker-0003; "
        "then worker-0004"
    )
    assert not nothing_happens(BUILT, found, [])


def test_complete_pool_has_two_lines():
    assert forecast_lines(BUILT, RolloutForecast(), [], []) == [BUILT.line, "no node would reboot"]
    assert nothing_happens(BUILT, RolloutForecast(), [])


def test_nodes_that_are_updated_already_are_named():
    lines = forecast_lines(BUILT, RolloutForecast(), ["a"], [])
    assert lines[1:] == ["1 node is being updated already: a"]
    assert not nothing_happens(BUILT, RolloutForecast(), ["a"])


def test_rollout_that_cannot_start_says_so():
    found = forecast([member("a", unschedulable=True), member("b")])
    assert forecast_lines(BUILT, found, [], found.findings)[1:] == [
        "2 nodes would drain and reboot, but none can start now: b",
        "a would follow when it is a candidate: now it is cordoned",
        "MachineConfigPool layered can start no node: maxUnavailable (1) is used up by a cordoned",
    ]


def test_lines_of_a_large_pool_are_few():
    nodes = [member(f"worker-{number:04}", unschedulable=number % 2 == 0) for number in range(2000)]
    blocked = drains(budget(), *(pod(f"db-{number}", node=f"worker-{number:04}") for number in range(2000)))
    found = forecast(nodes, "60%", drains=blocked)
    lines = forecast_lines(BUILT, found, [], found.findings)
    assert len(found.findings) == 2000
    assert len(lines) < 20
    assert sum(map(len, lines)) < 4000
    assert "992 more nodes that are no candidates now" in lines
    assert "1995 more findings" in lines
