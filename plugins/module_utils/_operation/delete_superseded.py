# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete the builds that the node controller takes in place of the one that answers, and touch the pool.

The controller looks again only when the pool changes, and a run may be killed between the two. So the pool is marked
with the builds before the first is deleted, and the mark is taken off, which is the touch, when they are gone.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.progress import build_progress
from .._model.build.superseded import builds_being_deleted, deletion_patch, superseded_builds
from .._model.objects import machineosconfig
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosbuild import POOL_LABEL, MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.node import NodeState
from .._model.objects.pool_membership import nodes_in_pool
from .._model.objects.release import Release, desired_version
from .._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    Object,
    metadata_of,
)
from .._model.rollout.node_phase import Phase, Target
from .._model.rollout.target import pool_target
from .._result import result
from .need_consent import need_consent
from .planned_again import planned_again
from .read_pool import pool_not_found

VANISHING = 60.0
"""Seconds that a deleted build has to vanish: its Job is long gone, so it takes less than one."""
_LOOK = 0.5


@dataclass(frozen=True)
class SupersededRequest:
    """What the user asks for."""

    pool: str
    allow_node_reboots: bool
    check_mode: bool


@dataclass(frozen=True)
class _Plan:
    """What there is to do."""

    builds: list[MachineOSBuild]
    """To be deleted."""
    gone: list[str]
    """Identities of the builds that an earlier run deleted and did not live to tell the controller of."""
    reboots: list[str]
    """The nodes that move then."""

    @property
    def identities(self) -> list[str]:
        """All builds that are gone in the end."""
        return sorted([*self.gone, *(build.identity for build in self.builds)])


def delete_superseded(session: Session, request: SupersededRequest) -> dict[str, t.Any]:
    """Delete what stands in the way of a pool's rollout and return the names of the builds deleted.

    :raises OperationError: the build that answers has not succeeded, nodes would reboot without consent, or the API
        server denies the request
    """
    return planned_again(lambda: _delete(session, request))


def _delete(session: Session, request: SupersededRequest) -> dict[str, t.Any]:
    plan = _plan(session, request)
    if plan is None:
        return _result(session, None)
    session.patch(MACHINE_CONFIG_POOL, request.pool, deletion_patch(plan.identities), dry_run=request.check_mode)
    for build in plan.builds:
        session.delete(MACHINE_OS_BUILD, build.name, uid=build.uid, dry_run=request.check_mode)
    if not request.check_mode:
        _await_end(session, request, {build.identity for build in plan.builds})
        session.patch(MACHINE_CONFIG_POOL, request.pool, deletion_patch([]))
    return _result(session, plan)


def _what(request: SupersededRequest) -> str:
    return f"delete the superseded MachineOSBuilds of MachineConfigPool {request.pool}"


def _plan(session: Session, request: SupersededRequest) -> _Plan | None:
    """Return what there is to do, or None when that is nothing.

    In check mode what is missing is no fault: a task before this one may be about to bring it.
    """
    pools = session.list(MACHINE_CONFIG_POOL).items
    obj = next((p for p in pools if metadata_of(p)["name"] == request.pool), None)
    config = machineosconfig.that_serves(request.pool, session.list(MACHINE_OS_CONFIG).items)
    if request.check_mode and (obj is None or config is None):
        return None
    if obj is None:
        raise pool_not_found(request.pool, _what(request))
    if config is None:
        raise OperationError(
            _what(request), "no MachineOSConfig serves it", "Create one (machineosconfig), and await its build"
        )
    pool, now, builds = Pool.from_api(obj), MachineOSConfig.from_api(config), _builds(session, request.pool)
    found = pool_target(pool, now, build_progress(now, builds, pool.rendered_config))
    if found.target is None:
        if request.check_mode:
            return None
        reason = f"the build that answers has not succeeded ({found.line})"
        raise OperationError(_what(request), reason, "Wait for it first (machineosbuild_wait)")
    begun, instead = builds_being_deleted(obj), superseded_builds(now, builds, pool.rendered_config)
    if instead and _follows(session, request):
        instead = []
    if not instead and not begun:
        return None
    there = {build.name for build in builds}
    moving = _who_moves(session, pool, pools, found.target)
    reboots = need_consent(_what(request), pool, moving, request.allow_node_reboots)
    return _Plan(instead, [identity for identity in begun if _name(identity) not in there], reboots)


def _builds(session: Session, pool: str) -> list[MachineOSBuild]:
    listed = session.list(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}").items
    return [MachineOSBuild.from_api(obj) for obj in listed]


def _follows(session: Session, request: SupersededRequest) -> bool:
    """Whether the release follows the MachineOSConfig, so that none is in the way; nothing is deleted on a guess."""
    release = desired_version(session.peek(CLUSTER_VERSION, "version") or {})
    if not release:
        reason = "ClusterVersion version cannot be read, and not every release needs it"
        raise OperationError(_what(request), reason, "Grant the account to get clusterversions of config.openshift.io")
    return Release.from_version(release).follows_current_build


def _who_moves(session: Session, pool: Pool, pools: t.Iterable[Object], target: Target) -> list[str]:
    inside = nodes_in_pool(pool.name, session.list(NODE).items, [Pool.from_api(p) for p in pools])
    return [node.name for node in map(NodeState.from_api, inside) if target.phase_of(node) is Phase.WAITING]


def _await_end(session: Session, request: SupersededRequest, identities: t.Collection[str]) -> None:
    """Return when builds are gone: the controller would take one that still ends.

    :raises OperationError: one stays
    """
    deadline = session.clock() + VANISHING
    while identities:
        left = sorted(build.name for build in _builds(session, request.pool) if build.identity in identities)
        if not left:
            return
        if session.clock() >= deadline:
            reason = f"{', '.join(left)} is deleted and stays, for something still holds it (metadata.finalizers)"
            raise OperationError(_what(request), reason, "See whether the machine-os-builder runs, and run this again")
        session.sleep(_LOOK)


def _name(identity: str) -> str:
    return identity.partition("/")[0]


def _result(session: Session, plan: _Plan | None) -> dict[str, t.Any]:
    names = sorted(map(_name, plan.identities)) if plan else []
    return result(
        session.api_url,
        read_cluster(session) if plan else None,
        changed=plan is not None,
        deleted=names,
        reboots=plan.reboots if plan else [],
        diff={"before": {"superseded": names}, "after": {"superseded": []}},
    )
