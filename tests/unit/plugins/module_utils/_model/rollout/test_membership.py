# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.membership import (
    CannotMove,
    Move,
    plan_moves,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_config_pool, node

ROLE = "node-role.kubernetes.io/"
LAYERED = Pool.from_api(machine_config_pool("layered"))
POOLS = [LAYERED, *(Pool.from_api(machine_config_pool(name)) for name in ("worker", "master", "gpu"))]


def plan(pool: Pool, *nodes: dict, joining: bool = True) -> list[Move]:
    return plan_moves(pool, [pool, *(p for p in POOLS if p.name != pool.name)], nodes, joining)


def test_worker_joins_by_the_label_of_the_pool_selector():
    (move,) = plan(LAYERED, node("worker-0", roles=["worker"]))
    assert move == Move("worker-0", {ROLE + "layered": None}, {ROLE + "layered": ""})
    assert move.after == {ROLE + "layered": ""}


def test_node_in_the_pool_needs_no_change():
    assert [m.patch for m in plan(LAYERED, node("worker-0"))] == [{}]


def test_node_joins_by_the_missing_labels_of_the_selector():
    pool = Pool.from_api(machine_config_pool("edge", match_labels={"zone": "a", "edge": "yes"}))
    (move,) = plan(pool, node(roles=["worker"], labels={"zone": "a", "edge": "no"}))
    assert move.patch == {"edge": "yes"}
    assert move.before == {"zone": "a", "edge": "no"}


def test_node_leaves_by_removing_the_label():
    (move,) = plan(LAYERED, node("worker-0"), joining=False)
    assert move.patch == {ROLE + "layered": None}
    assert move.after == {ROLE + "layered": None}


def test_node_outside_the_pool_leaves_without_a_change():
    assert [m.patch for m in plan(LAYERED, node(roles=["worker"]), joining=False)] == [{}]


def test_label_with_another_value_is_not_removed():
    assert [m.patch for m in plan(LAYERED, node(roles=[], labels={ROLE + "layered": "no"}), joining=False)] == [{}]


def test_leaving_node_keeps_the_role_that_its_built_in_pool_selects():
    pool = Pool.from_api(machine_config_pool("edge", match_labels={ROLE + "worker": "", "edge": "yes"}))
    (move,) = plan(pool, node(roles=["worker"], labels={"edge": "yes"}), joining=False)
    assert move.patch == {"edge": None}


def test_node_cannot_leave_a_pool_that_selects_all_workers():
    pool = Pool.from_api(machine_config_pool("all", match_labels={ROLE + "worker": ""}))
    with pytest.raises(CannotMove, match="worker-0") as error:
        plan(pool, node(roles=["worker"]), joining=False)
    assert error.value.remedy


@pytest.mark.parametrize("joining", [True, False])
def test_selector_with_expressions_is_not_supported(joining):
    pool = Pool.from_api(machine_config_pool(match_expressions=[{"key": "zone", "operator": "Exists"}]))
    with pytest.raises(CannotMove, match="selector has expressions"):
        plan(pool, node(roles=["worker"]), joining=joining)


@pytest.mark.parametrize("role", ["master", "control-plane"])
def test_control_plane_node_cannot_join(role):
    with pytest.raises(CannotMove, match="Node master-0 is a control-plane node"):
        plan(LAYERED, node("master-0", roles=[role, "worker"]))


def test_node_of_another_custom_pool_cannot_join():
    with pytest.raises(CannotMove, match="Node worker-0 is in MachineConfigPool gpu") as error:
        plan(LAYERED, node("worker-0", roles=["worker", "gpu"]))
    assert "other pool" in error.value.remedy


def test_windows_node_cannot_join():
    with pytest.raises(CannotMove, match=r"Node win-0 would still be in MachineConfigPool \(none\)"):
        plan(LAYERED, node("win-0", roles=["worker"], labels={"kubernetes.io/os": "windows"}))


def test_one_node_that_cannot_move_stops_the_plan_for_all_nodes():
    with pytest.raises(CannotMove):
        plan(LAYERED, node("worker-0", roles=["worker"]), node("worker-1", roles=["worker", "gpu"]))


def test_node_in_three_custom_pools_can_leave_one():
    pools = [*POOLS, Pool.from_api(machine_config_pool("edge"))]
    (move,) = plan_moves(LAYERED, pools, [node(roles=["worker", "layered", "gpu", "edge"])], joining=False)
    assert move.patch == {ROLE + "layered": None}


def test_node_that_would_be_in_no_pool_cannot_leave():
    with pytest.raises(CannotMove, match="Node worker-0 would be in no pool") as error:
        plan(LAYERED, node("worker-0", roles=["layered"]), joining=False)
    assert error.value.remedy == "Label it node-role.kubernetes.io/worker first"
