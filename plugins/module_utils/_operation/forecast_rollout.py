# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecast what playbook apply would do, and raise an error early for what cannot work. Nothing is written."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._cluster.cluster_identity import read_cluster
from .._cluster.session import Session
from .._model.build.orphaned_config import orphaned_configs
from .._model.build.pending_build import BuildProgress
from .._model.build.progress import build_progress
from .._model.build.superseded import superseded_builds
from .._model.findings import Finding, FindingId
from .._model.objects.machineconfigpool import CONTROL_PLANE
from .._model.objects.machineosbuild import BuildState, MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.release import Release, desired_version
from .._model.objects.resources import (
    CLUSTER_VERSION,
    CONFIG_LABEL,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    ObjectRef,
)
from .._model.observation import Outcome
from .._model.preflight.containerfile import reject_containerfile
from .._model.preflight.max_unavailable import reject_max_unavailable
from .._model.preflight.older_builds import doubt_about_older_builds, reject_older_builds
from .._model.preflight.paused_pool import reject_paused_pool
from .._model.preflight.push_spec import reject_push_spec
from .._model.rollout.drain_blockers import DrainSnapshot
from .._model.rollout.forecast import PoolNode, RolloutForecast, RolloutInputs, forecast_rollout
from .._model.rollout.forecast_build import BuildForecast, forecast_build
from .._model.rollout.forecast_text import forecast_lines, nothing_happens
from .._model.rollout.node_phase import Phase, Target
from .._model.rollout.target import pool_target
from .._result import findings_result, result
from .check_push_namespace import check_push_namespace
from .check_v1alpha1 import reject_pool
from .forecast_drains import read_drains, read_operator_node
from .forecast_inputs import ForecastRequest, PlannedConfig, PlannedPool, plan_config, plan_pool
from .forecast_rebuild import check_secrets, forecast_rebuild, require_consent
from .rebuild_pod_build import Rebuild
from .rejections import raise_rejection

MOST_FINDINGS = 50
"""Findings in a result. In a large pool a budget can block every node."""


@dataclass(frozen=True)
class _Builds:
    """The builds of an existing MachineOSConfig."""

    config: MachineOSConfig | None = None
    all: tuple[MachineOSBuild, ...] = ()
    """The builds for the rendered config of the pool."""
    progress: BuildProgress | None = None
    """The current build. None if the spec changes."""
    target: Target | None = None
    """What the nodes have to reach. None if it will be a new image."""
    present: MachineOSBuild | None = None
    """The proven build of a spec that changes. The changed spec has other inputs."""

    others: frozenset[str] = frozenset()
    """Identities of builds that were proven for other specs than the changed one."""
    reused: MachineOSBuild | None = None
    """The build that was proven for the changed spec before. The operator reuses it."""

    @property
    def reusable(self) -> list[MachineOSBuild]:
        """The builds that may have the inputs of the changed spec."""
        return [build for build in self.all if build != self.present and build.identity not in self.others]


def forecast(
    session: Session,
    request: ForecastRequest,
    warn: t.Callable[[str], None],
    clock: t.Callable[[], float] = time.time,
) -> dict[str, t.Any]:
    """Return the forecast of a run of playbook apply, or without details only check the run.

    Without details, an unchanged pool whose nodes are done takes three requests.

    :param warn: without details, receives what may block the rollout
    :raises OperationError: the run would fail, or would never end
    """
    _check_values(request)
    config = plan_config(session, request)
    pool = plan_pool(session, request)
    nodes = [PoolNode.from_api(obj) for obj in pool.nodes]
    is_settled = not request.details and _is_settled(config, pool, nodes)
    rebuild = None if is_settled else forecast_rebuild(session, request, config, pool)
    if rebuild is None or not rebuild.reason:
        _check_change(session, request, config, pool)
    builds = _read_builds(session, config, pool, rebuild, is_settled)
    _check_pause(request, pool, nodes, builds.target)
    doubt = _check_older_builds(session, request, builds, nodes)
    if not request.details:
        if doubt:
            warn(f"{doubt}.")
        return result(session.api_url, forecast=None)
    reason, deletions = (rebuild.reason, tuple(rebuild.deletions)) if rebuild else ("", ())
    expected = forecast_build(config.build_change, builds.progress, builds.reusable, builds.reused, reason)
    expected = replace(expected, deletions=deletions, changes=rebuild is not None)
    inputs = _inputs(session, pool, nodes, builds.target)
    rollout = replace(forecast_rollout(inputs, clock()), doubt=doubt)
    orphans = orphaned_configs(map(MachineOSConfig.from_api, config.listed), pool.pools)
    findings = [*rollout.findings, *_unreadable(request, inputs.drains, rollout), *orphans]
    return result(
        session.api_url,
        read_cluster(session),
        forecast=_forecast_result(pool, config, expected, rollout, inputs, findings),
    )


def _check_values(request: ForecastRequest) -> None:
    push_spec, text = request.config.rendered_image_push_spec, request.config.containerfile
    raise_rejection(request.what, reject_push_spec(push_spec) if push_spec is not None else None)
    raise_rejection(request.what, reject_containerfile(text) if text else None)
    limit = request.pool.max_unavailable
    raise_rejection(request.what, reject_max_unavailable(limit) if limit is not None else None)


def _check_change(session: Session, request: ForecastRequest, config: PlannedConfig, pool: PlannedPool) -> None:
    """Check what the change of the MachineOSConfig needs."""
    check_secrets(session, request, config.secrets)
    if not config.build_change:
        return
    raise_rejection(request.what, check_push_namespace(session, config.secrets.push_spec))
    if config.is_v1alpha1:
        raise_rejection(request.what, reject_pool(session, pool.before, config.containerfile))
    require_consent(request, pool)


def _is_settled(config: PlannedConfig, pool: PlannedPool, nodes: t.Sequence[PoolNode]) -> bool:
    """Whether nothing is built, and every node runs the image of the pool."""
    if config.current is None or config.build_change:
        return False
    target = _published_target(MachineOSConfig.from_api(config.current), pool)
    return all(target.phase_of(node.state) is Phase.DONE for node in nodes)


def _published_target(config: MachineOSConfig, pool: PlannedPool) -> Target:
    return Target(pool.after.rendered_config, config.current_image_pull_spec)


def _read_builds(
    session: Session, config: PlannedConfig, pool: PlannedPool, rebuild: Rebuild | None, is_settled: bool
) -> _Builds:
    """Return the builds of an existing MachineOSConfig. One request, unless the nodes show that none is needed."""
    if config.current is None:
        return _Builds()
    current = MachineOSConfig.from_api(config.current)
    if is_settled:
        return _Builds(current, target=_published_target(current, pool))
    listed = session.list(MACHINE_OS_BUILD, label_selector=f"{CONFIG_LABEL}={current.name}").items
    builds = tuple(MachineOSBuild.from_api(obj) for obj in listed)
    rendered = pool.after.rendered_config
    usable = tuple(build for build in builds if build.rendered_config == rendered)
    progress = build_progress(current, builds, rendered)
    if config.build_change and rebuild is not None:
        return _Builds(current)
    if config.build_change:
        present = progress.build if progress.outcome is Outcome.SUCCEEDED else None
        return _after_change(_Builds(current, usable, present=present), config.spec_hash)
    if rebuild is not None and rebuild.reason:
        return _Builds(current, usable, progress)
    return _Builds(current, usable, progress, pool_target(pool.after, current, progress).target)


def _after_change(builds: _Builds, spec_hash: str) -> _Builds:
    """Return the builds with the one that the operator reuses for the changed spec, if that is known."""
    record = builds.config.last_record if builds.config else None
    if record is None or builds.config is None:
        return builds
    same = {proven.build for proven in record.proven_for(spec_hash)}
    others = {proven.build for proven in record.proven} - same
    known = replace(builds, others=frozenset(others))
    reused = next((b for b in builds.all if b.identity in same and b.state is BuildState.SUCCEEDED), None)
    if reused is None:
        return known
    image = reused.digested_image_push_spec
    config = replace(builds.config, current_image_pull_spec=image)
    return replace(known, config=config, reused=reused, target=Target(reused.rendered_config, image))


def _check_pause(
    request: ForecastRequest, pool: PlannedPool, nodes: t.Sequence[PoolNode], target: Target | None
) -> None:
    awaited = [node for node in nodes if target is None or target.phase_of(node.state) is not Phase.DONE]
    if pool.before is None or not pool.before.paused or not awaited:
        return
    names = [node.state.name for node in nodes]
    kept, consent = pool.before.pause_kept_because, request.allow_node_reboots
    raise_rejection(request.what, reject_paused_pool(pool.before.name, kept, names, consent))


def _check_older_builds(
    session: Session, request: ForecastRequest, builds: _Builds, nodes: t.Sequence[PoolNode]
) -> str:
    """Return a doubt if older builds may block the rollout of a new image.

    :raises OperationError: they block the image that is built already
    """
    if builds.config is None or request.delete_superseded or any(build.is_pod_build for build in builds.all):
        return ""
    target = builds.target
    if target is None:
        blocking = [build for build in builds.all if build.state is BuildState.SUCCEEDED]
    elif _awaits_first_node(nodes, target):
        blocking = superseded_builds(builds.config, builds.all, target.rendered_config)
    else:
        blocking = []
    if not blocking or not nodes:
        return ""
    version = desired_version(session.peek(CLUSTER_VERSION, "version") or {})
    release = Release.from_version(version)
    if not version or release.follows_current_build:
        return ""
    if target is not None and release.stops_at_older_build:
        raise_rejection(request.what, reject_older_builds(blocking, version))
    return doubt_about_older_builds(blocking, version)


def _awaits_first_node(nodes: t.Sequence[PoolNode], target: Target) -> bool:
    """Whether nodes wait for the image, and none is being updated to it, which would prove that nothing blocks it."""
    phases = {target.phase_of(node.state) for node in nodes}
    return Phase.WAITING in phases and Phase.UPDATING not in phases


def _inputs(session: Session, pool: PlannedPool, nodes: t.Sequence[PoolNode], target: Target | None) -> RolloutInputs:
    inputs = RolloutInputs(pool.after, nodes, target, drained=not pool.is_only_node)
    if not forecast_rollout(inputs, 0.0).total:
        return inputs
    drains = read_drains(session) if inputs.drained else DrainSnapshot()
    operator_node = read_operator_node(session) if pool.after.name == CONTROL_PLANE else ""
    return replace(inputs, drains=drains, operator_node=operator_node)


def _unreadable(request: ForecastRequest, drains: DrainSnapshot, rollout: RolloutForecast) -> list[Finding]:
    if not drains.unreadable or not rollout.total:
        return []
    message = f"What blocks drains is not completely known: {drains.unreadable}"
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, request.pool.name)
    return [Finding(FindingId.CLUSTER_DRAINS_NOT_READABLE, ref, message, drains.unreadable)]


def _forecast_result(
    pool: PlannedPool,
    config: PlannedConfig,
    build: BuildForecast,
    rollout: RolloutForecast,
    inputs: RolloutInputs,
    findings: t.Sequence[Finding],
) -> dict[str, t.Any]:
    target = inputs.target
    updating = [n.state.name for n in inputs.nodes if target and target.phase_of(n.state) is Phase.UPDATING]
    changes = bool(pool.change or config.change or pool.moves or build.changes)
    return {
        "changes": changes,
        "complete": not changes and nothing_happens(build, rollout, updating),
        "pool": pool.change or "unchanged",
        "machineosconfig": config.change or "unchanged",
        "labels": {move.node: {"before": dict(move.before), "after": move.after} for move in pool.moves},
        "build": {"expected": build.expected.value, "name": build.build or None},
        "deletions": list(build.deletions),
        "rollout": {
            "total": rollout.total,
            "max_unavailable": pool.after.max_unavailable or None,
            "at_once": rollout.at_once,
            "batches": [list(batch) for batch in rollout.batches],
            "later": dict(rollout.later),
            "updating": updating,
        },
        "findings": findings_result(findings[:MOST_FINDINGS]),
        "lines": forecast_lines(build, rollout, updating, findings),
    }
