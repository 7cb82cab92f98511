# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain a failed build: by the log of its last attempt or, if that is gone, by the messages in a status.

A build without any attempt was rejected by the operator. The faults of the Containerfile explain it
(docs/operator-behavior.md, "Build logs").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ..findings import FINDINGS, Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild, failure_message
from ..objects.machineosconfig import containerfile_of
from ..objects.resources import MACHINE_OS_BUILD, MACHINE_OS_CONFIG
from ..observation import Need, ReadObject, Snapshot
from .attempts import Attempt, Container, last_failed
from .containerfile_faults import containerfile_faults
from .diagnosis import Diagnosis, diagnose, instruction_text
from .log_needs import FinishedLogs, ReadLogText
from .remedies import remedy_in_single_pods

Needs = tuple[Need[t.Any], ...]
_NO_JOB = "the operator created no Job for it and reports no reason"
_READ_LOG = (
    "Check the arguments of the instructions in the Containerfile, and read the log of Deployment machine-os-builder "
    "in openshift-machine-config-operator"
)


def explain_failure(snapshot: Snapshot, build: MachineOSBuild, logs: FinishedLogs) -> tuple[Diagnosis | None, Needs]:
    """Return why a build failed, or None and what has to be read to find out.

    :param logs: the logs of the build, read to their end
    """
    attempt = last_failed(logs.attempts)
    source, needs = _read_source(snapshot, build, attempt)
    if source is None:
        return None, needs
    if not source.text:
        read_build = ReadObject(MACHINE_OS_BUILD, build.name, by_list=True)
        needs = (*needs, read_build)
        served = snapshot.result(read_build)
        if served is None:
            return None, needs
        source = replace(source, text=failure_message(served.obj or {}))
    if attempt is None and not build.started:
        return _diagnose_rejected(source), needs
    return _diagnose(source, attempt), needs


def with_cause(finding: Finding, reason: Diagnosis, build: MachineOSBuild) -> Finding:
    """Return the finding of a failed build with its cause. Other findings are returned as they are."""
    if finding.id is not FindingId.BUILD_FAILED:
        return finding
    message = f"MachineOSBuild {build.name} failed{failure_text(reason)}"
    if not build.is_pod_build:
        return Finding(reason.cause, finding.object, message, reason.excerpt, reason.remedy)
    if reason.cause is FindingId.BUILD_FAILED and not reason.summary:
        return finding
    remedy = remedy_in_single_pods(reason.cause, reason.remedy or FINDINGS[reason.cause].remedy)
    return Finding(reason.cause, finding.object, message, reason.excerpt, remedy)


def failure_text(reason: Diagnosis) -> str:
    """Return where and why a build failed, to follow the word "failed"."""
    where = f" at line {reason.line} of the Containerfile ({reason.instruction})" if reason.line else ""
    return f"{where}: {reason.summary}" if reason.summary else where


def explain_attempt(snapshot: Snapshot, build: MachineOSBuild, attempt: Attempt) -> tuple[Diagnosis | None, Needs]:
    """Return why one attempt failed, or None and what has to be read to find out."""
    source, needs = _read_source(snapshot, build, attempt)
    return _diagnose(source, attempt) if source else None, needs


@dataclass(frozen=True)
class _Source:
    """What a diagnosis is made from."""

    text: str
    """The log of the deciding container or, if it has none, its message. Empty without both."""
    containerfile: str


def _read_source(snapshot: Snapshot, build: MachineOSBuild, attempt: Attempt | None) -> tuple[_Source | None, Needs]:
    """Return what is known of an attempt, or None while something has to be read."""
    container = _container_of(attempt)
    read_config = ReadObject(MACHINE_OS_CONFIG, build.config, by_list=True)
    read_log = ReadLogText(attempt, container) if attempt and container else None
    needs: Needs = (read_config, read_log) if read_log else (read_config,)
    config = snapshot.result(read_config)
    text = snapshot.result(read_log) if read_log else ""
    if config is None or text is None:
        return None, needs
    text = text or (container.message if container else "")
    return _Source(text, containerfile_of(config.obj or {})), needs


def _diagnose_rejected(source: _Source) -> Diagnosis:
    """Return why the operator created no Job. It parses the Containerfile first, and often reports no reason."""
    faults = containerfile_faults(source.containerfile) if source.containerfile else ()
    if not faults:
        reported = diagnose(f"Error: {source.text}", source.containerfile)
        if source.text and reported.cause is not FindingId.BUILD_FAILED:
            return reported
        return Diagnosis(FindingId.BUILD_FAILED, source.text.strip() or _NO_JOB, source.text, remedy=_READ_LOG)
    lines = source.containerfile.split("\n")
    first = faults[0]
    shown = [f"line {fault.line}: {fault.text}" if fault.line else fault.text for fault in faults]
    return Diagnosis(
        cause=FindingId.BUILD_CONTAINERFILE_INVALID,
        summary=first.text,
        excerpt="\n".join(shown),
        line=first.line or None,
        instruction=instruction_text(lines[first.line - 1]) if first.line else "",
    )


def _container_of(attempt: Attempt | None) -> Container | None:
    return attempt.deciding_container if attempt else None


def _diagnose(source: _Source, attempt: Attempt | None) -> Diagnosis:
    container = _container_of(attempt)
    evicted = attempt.message if attempt and attempt.reason else ""
    reason = (attempt.reason or (container.reason if container else "")) if attempt else ""
    return diagnose(
        "\n".join(part for part in (source.text, evicted) if part),
        containerfile=source.containerfile,
        exit_code=container.exit_code if container else 0,
        reason=reason,
    )
