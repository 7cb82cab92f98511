# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a rollout: decide after each change whether it is done, and what has to be read next."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from functools import partial

from ..build.confirm import confirm_need, confirmed
from ..build.orphaned_config import orphaned_configs
from ..build.pending_build import BuildProgress
from ..build.pod_check import ReadPods, with_read_pods
from ..build.progress import BuildTracking, bound_to_image, build_progress
from ..build.run_spec import RunSpec
from ..findings import Finding
from ..objects.machineconfigpool import NOT_FOUND_REMEDY, Pool
from ..objects.node import NodeState
from ..objects.readers import BUILDS, CONFIGS, MACHINE_CONFIG_NODES, NODES, POOLS
from ..objects.release import Release, desired_version
from ..objects.resources import CLUSTER_VERSION, POOL_LABEL
from ..objects.subject import Subject
from ..observation import Need, Observation, Outcome, Pace, ReadObject, Snapshot, Wait, WaitError, WatchObjects
from .daemon_log import read_daemon_logs
from .drain_blockers import DrainSnapshot
from .history import RolloutHistory
from .node_times import RolloutTimes
from .progress import Rollout, evaluate
from .snapshot import RolloutSnapshot, RolloutWaitOptions, drain_subjects, machine_subjects, select

SLOW_DRAIN = 15.0
"""Seconds after which the pods of a draining node are watched. Most drains are complete before that, and a budget that
blocks one must be reported within 30 seconds."""
MOST_WATCHED_DRAINS = 20
"""Number of draining nodes whose pods are watched, the longest drains first: a blocked drain is one of them."""
SHORTEST_REPORT_INTERVAL = 10.0
"""Seconds between two reports of changed nodes, at least."""
_LONGEST_REPORT_INTERVAL = 45.0
_REPORT_INTERVAL_PER_NODE = 0.09
_VERSION = ReadObject(CLUSTER_VERSION, "version", retried=False)

Needs = tuple[Need[t.Any], ...]


@dataclass(frozen=True)
class RolloutWaitState:
    """What a rollout wait remembers between two observations."""

    history: RolloutHistory = field(default_factory=RolloutHistory)
    build: BuildTracking = field(default_factory=BuildTracking)
    version: str | None = None
    """Desired version of the cluster. None until it was read, empty if it is not readable."""
    pool_existed: bool = False
    awaited: tuple[str, ...] = ()
    """Names of the awaited nodes that have been in the pool, sorted."""
    pods: ReadPods = field(default_factory=ReadPods)
    """The pods of a build that runs in a single pod."""
    daemon_logs: t.Mapping[str, float] = field(default_factory=dict)
    """Name of a node -> when the log of its daemon was read, in watched seconds."""
    times: RolloutTimes = field(default_factory=RolloutTimes)
    """When each node drained, rebooted and was done."""


@dataclass(frozen=True)
class RolloutObservation(Observation):
    """An observation, with the rollout that it is about."""

    rollout: Rollout = field(default_factory=lambda: Rollout({}, (), ""))
    pool: Pool | None = None
    """None if the pool does not exist."""
    nodes: t.Sequence[NodeState] = ()
    """The awaited nodes that belong to the pool, sorted by name."""
    build: BuildProgress | None = None
    """The progress of the current build. None for a pool without a MachineOSConfig."""
    times: RolloutTimes = field(default_factory=RolloutTimes)
    """When each node drained, rebooted and was done."""


def rollout_wait(options: RolloutWaitOptions) -> Wait[RolloutWaitState, RolloutObservation]:
    """Return the wait for a rollout."""
    return Wait(
        f"await the rollout of MachineConfigPool {options.pool}",
        (
            POOLS.subject(),
            NODES.subject(),
            CONFIGS.subject(),
            BUILDS.subject(label_selector=f"{POOL_LABEL}={options.pool}"),
        ),
        RolloutWaitState(),
        partial(observe, options),
    )


def observe(
    options: RolloutWaitOptions, snapshot: Snapshot, state: RolloutWaitState, now: float
) -> tuple[RolloutWaitState, RolloutObservation]:
    """Return the next state and whether the rollout is done.

    :param now: seconds since the epoch
    """
    pool = next((pool for pool in snapshot.all(POOLS) if pool.name == options.pool), None)
    if pool is None:
        return state, _pool_missing(options, state)
    objects = select(snapshot, options, pool, state.awaited)
    if isinstance(objects, WaitError):
        return state, RolloutObservation(outcome=Outcome.FAILED, progress="", mark="", error=objects, pool=pool)
    changed = options.run.changed_by_other(options.pool, objects.config)
    if changed:
        error = WaitError(changed, options.run.REMEDY)
        return state, RolloutObservation(outcome=Outcome.FAILED, progress=changed, mark="", error=error, pool=pool)
    state, observation = observe_rollout(options, objects, snapshot, state, now)
    reports = {report.name: report for report in snapshot.all(MACHINE_CONFIG_NODES)}
    times = state.times.after(objects.nodes, observation.rollout.phases, reports, now)
    limit = _left(options, objects)
    orphans = orphaned_configs(snapshot.all(CONFIGS), snapshot.all(POOLS))
    observation = replace(
        observation,
        outcome=Outcome.FAILED if limit else observation.outcome,
        findings=(*observation.findings, *orphans),
        limit=limit,
        times=times,
    )
    if observation.rollout.done and not limit and not options.check_mode:
        observation = _with_confirmation(observation, snapshot)
    new = {node.name for node in objects.nodes}.difference(state.awaited)
    awaited = tuple(sorted((*state.awaited, *new))) if new else state.awaited
    return replace(state, pool_existed=True, awaited=awaited, times=times), observation


def observe_rollout(
    options: RolloutWaitOptions, objects: RolloutSnapshot, snapshot: Snapshot, state: RolloutWaitState, now: float
) -> tuple[RolloutWaitState, RolloutObservation]:
    """Return the next state and the observation of a rollout whose objects are selected.

    :param now: seconds since the epoch
    """
    state, build, pod_needs = _track_build(objects, snapshot, state, options.run)
    history, daemon_logs, log_needs = _read_logs(objects, snapshot, state)
    version = _version(snapshot, state.version)
    objects = replace(objects, build=build, release=Release.from_version(version or ""))
    rollout = evaluate(objects, history, now)
    slow = _slow_drains(options, rollout.history, now)
    needs = (
        *map(WatchObjects, _drain_subjects(slow, objects.drains, snapshot.unreadable)),
        *((_VERSION,) if version is None or rollout.depends_on_release else ()),
        *pod_needs,
        *log_needs,
    )
    observation = RolloutObservation(
        outcome=Outcome.SUCCEEDED if rollout.done else Outcome.WAITING,
        progress=rollout.line,
        mark=rollout.mark,
        findings=rollout.findings,
        needs=needs,
        pace=pace(len(rollout.phases)),
        rollout=rollout,
        pool=objects.pool,
        nodes=objects.nodes,
        build=build,
    )
    return replace(state, history=rollout.history, version=version, daemon_logs=daemon_logs), observation


def _left(options: RolloutWaitOptions, objects: RolloutSnapshot) -> Finding | None:
    """Return the finding that ends the wait because a node left the pool.

    A wait for all nodes continues with the others, if there are any. A wait for named nodes needs each of them.
    """
    is_needed = bool(options.nodes) or not (objects.nodes or objects.outside_nodes)
    return next(iter(objects.left_nodes.values()), None) if is_needed else None


def _pool_missing(options: RolloutWaitOptions, state: RolloutWaitState) -> RolloutObservation:
    """Return the observation without a pool. In check mode a task before this one may be about to create it."""
    if options.check_mode:
        return RolloutObservation(Outcome.WAITING, f"pool {options.pool}: does not exist yet", "")
    name = f"MachineConfigPool {options.pool}"
    error = WaitError(f"{name} does not exist", NOT_FOUND_REMEDY)
    if state.pool_existed:
        error = WaitError(f"{name} was deleted while waiting", "Create it again, and wait again")
    return RolloutObservation(Outcome.FAILED, "", "", error=error)


def _track_build(
    objects: RolloutSnapshot, snapshot: Snapshot, state: RolloutWaitState, run: RunSpec
) -> tuple[RolloutWaitState, BuildProgress | None, Needs]:
    """Return the progress of the current build, which fails if it stays pending for too long."""
    if objects.config is None:
        return replace(state, build=BuildTracking()), None, ()
    found = build_progress(objects.config, objects.builds, objects.pool.rendered_config, tracking=state.build)
    found, pods, needs = with_read_pods(snapshot, found, state.pods)
    found = bound_to_image(run, objects.config, found)
    tracking = state.build.after(found, snapshot.watched, snapshot.resumed)
    return replace(state, build=tracking, pods=pods), found.after(tracking.pending_seconds), needs


def _read_logs(
    objects: RolloutSnapshot, snapshot: Snapshot, state: RolloutWaitState
) -> tuple[RolloutHistory, t.Mapping[str, float], Needs]:
    """Return the history with causes that later releases report on the node, and what has to be read for them."""
    if objects.config is None or not objects.config.is_v1alpha1:
        return state.history, {}, ()
    return read_daemon_logs(snapshot, objects.nodes, state.history, state.daemon_logs)


def _version(snapshot: Snapshot, before: str | None) -> str | None:
    """Return the desired version of the cluster, if it was read."""
    read = snapshot.result(_VERSION)
    if read is None:
        return before
    return desired_version(read.obj or {}) if read.known else before or ""


def _slow_drains(options: RolloutWaitOptions, history: RolloutHistory, now: float) -> list[str]:
    """Return the nodes whose drain is slow, not too many. In check mode there is no time to be slow."""
    return history.draining(0.0 if options.check_mode else SLOW_DRAIN, now)[:MOST_WATCHED_DRAINS]


def _drain_subjects(slow: t.Sequence[str], drains: DrainSnapshot, unreadable: t.Iterable[str]) -> tuple[Subject, ...]:
    """Return what has to be watched of nodes whose drain is slow."""
    waiting = [node for node in slow if drains.waits_for_machine(node)]
    return (*drain_subjects(slow), *machine_subjects(waiting, unreadable))


def _with_confirmation(observation: RolloutObservation, snapshot: Snapshot) -> RolloutObservation:
    """Return the observation of a rollout that is done, which is final only after a direct read of the build."""
    build = observation.rollout.build
    if build is None or confirmed(snapshot, build):
        return observation
    line = f"{observation.progress}, confirming build {build.name}"
    needs = (*observation.needs, confirm_need(build))
    return replace(observation, outcome=Outcome.WAITING, progress=line, needs=needs)


def pace(nodes: int) -> Pace:
    """Return how often a rollout of many nodes is observed and reported.

    A report is one module call, which costs Ansible about one second of a processor. In a rollout of many nodes, which
    takes hours, fewer reports keep that share small. A new finding is reported at once in any case.
    """
    interval = min(_LONGEST_REPORT_INTERVAL, _REPORT_INTERVAL_PER_NODE * nodes)
    return Pace(
        shortest=max(1.0, interval / 10),
        longest=SHORTEST_REPORT_INTERVAL,
        report_interval=max(SHORTEST_REPORT_INTERVAL, interval),
    )
