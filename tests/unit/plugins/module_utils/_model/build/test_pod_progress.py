# SPDX-License-Identifier: GPL-3.0-or-later
"""What the conditions of a build in a single pod show, without the pod (OpenShift 4.16 and 4.17)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.pending_build import (
    BuildProgress,
    EditedBuild,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import (
    FIRST_TRACKING,
    BuildTracking,
    build_progress,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, FindingId, Severity
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import BuildState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import OLD_RENDERED, RENDERED, image_of
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import (
    BUILD,
    NOON,
    OTHER_BUILD,
    build,
    config,
    created_build,
    hidden_failure,
    marked_failed,
    published,
    read_builds,
    read_config,
)

LATER = "2026-03-01T12:00:01Z"
APPLY_AGAIN = "Run module machineosconfig again with the wanted content"


def progress(
    obj: dict[str, t.Any],
    *builds: dict[str, t.Any],
    waited: float = 0.0,
    rendered: str = RENDERED,
    tracking: BuildTracking = FIRST_TRACKING,
) -> BuildProgress:
    """Return the progress after the state has lasted for *waited* seconds."""
    return build_progress(read_config(obj), read_builds(*builds), rendered, tracking=tracking).after(waited)


def ids(found: BuildProgress) -> list[str]:
    return ids_of(found.findings)


def failed(found: BuildProgress) -> tuple[str, str, str]:
    """Return id, message and remedy of the finding that ends the wait."""
    (finding,) = found.findings
    assert ids_of([finding])
    assert (found.outcome, finding.severity) == (Outcome.FAILED, Severity.FATAL)
    return str(finding.id), finding.message, finding.remedy


@pytest.mark.parametrize(("true", "state"), [("Prepared", "preparing"), ("Building", "building")])
def test_running_build_is_waited_for(true: str, state: str) -> None:
    found = progress(config(), build(true), waited=10_000)
    assert (found.outcome, found.line, found.findings) == (Outcome.WAITING, f"build {BUILD}: {state}", ())
    assert found.pending is None


def test_success_needs_the_image_in_the_status_of_the_machineosconfig() -> None:
    found = progress(published(), build())
    assert (found.outcome, found.state, found.findings) == (Outcome.SUCCEEDED, BuildState.SUCCEEDED, ())
    assert found.line == f"build {BUILD}: succeeded, {image_of('a')}"
    assert progress(config(), build()).outcome is Outcome.WAITING


def test_image_that_is_never_published_is_a_failure() -> None:
    assert progress(config(), build(), waited=9).outcome is Outcome.WAITING
    reason, message, remedy = failed(progress(config(), build(), waited=10))
    assert reason == "build.not_published"
    assert "has no image" in message
    assert remedy.startswith(APPLY_AGAIN)


def test_machineosconfig_without_a_build_waits_for_the_operator() -> None:
    found = progress(config(), build(rendered=OLD_RENDERED), waited=10_000)
    assert (found.outcome, ids(found), found.not_started) == (Outcome.WAITING, ["build.not_started"], True)


def test_pool_with_a_long_name_is_never_built() -> None:
    obj = config()
    obj["spec"]["machineConfigPool"]["name"] = "a" * 22
    assert failed(progress(obj))[0] == "build.pool_name_too_long"


# (a) An edit builds nothing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("true", ["Prepared", "Building", "Succeeded", "Failed", "Interrupted", ""])
def test_edit_that_was_not_built_is_a_failure_after_a_moment(true: str) -> None:
    obj = config(image=image_of("a"), edited=LATER)
    assert progress(obj, build(true), waited=9).outcome is Outcome.WAITING
    reason, message, remedy = failed(progress(obj, build(true), waited=10))
    assert reason == "build.edit_not_built"
    assert "is older than the last change of MachineOSConfig layered by kubectl-edit, which started no build" in message
    assert remedy.startswith(APPLY_AGAIN)


def test_edit_in_the_second_of_the_build_is_not_called_older() -> None:
    assert "have the same time" in failed(progress(config(edited=NOON), build(), waited=10))[1]


def test_our_own_edit_that_was_not_built_names_no_other_client() -> None:
    obj = config(builds_before=[f"{BUILD}/uid-of-{BUILD}"], edited=LATER)
    message = failed(progress(obj, build(), waited=10))[1]
    assert "the last change of MachineOSConfig layered, which started no build" in message


def test_build_that_replaces_the_one_before_the_edit_is_waited_for() -> None:
    obj = config(edited=NOON)
    assert progress(obj, build("Building", uid="new", creationTimestamp=LATER), waited=100).outcome is Outcome.WAITING


# (b) Failures --------------------------------------------------------------------------------------------------------


def test_failure_counts_only_if_it_lasts_because_a_restart_of_the_operator_clears_it() -> None:
    found = progress(config(), build("Failed"), waited=29)
    assert (found.outcome, found.state, found.build and found.build.name) == (
        Outcome.WAITING,
        BuildState.FAILED,
        BUILD,
    )
    assert failed(progress(config(), build("Failed"), waited=30))[0] == "build.failed"


def test_failure_that_an_edit_cleared_is_a_failure() -> None:
    assert progress(config(), hidden_failure(), waited=9).outcome is Outcome.WAITING
    reason, message, remedy = failed(progress(config(), hidden_failure(), waited=10))
    assert (reason, "no condition of it is True" in message) == ("build.failure_hidden", True)
    assert remedy.startswith(APPLY_AGAIN)


def test_success_that_a_left_pod_marks_as_failed_stays_a_success() -> None:
    found = progress(published(), marked_failed(build()))
    assert (found.outcome, found.state, ids(found)) == (
        Outcome.SUCCEEDED,
        BuildState.SUCCEEDED,
        ["build.success_hidden"],
    )
    assert found.findings[0].severity is Severity.WARNING


def test_success_stays_one_after_the_mark_was_cleared() -> None:
    cleared = marked_failed(build())
    for condition in cleared["status"]["conditions"]:
        condition["status"] = "False"
    found = progress(published(), cleared)
    assert (found.outcome, ids(found)) == (Outcome.SUCCEEDED, ["build.success_hidden"])


def test_success_of_an_earlier_spec_is_none_although_its_image_is_published() -> None:
    assert failed(progress(config(image=image_of("a"), edited=LATER), build(), waited=10))[0] == "build.edit_not_built"


# (c) The start failed ------------------------------------------------------------------------------------------------


def test_start_without_a_pod_is_a_failure() -> None:
    found = progress(config(), build(""), waited=29)
    assert (found.outcome, found.line, found.not_started) == (Outcome.WAITING, f"build {BUILD}: starting", True)
    reason, message, remedy = failed(progress(config(), build(""), waited=30))
    assert (reason, BUILD in message) == ("build.start_failed", True)
    assert APPLY_AGAIN in remedy


def test_build_without_a_status_is_starting() -> None:
    assert progress(config(), created_build(), waited=29).line == f"build {BUILD}: starting"
    assert failed(progress(config(), created_build(), waited=30))[0] == "build.start_failed"


def test_start_failed_also_if_a_left_pod_marks_the_build_as_failed() -> None:
    marked = build("Failed")
    del marked["status"]["builderReference"]
    assert failed(progress(config(), marked, waited=30))[0] == "build.start_failed"


# (i) and (m) Another MachineOSConfig ---------------------------------------------------------------------------------


def test_interruption_is_a_failure_if_the_machineosconfig_is_not_deleted() -> None:
    assert progress(config(), build("Interrupted"), waited=9).outcome is Outcome.WAITING
    assert failed(progress(config(), build("Interrupted"), waited=10))[0] == "build.interrupted"


def test_build_of_a_deleted_machineosconfig_blocks_the_new_one() -> None:
    obj = config(created=LATER)
    reason, message, dummy = failed(progress(obj, build(), waited=10))
    assert (reason, "belongs to a deleted one of this name" in message) == ("build.edit_not_built", True)


def test_second_machineosconfig_of_a_pool_gets_no_build() -> None:
    reason, message, remedy = failed(progress(config(name="second"), build(), waited=10))
    assert reason == "build.other_machineosconfig"
    assert "was started for MachineOSConfig layered, not for second" in message
    assert "delete the others" in remedy


def test_deleted_build_that_was_observed_is_not_replaced() -> None:
    tracking = BuildTracking(after_edit=EditedBuild(1, RENDERED))
    found = progress(config(), tracking=tracking)
    assert (found.outcome, found.line) == (Outcome.WAITING, f"build {BUILD}: deleted, waiting for a replacement")
    reason, dummy, remedy = failed(progress(config(), tracking=tracking, waited=30))
    assert (reason, remedy.startswith(APPLY_AGAIN)) == ("build.deleted", True)


# (k) and (l) Several rendered configs --------------------------------------------------------------------------------


def test_build_of_an_earlier_config_that_stays_building_is_ignored() -> None:
    stuck = build("Building", OLD_RENDERED)
    assert progress(published(), stuck, build()).outcome is Outcome.SUCCEEDED


def test_image_of_another_rendered_config_is_a_failure() -> None:
    other = build(rendered=OLD_RENDERED, image=image_of("b"))
    found = progress(published("b"), build(), other, waited=10)
    reason, message, remedy = failed(found)
    assert reason == "build.image_of_other_config"
    assert f"the image of MachineOSBuild {OTHER_BUILD}" in message
    assert f"rendered config {RENDERED} with the image of {OLD_RENDERED}" in message
    assert APPLY_AGAIN in remedy
    assert "paused=true" in remedy


def test_image_of_the_config_before_is_no_failure_while_the_next_one_is_built() -> None:
    other = build(rendered=OLD_RENDERED, image=image_of("b"))
    found = progress(published("b"), build("Building"), other, waited=10_000)
    assert (found.outcome, found.findings) == (Outcome.WAITING, ())


@pytest.mark.parametrize("finding", [f for f in FindingId if "In OpenShift 4.16 and 4.17" in FINDINGS[f].meaning])
def test_remedies_do_not_rely_on_a_deleted_build_being_replaced(finding: FindingId) -> None:
    assert "the operator builds it again" not in FINDINGS[finding].remedy


# Progress lines -------------------------------------------------------------------------------------------------------

LINES: t.Mapping[str, tuple[BuildProgress, str]] = {
    "failed": (progress(config(), build("Failed")), "marked as failed"),
    "cleared": (progress(config(), hidden_failure()), "no condition is True"),
    "start failed": (progress(config(), build("")), "starting"),
    "interrupted": (progress(config(), build("Interrupted")), "interrupted"),
    "not published": (progress(config(), build(image=image_of("a"))), "image pushed, not published"),
    "image of another": (
        progress(config(image_of("b")), build(image=image_of("a")), build(rendered=OLD_RENDERED, image=image_of("b"))),
        f"the image of {OLD_RENDERED} is published instead",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_progress_line_has_the_build_and_its_state(case: str) -> None:
    found, state = LINES[case]
    assert found.line == f"build {BUILD}: {state}"
    assert found.build is not None
    assert found.build.name == BUILD
