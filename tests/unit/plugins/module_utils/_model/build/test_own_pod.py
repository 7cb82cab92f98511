# SPDX-License-Identifier: GPL-3.0-or-later
"""What the pods of the operator show of a build, beside its conditions (OpenShift 4.16 and 4.17)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import DELETED, attempts
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.own_pod import (
    OwnPod,
    depends_on_other_pods,
    with_pod,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.pending_build import BuildProgress
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import build_progress
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.remedies import remedy_in_single_pods
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, FindingId, Severity
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import BuildState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import RENDERED
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import (
    BUILD,
    MORNING,
    NOON,
    OTHER_POD,
    POD,
    build,
    config,
    created_build,
    ended,
    failed_pod,
    hidden_failure,
    marked_failed,
    pod,
    published,
    read_builds,
    read_config,
    running,
    waiting,
)

LATER = "2026-03-01T12:10:00Z"


def own(obj: dict[str, t.Any] | None) -> OwnPod:
    """Return what a wait knows of a pod. It ignores one that is older than the build."""
    made = attempts([obj], NOON) if obj else []
    return OwnPod(made[0] if made else None, has_older=bool(obj and not made))


def progress(
    obj: dict[str, t.Any],
    the_pod: OwnPod | None,
    left: t.Sequence[str] | None = None,
    waited: float = 0.0,
    machineosconfig: dict[str, t.Any] | None = None,
) -> BuildProgress:
    found = build_progress(read_config(machineosconfig or config()), read_builds(obj), RENDERED)
    return with_pod(found, the_pod, left).after(waited)


def ids(found: BuildProgress) -> list[str]:
    return ids_of(found.findings)


def ending(found: BuildProgress) -> tuple[str, str]:
    (finding,) = found.findings
    assert ids_of([finding])
    assert (found.outcome, finding.severity) == (Outcome.FAILED, Severity.FATAL)
    return str(finding.id), finding.message


ANY_STATE = [build("Prepared"), build("Building"), build("Failed"), hidden_failure()]


@pytest.mark.parametrize("obj", ANY_STATE, ids=["prepared", "building", "failed", "cleared"])
@pytest.mark.parametrize("release", ["4.16", "4.17"])
def test_container_that_ended_with_an_error_is_a_failure_whatever_the_conditions_report(
    obj: dict[str, t.Any], release: str
) -> None:
    found = progress(obj, own(failed_pod(release=release)))
    assert ending(found) == ("build.failed", f"MachineOSBuild {BUILD} failed")
    assert found.state is BuildState.FAILED
    assert "run module machineosconfig again" in found.findings[0].remedy


@pytest.mark.parametrize("obj", ANY_STATE, ids=["prepared", "building", "failed", "cleared"])
def test_build_runs_as_long_as_its_pod_runs(obj: dict[str, t.Any]) -> None:
    found = progress(obj, own(pod()), waited=10_000)
    assert (found.outcome, found.pending, found.findings) == (Outcome.WAITING, None, ())
    assert found.state in (BuildState.PREPARING, BuildState.BUILDING)


def test_evicted_pod_of_a_full_node_is_a_failure() -> None:
    evicted = pod(running("image-build"), phase="Failed")
    evicted["status"].update({"reason": "Evicted", "message": "The node was low on resource: ephemeral-storage."})
    assert ending(progress(build("Building"), own(evicted)))[0] == "build.failed"


def test_pod_is_not_read_out_of_a_build_that_is_not_the_current_one() -> None:
    edited = config(edited=LATER)
    found = progress(build("Building"), own(failed_pod()), machineosconfig=edited, waited=10)
    assert ending(found)[0] == "build.edit_not_built"


def test_build_without_its_pod_read_is_judged_by_its_conditions() -> None:
    assert progress(build("Building"), None, waited=10_000).outcome is Outcome.WAITING
    assert ending(progress(build("Failed"), None, waited=30))[0] == "build.failed"


# (b) Pods that were left ---------------------------------------------------------------------------------------------


def test_left_pod_that_marks_a_running_build_as_failed_is_a_warning() -> None:
    found = progress(build("Failed"), own(pod()), [OTHER_POD])
    assert (found.outcome, found.state, ids(found)) == (Outcome.WAITING, BuildState.BUILDING, ["build.pod_left"])
    assert found.findings[0].severity is Severity.WARNING
    assert OTHER_POD in found.findings[0].message


def test_left_pod_that_marks_a_build_without_a_pod_is_its_failure() -> None:
    found = progress(build("Failed"), own(None), [OTHER_POD], waited=10)
    reason, message = ending(found)
    assert (reason, OTHER_POD in message, POD in message) == ("build.failed_by_other_pod", True, True)


def test_failure_without_its_pod_and_without_a_left_one_is_not_explained() -> None:
    found = progress(build("Failed"), own(None), [], waited=10)
    assert ending(found) == (
        "build.failed",
        f"MachineOSBuild {BUILD} failed: its pod {POD} does not exist any more, and its log is lost",
    )


def test_failure_without_its_pod_waits_until_the_other_pods_are_read() -> None:
    assert progress(build("Failed"), own(None), None, waited=10).outcome is Outcome.WAITING


def test_left_pod_is_named_as_the_cause_of_a_hidden_success() -> None:
    found = progress(marked_failed(build()), own(None), [OTHER_POD], machineosconfig=published())
    assert (found.outcome, ids(found)) == (Outcome.SUCCEEDED, ["build.success_hidden"])
    assert OTHER_POD in found.findings[0].message
    assert f"oc delete pod -n openshift-machine-config-operator {OTHER_POD}" in found.findings[0].remedy


def test_success_does_not_need_its_pod() -> None:
    found = progress(build(), own(None), machineosconfig=published())
    assert (found.outcome, found.findings) == (Outcome.SUCCEEDED, ())


def test_other_pods_are_read_only_if_they_can_explain_a_state() -> None:
    def needs(obj: dict[str, t.Any], the_pod: OwnPod | None, machineosconfig: t.Any = None) -> bool:
        found = build_progress(read_config(machineosconfig or config()), read_builds(obj), RENDERED)
        return depends_on_other_pods(found, the_pod)

    assert needs(build("Failed"), own(None))
    assert needs(build("Failed"), own(pod()))
    assert not needs(hidden_failure(), own(None))
    assert needs(marked_failed(build()), None, published())
    assert not needs(build("Failed"), None)
    assert not needs(build("Failed"), own(failed_pod()))
    assert not needs(build("Building"), own(None))
    assert not needs(build(), own(None), published())
    assert not needs(build("Failed"), own(None), config(edited=LATER))


def test_pod_of_an_earlier_build_of_the_same_name_builds_an_earlier_spec() -> None:
    left = own(pod(created=MORNING))
    reason, message = ending(progress(build("Building"), left, waited=10))
    assert (reason, POD in message) == ("build.pod_of_earlier_build", True)
    assert ending(progress(build("Failed"), left, waited=10))[0] == "build.pod_of_earlier_build"
    assert ending(progress(build(), left, machineosconfig=published(), waited=10))[0] == "build.pod_of_earlier_build"


# (g) Lost pods -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("obj", [build("Prepared"), build("Building")], ids=["prepared", "building"])
def test_build_without_its_pod_never_ends(obj: dict[str, t.Any]) -> None:
    assert progress(obj, own(None), waited=9).outcome is Outcome.WAITING
    reason, message = ending(progress(obj, own(None), waited=10))
    assert (reason, message) == (
        "build.pod_lost",
        f"Pod {POD} of MachineOSBuild {BUILD} does not exist, and the operator does not start another one",
    )


def test_cleared_failure_without_its_pod_is_reported_as_one() -> None:
    assert ending(progress(hidden_failure(), own(None), [], waited=10))[0] == "build.failure_hidden"


def deleted(obj: dict[str, t.Any], requested: str = "2026-03-01T12:05:00Z", evicted: bool = False) -> dict[str, t.Any]:
    """Return a pod as the API server reports it last, with the end of its grace period of 30 s."""
    deadline = requested.replace(":00Z", ":30Z")
    obj["metadata"].update({"deletionTimestamp": deadline, "deletionGracePeriodSeconds": 30})
    if evicted:
        condition = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
        obj["status"]["conditions"] = [condition]
    return {**obj, DELETED: True}


def killed(finished: str = "2026-03-01T12:05:20Z") -> dict[str, t.Any]:
    """Return the pod whose builder was stopped by the deletion of its pod."""
    return pod(ended("image-build", 137, finished), ended("wait-for-done", 143, finished))


@pytest.mark.parametrize("obj", [build("Building"), build("Failed")], ids=["building", "failed"])
@pytest.mark.parametrize("the_pod", [pod(), killed()], ids=["running", "killed"])
def test_pod_that_was_evicted_in_the_middle_is_lost_and_did_not_fail(
    obj: dict[str, t.Any], the_pod: dict[str, t.Any]
) -> None:
    reason, message = ending(progress(obj, own(deleted(the_pod, evicted=True)), [], waited=10))
    assert (reason, f"Pod {POD} of MachineOSBuild {BUILD} was evicted from Node worker-1" in message) == (
        "build.pod_lost",
        True,
    )


def test_pod_that_was_deleted_by_hand_is_not_called_evicted() -> None:
    assert "was deleted from Node worker-1" in ending(progress(build("Building"), own(deleted(pod())), waited=10))[1]


def test_failed_pod_that_is_deleted_later_failed() -> None:
    assert ending(progress(build("Failed"), own(deleted(failed_pod()))))[0] == "build.failed"
    by_force = {**failed_pod(), DELETED: True}
    assert ending(progress(build("Failed"), own(by_force)))[0] == "build.failed"


def test_succeeded_pod_is_not_lost_when_the_operator_deletes_it() -> None:
    done = pod(ended("image-build"), ended("wait-for-done"), phase="Succeeded")
    found = progress(build("Building"), own(deleted(done)), waited=119)
    assert (found.outcome, found.line) == (
        Outcome.WAITING,
        f"build {BUILD}: image pushed, waiting for the operator to record it",
    )
    assert ending(progress(build("Building"), own(deleted(done)), waited=120))[0] == "build.result_not_recorded"


def test_build_that_has_just_been_created_has_no_pod_yet() -> None:
    assert progress(created_build(), own(None), waited=29).line == f"build {BUILD}: starting"


def test_pod_is_kept_as_the_build_after_the_edit() -> None:
    found = build_progress(read_config(config()), read_builds(build("Building")), RENDERED)
    assert found.after_edit is not None
    assert with_pod(found, own(None), None).after_edit == found.after_edit


# Containers that do not start ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("obj", [build("Prepared"), build("Failed")], ids=["prepared", "failed"])
def test_builder_whose_image_cannot_be_pulled_is_reported_and_waited_for(obj: dict[str, t.Any]) -> None:
    stuck = pod(waiting("image-build", "ErrImagePull"), running("wait-for-done"), phase="Pending")
    found = progress(obj, own(stuck), waited=10_000)
    assert (found.outcome, ids(found)) == (Outcome.WAITING, ["build.builder_not_started"])
    assert found.line.endswith("container image-build cannot start (ErrImagePull)")
    assert str(found.findings[0].object) == f"Pod openshift-machine-config-operator/{POD}"


def test_container_that_is_being_created_is_no_problem() -> None:
    starting = pod(waiting("image-build", "ContainerCreating"), waiting("wait-for-done", "ContainerCreating"))
    assert progress(build("Prepared"), own(starting)).findings == ()


# Remedies ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cause", [f for f in FindingId if FindingId.BUILD_FAILED in (f, FINDINGS[f].kind_of)])
def test_remedies_of_failures_do_not_delete_the_build_only(cause: FindingId) -> None:
    remedy = remedy_in_single_pods(cause, FINDINGS[cause].remedy)
    assert "elete the MachineOSBuild" not in remedy
    assert "apply again" in remedy or "run module machineosconfig again" in remedy


# Progress lines -------------------------------------------------------------------------------------------------------


def test_line_of_a_build_whose_pod_failed() -> None:
    found = progress(build("Building"), own(failed_pod()))
    assert found.line == f"build {BUILD}: failed"
    assert found.build is not None
    assert found.build.name == BUILD


def test_line_of_a_build_whose_pod_does_not_exist() -> None:
    found = progress(build("Building"), OwnPod())
    assert found.line == f"build {BUILD}: its pod does not exist"


def test_message_about_the_pod_of_an_earlier_build() -> None:
    before, after = (progress(build("Building"), OwnPod(None, has_older=True), waited=waited) for waited in (0, 60))
    assert before.line == f"build {BUILD}: its pod belongs to an earlier build"
    assert after.findings[0].message == (
        f"Pod {POD} is older than MachineOSBuild {BUILD}. The operator uses it instead of a new one, and it builds an "
        "earlier spec"
    )


def test_node_of_a_deleted_pod_is_named_if_it_is_known() -> None:
    deleted = pod(deletionTimestamp="2026-03-01T12:05:00Z")
    deleted["spec"] = {**deleted.get("spec", {}), "nodeName": ""}
    messages = [finding.message for finding in progress(build("Building"), own(deleted), waited=60).findings]
    assert all("from Node" not in message and "XX" not in message for message in messages)
