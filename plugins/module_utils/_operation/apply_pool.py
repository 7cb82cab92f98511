# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a custom MachineConfigPool into the wanted state, and hold or release a pool."""

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
from .._model.registry.push_spec import why_pool_would_hang
from .._result import result, served
from .planned_again import planned_again
from .read_pool import read_pool_nodes


@dataclass(frozen=True)
class PoolRequest:
    """What the user asks for."""

    present: bool
    wanted: WantedPool
    check_mode: bool


def apply_pool(session: Session, request: PoolRequest) -> dict[str, t.Any]:
    """Create, change or remove a pool and return the result.

    :raises OperationError: it is not ours to remove or release, nodes are in it, or the API server refuses it
    """
    if request.wanted.node_selector == {}:
        what = f"apply MachineConfigPool {request.wanted.name}"
        raise OperationError(
            what, "node_selector is empty, which selects nobody", "Name a label, or leave node_selector out"
        )
    return planned_again(lambda: _apply(session, request))


def _apply(session: Session, request: PoolRequest) -> dict[str, t.Any]:
    current = session.find(MACHINE_CONFIG_POOL, request.wanted.name)
    if not request.present:
        return _remove(session, request, current)
    if current is None:
        return _create(session, request)
    patch = model.pool_patch(current, request.wanted)
    if not patch:
        return _result(session, current, current, changed=False)
    _refuse_release(current, request.wanted)
    _refuse_change(session, Pool.from_api(current), request.wanted)
    changed = session.patch(MACHINE_CONFIG_POOL, request.wanted.name, patch, dry_run=request.check_mode)
    return _result(session, current, changed, changed=True)


def _create(session: Session, request: PoolRequest) -> dict[str, t.Any]:
    reason = why_pool_would_hang(request.wanted.name)
    if reason:
        raise OperationError(f"create MachineConfigPool {request.wanted.name}", reason, "Choose a shorter name")
    new = model.new_object(request.wanted)
    _refuse_stuck_nodes(session, Pool.from_api(new))
    created = session.create(MACHINE_CONFIG_POOL, new, dry_run=request.check_mode)
    return _result(session, None, created, changed=True)


def _refuse_stuck_nodes(session: Session, new: Pool) -> None:
    """Refuse a pool that would put nodes into two custom pools, where the operator stops touching them."""
    pools = [*(Pool.from_api(p) for p in session.list(MACHINE_CONFIG_POOL).items), new]
    stuck = nodes_in_two_pools(new, session.list(NODE).items, pools)
    if stuck:
        reason = f"its selector also matches nodes of another custom pool: {', '.join(sorted(stuck))}"
        raise OperationError(f"create MachineConfigPool {new.name}", reason, "Choose another node_selector")


def _refuse_release(current: Object, wanted: WantedPool) -> None:
    """Refuse to release a pool while anybody but us pauses it, or may do so."""
    pool = Pool.from_api(current)
    if wanted.paused is False and pool.paused and not pool.paused_by_us:
        remedy = "PoolRequest who paused it; oc can release it, once nobody else states spec.paused"
        raise OperationError(f"release MachineConfigPool {pool.name}", model.reason_to_keep_pause(current), remedy)


def _refuse_change(session: Session, pool: Pool, wanted: WantedPool) -> None:
    what = f"change MachineConfigPool {pool.name}"
    if not model.selector_changes(pool, wanted):
        return
    if pool.name in BUILT_IN:
        raise OperationError(what, "the selector of a built-in pool is the cluster's own", "Leave node_selector out")
    found = read_pool_nodes(session, pool.name)
    changed = replace(pool, node_selector={"matchLabels": dict(wanted.node_selector or {})})
    moving = nodes_that_change_pool(changed, found.all_nodes, found.pools) if found else []
    if moving:
        reason = f"another selector would move nodes ({', '.join(moving)}), which then drain and reboot"
        raise OperationError(what, reason, "Move nodes by name (machineconfigpool_nodes), then change the selector")


def _remove(session: Session, request: PoolRequest, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, None, None, changed=False)
    pool = Pool.from_api(current)
    what = f"remove MachineConfigPool {pool.name}"
    if not pool.created_by_us:
        raise OperationError(what, "this collection did not create it", "Remove it with oc if that is meant")
    found = read_pool_nodes(session, pool.name)
    inside = sorted({*found.names, *nodes_in_two_pools(pool, found.all_nodes, found.pools)}) if found else []
    if inside:
        reason = f"nodes are in it: {', '.join(inside)}"
        raise OperationError(what, reason, "Take them out first (machineconfigpool_nodes with state=absent)")
    config = machineosconfig.that_serves(pool.name, session.list(MACHINE_OS_CONFIG).items)
    if config is not None:
        reason = f"MachineOSConfig {metadata_of(config)['name']} serves it"
        raise OperationError(what, reason, "Remove that first (machineosconfig with state=absent)")
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
