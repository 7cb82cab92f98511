# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain each failed attempt of a build that is still running.

The operator starts up to four attempts, so the reason is known long before the build itself fails
(docs/operator-behavior.md, "Build Job and attempts").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..findings import FINDINGS, Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild
from ..objects.resources import OPERATOR_NAMESPACE, POD, ObjectRef
from ..observation import Need, Snapshot
from .attempts import MAX_ATTEMPTS, Attempt
from .diagnosis import Diagnosis
from .failure import explain_attempt, failure_text


@dataclass(frozen=True)
class FailedAttempt:
    """An attempt that failed, and why."""

    build: str
    """Identity of the build."""
    pod: str
    number: int
    """1 for the first attempt."""
    diagnosis: Diagnosis


def explain_failed_attempts(
    snapshot: Snapshot, build: MachineOSBuild, made: t.Sequence[Attempt], known: t.Sequence[FailedAttempt]
) -> tuple[tuple[FailedAttempt, ...], tuple[Need[t.Any], ...]]:
    """Return the explained attempts of this build, and what has to be read for the others.

    :param made: all attempts of the build
    :param known: the attempts that earlier observations explained
    """
    explained = {attempt.pod: attempt for attempt in known if attempt.build == build.identity}
    missing = len(explained.keys() - {attempt.pod for attempt in made})
    needs: list[Need[t.Any]] = []
    for attempt in made:
        if attempt.pod in explained or not attempt.failed or snapshot.outage:
            continue
        diagnosis, more = explain_attempt(snapshot, build, attempt)
        needs += more
        if diagnosis is not None:
            number = attempt.number + missing
            explained[attempt.pod] = FailedAttempt(build.identity, attempt.pod, number, diagnosis)
    return tuple(explained.values()), tuple(needs)


def attempt_findings(build: MachineOSBuild, failed: t.Sequence[FailedAttempt]) -> tuple[Finding, ...]:
    """Return one finding for each failed attempt, with its cause."""
    return tuple(_finding(build, attempt, "") for attempt in failed)


def progress_text(failed: t.Sequence[FailedAttempt]) -> str:
    """Return the newest failed attempt, to follow the progress line of the build."""
    if not failed:
        return ""
    diagnosis = failed[-1].diagnosis
    where = f" at line {diagnosis.line}" if diagnosis.line else ""
    return f", {_attempt(failed[-1])} failed{where}" + (f": {diagnosis.summary}" if diagnosis.summary else "")


def limit_finding(build: MachineOSBuild, failed: t.Sequence[FailedAttempt], limit: int) -> Finding | None:
    """Return the finding that ends the wait at its limit of attempts, or None if the wait continues.

    :param limit: number of failed attempts that end the wait; 0 sets no limit
    """
    if not limit or len(failed) < limit:
        return None
    is_last = failed[-1].number >= MAX_ATTEMPTS
    return _finding(build, failed[-1], "" if is_last else ". The operator continues with further attempts")


def _finding(build: MachineOSBuild, attempt: FailedAttempt, more: str) -> Finding:
    ref = ObjectRef(POD.name, attempt.pod, OPERATOR_NAMESPACE)
    diagnosis = attempt.diagnosis
    message = (
        f"MachineOSBuild {build.name}: {_attempt(attempt)} failed{failure_text(diagnosis)} ({diagnosis.cause}){more}"
    )
    remedy = diagnosis.remedy or FINDINGS[diagnosis.cause].remedy
    return Finding(FindingId.BUILD_ATTEMPT_FAILED, ref, message, diagnosis.excerpt, remedy)


def _attempt(attempt: FailedAttempt) -> str:
    of_all = f" of {MAX_ATTEMPTS}" if attempt.number <= MAX_ATTEMPTS else ""
    return f"attempt {attempt.number}{of_all}"
