# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate the current build by its own pod where the operator builds in single pods (OpenShift 4.16 and 4.17).

A build has failed if a container of its pod ended with an error, whatever its conditions report. It runs as long as its
pod runs, also if the pod of another build marks it as failed. Without its pod it never ends. See
docs/operator-behavior.md ("Builds in single pods").
"""

from __future__ import annotations

import math
import typing as t
from dataclasses import dataclass, replace

from ..findings import REBUILD_POD_BUILD, Finding, FindingId
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.resources import OPERATOR_NAMESPACE, POD, ObjectRef
from ..observation import Outcome
from .attempts import Attempt
from .pending_build import BuildProgress
from .pod_build import pod_of
from .pod_progress import MOMENTARY, failure, pending_pod_build, ref_of, running, success_hidden, unconfirmed_failure

_DECIDED_BY_POD = (FindingId.BUILD_FAILED, FindingId.BUILD_FAILURE_HIDDEN)
"""Pending reasons that the conditions give, and that the pod can refute."""


@dataclass(frozen=True)
class OwnPod:
    """What is known of the pod of a build."""

    attempt: Attempt | None = None
    """The pod, which may be deleted by now. None if it was not found."""
    has_older: bool = False
    """Whether there is a pod of its name that is older than the build, so that it belongs to an earlier build."""


def with_pod(progress: BuildProgress, pod: OwnPod | None, left_pods: t.Sequence[str] | None) -> BuildProgress:
    """Return the progress with what the pods show.

    :param pod: None if it was not read
    :param left_pods: names of the failed pods of other builds of the pool. None if they were not read
    """
    build = progress.build
    if build is None or not build.is_pod_build:
        return progress
    if progress.outcome is Outcome.SUCCEEDED:
        found = _success(progress, build, pod, left_pods or ())
    elif pod is None or not _is_open(progress, build):
        return progress
    elif pod.attempt is None:
        found = _without_pod(progress, build, pod, left_pods)
    else:
        found = _by_pod(build, pod.attempt, left_pods or ())
    return replace(found, after_edit=progress.after_edit)


def depends_on_pod(progress: BuildProgress) -> bool:
    """Whether the pod of the build decides how it is."""
    build = progress.build
    return build is not None and build.is_pod_build and _is_open(progress, build)


def depends_on_other_pods(progress: BuildProgress, pod: OwnPod | None) -> bool:
    """Whether failed pods of other builds can explain the state of the build."""
    build = progress.build
    if build is None or not build.is_pod_build:
        return False
    if progress.outcome is Outcome.SUCCEEDED:
        return build.state is not BuildState.SUCCEEDED
    if pod is None or build.state is not BuildState.FAILED or not _is_open(progress, build):
        return False
    return pod.attempt is None or not pod.attempt.failed


def _is_open(progress: BuildProgress, build: MachineOSBuild) -> bool:
    """Whether a build that is the current one has neither succeeded nor failed to start."""
    if progress.outcome is not Outcome.WAITING or build.digested_image_push_spec:
        return False
    return progress.pending is None or progress.pending.reason in _DECIDED_BY_POD


def _success(
    progress: BuildProgress, build: MachineOSBuild, pod: OwnPod | None, left_pods: t.Sequence[str]
) -> BuildProgress:
    if pod is not None and pod.attempt is None and pod.has_older:
        return _pod_of_earlier_build(build)
    if build.state is BuildState.SUCCEEDED:
        return progress
    return replace(progress, findings=(success_hidden(build, left_pods),))


def _by_pod(build: MachineOSBuild, attempt: Attempt, left_pods: t.Sequence[str]) -> BuildProgress:
    if attempt.lost:
        return _pod_lost(build, attempt)
    if attempt.failed:
        line = f"build {build.name}: failed"
        return BuildProgress(Outcome.FAILED, BuildState.FAILED, build, (failure(build),), line)
    if attempt.succeeded:
        return _not_recorded(build)
    return _running(build, attempt, left_pods)


def _running(build: MachineOSBuild, attempt: Attempt, left_pods: t.Sequence[str]) -> BuildProgress:
    """Evaluate a build whose pod runs or waits, whatever its conditions report."""
    ref = ObjectRef(POD.name, attempt.pod, OPERATOR_NAMESPACE)
    findings = []
    if left_pods:
        pods = ", ".join(left_pods)
        message = f"Pod {pods} failed and is left from another build, which marks MachineOSBuild {build.name} as failed"
        findings.append(Finding(FindingId.BUILD_POD_LEFT, ref_of(build), message))
    waiting = next((c for c in attempt.containers if c.cannot_start), None)
    if waiting:
        message = f"Container {waiting.name} of pod {attempt.pod} cannot start: {waiting.reason}"
        findings.append(Finding(FindingId.BUILD_BUILDER_NOT_STARTED, ref, message))
        return running(build, f", container {waiting.name} cannot start ({waiting.reason})", tuple(findings))
    return running(build, findings=tuple(findings))


def _not_recorded(build: MachineOSBuild) -> BuildProgress:
    message = f"MachineOSBuild {build.name} pushed its image and is still {build.state.value}"
    finding = Finding(FindingId.BUILD_RESULT_NOT_RECORDED, ref_of(build), message, own_remedy=REBUILD_POD_BUILD)
    return pending_pod_build(build, finding, "image pushed, waiting for the operator to record it", math.inf)


def _without_pod(
    progress: BuildProgress, build: MachineOSBuild, pod: OwnPod, left_pods: t.Sequence[str] | None
) -> BuildProgress:
    if pod.has_older:
        return _pod_of_earlier_build(build)
    if build.state is BuildState.FAILED:
        return _failed_without_pod(progress, build, left_pods)
    return progress if progress.pending else _pod_lost(build, None)


def _failed_without_pod(
    progress: BuildProgress, build: MachineOSBuild, left_pods: t.Sequence[str] | None
) -> BuildProgress:
    if left_pods is None:
        return progress
    if not left_pods:
        detail = f": its pod {pod_of(build)} does not exist any more, and its log is lost"
        return unconfirmed_failure(build, detail, MOMENTARY)
    pods = ", ".join(left_pods)
    message = (
        f"MachineOSBuild {build.name} is marked as failed because of pod {pods}, which failed and is left from another "
        f"build. Its own pod {pod_of(build)} does not exist"
    )
    finding = Finding(FindingId.BUILD_FAILED_BY_OTHER_POD, ref_of(build), message)
    return pending_pod_build(build, finding, f"marked as failed because of pod {pods}")


def _pod_lost(build: MachineOSBuild, attempt: Attempt | None) -> BuildProgress:
    how = "does not exist"
    if attempt is not None:
        how = "was evicted" if attempt.evicted else "was deleted"
        how += f" from Node {attempt.node}" if attempt.node else ""
    message = f"Pod {pod_of(build)} of MachineOSBuild {build.name} {how}, and the operator does not start another one"
    finding = Finding(FindingId.BUILD_POD_LOST, ref_of(build), message)
    return pending_pod_build(build, finding, f"its pod {how}")


def _pod_of_earlier_build(build: MachineOSBuild) -> BuildProgress:
    message = (
        f"Pod {pod_of(build)} is older than MachineOSBuild {build.name}. The operator uses it instead of a new one, "
        "and it builds an earlier spec"
    )
    finding = Finding(FindingId.BUILD_POD_OF_EARLIER_BUILD, ref_of(build), message)
    return pending_pod_build(build, finding, "its pod belongs to an earlier build")
