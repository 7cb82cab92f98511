# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in a pool now? One list of pools, one of nodes."""

from __future__ import annotations

from dataclasses import dataclass

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineconfigpool import Pool, members
from .._model.objects.resources import MACHINE_CONFIG_POOL, NODE, Object


@dataclass(frozen=True)
class PoolMembers:
    """A pool, all pools beside it, and the nodes that it drives."""

    pool: Pool
    pools: list[Pool]
    nodes: list[Object]
    all_nodes: list[Object]

    @property
    def names(self) -> list[str]:
        """The members' names, sorted."""
        return [node["metadata"]["name"] for node in self.nodes]


def find_pool_members(session: Session, name: str) -> PoolMembers | None:
    """Return a pool and its members, or None when there is no such pool."""
    pools = [Pool.from_api(obj) for obj in session.list(MACHINE_CONFIG_POOL).items]
    pool = next((p for p in pools if p.name == name), None)
    if pool is None:
        return None
    nodes = session.list(NODE).items
    return PoolMembers(pool, pools, members(name, nodes, pools), nodes)


def no_such_pool(name: str, what: str) -> OperationError:
    """Return the refusal for a pool that does not exist."""
    remedy = "Check the name, or create it (machineconfigpool, or image_mode_create_pool in the playbooks)"
    return OperationError(what, f"MachineConfigPool {name} does not exist", remedy)
