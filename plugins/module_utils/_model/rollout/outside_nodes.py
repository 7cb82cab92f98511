# SPDX-License-Identifier: GPL-3.0-or-later
"""Report awaited nodes that are outside the pool."""

from __future__ import annotations

from ..findings import Finding, FindingId
from ..objects.pool_membership import Membership
from ..objects.resources import NODE, ObjectRef


def left_node(name: str, pool: str, now: str = "") -> Finding:
    """Return the finding for a node that left the pool during the rollout.

    :param now: where the node is now, if known
    """
    message = f"Node {name} left MachineConfigPool {pool} during the rollout{f': {now}' if now else ''}"
    return Finding(FindingId.NODE_LEFT_POOL, ObjectRef(NODE.name, name), message)


def place_of(membership: Membership | None) -> str:
    """Return where a node is that has left its pool.

    :param membership: the membership of the node, or None if it does not exist
    """
    if membership is None:
        return "it was deleted"
    return f"it is in MachineConfigPool {membership.pool}" if membership.pool else "it is in no pool"


def outside_node(name: str, pool: str, membership: Membership) -> Finding:
    """Return the finding for an awaited node that does not belong to the pool."""
    ref = ObjectRef(NODE.name, name)
    if pool not in membership.conflict:
        return Finding(FindingId.NODE_NOT_IN_POOL, ref, f"Node {name} is not in MachineConfigPool {pool}")
    pools = " and ".join(membership.conflict)
    message = (
        f"Node {name} is in MachineConfigPools {pools}, and the operator does not update a node in two custom pools"
    )
    return Finding(FindingId.NODE_IN_TWO_POOLS, ref, message)
