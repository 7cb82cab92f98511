# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a pool and the nodes that belong to it: one list of pools, one of nodes."""

from __future__ import annotations

from dataclasses import dataclass

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineconfigpool import NOT_FOUND_REMEDY, Pool
from .._model.objects.pool_membership import nodes_in_pool
from .._model.objects.resources import MACHINE_CONFIG_POOL, NODE, Object


@dataclass(frozen=True)
class PoolNodes:
    """A pool and its nodes, together with all other pools and nodes of the cluster."""

    pool: Pool
    pools: list[Pool]
    nodes: list[Object]
    """The nodes that belong to the pool, sorted by name."""
    all_nodes: list[Object]

    @property
    def names(self) -> list[str]:
        """The names of the pool's nodes, sorted."""
        return [node["metadata"]["name"] for node in self.nodes]


def read_pool_nodes(session: Session, name: str) -> PoolNodes | None:
    """Return a pool and its nodes, or None if the pool does not exist."""
    pools = [Pool.from_api(obj) for obj in session.list(MACHINE_CONFIG_POOL).items]
    pool = next((p for p in pools if p.name == name), None)
    if pool is None:
        return None
    nodes = session.list(NODE).items
    return PoolNodes(pool, pools, nodes_in_pool(name, nodes, pools), nodes)


def pool_not_found(name: str, what: str) -> OperationError:
    """Return the error for a pool that does not exist."""
    return OperationError(what, f"MachineConfigPool {name} does not exist", NOT_FOUND_REMEDY)
