# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a custom MachineConfigPool into the wanted state, and hold or release a pool."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._errors import Refused
from .._model import machineosconfig
from .._model import pool as model
from .._model.pool import BUILT_IN, Pool, WantedPool
from .._model.push_spec import why_pool_would_hang
from .._model.resources import MACHINE_CONFIG_POOL, MACHINE_OS_CONFIG, Object, metadata_of
from .._result import read_cluster, result, served
from .read_members import find_pool_members


@dataclass(frozen=True)
class Ask:
    """What the user asks for."""

    present: bool
    wanted: WantedPool
    check_mode: bool


def apply_pool(session: Session, ask: Ask) -> dict[str, t.Any]:
    """Create, change or remove a pool and return the result.

    :raises Refused: it is not ours to remove or release, nodes are in it, or the API server refuses it
    """
    current = session.find(MACHINE_CONFIG_POOL, ask.wanted.name)
    if not ask.present:
        return _remove(session, ask, current)
    if current is None:
        return _create(session, ask)
    patch = model.pool_patch(current, ask.wanted)
    if not patch:
        return _result(session, current, current, changed=False)
    _refuse_change(session, Pool.from_api(current), ask.wanted)
    changed = session.patch(MACHINE_CONFIG_POOL, ask.wanted.name, patch, dry_run=ask.check_mode)
    return _result(session, current, changed, changed=True)


def _create(session: Session, ask: Ask) -> dict[str, t.Any]:
    reason = why_pool_would_hang(ask.wanted.name)
    if reason:
        raise Refused(f"create MachineConfigPool {ask.wanted.name}", reason, "Choose a shorter name")
    created = session.create(MACHINE_CONFIG_POOL, model.new_object(ask.wanted), dry_run=ask.check_mode)
    return _result(session, None, created, changed=True)


def _refuse_change(session: Session, pool: Pool, wanted: WantedPool) -> None:
    what = f"change MachineConfigPool {pool.name}"
    if wanted.paused is False and pool.paused and not pool.paused_by_us:
        raise Refused(what, "it was paused by somebody else", "Ask who paused it; oc can release it")
    if not model.selector_changes(pool, wanted):
        return
    if pool.name in BUILT_IN:
        raise Refused(what, "the selector of a built-in pool is the cluster's own", "Leave node_selector out")
    found = find_pool_members(session, pool.name)
    if found and found.names:
        reason = f"another selector would move its nodes ({', '.join(found.names)})"
        raise Refused(what, reason, "Take the nodes out of the pool first (machineconfigpool_nodes)")


def _remove(session: Session, ask: Ask, current: Object | None) -> dict[str, t.Any]:
    if current is None:
        return _result(session, None, None, changed=False)
    pool = Pool.from_api(current)
    what = f"remove MachineConfigPool {pool.name}"
    if not pool.created_by_us:
        raise Refused(what, "this collection did not create it", "Remove it with oc if that is meant")
    found = find_pool_members(session, pool.name)
    if found and found.names:
        reason = f"nodes are in it: {', '.join(found.names)}"
        raise Refused(what, reason, "Take them out first (machineconfigpool_nodes with state=absent)")
    config = machineosconfig.that_serves(pool.name, session.list(MACHINE_OS_CONFIG).items)
    if config is not None:
        reason = f"MachineOSConfig {metadata_of(config)['name']} serves it"
        raise Refused(what, reason, "Remove that first (machineosconfig with state=absent)")
    uid = metadata_of(current).get("uid", "")
    session.delete(MACHINE_CONFIG_POOL, pool.name, uid=uid, dry_run=ask.check_mode)
    return _result(session, current, None, changed=True)


def _result(session: Session, before: Object | None, now: Object | None, changed: bool) -> dict[str, t.Any]:
    return result(
        session,
        read_cluster(session) if changed else None,
        changed=changed,
        pool=_pool_result(now),
        resource=served(now),
        diff={"before": model.shown(before), "after": model.shown(now)},
    )


def _pool_result(obj: Object | None) -> dict[str, t.Any] | None:
    if obj is None:
        return None
    pool = Pool.from_api(obj)
    return {
        "name": pool.name,
        "paused": pool.paused,
        "paused_by_us": pool.paused_by_us,
        "created_by_us": pool.created_by_us,
        "max_unavailable": pool.max_unavailable or None,
        "rendered_config": pool.rendered_config or None,
    }
