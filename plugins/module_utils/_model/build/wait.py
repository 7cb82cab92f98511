# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the build of a pool's image.

The wait succeeds when the current build has succeeded and the MachineOSConfig has its digest. It fails with the cause
when the current build failed, or when the build is missing for longer than the grace period.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from functools import partial

from ..findings import Finding, FindingId
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.readers import BUILDS, CONFIGS, POOLS
from ..objects.resources import POOL_LABEL
from ..objects.subject import Subject
from ..observation import Need, Observation, Outcome, Snapshot, Wait, WaitError
from .confirm import confirm_need, confirmed
from .diagnosis import Diagnosis
from .failed_attempts import FailedAttempt, attempt_findings, explain_failed_attempts, limit_finding, progress_text
from .failure import explain_failure, with_cause
from .log_needs import BuildRun, FinishLogs, FollowedLogs, FollowLogs, LogProgress
from .lost_job import JobCheck, check_job, lost_job_findings
from .not_started import NotStartedCheck, check_not_started
from .orphaned_config import orphaned_configs
from .own_pod import with_pod
from .pending_build import REPLACEMENT_GRACE, BuildProgress
from .pod_check import LeftPods, followed_pod, read_left_pods
from .progress import BuildTracking, build_progress
from .run_spec import ANY_RUN, RunSpec
from .suspicious_success import SuccessCheck, check_success

_RUNNING = (BuildState.PENDING, BuildState.PREPARING, BuildState.BUILDING)
FINISH_FOLLOWED = 1.0
"""Seconds to read the logs of a build that was followed to their end."""
FINISH_UNFOLLOWED = 30.0
"""Seconds to read the logs of a build that had ended before it was followed."""

Needs = tuple[Need[t.Any], ...]


@dataclass(frozen=True)
class BuildWaitOptions:
    """What the user requested."""

    pool: str
    replacement_grace: float = REPLACEMENT_GRACE
    """Seconds to wait for a replacement build."""
    saves_logs: bool = False
    check_mode: bool = False
    max_build_attempts: int = 0
    """Number of failed attempts that end the wait. 0 sets no limit."""
    run: RunSpec = ANY_RUN
    """The spec that the run wrote."""


@dataclass(frozen=True)
class Activity:
    """Since when the build has made no progress."""

    mark: str = ""
    since: float = 0.0
    """Watched seconds (``Snapshot.watched``)."""

    def after(self, mark: str, watched: float) -> Activity:
        """Return the activity after an observation."""
        return self if mark == self.mark else Activity(mark, watched)


@dataclass(frozen=True)
class EndedBuild:
    """A build that has ended, and whose logs were read to their end."""

    build: str = ""
    """Identity of the build. Empty if none has ended."""
    logs: LogProgress = field(default_factory=LogProgress)
    failure: Diagnosis | None = None


@dataclass(frozen=True)
class BuildWaitState:
    """What the wait remembers from one observation to the next."""

    tracking: BuildTracking = field(default_factory=BuildTracking)
    pushed: str = ""
    """Identity of the build whose builder succeeded."""
    not_started: NotStartedCheck = field(default_factory=NotStartedCheck)
    activity: Activity = field(default_factory=Activity)
    job: JobCheck = field(default_factory=JobCheck)
    ended: EndedBuild = field(default_factory=EndedBuild)
    failed_attempts: tuple[FailedAttempt, ...] = ()
    success: SuccessCheck = field(default_factory=SuccessCheck)
    left_pods: LeftPods = field(default_factory=LeftPods)
    logs: FollowedLogs = field(default_factory=FollowedLogs)
    log_cluster: str = ""
    """Cluster name for the names of saved logs."""


@dataclass(frozen=True)
class BuildObservation(Observation):
    """Observation of a build, with what the result shows."""

    build: MachineOSBuild | None = None
    state: BuildState = BuildState.PENDING
    config: MachineOSConfig | None = None
    logs: LogProgress = field(default_factory=LogProgress)
    failure: Diagnosis | None = None


def build_wait(options: BuildWaitOptions) -> Wait[BuildWaitState, BuildObservation]:
    """Return the wait for the build of a pool's image."""
    return Wait(
        f"await the build of MachineConfigPool {options.pool}",
        build_subjects(options.pool),
        BuildWaitState(),
        partial(observe, options),
    )


def build_subjects(pool: str) -> tuple[Subject, ...]:
    """Return what the wait watches."""
    return (
        POOLS.subject(),
        CONFIGS.subject(),
        BUILDS.subject(label_selector=f"{POOL_LABEL}={pool}"),
    )


def observe(
    options: BuildWaitOptions, snapshot: Snapshot, state: BuildWaitState, dummy_now: float
) -> tuple[BuildWaitState, BuildObservation]:
    """Return the next state and what is known of the build. All times of this wait are watched seconds."""
    config = next((c for c in snapshot.all(CONFIGS) if c.pool == options.pool), None)
    pool = next((p for p in snapshot.all(POOLS) if p.name == options.pool), None)
    changed = "" if options.check_mode else options.run.changed_by_other(options.pool, config)
    if changed and pool is not None:
        error = WaitError(changed, options.run.REMEDY)
        return state, BuildObservation(Outcome.FAILED, changed, mark="", error=error, config=config)
    if pool is None or config is None:
        return state, _nothing_to_wait_for(options, pool is not None, config)
    state, observation = _observe_build(options, snapshot, state, config, pool.rendered_config)
    orphans = orphaned_configs(snapshot.all(CONFIGS), snapshot.all(POOLS))
    return state, replace(observation, findings=(*observation.findings, *orphans))


def _observe_build(
    options: BuildWaitOptions, snapshot: Snapshot, state: BuildWaitState, config: MachineOSConfig, rendered_config: str
) -> tuple[BuildWaitState, BuildObservation]:
    state, progress, needs = _track(options, snapshot, state, config, rendered_config)
    build = progress.build
    if options.check_mode:
        return state, _observation(config, progress, LogProgress(), progress.findings, ())
    if build is None and progress.outcome is Outcome.FAILED:
        return state, _observation(config, progress, LogProgress(), progress.findings, ())
    if build is not None and progress.outcome is Outcome.SUCCEEDED:
        needs = (*needs, confirm_need(build))
        progress = _confirmed(snapshot, progress, build)
    if build is None or progress.outcome is Outcome.WAITING:
        state, observation = _observe_waiting(snapshot, state, config, progress, needs)
        if build is None or build.is_pod_build:
            return state, observation
        return _add_attempts(options, snapshot, state, observation, build)
    state, observation = _observe_ended(options, snapshot, state, config, progress)
    return state, replace(observation, needs=(*needs, *observation.needs))


def _nothing_to_wait_for(options: BuildWaitOptions, has_pool: bool, config: MachineOSConfig | None) -> BuildObservation:
    reason = f"MachineConfigPool {options.pool} does not exist"
    remedy = "Check the name, or create the pool (machineconfigpool, or image_mode_create_pool in the playbooks)"
    if has_pool:
        reason = f"MachineConfigPool {options.pool} has no MachineOSConfig"
        remedy = "Create one first (machineosconfig)"
    error = None if options.check_mode else WaitError(reason, remedy)
    line = "check mode: a build would start here"
    return BuildObservation(Outcome.WAITING, line, mark="", error=error, config=config)


def _track(
    options: BuildWaitOptions, snapshot: Snapshot, state: BuildWaitState, config: MachineOSConfig, rendered_config: str
) -> tuple[BuildWaitState, BuildProgress, Needs]:
    """Evaluate the current build, and remember for how long it has been missing."""
    followed = _followed(snapshot)
    pushed = followed.identity if followed and followed.pushed else state.pushed
    progress = build_progress(config, snapshot.all(BUILDS), rendered_config, pushed, state.tracking)
    pod = followed_pod(progress.build, followed, state.logs)
    left_pods, needs = read_left_pods(snapshot, progress, pod, state.left_pods)
    progress = with_pod(progress, pod, left_pods.of(progress.build))
    tracking = state.tracking.after(progress, snapshot.watched, snapshot.resumed)
    progress = progress.after(tracking.pending_seconds, options.replacement_grace)
    return replace(state, tracking=tracking, pushed=pushed, left_pods=left_pods), progress, needs


def _followed(snapshot: Snapshot) -> LogProgress | None:
    """Return the progress of the logs that are followed, or None if none are."""
    return next((result for need, result in snapshot.results.items() if isinstance(need, FollowLogs)), None)


def _confirmed(snapshot: Snapshot, progress: BuildProgress, build: MachineOSBuild) -> BuildProgress:
    """Return a success only if a direct read confirms it. Otherwise the watch is about to report the change."""
    is_confirmed = confirmed(snapshot, build)
    if is_confirmed:
        return progress
    doubt = "deleted, waiting for a replacement" if is_confirmed is False else "succeeded, confirming by a direct read"
    return replace(progress, outcome=Outcome.WAITING, line=f"build {build.name}: {doubt}")


def _observe_waiting(
    snapshot: Snapshot, state: BuildWaitState, config: MachineOSConfig, progress: BuildProgress, needs: Needs
) -> tuple[BuildWaitState, BuildObservation]:
    build = progress.build
    logs = LogProgress()
    if build is not None:
        follow = FollowLogs(BuildRun.of(build))
        followed = snapshot.result(follow)
        if followed is not None or build.state in _RUNNING or build.is_pod_build:
            needs = (*needs, follow)
        logs = followed or logs
    activity = state.activity.after(_mark(progress, logs), snapshot.watched)
    unchanged = snapshot.watched - activity.since
    job, read_job = check_job(snapshot, progress, state.job, unchanged)
    pending_seconds = state.tracking.pending_seconds
    not_started, read_causes = check_not_started(snapshot, config, progress, state.not_started, pending_seconds)
    success = state.success
    if build is not None:
        success, read_log = check_success(snapshot, build, logs, success)
        needs = (*needs, *read_log)
    state = replace(state, activity=activity, job=job, not_started=not_started, success=success)
    findings = (
        *not_started.findings,
        *lost_job_findings(build, job),
        *progress.findings,
        *logs.findings,
        *success.of(build),
    )
    return state, _observation(config, progress, logs, findings, (*needs, *read_causes, *read_job))


def _add_attempts(
    options: BuildWaitOptions,
    snapshot: Snapshot,
    state: BuildWaitState,
    observation: BuildObservation,
    build: MachineOSBuild,
) -> tuple[BuildWaitState, BuildObservation]:
    """Add the failed attempts of a running build, which end the wait at its limit."""
    made = observation.logs.attempts
    failed, needs = explain_failed_attempts(snapshot, build, made, state.failed_attempts)
    findings = (*attempt_findings(build, failed), *observation.findings)
    limit = limit_finding(build, failed, options.max_build_attempts)
    if limit:
        finish = FinishLogs(BuildRun.of(build), FINISH_FOLLOWED)  # so that the saved log is complete
        limit = limit if snapshot.result(finish) else None
        needs = (*needs, finish)
    state = replace(state, failed_attempts=failed)
    observation = replace(
        observation,
        progress=observation.progress + progress_text(failed),
        findings=findings,
        needs=(*observation.needs, *needs),
        limit=limit,
    )
    return state, observation


def _observe_ended(
    options: BuildWaitOptions,
    snapshot: Snapshot,
    state: BuildWaitState,
    config: MachineOSConfig,
    progress: BuildProgress,
) -> tuple[BuildWaitState, BuildObservation]:
    """Read the logs of a build that has ended to their end, and explain why it failed."""
    build = t.cast(MachineOSBuild, progress.build)
    run = BuildRun.of(build)
    followed = snapshot.result(FollowLogs(run))
    needs: Needs = (FollowLogs(run),) if followed else ()
    if state.ended.build != run.identity:
        was_followed = bool(followed and followed.attempts)
        is_wanted = _has_failed(progress, build) or was_followed or options.saves_logs
        if not is_wanted or snapshot.outage:
            logs = followed or LogProgress()
            findings = (*progress.findings, *logs.findings, *state.success.of(build))
            return state, _observation(config, progress, logs, findings, needs)
        finish = FinishLogs(run, FINISH_FOLLOWED if was_followed else FINISH_UNFOLLOWED)
        ended, more = _end(snapshot, progress, build, finish)
        needs = (*needs, finish, *more)
        state = replace(state, ended=ended or state.ended)
    if state.ended.build != run.identity:
        return state, _observation(config, progress, followed or LogProgress(), progress.findings, needs)
    failure, logs = state.ended.failure, state.ended.logs
    causes = [with_cause(finding, failure, build) if failure else finding for finding in progress.findings]
    findings = (*causes, *logs.findings, *state.success.of(build))
    return state, _observation(config, progress, logs, findings, needs, failure)


def _has_failed(progress: BuildProgress, build: MachineOSBuild) -> bool:
    """Whether the builder failed. The conditions of a build in a single pod do not decide it."""
    if build.is_pod_build:
        return any(finding.id is FindingId.BUILD_FAILED for finding in progress.findings)
    return build.state is BuildState.FAILED


def _end(
    snapshot: Snapshot, progress: BuildProgress, build: MachineOSBuild, finish: FinishLogs
) -> tuple[EndedBuild | None, Needs]:
    """Return what is known of a build that has ended, or None and what has to be read."""
    finished = snapshot.result(finish)
    if finished is None:
        return None, ()
    if not _has_failed(progress, build):
        return EndedBuild(finish.run.identity, finished.progress), ()
    failure, needs = explain_failure(snapshot, build, finished)
    if failure is None:
        return None, needs
    return EndedBuild(finish.run.identity, finished.progress, failure), needs


def _observation(
    config: MachineOSConfig,
    progress: BuildProgress,
    logs: LogProgress,
    findings: tuple[Finding, ...],
    needs: Needs,
    failure: Diagnosis | None = None,
) -> BuildObservation:
    return BuildObservation(
        outcome=progress.outcome,
        progress=progress.line,
        mark=_mark(progress, logs),
        findings=findings,
        needs=needs,
        build=progress.build,
        state=progress.state,
        config=config,
        logs=logs,
        failure=failure,
    )


def _mark(progress: BuildProgress, logs: LogProgress) -> str:
    """Return the mark: it changes with the build, its state, and what the builder writes to its log."""
    return f"{progress.build.identity if progress.build else ''} {progress.state.value} {logs.mark}"
