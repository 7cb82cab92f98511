# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which MachineConfigPool a node belongs to, as the operator decides it.

Only the node selectors of the pools count, not the name of a label. A custom pool takes precedence over ``worker``, and
the control plane over all pools. A node that two custom pools select belongs to no pool.
Source: docs/operator-behavior.md ("Pools and rendering").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .machineconfigpool import CONTROL_PLANE, WORKER, Pool
from .resources import Object, labels_of, metadata_of

OS_LABEL = "kubernetes.io/os"


@dataclass(frozen=True)
class Membership:
    """The pool that a node belongs to."""

    pool: str
    """Name of the pool, or an empty string."""
    conflict: tuple[str, ...] = ()
    """The custom pools that all select the node, sorted. The operator updates such a node for none of them."""


def membership_of(node_labels: t.Mapping[str, str], pools: t.Iterable[Pool]) -> Membership:
    """Return the membership of a node. The operator ignores Windows nodes."""
    if node_labels.get(OS_LABEL) == "windows":
        return Membership("")
    names = [pool.name for pool in pools if pool.selects(node_labels)]
    if CONTROL_PLANE in names:
        return Membership(CONTROL_PLANE)
    custom = sorted(name for name in names if name != WORKER)
    if len(custom) > 1:
        return Membership("", tuple(custom))
    if custom:
        return Membership(custom[0])
    return Membership(WORKER if WORKER in names else "")


def pool_of(node_labels: t.Mapping[str, str], pools: t.Iterable[Pool]) -> str:
    """Return the name of the pool that a node belongs to, or an empty string."""
    return membership_of(node_labels, pools).pool


def nodes_in_pool(pool: str, nodes: t.Iterable[Object], pools: t.Collection[Pool]) -> list[Object]:
    """Return the nodes that belong to a pool, sorted by name."""
    found = [node for node in nodes if pool_of(labels_of(node), pools) == pool]
    return sorted(found, key=_name)


def nodes_in_two_pools(pool: Pool, nodes: t.Iterable[Object], pools: t.Collection[Pool]) -> list[str]:
    """Return the names of the nodes that a pool and another custom pool select."""
    return [_name(node) for node in nodes if pool.name in membership_of(labels_of(node), pools).conflict]


def nodes_that_change_pool(changed: Pool, nodes: t.Iterable[Object], pools: t.Collection[Pool]) -> list[str]:
    """Return the names of the nodes whose membership changes if *changed* replaces the pool of the same name."""
    after = [pool for pool in pools if pool.name != changed.name] + [changed]
    moving = [node for node in nodes if membership_of(labels_of(node), pools) != membership_of(labels_of(node), after)]
    return sorted(_name(node) for node in moving)


def _name(node: Object) -> str:
    return str(metadata_of(node)["name"])
