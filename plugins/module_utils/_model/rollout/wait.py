# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for a rollout: decide after each change whether it is done, and what has to be read next."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from functools import partial

from ..build.confirm import confirm_need, confirmed
from ..build.progress import BuildProgress, BuildTracking, build_progress
from ..objects.machineconfigpool import NOT_FOUND_REMEDY, Pool
from ..objects.machineosbuild import POOL_LABEL
from ..objects.node import NodeState
from ..objects.readers import BUILDS, CONFIGS, NODES, POOLS
from ..objects.release import Release, desired_version
from ..objects.resources import CLUSTER_VERSION
from ..observation import Observation, Outcome, Pace, ReadObject, Snapshot, Wait, WaitError, WatchObjects
from .history import RolloutHistory
from .progress import Rollout, evaluate
from .snapshot import RolloutSnapshot, RolloutWaitOptions, drain_subjects, select

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


@dataclass(frozen=True)
class RolloutWaitState:
    """What a rollout wait remembers between two observations."""

    history: RolloutHistory = field(default_factory=RolloutHistory)
    build: BuildTracking = field(default_factory=BuildTracking)
    version: str | None = None
    """Desired version of the cluster. None until it was read, empty if it is not readable."""
    pool_existed: bool = False


@dataclass(frozen=True)
class RolloutObservation(Observation):
    """An observation, with the rollout that it is about."""

    rollout: Rollout = field(default_factory=lambda: Rollout({}, (), ""))
    pool: Pool | None = None
    """None if the pool does not exist."""
    nodes: t.Sequence[NodeState] = ()
    """The awaited nodes that belong to the pool, sorted by name."""


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
    objects = select(snapshot, options, pool)
    if isinstance(objects, WaitError):
        return state, RolloutObservation(outcome=Outcome.FAILED, progress="", mark="", error=objects, pool=pool)
    tracking, build = _track_build(objects, snapshot, state.build)
    version = _version(snapshot, state.version)
    objects = replace(objects, build=build, release=Release.from_version(version or ""))
    rollout = evaluate(objects, state.history, now)
    needs = (
        *_drain_needs(options, rollout.history, now),
        *((_VERSION,) if version is None or rollout.depends_on_release else ()),
    )
    observation = RolloutObservation(
        outcome=Outcome.SUCCEEDED if rollout.done else Outcome.WAITING,
        progress=rollout.line,
        mark=rollout.mark,
        findings=rollout.findings,
        needs=needs,
        pace=pace(len(rollout.phases)),
        rollout=rollout,
        pool=pool,
        nodes=objects.nodes,
    )
    if rollout.done and not options.check_mode:
        observation = _with_confirmation(observation, snapshot)
    return RolloutWaitState(rollout.history, tracking, version, pool_existed=True), observation


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
    objects: RolloutSnapshot, snapshot: Snapshot, before: BuildTracking
) -> tuple[BuildTracking, BuildProgress | None]:
    """Return the progress of the current build, which fails if it stays pending for too long."""
    if objects.config is None:
        return BuildTracking(), None
    found = build_progress(
        objects.config, objects.builds, objects.pool.rendered_config, before_rebuild=before.before_rebuild
    )
    tracking = before.after(found, snapshot.watched, snapshot.resumed)
    return tracking, found.after(tracking.pending_seconds)


def _version(snapshot: Snapshot, before: str | None) -> str | None:
    """Return the desired version of the cluster, if it was read."""
    read = snapshot.result(_VERSION)
    if read is None:
        return before
    return desired_version(read.obj or {}) if read.known else before or ""


def _drain_needs(options: RolloutWaitOptions, history: RolloutHistory, now: float) -> t.Iterator[WatchObjects]:
    """Return what has to be watched of nodes whose drain is slow. In check mode there is no time to be slow."""
    slow = history.draining(0.0 if options.check_mode else SLOW_DRAIN, now)
    return map(WatchObjects, drain_subjects(slow[:MOST_WATCHED_DRAINS]))


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
