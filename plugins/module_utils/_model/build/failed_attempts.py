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
from ..objects.resources import OPERATOR_NAMESPACE, POD, ObjectRef
from ..observation import Need, Snapshot
from .attempts import Attempt
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
    needs: list[Need[t.Any]] = []
    for attempt in made:
        if attempt.pod in explained or not attempt.ended or attempt.succeeded or snapshot.outage:
            continue
        diagnosis, more = explain_attempt(snapshot, build, attempt)
        needs += more
        if diagnosis is not None:
            explained[attempt.pod] = FailedAttempt(build.identity, attempt.pod, attempt.number, diagnosis)
    return tuple(explained.values()), tuple(needs)


def attempt_findings(build: MachineOSBuild, failed: t.Sequence[FailedAttempt]) -> tuple[Finding, ...]:
    """Return one finding for each failed attempt, with its cause."""
    return tuple(_finding(build, attempt, _attempt_text(attempt)) for attempt in failed)


def progress_text(failed: t.Sequence[FailedAttempt]) -> str:
    """Return the newest failed attempt, to follow the progress line of the build."""
    return f", {_attempt_text(failed[-1])}" if failed else ""


def limit_finding(build: MachineOSBuild, failed: t.Sequence[FailedAttempt], limit: int) -> Finding | None:
    """Return the finding that ends the wait at its limit of attempts, or None if the wait continues.

    :param limit: number of failed attempts that end the wait; 0 sets no limit
    """
    if not limit or len(failed) < limit:
        return None
    return _finding(build, failed[-1], f"{_attempt_text(failed[-1])}. The operator may start another attempt")


def _finding(build: MachineOSBuild, attempt: FailedAttempt, text: str) -> Finding:
    ref = ObjectRef(POD.name, attempt.pod, OPERATOR_NAMESPACE)
    message = f"MachineOSBuild {build.name}: {text}"
    return Finding(FindingId.BUILD_ATTEMPT_FAILED, ref, message, attempt.diagnosis.excerpt)


def _attempt_text(attempt: FailedAttempt) -> str:
    return f"attempt {attempt.number} failed{failure_text(attempt.diagnosis)}"
