# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.plugin_utils._rollout_plan import RolloutPlan, plan_rollout


def current(paused: bool = False, by_us: bool = False, **phases: str) -> dict[str, t.Any]:
    """Return the result of machineconfigpool_wait in check mode."""
    nodes = [{"name": name, "phase": phase} for name, phase in phases.items()]
    return {"pool": {"paused": paused, "paused_by_us": by_us}, "nodes": nodes}


def plan(state: t.Mapping[str, t.Any], *nodes: str, allow: bool = False, check_mode: bool = False) -> RolloutPlan:
    return plan_rollout("layered", state, nodes, allow, check_mode)


def test_pool_that_does_not_exist_is_an_error():
    with pytest.raises(OperationError, match=r"it does not exist.*image_mode_create_pool"):
        plan({"pool": None})


def test_pool_that_does_not_exist_yet_is_fine_in_check_mode():
    assert plan({"pool": None}, "b", "a", check_mode=True) == RolloutPlan(("a", "b"), unpause=False)


def test_new_nodes_and_nodes_of_the_pool_are_awaited():
    assert plan(current(b="done"), "a") == RolloutPlan(("a", "b"), unpause=False)


def test_pool_without_nodes_has_nothing_to_wait_for():
    assert plan(current(paused=True)).awaited == ()


def test_pool_that_somebody_else_paused_is_never_unpaused():
    with pytest.raises(OperationError, match="it is paused, and not by this collection alone"):
        plan(current(paused=True, a="waiting"), allow=True)


def test_unpausing_requires_consent():
    with pytest.raises(OperationError, match=r"reboots its nodes \(a, b\)\. Set allow_node_reboots=true"):
        plan(current(paused=True, by_us=True, a="done"), "b")


def test_pool_that_this_collection_paused_is_unpaused_with_consent():
    assert plan(current(paused=True, by_us=True, a="waiting"), allow=True).unpause


def test_pause_that_a_killed_run_left_is_removed():
    assert plan(current(paused=True, by_us=True, a="done"), allow=True).unpause
    assert not plan(current(paused=True, by_us=True, a="done")).unpause


def test_paused_pool_whose_nodes_are_done_is_no_error():
    assert plan(current(paused=True, a="done")) == RolloutPlan(("a",), unpause=False)
