# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain each failed attempt of a build that is still running.

The operator starts up to four attempts, so the reason is known long before the build itself fails
(docs/operator-behavior.md, "Build Job and attempts").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..findings import Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild
from ..objects.resources import MACHINE_OS_BUILD, ObjectRef
from ..observation import Need, Snapshot, WaitError
from .attempts import Attempt
from .diagnosis import Diagnosis
from .failure import explain_attempt, failure_text


@dataclass(frozen=True)
class FailedAttempt:
    """An attempt that failed, and why."""

    build: str
    """Identity of the build."""
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
    explained = {attempt.number: attempt for attempt in known if attempt.build == build.identity}
    needs: list[Need[t.Any]] = []
    for attempt in made:
        if attempt.number in explained or not attempt.ended or attempt.succeeded or snapshot.outage:
            continue
        diagnosis, more = explain_attempt(snapshot, build, attempt)
        needs += more
        if diagnosis is not None:
            explained[attempt.number] = FailedAttempt(build.identity, attempt.number, diagnosis)
    return tuple(explained[number] for number in sorted(explained)), tuple(needs)


def attempt_findings(build: MachineOSBuild, failed: t.Sequence[FailedAttempt]) -> tuple[Finding, ...]:
    """Return one finding for each failed attempt, with its cause."""
    ref = ObjectRef(MACHINE_OS_BUILD.name, build.name)
    return tuple(
        Finding(FindingId.BUILD_ATTEMPT_FAILED, ref, _message(build, attempt), attempt.diagnosis.excerpt)
        for attempt in failed
    )


def limit_error(build: MachineOSBuild, failed: t.Sequence[FailedAttempt], limit: int) -> WaitError | None:
    """Return why the wait ends at its limit of attempts, or None if it continues.

    :param limit: number of failed attempts that end the wait; 0 sets no limit
    """
    if not limit or len(failed) < limit:
        return None
    reason = f"{_message(build, failed[-1])}. The operator may start another attempt"
    return WaitError(reason, "Correct the cause and apply again, or raise max_build_attempts")


def _message(build: MachineOSBuild, attempt: FailedAttempt) -> str:
    return f"attempt {attempt.number} of MachineOSBuild {build.name} failed{failure_text(attempt.diagnosis)}"
