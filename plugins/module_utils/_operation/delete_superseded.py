# SPDX-License-Identifier: GPL-3.0-or-later
"""Delete the superseded builds of a pool, which the node controller uses instead of the current one.

Where single pods build (OpenShift 4.16 and 4.17), these are all objects of builds for other rendered configs. See
docs/operator-behavior.md ("Rebuild in v1alpha1").

The node controller selects a build again only when the pool changes. So an annotation of the pool records the builds
before the first is deleted, and its removal, after the last is deleted, is the change of the pool. A later run finishes
a run that ended in between.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.build_objects import builds_of_pool, objects_of_other_configs
from .._model.build.orphaned_config import orphaned_configs
from .._model.build.pod_build import is_built_by_pod
from .._model.build.progress import build_progress
from .._model.build.superseded import builds_being_deleted, deletion_patch, superseded_builds
from .._model.objects import machineosconfig
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosbuild import MachineOSBuild
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
    POOL_LABEL,
    Object,
    metadata_of,
)
from .._model.rollout.node_phase import Phase, Target
from .._model.rollout.target import pool_target
from .._result import result
from .delete_build_objects import delete_or_forecast, read_build_pods, read_builds, require_rights
from .read_pool import pool_not_found
from .reboot_consent import require_reboot_consent
from .retry_on_conflict import retry_on_conflict

DELETION_TIMEOUT = 60.0
"""Seconds to wait until a deleted build no longer exists. Its Job is complete, so it usually takes less than one."""
_INTERVAL = 0.5
"""Seconds between two reads while a deletion is awaited."""


@dataclass(frozen=True)
class SupersededRequest:
    """The options of the user."""

    pool: str
    allow_node_reboots: bool
    check_mode: bool


@dataclass(frozen=True)
class _Plan:
    """The changes to make."""

    builds: list[MachineOSBuild]
    """The builds to delete."""
    deleted: list[str]
    """Identities of the builds that an earlier run deleted without the final change of the pool."""
    reboots: list[str]
    """The nodes that are updated afterwards."""

    @property
    def identities(self) -> list[str]:
        """The identities of all builds that are deleted at the end."""
        return sorted([*self.deleted, *(build.identity for build in self.builds)])


def delete_superseded(session: Session, request: SupersededRequest) -> dict[str, t.Any]:
    """Delete the superseded builds of a pool and return their names.

    :raises OperationError: the current build has not succeeded, nodes would reboot without consent, or the API server
        denies the request
    """
    return retry_on_conflict(lambda: _delete(session, request))


def _delete(session: Session, request: SupersededRequest) -> dict[str, t.Any]:
    pools, configs = session.list(MACHINE_CONFIG_POOL).items, session.list(MACHINE_OS_CONFIG).items
    if session.serves_v1alpha1:
        deleted = _delete_other_configs(session, request, configs)
        if deleted is not None:
            return deleted
    plan = _plan(session, request, pools, configs)
    if plan is None:
        return _result(session, None)
    session.patch(MACHINE_CONFIG_POOL, request.pool, deletion_patch(plan.identities), dry_run=request.check_mode)
    for build in plan.builds:
        session.delete(MACHINE_OS_BUILD, build.name, uid=build.uid, dry_run=request.check_mode)
    if not request.check_mode:
        _wait_for_deletion(session, request, {build.identity for build in plan.builds})
        session.patch(MACHINE_CONFIG_POOL, request.pool, deletion_patch([]))
    return _result(session, plan)


def _what(request: SupersededRequest) -> str:
    return f"delete the superseded MachineOSBuilds of MachineConfigPool {request.pool}"


def _delete_other_configs(
    session: Session, request: SupersededRequest, configs: t.Iterable[Object]
) -> dict[str, t.Any] | None:
    """Delete what is left of builds by pods for other rendered configs. Return None if pods build nothing here.

    The pool is read after the builds: a build that is listed then is not one of a later rendered config.
    """
    config = machineosconfig.that_serves(request.pool, configs)
    all_builds, pods = read_builds(session), read_build_pods(session, request.pool)
    if config is None or not is_built_by_pod(MachineOSConfig.from_api(config), all_builds):
        return None
    obj = next((p for p in session.list(MACHINE_CONFIG_POOL).items if metadata_of(p)["name"] == request.pool), None)
    rendered = Pool.from_api(obj).rendered_config if obj else ""
    if not rendered:
        if request.check_mode:
            return _result(session, None)
        raise OperationError(_what(request), f"pool {request.pool} is not rendered yet", "Wait until it is")
    planned = objects_of_other_configs(request.pool, rendered, builds_of_pool(request.pool, all_builds), pods or ())
    if planned or pods is None:
        require_rights(session, _what(request))
    deletions = delete_or_forecast(session, _what(request), planned, request.check_mode)
    if not deletions:
        return _result(session, None)
    names = {str(deletion.ref): deletion.name for deletion in planned if deletion.kind == MACHINE_OS_BUILD}
    plan = _Plan([], [names[ref] for ref in deletions if ref in names], [])
    diff = {"before": {"superseded": deletions}, "after": {"superseded": []}}
    return {**_result(session, plan), "deletions": deletions, "diff": diff}


def _plan(session: Session, request: SupersededRequest, pools: list[Object], configs: list[Object]) -> _Plan | None:
    """Return the changes to make, or None if there are none.

    In check mode a missing object is no error: a task before this one may be about to create it.
    """
    obj = next((p for p in pools if metadata_of(p)["name"] == request.pool), None)
    config_obj = machineosconfig.that_serves(request.pool, configs)
    if request.check_mode and (obj is None or config_obj is None):
        return None
    _check_orphans(request, configs, pools)
    if obj is None:
        raise pool_not_found(request.pool, _what(request))
    if config_obj is None:
        remedy = "Create one (machineosconfig), and wait for its build"
        raise OperationError(_what(request), f"pool {request.pool} has no MachineOSConfig", remedy)
    pool, config, builds = Pool.from_api(obj), MachineOSConfig.from_api(config_obj), _builds(session, request.pool)
    found = pool_target(pool, config, build_progress(config, builds, pool.rendered_config))
    if found.target is None:
        if request.check_mode:
            return None
        reason = f"the current build has not succeeded ({found.line})"
        raise OperationError(_what(request), reason, "Wait for it first (machineosbuild_wait)")
    recorded, superseded = builds_being_deleted(obj), superseded_builds(config, builds, pool.rendered_config)
    if superseded and _follows_current_build(session, request):
        superseded = []
    if not superseded and not recorded:
        return None
    names = {build.name for build in builds}
    waiting = _waiting_nodes(session, pool, pools, found.target)
    reboots = require_reboot_consent(_what(request), pool, waiting, request.allow_node_reboots)
    return _Plan(superseded, [identity for identity in recorded if _name(identity) not in names], reboots)


def _check_orphans(request: SupersededRequest, configs: t.Iterable[Object], pools: t.Iterable[Object]) -> None:
    """Fail if the operator would return the MachineOSConfig to a deleted build.

    :raises OperationError: a MachineOSConfig has no pool
    """
    orphans = orphaned_configs(map(MachineOSConfig.from_api, configs), map(Pool.from_api, pools))
    if orphans:
        remedy = f"Delete {orphans[0].object} first (oc delete), or create its pool"
        raise OperationError(_what(request), orphans[0].message, remedy)


def _builds(session: Session, pool: str) -> list[MachineOSBuild]:
    listed = session.list(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}").items
    return [MachineOSBuild.from_api(obj) for obj in listed]


def _follows_current_build(session: Session, request: SupersededRequest) -> bool:
    """Whether the release uses the current build in any case.

    :raises OperationError: the release is not readable; builds are not deleted on a guess
    """
    version = desired_version(session.peek(CLUSTER_VERSION, "version") or {})
    if not version:
        reason = "ClusterVersion version cannot be read, and only some releases require the deletion"
        raise OperationError(_what(request), reason, "Grant the account to get clusterversions.config.openshift.io")
    return Release.from_version(version).follows_current_build


def _waiting_nodes(session: Session, pool: Pool, pools: t.Iterable[Object], target: Target) -> list[str]:
    nodes = nodes_in_pool(pool.name, session.list(NODE).items, [Pool.from_api(p) for p in pools])
    return [node.name for node in map(NodeState.from_api, nodes) if target.phase_of(node) is Phase.WAITING]


def _wait_for_deletion(session: Session, request: SupersededRequest, identities: t.Collection[str]) -> None:
    """Return when builds no longer exist. The node controller would use a build that is being deleted.

    :raises OperationError: a build still exists after the timeout
    """
    deadline = session.clock() + DELETION_TIMEOUT
    while identities:
        left = sorted(build.name for build in _builds(session, request.pool) if build.identity in identities)
        if not left:
            return
        if session.clock() >= deadline:
            reason = f"{', '.join(left)} still exists {DELETION_TIMEOUT:g} s after its deletion (metadata.finalizers)"
            raise OperationError(_what(request), reason, "Check that machine-os-builder runs, and run this again")
        session.sleep(_INTERVAL)


def _name(identity: str) -> str:
    return identity.partition("/")[0]


def _result(session: Session, plan: _Plan | None) -> dict[str, t.Any]:
    names = sorted(map(_name, plan.identities)) if plan else []
    return result(
        session.api_url,
        read_cluster(session) if plan else None,
        changed=plan is not None,
        deleted=names,
        deletions=[f"{MACHINE_OS_BUILD.name} {name}" for name in names],
        reboots=plan.reboots if plan else [],
        diff={"before": {"superseded": names}, "after": {"superseded": []}},
    )
