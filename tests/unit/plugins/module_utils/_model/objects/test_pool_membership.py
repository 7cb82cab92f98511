# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.pool_membership import (
    membership_of,
    nodes_in_pool,
    nodes_in_two_pools,
    nodes_that_change_pool,
    pool_of,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_config_pool, node

ROLE = "node-role.kubernetes.io/"
POOLS = [Pool.from_api(machine_config_pool(name)) for name in ("master", "worker", "layered", "gpu", "arbiter")]


def roles(*names: str) -> dict[str, str]:
    return {ROLE + name: "" for name in names}


@pytest.mark.parametrize(
    ("labels", "pool"),
    [
        (roles("worker"), "worker"),
        (roles("worker", "layered"), "layered"),
        (roles("master"), "master"),
        (roles("master", "worker"), "master"),
        (roles("master", "layered"), "master"),
        (roles("master", "layered", "gpu"), "master"),
        (roles("layered"), "layered"),
        (roles("arbiter"), "arbiter"),
        ({}, ""),
        (roles("unknown"), ""),
        ({**roles("worker", "layered"), "kubernetes.io/os": "windows"}, ""),
        ({**roles("worker"), "kubernetes.io/os": "linux"}, "worker"),
    ],
)
def test_pool_of_a_node_follows_the_operator(labels, pool):
    assert pool_of(labels, POOLS) == pool


@pytest.mark.parametrize(
    ("labels", "conflict"),
    [(roles("worker", "layered", "gpu"), ("gpu", "layered")), (roles("layered", "arbiter"), ("arbiter", "layered"))],
)
def test_node_in_two_custom_pools_belongs_to_neither(labels, conflict):
    assert membership_of(labels, POOLS).conflict == conflict
    assert pool_of(labels, POOLS) == ""
    stuck = {"metadata": {"name": "stuck", "labels": labels}}
    assert not any(nodes_in_pool(pool.name, [stuck], POOLS) for pool in POOLS)
    assert [pool.name for pool in POOLS if nodes_in_two_pools(pool, [stuck, node()], POOLS) == ["stuck"]] == [
        pool.name for pool in POOLS if pool.name in conflict
    ]


def test_nodes_in_a_pool_are_sorted_by_name():
    nodes = [node("b"), node("a"), node("plain", roles=["worker"]), node("master-0", roles=["master"])]
    assert [n["metadata"]["name"] for n in nodes_in_pool("layered", nodes, POOLS)] == ["a", "b"]
    assert [n["metadata"]["name"] for n in nodes_in_pool("worker", nodes, POOLS)] == ["plain"]


def test_nodes_change_pool_with_the_selector_of_their_pool():
    layered = POOLS[2]
    moved = Pool.from_api(machine_config_pool("layered", match_labels={ROLE + "worker": ""}))
    nodes = [node("b"), node("a", roles=["worker"]), node("c", roles=["worker", "gpu"]), node("m", roles=["master"])]
    assert nodes_that_change_pool(layered, nodes, POOLS) == []
    assert nodes_that_change_pool(moved, nodes, POOLS) == ["a", "c"]
