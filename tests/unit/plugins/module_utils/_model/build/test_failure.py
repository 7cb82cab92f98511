# SPDX-License-Identifier: GPL-3.0-or-later
"""What a failed build is explained by, and how its finding is worded in both kinds of builds."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import attempts
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.diagnosis import Diagnosis
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.failure import (
    explain_attempt,
    explain_failure,
    with_cause,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import (
    FinishedLogs,
    LogProgress,
    ReadLogText,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.remedies import POD_BUILD_FAILED
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import (
    FINDINGS,
    Finding,
    FindingId,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    Need,
    ReadObject,
    ReadResult,
    Snapshot,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins import pod_builds
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_os_build

OF_JOB = MachineOSBuild.from_api(machine_os_build(state="Failed"))
(OF_POD,) = pod_builds.read_builds(pod_builds.build("Failed"))
DENIED = FindingId.BUILD_BASE_IMAGE_DENIED


def failed(build: MachineOSBuild) -> Finding:
    return Finding(
        FindingId.BUILD_FAILED, ObjectRef("MachineOSBuild", build.name), f"MachineOSBuild {build.name} failed"
    )


def explained(build: MachineOSBuild, **reason: t.Any) -> Finding:
    return with_cause(failed(build), Diagnosis(**{"summary": "denied", "excerpt": "the log", **reason}), build)


@pytest.mark.parametrize("build", [OF_JOB, OF_POD], ids=["job", "pod"])
def test_finding_has_place_cause_and_excerpt(build: MachineOSBuild) -> None:
    found = explained(build, cause=DENIED, line=2, instruction="FROM x")
    assert found.message == f"MachineOSBuild {build.name} failed at line 2 of the Containerfile (FROM x): denied"
    assert (found.id, found.object.name, found.evidence) == (DENIED, build.name, "the log")


def test_remedy_for_a_build_of_a_job_is_that_of_the_cause() -> None:
    assert explained(OF_JOB, cause=DENIED).remedy == FINDINGS[DENIED].remedy
    assert explained(OF_JOB, cause=DENIED, remedy="Ask for access").remedy == "Ask for access"


def test_remedy_for_a_build_of_a_pod_does_not_rely_on_a_replacement() -> None:
    by_table = explained(OF_POD, cause=DENIED).remedy
    assert "run module machineosconfig again with the wanted content" in by_table
    assert "the operator builds it again" in FINDINGS[DENIED].remedy
    assert "the operator builds it again" not in by_table
    assert explained(OF_POD, cause=DENIED, remedy="Ask for access").remedy == "Ask for access"


def test_build_of_a_pod_that_failed_for_an_unknown_cause_keeps_its_remedy() -> None:
    assert explained(OF_POD, cause=FindingId.BUILD_FAILED).remedy == POD_BUILD_FAILED
    assert explained(OF_POD, cause=FindingId.BUILD_FAILED, summary="") == failed(OF_POD)


@pytest.mark.parametrize("build", [OF_JOB, OF_POD], ids=["job", "pod"])
def test_other_finding_is_not_explained(build: MachineOSBuild) -> None:
    deleted = Finding(FindingId.BUILD_DELETED, ObjectRef("MachineOSBuild", build.name), "it was deleted")
    assert with_cause(deleted, Diagnosis(DENIED, "denied", "the log"), build) is deleted


# What is read -----------------------------------------------------------------------------------------------------


def observed(need: Need[t.Any], log: str) -> t.Any:
    if isinstance(need, ReadLogText):
        return log
    return ReadResult(None) if isinstance(need, ReadObject) else None


def causes(exit_code: int, log: str = "") -> tuple[FindingId, FindingId]:
    """Return the cause of a failed attempt and of the build that ended with it. Only the exit status is known."""
    (attempt,) = attempts([pod_builds.failed_pod(exit_code)])
    logs = FinishedLogs(LogProgress(OF_POD.identity), (attempt,))
    results: dict[t.Any, t.Any] = {}
    for dummy in range(3):
        snapshot = Snapshot(results=results)
        of_attempt, needs = explain_attempt(snapshot, OF_POD, attempt)
        of_build, more = explain_failure(snapshot, OF_POD, logs)
        results = {need: observed(need, log) for need in (*needs, *more)}
    assert of_attempt is not None
    assert of_build is not None
    return of_attempt.cause, of_build.cause


def test_exit_status_of_the_container_explains_a_build_without_a_log() -> None:
    assert causes(137) == (FindingId.BUILD_KILLED, FindingId.BUILD_KILLED)
    assert causes(1) == (FindingId.BUILD_FAILED, FindingId.BUILD_FAILED)


def test_log_of_the_container_explains_attempt_and_build() -> None:
    log = "[3/3] STEP 2/2: RUN x\nError: Unable to find a match: tcpdmp\n"
    log += 'Error: building at STEP "RUN x": while running runtime: exit status 1\n'
    assert causes(1, log) == (FindingId.BUILD_PACKAGE_NOT_FOUND, FindingId.BUILD_PACKAGE_NOT_FOUND)
