# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, update, pause, unpause or delete a MachineConfigPool."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects import machineconfigpool as model
from .._model.objects import machineosconfig
from .._model.objects.machineconfigpool import BUILT_IN, Pool, WantedPool
from .._model.objects.pool_membership import nodes_in_two_pools, nodes_that_change_pool
from .._model.objects.resources import MACHINE_CONFIG_POOL, MACHINE_OS_CONFIG, NODE, Object, metadata_of
from .._model.preflight.max_unavailable import reject_max_unavailable
from .._model.registry.push_spec import why_pool_would_hang
from .._result import result, served
from .read_pool import read_pool_nodes
from .retry_on_conflict import retry_on_conflict


@dataclass(frozen=True)
class PoolRequest:
    """Desired state of a MachineConfigPool."""

    present: bool
    wanted: WantedPool
    check_mode: bool


def apply_pool(session: Session, request: PoolRequest) -> dict[str, t.Any]:
    """Create, update or delete a pool and return the result.

    :raises OperationError: another manager owns the pool or its pause, nodes are in the pool, or the API server rejects
        a request
    """
    if request.wanted.node_selector == {}:
        what = f"apply MachineConfigPool {request.wanted.name}"
        raise OperationError(
            what, "node_selector is empty and selects no node", "Set node_selector to a label, or omit it"
        )
    wanted = request.wanted.max_unavailable
    rejection = reject_max_unavailable(wanted) if request.present and wanted is not None else None
    if rejection:
        what = f"apply MachineConfigPool {request.wanted.name}"
        raise OperationError(what, f"max_unavailable: {rejection.reason}", rejection.remedy)
    return retry_on_conflict(lambda: _apply(session, request))


def _apply(session: Session, request: PoolRequest) -> dict[str, t.Any]:
    current = session.find(MACHINE_CONFIG_POOL, request.wanted.name)
    if not request.present:
        return _remove(session, request, current)
    if current is None:
        return _create(session, request)
    patch = model.pool_patch(current, request.wanted)
    if not patch:
        return _result(session, current, current, changed=False)
    _check_unpause(current, request.wanted)
    _check_selector(session, Pool.from_api(current), request.wanted)
    changed = session.patch(MACHINE_CONFIG_POOL, request.wanted.name, patch, dry_run=request.check_mode)
    return _result(session, current, changed, changed=True)


def _create(session: Session, request: PoolRequest) -> dict[str, t.Any]:
    reason = why_pool_would_hang(request.wanted.name)
    if reason:
        raise OperationError(f"create MachineConfigPool {request.wanted.name}", reason, "Choose a shorter name")
    new = model.new_object(request.wanted)
    _check_nodes_of_other_pools(session, Pool.from_api(new))
    created = session.create(MACHINE_CONFIG_POOL, new, dry_run=request.check_mode)
    return _result(session, None, created, changed=True)


def _check_nodes_of_other_pools(session: Session, new: Pool) -> None:
    """Fail for a pool with nodes of another custom pool. The operator does not update a node in two custom pools."""
    pools = [*(Pool.from_api(p) for p in session.list(MACHINE_CONFIG_POOL).items), new]
    stuck = nodes_in_two_pools(new, session.list(NODE).items, pools)
    if stuck:
        reason = f"its selector also matches nodes of another custom pool: {', '.join(sorted(stuck))}"
        raise OperationError(f"create MachineConfigPool {new.name}", reason, "Choose another node_selector")


def _check_unpause(current: Object, wanted: WantedPool) -> None:
    """Fail if another manager pauses the pool, or may pause it."""
    pool = Pool.from_api(current)
    if wanted.paused is False and pool.paused and not pool.paused_by_us:
        remedy = "Find out who paused it; when no other manager sets spec.paused, unpause it with oc"
        raise OperationError(f"unpause MachineConfigPool {pool.name}", model.reason_to_keep_pause(current), remedy)


def _check_selector(session: Session, pool: Pool, wanted: WantedPool) -> None:
    what = f"change MachineConfigPool {pool.name}"
    if not model.selector_changes(pool, wanted):
        return
    if pool.name in BUILT_IN:
        raise OperationError(what, "the selector of a built-in pool cannot be changed", "Omit node_selector")
    found = read_pool_nodes(session, pool.name)
    changed = replace(pool, node_selector={"matchLabels": dict(wanted.node_selector or {})})
    moving = nodes_that_change_pool(changed, found.all_nodes, found.pools) if found else []
    if moving:
        reason = f"the new selector would move nodes ({', '.join(moving)}), which then drain and reboot"
        raise OperationError(what, reason, "Move the nodes with machineconfigpool_nodes, then change the selector")


def _remove(session: Session, request: PoolRequest, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, None, None, changed=False)
    pool = Pool.from_api(current)
    what = f"delete MachineConfigPool {pool.name}"
    if not pool.created_by_us:
        raise OperationError(what, "this collection did not create it", "Delete it with oc")
    found = read_pool_nodes(session, pool.name)
    inside = sorted({*found.names, *nodes_in_two_pools(pool, found.all_nodes, found.pools)}) if found else []
    if inside:
        reason = f"nodes are in it: {', '.join(inside)}"
        raise OperationError(what, reason, "Remove them first (machineconfigpool_nodes with state=absent)")
    config = machineosconfig.that_serves(pool.name, session.list(MACHINE_OS_CONFIG).items)
    if config is not None:
        reason = f"it has MachineOSConfig {metadata_of(config)['name']}"
        raise OperationError(what, reason, "Delete that first (machineosconfig with state=absent)")
    uid = metadata_of(current).get("uid", "")
    session.delete(MACHINE_CONFIG_POOL, pool.name, uid=uid, dry_run=request.check_mode)
    return _result(session, current, None, changed=True)


def _result(session: Session, before: Object | None, now: Object | None, changed: bool) -> dict[str, t.Any]:
    return result(
        session.api_url,
        read_cluster(session) if changed else None,
        changed=changed,
        pool=pool_result(Pool.from_api(now) if now else None),
        resource=served(now),
        diff={"before": model.shown(before), "after": model.shown(now)},
    )


def pool_result(pool: Pool | None) -> dict[str, t.Any] | None:
    """Return the fields of a MachineConfigPool in a result."""
    if pool is None:
        return None
    return {
        "name": pool.name,
        "paused": pool.paused,
        "paused_by_us": pool.paused_by_us,
        "created_by_us": pool.created_by_us,
        "max_unavailable": pool.max_unavailable or None,
        "rendered_config": pool.rendered_config or None,
    }
