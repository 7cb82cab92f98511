# SPDX-License-Identifier: GPL-3.0-or-later
"""Detect a build that runs without a Job.

Up to 4.19 the operator takes a Job that was deleted after a failed attempt for one that still runs, so the build stays
Building without end. See docs/operator-behavior.md ("Build Job and attempts").

A Job that is missing once proves nothing: the operator deletes it at the end, and may be about to create another.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..findings import Finding, FindingId
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.resources import JOB, MACHINE_OS_BUILD, OPERATOR_NAMESPACE, ObjectRef
from ..observation import Need, ReadObject, Snapshot
from .confirm import confirm_need, confirmed
from .pending_build import BuildProgress

FIRST_CHECK = 60.0
"""Seconds without progress after which the Job is checked. An operator that notices a missing Job needs 5 s."""
CHECK_INTERVAL = 300.0
"""Seconds between two checks."""
RECHECK_INTERVAL = 15.0
"""Seconds between two checks after the Job was missing."""


@dataclass(frozen=True)
class JobCheck:
    """The checks of the Job since the last progress of the build."""

    checked_at: float = FIRST_CHECK - CHECK_INTERVAL
    """Seconds without progress at the last check."""
    missing: int = 0
    """How many checks in a row did not find the Job."""


def check_job(
    snapshot: Snapshot, progress: BuildProgress, check: JobCheck, unchanged_seconds: float
) -> tuple[JobCheck, tuple[Need[t.Any], ...]]:
    """Return the check after this observation, and what has to be read for it.

    :param unchanged_seconds: for how long the build has made no progress
    """
    build = progress.build
    runs = build is not None and build.job and build.state in (BuildState.PREPARING, BuildState.BUILDING)
    if build is None or not runs or snapshot.outage or unchanged_seconds < FIRST_CHECK:
        return JobCheck(), ()
    interval = RECHECK_INTERVAL if check.missing else CHECK_INTERVAL
    if unchanged_seconds - check.checked_at < interval:
        return check, ()
    read_job = ReadObject(JOB, build.job, OPERATOR_NAMESPACE)
    job = snapshot.result(read_job)
    if job is None:
        return check, (read_job,)
    if not job.missing:
        return JobCheck(unchanged_seconds), (read_job,)
    # The Job is deleted when the build ends, and the watch may not have reported the end yet.
    read_build = confirm_need(build)
    if snapshot.result(read_build) is None:
        return check, (read_job, read_build)
    missing = check.missing + 1 if confirmed(snapshot, build) else 0
    return JobCheck(unchanged_seconds, missing), (read_job, read_build)


def lost_job_findings(build: MachineOSBuild | None, check: JobCheck) -> tuple[Finding, ...]:
    """Return the finding about a Job that was missing twice."""
    if build is None or check.missing < 2:
        return ()
    message = f"MachineOSBuild {build.name} is still {build.state.value}, but its Job {build.job} was deleted"
    return (Finding(FindingId.BUILD_JOB_DELETED, ObjectRef(MACHINE_OS_BUILD.name, build.name), message),)
