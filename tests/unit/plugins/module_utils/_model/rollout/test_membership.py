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


def test_a_worker_joins_by_the_label_of_the_pools_selector():
    (move,) = plan(LAYERED, node("worker-0", roles=["worker"]))
    assert move == Move("worker-0", {ROLE + "layered": None}, {ROLE + "layered": ""})
    assert move.after == {ROLE + "layered": ""}


def test_a_member_has_nothing_to_be_written():
    assert [m.patch for m in plan(LAYERED, node("worker-0"))] == [{}]


def test_a_node_joins_by_all_labels_of_a_selector_that_it_lacks():
    pool = Pool.from_api(machine_config_pool("edge", match_labels={"zone": "a", "edge": "yes"}))
    (move,) = plan(pool, node(roles=["worker"], labels={"zone": "a", "edge": "no"}))
    assert move.patch == {"edge": "yes"}
    assert move.before == {"zone": "a", "edge": "no"}


def test_a_member_leaves_by_losing_the_label():
    (move,) = plan(LAYERED, node("worker-0"), joining=False)
    assert move.patch == {ROLE + "layered": None}
    assert move.after == {ROLE + "layered": None}


def test_a_node_that_never_joined_leaves_without_a_write():
    assert [m.patch for m in plan(LAYERED, node(roles=["worker"]), joining=False)] == [{}]


def test_another_value_of_the_label_is_not_ours_to_remove():
    assert [m.patch for m in plan(LAYERED, node(roles=[], labels={ROLE + "layered": "no"}), joining=False)] == [{}]


def test_a_leaving_node_keeps_the_role_that_its_built_in_pool_selects():
    pool = Pool.from_api(machine_config_pool("edge", match_labels={ROLE + "worker": "", "edge": "yes"}))
    (move,) = plan(pool, node(roles=["worker"], labels={"edge": "yes"}), joining=False)
    assert move.patch == {"edge": None}


def test_a_node_cannot_leave_a_pool_that_selects_all_workers():
    pool = Pool.from_api(machine_config_pool("all", match_labels={ROLE + "worker": ""}))
    with pytest.raises(CannotMove, match="worker-0") as refused:
        plan(pool, node(roles=["worker"]), joining=False)
    assert refused.value.remedy


@pytest.mark.parametrize("joining", [True, False])
def test_a_selector_that_is_not_one_of_plain_labels_is_not_guessed_at(joining):
    pool = Pool.from_api(machine_config_pool(match_expressions=[{"key": "zone", "operator": "Exists"}]))
    with pytest.raises(CannotMove, match="plain labels"):
        plan(pool, node(roles=["worker"]), joining=joining)


@pytest.mark.parametrize("role", ["master", "control-plane"])
def test_a_node_of_the_control_plane_would_not_move(role):
    with pytest.raises(CannotMove, match="Node master-0 is of the control plane"):
        plan(LAYERED, node("master-0", roles=[role, "worker"]))


def test_a_node_of_another_custom_pool_would_be_stuck():
    with pytest.raises(CannotMove, match="Node worker-0 is in MachineConfigPool gpu") as refused:
        plan(LAYERED, node("worker-0", roles=["worker", "gpu"]))
    assert "other pool" in refused.value.remedy


def test_a_windows_node_would_not_move():
    with pytest.raises(CannotMove, match=r"Node win-0 would be in MachineConfigPool \(none\)"):
        plan(LAYERED, node("win-0", roles=["worker"], labels={"kubernetes.io/os": "windows"}))


def test_one_node_that_cannot_move_stops_the_plan_for_all():
    with pytest.raises(CannotMove):
        plan(LAYERED, node("worker-0", roles=["worker"]), node("worker-1", roles=["worker", "gpu"]))
