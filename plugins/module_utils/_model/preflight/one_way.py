# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject what would take the image from nodes that run one, which v1alpha1 cannot do.

The daemon of OpenShift 4.16 and 4.17 does not return from an image to the image of the cluster. Such a node becomes
degraded, and only another image ends that. Source: docs/operator-behavior.md ("Limits of v1alpha1").
"""

from __future__ import annotations

import typing as t

from ..objects.node import NodeState
from ..text import listed
from .rejection import Rejection

_WHY = "in v1alpha1 a node cannot return from an image to the image of the cluster, and becomes degraded"


def with_image(nodes: t.Iterable[NodeState]) -> list[str]:
    """Return the names of the nodes that run an image or are being updated to one, sorted."""
    return sorted(node.name for node in nodes if node.current_image or node.desired_image)


def reject_deletion(pool: str, nodes: t.Iterable[NodeState]) -> Rejection | None:
    """Return why the MachineOSConfig of a pool cannot be deleted, or None.

    :param nodes: the nodes of the pool
    """
    names = with_image(nodes)
    if not names:
        return None
    reason = f"nodes of MachineConfigPool {pool} run an image ({listed(names)}), and {_WHY}"
    return Rejection(
        reason, "Keep it, or first move the nodes to another pool with a MachineOSConfig, or replace the nodes"
    )


def reject_move(destinations: t.Mapping[str, str], layered: t.Container[str]) -> Rejection | None:
    """Return why nodes that run an image cannot change their pool, or None.

    :param destinations: name of each such node -> name of its new pool
    :param layered: names of the pools that have a MachineOSConfig
    """
    stranded = {node: pool for node, pool in destinations.items() if pool not in layered}
    if not stranded:
        return None
    pool = min(stranded.values())
    names = sorted(node for node, new in stranded.items() if new == pool)
    reason = (
        f"nodes that run an image ({listed(names)}) would be in MachineConfigPool {pool}, which has no "
        f"MachineOSConfig, and {_WHY}"
    )
    remedy = (
        f"Keep them in their pool, or first create a MachineOSConfig for MachineConfigPool {pool}, or replace the nodes"
    )
    return Rejection(reason, remedy)
