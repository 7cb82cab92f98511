# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring nodes into a custom pool, or take them out of it, by the labels that the pool's own selector wants."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineconfigpool import BUILT_IN, Pool, WantedPool, new_object
from .._model.objects.resources import MACHINE_CONFIG_POOL, NODE
from .._model.rollout.membership import CannotMove, Move, plan_moves
from .._result import result
from .read_pool import PoolNodes, pool_not_found, read_pool_nodes
from .select_nodes import Selection, select_nodes

PARALLEL = 16
"""Patches under way at once; the API server's own limits hold beyond that."""


@dataclass(frozen=True)
class LabelNodesRequest:
    """What the user asks for."""

    present: bool
    pool: str
    selection: Selection
    check_mode: bool


def label_nodes(session: Session, request: LabelNodesRequest) -> dict[str, t.Any]:
    """Label the nodes and return which were changed; every node is checked before the first is written.

    :raises OperationError: a node does not exist, or the label would not move it; or nodes could not be written
    """
    what = f"{'bring nodes into' if request.present else 'take nodes out of'} MachineConfigPool {request.pool}"
    if request.pool in BUILT_IN:
        reason = "nodes belong to a built-in pool by their role"
        raise OperationError(what, reason, "Name a custom pool; leaving it brings a node back into its built-in pool")
    found = _pool(session, request, what)
    nodes = select_nodes(found.all_nodes, request.selection, what)
    try:
        moves = plan_moves(found.pool, found.pools, nodes, request.present)
    except CannotMove as refused:
        raise OperationError(what, refused.reason, refused.remedy) from None
    failures = _apply(session, [m for m in moves if m.patch], request.check_mode)
    changed = [m for m in moves if m.patch and m.node not in failures]
    done = result(
        session.api_url,
        read_cluster(session) if changed else None,
        changed=bool(changed),
        nodes=[{"name": m.node, "changed": bool(m.patch) and m.node not in failures} for m in moves],
        diff=_diff([m for m in moves if m.patch]),
    )
    if failures:
        node, refusal = sorted(failures.items())[0]
        more = f" ({len(failures)} of {len(moves)} nodes failed)" if len(failures) > 1 else ""
        raise OperationError(what, f"Node {node}: {refusal.reason}{more}", refusal.remedy, done)
    return done


def _pool(session: Session, request: LabelNodesRequest, what: str) -> PoolNodes:
    """Return the pool; in check mode one that does not exist yet is taken as machineconfigpool would create it."""
    found = read_pool_nodes(session, request.pool)
    if found is not None:
        return found
    if not request.check_mode:
        raise pool_not_found(request.pool, what)
    pool = Pool.from_api(new_object(WantedPool(request.pool)))
    others = [Pool.from_api(obj) for obj in session.list(MACHINE_CONFIG_POOL).items]
    return PoolNodes(pool, [*others, pool], [], session.list(NODE).items)


def _apply(session: Session, moves: t.Sequence[Move], check_mode: bool) -> dict[str, OperationError]:
    """Write all moves and return the refusals by node; one refusal does not stop the others."""

    def write(move: Move) -> OperationError | None:
        try:
            session.patch(NODE, move.node, {"metadata": {"labels": move.patch}}, dry_run=check_mode)
        except OperationError as refused:
            return refused
        return None

    with ThreadPoolExecutor(max_workers=PARALLEL) as workers:
        outcomes = zip(moves, workers.map(write, moves))
        return {move.node: refused for move, refused in outcomes if refused is not None}


def _diff(moves: t.Sequence[Move]) -> dict[str, t.Any]:
    return {"before": {m.node: m.before for m in moves}, "after": {m.node: m.after for m in moves}}
