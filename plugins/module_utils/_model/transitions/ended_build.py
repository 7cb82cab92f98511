# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether the current build of a pool has ended, and read what confirms or explains it.

A success is confirmed by a direct read, because two watches deliver their events in no order. The cause of a failure is
read from the log of the build, once.
"""

from __future__ import annotations

import typing as t

from ..build.confirm import confirm_need, confirmed
from ..build.failure import explain_failure, with_cause
from ..build.log_needs import BuildRun, FinishLogs
from ..build.pending_build import BuildProgress
from ..build.wait import FINISH_UNFOLLOWED
from ..findings import Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import MACHINE_OS_BUILD, ObjectRef
from ..observation import Need, Outcome, Snapshot
from .facts import EndedBuild
from .record import PoolRecord

Ended = tuple[t.Optional[EndedBuild], tuple[Need[t.Any], ...]]


def ended_build(
    snapshot: Snapshot, config: MachineOSConfig, progress: BuildProgress, record: PoolRecord | None
) -> Ended:
    """Return the result of the current build, or None and what has to be read to know it.

    :param record: what was reported before; nothing is read for a known result. None for the first observation of a
        pool that existed before, where a success is not reported and needs no confirmation
    """
    build = progress.build
    if progress.outcome is Outcome.SUCCEEDED and build is not None:
        return _succeeded(snapshot, build, record)
    if progress.outcome is Outcome.FAILED and progress.findings:
        return _failed(snapshot, config, progress, record)
    return None, ()


def _succeeded(snapshot: Snapshot, build: MachineOSBuild, record: PoolRecord | None) -> Ended:
    ended = EndedBuild(build.identity, ObjectRef(MACHINE_OS_BUILD.name, build.name))
    if record is None or record.succeeded == build.identity:
        return ended, ()
    return ended if confirmed(snapshot, build) else None, (confirm_need(build),)


def _failed(snapshot: Snapshot, config: MachineOSConfig, progress: BuildProgress, record: PoolRecord | None) -> Ended:
    """Return a failure. That the identity of a build cannot be proven says nothing about its result.

    The key of a build contains no generation: the watch of MachineOSConfigs can deliver the generation later.
    """
    finding, build = progress.findings[0], progress.build
    if finding.id is FindingId.BUILD_IDENTITY_UNVERIFIED:
        return None, ()
    pending = progress.pending.subject if progress.pending else ""
    key = f"{finding.id} {build.identity if build else f'{config.uid} {config.generation} {pending}'}"
    needs: tuple[Need[t.Any], ...] = ()
    explained: Finding | None = finding
    is_known = record is not None and record.failed == key
    if not is_known and build is not None and finding.id is FindingId.BUILD_FAILED:
        explained, needs = _explained(snapshot, build, finding)
    return EndedBuild(key, finding.object, explained) if explained else None, needs


def _explained(
    snapshot: Snapshot, build: MachineOSBuild, finding: Finding
) -> tuple[Finding | None, tuple[Need[t.Any], ...]]:
    """Return the finding with its cause, or None and what has to be read for it."""
    finish = FinishLogs(BuildRun.of(build), FINISH_UNFOLLOWED)
    finished = snapshot.result(finish)
    if finished is None:
        return None, (finish,)
    diagnosis, needs = explain_failure(snapshot, build, finished)
    return with_cause(finding, diagnosis, build) if diagnosis else None, (finish, *needs)
