# SPDX-License-Identifier: GPL-3.0-or-later
"""How many nodes of a pool a verification covers. A node that was left out counts as unknown."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..findings import Finding, FindingId
from ..objects.resources import MACHINE_CONFIG_POOL, ObjectRef
from ..text import legible


@dataclass(frozen=True)
class PoolCoverage:
    """How many nodes of one pool are verified."""

    pool: str
    total: int
    """Number of nodes of the pool."""
    verified: int
    """Number of these nodes that are verified."""

    @property
    def left_out(self) -> int:
        """Number of nodes that are not verified."""
        return max(0, self.total - self.verified)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Why the verification proves nothing about the pool as a whole. Empty if it covers the pool."""
        ref = ObjectRef(MACHINE_CONFIG_POOL.name, self.pool)
        if not self.total:
            return (Finding(FindingId.POOL_NO_NODES, ref, f"MachineConfigPool {self.pool} has no nodes"),)
        if not self.left_out:
            return ()
        message = f"{self.left_out} of {self.total} nodes of MachineConfigPool {self.pool} were not verified"
        return (Finding(FindingId.POOL_NODES_LEFT_OUT, ref, message),)


@dataclass(frozen=True)
class Coverage:
    """How many nodes of all pools a verification covers.

    :ivar pools: one entry for each pool whose size is known; empty if the verification is about single nodes
    """

    pools: tuple[PoolCoverage, ...] = ()

    @property
    def total(self) -> int | None:
        """Number of nodes of the pools, or None if it is not known."""
        return sum(pool.total for pool in self.pools) if self.pools else None

    @property
    def left_out(self) -> int:
        """Number of nodes of the pools that are not verified."""
        return sum(pool.left_out for pool in self.pools)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings about all pools."""
        return tuple(finding for pool in self.pools for finding in pool.findings)

    def as_result(self) -> dict[str, t.Any]:
        """Return the fields of a result."""
        return {"pool_total": self.total, "left_out": self.left_out}


def unused_allowances(entries: t.Sequence[str], ref: ObjectRef) -> tuple[Finding, ...]:
    """Return a finding about entries of ``allowed_deviations`` that allowed nothing, if there are any.

    :param ref: what was verified
    """
    if not entries:
        return ()
    message = legible(f"allowed_deviations: {', '.join(entries)} allowed no local change of a verified node")
    return (Finding(FindingId.CLUSTER_ALLOWED_DEVIATION_UNUSED, ref, message),)


NO_POOL = Coverage()
"""Coverage of a verification of single nodes."""
