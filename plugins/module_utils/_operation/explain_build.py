# SPDX-License-Identifier: GPL-3.0-or-later
"""Why did a build fail, or why is there none? What a wait asks the cluster for beside what it watches.

All of it only explains: what may not be read is not known, and the wait goes on or ends as it would.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .._cluster.build_pods import pods_of_build
from .._cluster.logs import BuildLogs
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.attempts import Attempt, last_failed
from .._model.build.attempts import attempts as attempts_of
from .._model.build.diagnosis import Diagnosis, diagnose
from .._model.build.not_started import LOOKED_FOR_AFTER, LOOKED_FOR_EVERY, why_no_build
from .._model.build.progress import BuildProgress
from .._model.findings import Finding, FindingId
from .._model.objects import machineosconfig as config_model
from .._model.objects.machineosbuild import BuildState, MachineOSBuild, failure_message
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.release import Release, desired_version
from .._model.objects.resources import (
    CLUSTER_OPERATOR,
    CLUSTER_VERSION,
    JOB,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    OPERATOR_NAMESPACE,
    SECRET,
    Kind,
    Object,
    ObjectRef,
)
from .._model.observation import Outcome
from .._result import failure_result
from .._wait.confirm_build import is_unchanged
from .._wait.loop import Look
from .._wait.window import Window

READ_OUT = 1.0
"""Seconds that logs are given to come to their end when a build has ended while it was followed."""
READ_OUT_AT_ONCE = 30.0
"""The same for a build that had ended before, whose logs are then read from their beginning."""
JOB_LOOKED_FOR_AFTER = 60.0
"""Seconds of silence after which the Job of a build is looked for: an operator that notices that it is gone takes 5."""
JOB_LOOKED_FOR_EVERY = 300.0
JOB_LOOKED_FOR_AGAIN = 15.0
"""The same after it was not there."""


def explained(
    session: Session, window: Window, logs: BuildLogs, look: Look, build: MachineOSBuild, saves_logs: bool
) -> Look:
    """Read the logs of a build that has ended to their end, and say why it failed."""
    failed = build.state is BuildState.FAILED
    was_followed = bool(logs.attempts)
    if not failed and not was_followed and not saves_logs:
        return look
    pods = pods_of_build(session, build.name)
    logs.take(build.name, build.uid, build.created)
    logs.read_out(pods, READ_OUT if was_followed else READ_OUT_AT_ONCE)
    found = look.findings
    if failed:
        config = _listed(session, MACHINE_OS_CONFIG, build.config) or {}
        reason = _why(session, logs, build, attempts_of(pods or [], build.created), config)
        window.memory["failure"] = failure_result(reason)
        found = tuple(_with_cause(f, reason, build) for f in found)
    return replace(look, findings=(*(f for f in found if f.id not in _TROUBLES), *log_troubles(logs)))


def _why(
    session: Session, logs: BuildLogs, build: MachineOSBuild, attempts: t.Sequence[Attempt], config: Object
) -> Diagnosis:
    """Return why the last attempt failed: by its log or, where that is gone, by the words that a status holds."""
    attempt = last_failed(attempts)
    container = attempt.deciding_container if attempt else None
    text = logs.text(attempt, container) if attempt and container else ""
    said = text or (container.message if container else "")
    said = said or failure_message(_listed(session, MACHINE_OS_BUILD, build.name) or {})
    evicted = attempt.message if attempt and attempt.reason else ""
    return diagnose(
        "\n".join(part for part in (said, evicted) if part),
        containerfile=config_model.containerfile_of(config),
        exit_code=container.exit_code if container else 0,
        reason=(attempt.reason or (container.reason if container else "")) if attempt else "",
    )


def _with_cause(finding: Finding, reason: Diagnosis, build: MachineOSBuild) -> Finding:
    if finding.id != FindingId.BUILD_FAILED:
        return finding
    where = f" at line {reason.line} of the Containerfile ({reason.instruction})" if reason.line else ""
    said = f": {reason.summary}" if reason.summary else ""
    return Finding(reason.cause, finding.object, f"MachineOSBuild {build.name} failed{where}{said}", reason.excerpt)


_TROUBLES = (FindingId.BUILD_LOG_NOT_READABLE, FindingId.BUILD_LOG_NOT_SAVED)


def log_troubles(logs: BuildLogs) -> tuple[Finding, ...]:
    """Return what keeps the logs from being read or saved, which keeps nothing else up."""
    pods = ObjectRef("Pod", f"build-{logs.name}", OPERATOR_NAMESPACE)
    found = []
    if logs.denied:
        found.append(
            Finding(FindingId.BUILD_LOG_NOT_READABLE, pods, f"The log of the builder cannot be read: {logs.denied}")
        )
    if logs.unwritten:
        found.append(
            Finding(FindingId.BUILD_LOG_NOT_SAVED, pods, f"The log of the builder is not saved: {logs.unwritten}")
        )
    return tuple(found)


def reasons_for_none(session: Session, window: Window, progress: BuildProgress, pool: str) -> tuple[Finding, ...]:
    """Return why there is no build, asked for now and then while there is none."""
    reason, subject, waited, dummy = window.memory.get("lack") or ("", "", 0.0, 0.0)
    lack = f"{reason} {subject}"
    if window.memory.get("reasons_for") != lack or window.outage or not progress.not_started:
        for name in ("reasons", "reasons_at", "reasons_for"):
            window.memory.pop(name, None)
    if not progress.not_started or progress.outcome is not Outcome.WAITING or window.outage:
        return ()
    window.memory["reasons_for"] = lack
    known = window.memory.get("reasons") or []
    asked_at = window.memory.get("reasons_at", LOOKED_FOR_AFTER - LOOKED_FOR_EVERY)
    if waited - asked_at >= LOOKED_FOR_EVERY:
        config = config_model.that_serves(pool, window.objects(MACHINE_OS_CONFIG))
        seen = _ask_why(session, MachineOSConfig.from_api(config)) if config else ()
        known = [[f.id, f.object.kind, f.object.name, f.object.namespace, f.message] for f in seen]
        window.memory.update(reasons=known, reasons_at=waited)
    return tuple(
        Finding(FindingId(found), ObjectRef(kind, name, namespace), said)
        for found, kind, name, namespace, said in known
    )


def lost_job(session: Session, window: Window, progress: BuildProgress, mark: str) -> tuple[Finding, ...]:
    """Return that a build which says nothing has no Job any more, asked for now and then while it is silent.

    Up to 4.19 the operator takes a Job that was deleted after a failed attempt for one that still runs (its
    ``pkg/controller/build/imagebuilder/jobimagebuilder.go``, ``mapJobStatusToBuildStatus``): Building for ever. A Job
    that is not there once proves nothing: the operator deletes it at the end, and may be about to make another.

    :param mark: where everything is now
    """
    build, still = progress.build, window.still_at(mark)
    runs = build is not None and build.job and build.state in (BuildState.PREPARING, BuildState.BUILDING)
    if build is None or not runs or window.outage or still < JOB_LOOKED_FOR_AFTER:
        window.memory.pop("job", None)
        return ()
    asked_at, missed = window.memory.get("job") or (JOB_LOOKED_FOR_AFTER - JOB_LOOKED_FOR_EVERY, 0)
    if still - asked_at >= (JOB_LOOKED_FOR_AGAIN if missed else JOB_LOOKED_FOR_EVERY):
        is_gone = _is_missing(session, JOB, build.job) and is_unchanged(session, build)
        missed = missed + 1 if is_gone else 0
        window.memory["job"] = [still, missed]
    message = f"MachineOSBuild {build.name} stays {build.state.value}, and its Job {build.job} is gone"
    return (
        (Finding(FindingId.BUILD_JOB_DELETED, ObjectRef(MACHINE_OS_BUILD.name, build.name), message),)
        if missed > 1
        else ()
    )


def _ask_why(session: Session, config: MachineOSConfig) -> tuple[Finding, ...]:
    names = {config.rendered_image_push_secret, config.base_image_pull_secret} - {""}
    return why_no_build(
        config,
        _listed(session, MACHINE_CONFIG_POOL, config.pool),
        session.peek(CLUSTER_OPERATOR, "machine-config"),
        [name for name in names if _is_missing(session, SECRET, name)],
        Release.from_version(desired_version(session.peek(CLUSTER_VERSION, "version") or {})),
    )


def _listed(session: Session, kind: Kind, name: str) -> Object | None:
    """Return an object by the right that the wait has anyway, which is to list; None when it cannot be had."""
    try:
        return next(iter(session.list(kind, field_selector=f"metadata.name={name}").items), None)
    except OperationError:
        return None


def _is_missing(session: Session, kind: Kind, name: str) -> bool:
    try:
        return session.find(kind, name, OPERATOR_NAMESPACE) is None
    except OperationError:  # who may not read it does not know
        return False
