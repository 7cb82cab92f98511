# SPDX-License-Identifier: GPL-3.0-or-later
"""Add nodes to a custom pool or remove them from it, by the labels of the pool's selector."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.machineconfigpool import BUILT_IN, Pool, WantedPool, new_object
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.node import NodeState
from .._model.objects.pool_membership import pool_of
from .._model.objects.resources import MACHINE_CONFIG_POOL, MACHINE_OS_CONFIG, NODE
from .._model.preflight.one_way import reject_move, with_image
from .._model.rollout.membership import CannotMove, Move, labels_after, plan_moves
from .._result import result
from .read_pool import PoolNodes, pool_not_found, read_pool_nodes
from .rejections import raise_rejection
from .select_nodes import Selection, select_nodes

PARALLEL = 16
"""Maximum concurrent patches."""


@dataclass(frozen=True)
class LabelNodesRequest:
    """Nodes to add to a pool or to remove from it."""

    present: bool
    pool: str
    selection: Selection
    check_mode: bool


def label_nodes(session: Session, request: LabelNodesRequest) -> dict[str, t.Any]:
    """Label the nodes and return which were changed. Every node is checked before the first one is changed.

    :raises OperationError: a node does not exist, cannot be moved, or could not be labeled
    """
    what = f"{'add nodes to' if request.present else 'remove nodes from'} MachineConfigPool {request.pool}"
    check_custom_pool(request.pool, what)
    found = _pool(session, request, what)
    moves = plan_labels(found, request.selection, request.present, what)
    _check_images(session, request, found, moves, what)
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
        node, failure = sorted(failures.items())[0]
        more = f" ({len(failures)} of {len(moves)} nodes failed)" if len(failures) > 1 else ""
        raise OperationError(what, f"Node {node}: {failure.reason}{more}", failure.remedy, done)
    return done


def check_custom_pool(pool: str, what: str) -> None:
    """Do nothing if labels decide which nodes are in a pool.

    :raises OperationError: the pool is a built-in one
    """
    if pool in BUILT_IN:
        reason = "the role of a node determines its built-in pool"
        raise OperationError(
            what, reason, "Set pool to a custom pool. A node that is removed from it returns to its built-in pool"
        )


def plan_labels(found: PoolNodes, selection: Selection, joining: bool, what: str) -> list[Move]:
    """Return the label change of each selected node.

    :raises OperationError: a node does not exist, or cannot be moved
    """
    nodes = select_nodes(found.all_nodes, selection, what)
    try:
        return plan_moves(found.pool, found.pools, nodes, joining)
    except CannotMove as error:
        raise OperationError(what, error.reason, error.remedy) from None


def _check_images(
    session: Session, request: LabelNodesRequest, found: PoolNodes, moves: t.Sequence[Move], what: str
) -> None:
    """Fail for nodes that run an image and would lose it, if v1alpha1 is served. One request for such nodes.

    In check mode an earlier task may create the MachineOSConfig of the pool that the nodes join.
    """
    if request.present and request.check_mode:
        return
    patches = {move.node: move.patch for move in moves if move.patch}
    nodes = {node.name: node for node in map(NodeState.from_api, found.all_nodes) if node.name in patches}
    layered_nodes = with_image(nodes.values())
    if not layered_nodes:
        return
    configs = session.list(MACHINE_OS_CONFIG).items
    if session.serves_v1alpha1:
        destinations = {n: pool_of(labels_after(nodes[n].labels, patches[n]), found.pools) for n in layered_nodes}
        rejection = reject_move(destinations, {MachineOSConfig.from_api(config).pool for config in configs})
        raise_rejection(what, rejection)


def _pool(session: Session, request: LabelNodesRequest, what: str) -> PoolNodes:
    """Return the pool. In check mode, a missing pool is assumed as machineconfigpool would create it."""
    found = read_pool_nodes(session, request.pool)
    if found is not None:
        return found
    if not request.check_mode:
        raise pool_not_found(request.pool, what)
    pool = Pool.from_api(new_object(WantedPool(request.pool)))
    others = [Pool.from_api(obj) for obj in session.list(MACHINE_CONFIG_POOL).items]
    return PoolNodes(pool, [*others, pool], [], session.list(NODE).items)


def _apply(session: Session, moves: t.Sequence[Move], check_mode: bool) -> dict[str, OperationError]:
    """Patch all nodes and return the errors by node. An error does not stop the others."""

    def write(move: Move) -> OperationError | None:
        try:
            session.patch(NODE, move.node, {"metadata": {"labels": move.patch}}, dry_run=check_mode)
        except OperationError as error:
            return error
        return None

    with ThreadPoolExecutor(max_workers=PARALLEL) as workers:
        outcomes = zip(moves, workers.map(write, moves))
        return {move.node: error for move, error in outcomes if error is not None}


def _diff(moves: t.Sequence[Move]) -> dict[str, t.Any]:
    return {"before": {m.node: m.before for m in moves}, "after": {m.node: m.after for m in moves}}
