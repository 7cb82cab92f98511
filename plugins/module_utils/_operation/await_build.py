# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the build of a pool's image, one window at a time, and say why it failed."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._cluster.build_pods import pods_of_build
from .._cluster.log_folder import LogFolder
from .._cluster.logs import BuildLogs
from .._cluster.session import Session
from .._cluster.watch import Subject
from .._errors import Refused
from .._model import machineosconfig as config_model
from .._model.build_attempts import Attempt, last_failed
from .._model.build_attempts import attempts as attempts_of
from .._model.build_diagnosis import Diagnosis, diagnose
from .._model.build_progress import REPLACEMENT_GRACE, BuildProgress, Outcome, Patience, build_progress
from .._model.findings import Finding
from .._model.machineosbuild import POOL_LABEL, BuildState, MachineOSBuild
from .._model.machineosconfig import MachineOSConfig
from .._model.missing_build import LOOKED_FOR_AFTER, LOOKED_FOR_EVERY, why_no_build
from .._model.pool import Pool
from .._model.resources import (
    CLUSTER_OPERATOR,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    OPERATOR_NAMESPACE,
    SECRET,
    Kind,
    Object,
    ObjectRef,
)
from .._result import build_result, failure_result, read_cluster
from .apply_machineosconfig import config_result
from .follow import Look, Pace, conclude, follow
from .read_members import no_such_pool
from .window import Limits, Window

READ_OUT = 1.0
"""Seconds that logs are given to come to their end when a build has ended while it was followed."""
READ_OUT_AT_ONCE = 30.0
"""The same for a build that had ended before, whose logs are then read from their beginning."""


@dataclass(frozen=True)
class Ask:
    """What the user asks for."""

    pool: str
    limits: Limits
    cursor: str
    check_mode: bool
    log_dir: str = ""
    """Folder where the builder's logs are saved; empty does not save them."""
    replacement_grace: float = REPLACEMENT_GRACE
    """Seconds that another build has to appear in the place of one that is no answer."""


def await_build(session: Session, ask: Ask, clock: t.Callable[[], float] = time.time) -> dict[str, t.Any]:
    """Follow the build for one window and return how far it is; ``finished`` says whether the wait is over.

    :param clock: the time, in seconds since the epoch
    :raises Refused: the build failed, the time is over, or there is nothing to wait for
    """
    what = f"await the build of MachineConfigPool {ask.pool}"
    window = Window(session, _subjects(ask.pool), ask.limits, ask.cursor, clock)
    progress: BuildProgress | None = None
    logs = _logs(session, window, ask)
    lack = _Lack(window)

    def judge() -> Look:
        nonlocal progress
        progress = _progress(window, ask, what, logs, lack)
        build = progress.build
        if build is not None and build.state in _TALKATIVE and not ask.check_mode:
            logs.follow(build.name, build.uid, build.created)
        mark = f"{_mark(progress)} {logs.mark}"
        return Look(
            progress.outcome,
            progress.line,
            mark,
            (*_reasons(session, window, progress, ask), *progress.findings, *_troubles(logs)),
        )

    try:
        look = follow(window, judge, Pace(), ask.check_mode)
        if look and progress and progress.build and not ask.check_mode and look.outcome is not Outcome.WAITING:
            look = _explained(session, window, logs, look, progress.build, ask)
    finally:
        logs.close()
    window.memory["logs"] = logs.memory()
    failure = window.memory.get("failure")
    parts = {
        "build": progress and build_result(progress.build, progress.state.value, logs.attempts, logs.paths, failure),
        "machineosconfig": config_result(config_model.that_serves(ask.pool, window.objects(MACHINE_OS_CONFIG))),
    }
    return conclude(session, window, what, look, ask.check_mode, parts)


_TALKATIVE = (BuildState.PENDING, BuildState.PREPARING, BuildState.BUILDING)


def _logs(session: Session, window: Window, ask: Ask) -> BuildLogs:
    memory = window.memory.get("logs") or {}
    folder = LogFolder(ask.log_dir) if ask.log_dir and not ask.check_mode else None
    if folder is not None and "cluster" not in window.memory:
        # A file's name tells clusters apart also for an account that may not read the cluster's own id.
        window.memory["cluster"] = read_cluster(session)["id"] or session.api_url.partition("://")[2]
    return BuildLogs(session, folder, window.memory.get("cluster", ""), memory, ask.limits.window)


def _explained(session: Session, window: Window, logs: BuildLogs, look: Look, build: MachineOSBuild, ask: Ask) -> Look:
    """Read the logs of a build that has ended to their end, and say why it failed."""
    failed = build.state is BuildState.FAILED
    was_followed = bool(logs.attempts)
    if not failed and not was_followed and not ask.log_dir:
        return look
    pods = pods_of_build(session, build.name)
    logs.take(build.name, build.uid, build.created)
    logs.read_out(pods, READ_OUT if was_followed else READ_OUT_AT_ONCE)
    found = look.findings
    if failed:
        config = _listed(session, MACHINE_OS_CONFIG, build.config) or {}
        reason = _why(logs, attempts_of(pods or [], build.created), config)
        window.memory["failure"] = failure_result(reason)
        found = tuple(_with_cause(f, reason, build) for f in found)
    return replace(look, findings=(*(f for f in found if f.id not in _TROUBLES), *_troubles(logs)))


def _why(logs: BuildLogs, attempts: t.Sequence[Attempt], config: Object) -> Diagnosis:
    """Return why the last attempt failed, by its log or, where that is gone, by the words that its status holds."""
    attempt = last_failed(attempts)
    container = attempt.telling if attempt else None
    text = logs.text(attempt, container) if attempt and container else ""
    said = text or (container.message if container else "")
    evicted = attempt.message if attempt and attempt.reason else ""
    return diagnose(
        "\n".join(part for part in (said, evicted) if part),
        containerfile=config_model.containerfile_of(config),
        exit_code=container.exit_code if container else 0,
        reason=(attempt.reason or (container.reason if container else "")) if attempt else "",
    )


def _with_cause(finding: Finding, reason: Diagnosis, build: MachineOSBuild) -> Finding:
    if finding.id != "build.failed":
        return finding
    where = f" at line {reason.line} of the Containerfile ({reason.instruction})" if reason.line else ""
    said = f": {reason.telling}" if reason.telling else ""
    return Finding(
        reason.cause.value, finding.object, f"MachineOSBuild {build.name} failed{where}{said}", reason.excerpt
    )


_TROUBLES = ("build.log_not_readable", "build.log_not_saved")


def _troubles(logs: BuildLogs) -> tuple[Finding, ...]:
    """Return what keeps the logs from being read or saved, which keeps nothing else up."""
    pods = ObjectRef("Pod", f"build-{logs.name}", OPERATOR_NAMESPACE)
    found = []
    if logs.denied:
        found.append(Finding("build.log_not_readable", pods, f"The log of the builder cannot be read: {logs.denied}"))
    if logs.unwritten:
        found.append(Finding("build.log_not_saved", pods, f"The log of the builder is not saved: {logs.unwritten}"))
    return tuple(found)


def _mark(progress: BuildProgress) -> str:
    """Return what stands for where the build is: one that goes on in another state, or another build, has moved."""
    return f"{progress.build.identity if progress.build else ''} {progress.state.value}"


def _subjects(pool: str) -> list[Subject]:
    return [
        Subject(MACHINE_CONFIG_POOL, field_selector=f"metadata.name={pool}"),
        Subject(MACHINE_OS_CONFIG),
        Subject(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}"),
    ]


def _progress(window: Window, ask: Ask, what: str, logs: BuildLogs, lack: _Lack) -> BuildProgress:
    config = config_model.that_serves(ask.pool, window.objects(MACHINE_OS_CONFIG))
    pools = window.objects(MACHINE_CONFIG_POOL)
    if not ask.check_mode:
        if not pools:
            raise no_such_pool(ask.pool, what)
        if config is None:
            raise Refused(what, "no MachineOSConfig serves it", "Create one first (machineosconfig)")
    if not pools or config is None:
        return _NOTHING_THERE
    builds = [MachineOSBuild.from_api(b) for b in window.objects(MACHINE_OS_BUILD)]
    asked = (MachineOSConfig.from_api(config), builds, Pool.from_api(pools[0]).rendered_config)
    seen = build_progress(*asked, Patience(0.0, ask.replacement_grace), _pushed(logs))
    waited = lack.lasts(seen.lack)
    return build_progress(*asked, Patience(waited, ask.replacement_grace), _pushed(logs)) if seen.lack else seen


def _pushed(logs: BuildLogs) -> str:
    """Return the identity of the build that is followed if its last attempt has ended well, else an empty text."""
    made = logs.attempts
    return logs.identity if made and made[-1].succeeded else ""


class _Lack:
    """For how long an answer has been lacking in the same way, as far as that was seen.

    Between two windows nothing is seen: what the next one begins with is of the past, and may be over by now.
    """

    def __init__(self, window: Window) -> None:
        self._window = window
        self._seen_at: float | None = None

    def lasts(self, lack: str) -> float:
        """Return the seconds up to now."""
        before, seconds = self._window.memory.get("lack") or ("", 0.0)
        now = self._window.watched
        passed = 0.0 if self._seen_at is None else max(0.0, now - self._seen_at)
        seconds = float(seconds) + passed if lack and lack == before else 0.0
        self._window.memory["lack"] = [lack, seconds]
        self._seen_at = now
        return seconds


def _reasons(session: Session, window: Window, progress: BuildProgress, ask: Ask) -> tuple[Finding, ...]:
    """Return why there is no build, asked for now and then while there is none."""
    known = window.memory.get("reasons") or []
    if not progress.has_none or progress.outcome is not Outcome.WAITING or window.outage:
        window.memory.pop("reasons", None)
        return ()
    waited = float(window.memory["lack"][1])
    asked_at = window.memory.get("reasons_at", LOOKED_FOR_AFTER - LOOKED_FOR_EVERY)
    if waited - asked_at >= LOOKED_FOR_EVERY:
        config = config_model.that_serves(ask.pool, window.objects(MACHINE_OS_CONFIG))
        seen = _ask_why(session, MachineOSConfig.from_api(config)) if config else ()
        known = [[f.id, f.object.kind, f.object.name, f.object.namespace, f.message] for f in seen]
        window.memory.update(reasons=known, reasons_at=waited)
    return tuple(Finding(found, ObjectRef(kind, name, namespace), said) for found, kind, name, namespace, said in known)


def _ask_why(session: Session, config: MachineOSConfig) -> tuple[Finding, ...]:
    names = {config.rendered_image_push_secret, config.base_image_pull_secret} - {""}
    return why_no_build(
        config,
        _listed(session, MACHINE_CONFIG_POOL, config.pool),
        session.peek(CLUSTER_OPERATOR, "machine-config"),
        [name for name in names if _is_missing(session, name)],
    )


def _listed(session: Session, kind: Kind, name: str) -> Object | None:
    """Return an object by the right that the wait has anyway, which is to list; None when it cannot be had."""
    try:
        return next(iter(session.list(kind, field_selector=f"metadata.name={name}").items), None)
    except Refused:
        return None


def _is_missing(session: Session, secret: str) -> bool:
    try:
        return session.find(SECRET, secret, OPERATOR_NAMESPACE) is None
    except Refused:  # who may not read Secrets does not know
        return False


_NOTHING_THERE = BuildProgress(Outcome.WAITING, BuildState.PENDING, None, (), "nothing is there yet")
