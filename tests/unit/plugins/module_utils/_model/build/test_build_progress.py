# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.pending_build import (
    BuildProgress,
    PendingBuild,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import (
    BuildTracking,
    bound_to_image,
    build_progress,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import (
    BuildState,
    MachineOSBuild,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import (
    MachineOSConfig,
    reduced,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    RENDERED,
    STATES,
    image_of,
    machine_os_build,
    machine_os_config,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of

MORNING = "2026-03-01T08:00:00Z"


def progress(
    config: dict,
    *builds: dict,
    rendered: str = RENDERED,
    waited: float = 0.0,
    grace: float = 120.0,
    pushed: str = "",
    before_rebuild: str = "",
) -> BuildProgress:
    """Return the progress after the current build was missing for *waited* seconds."""
    there = [MachineOSBuild.from_api(b) for b in builds]
    tracking = BuildTracking(before_rebuild=before_rebuild)
    found = build_progress(MachineOSConfig.from_api(config), there, rendered, pushed, tracking)
    return found.after(waited, grace)


def tracked(tracking: BuildTracking, seen: BuildProgress, watched: float = 0.0, resumed: bool = False) -> BuildTracking:
    return tracking.after(seen, watched, resumed)


def ids(seen: BuildProgress) -> list[str]:
    assert isinstance(seen.state, BuildState)
    assert isinstance(seen.line, str)
    assert seen.pending is None or isinstance(seen.pending.reason, FindingId)
    return ids_of(seen.findings)


NEW = machine_os_config(build="layered-a")


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("", "build layered-a: waiting for its Job"),
        ("Prepared", "build layered-a: preparing"),
        ("Building", "build layered-a: building"),
        ("Succeeded", "build layered-a: image pushed, waiting for the operator to publish it"),
    ],
)
def test_running_build_is_waited_for_and_its_state_reported(state, line):
    seen = progress(NEW, machine_os_build(state=state))
    assert (seen.outcome, seen.line, seen.findings) == (Outcome.WAITING, line, ())


def test_failure_of_the_current_build_ends_the_wait():
    seen = progress(NEW, machine_os_build(state="Failed"))
    assert (seen.outcome, ids(seen)) == (Outcome.FAILED, ["build.failed"])
    assert seen.findings[0].fatal
    assert seen.findings[0].object.name == "layered-a"


def test_build_succeeded_when_the_config_has_its_digest():
    config = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
    seen = progress(config, machine_os_build())
    assert (seen.outcome, seen.state, seen.findings) == (Outcome.SUCCEEDED, BuildState.SUCCEEDED, ())
    assert image_of("a") in seen.line


def test_older_digest_on_the_config_is_not_a_success():
    config = machine_os_config(build="layered-b", image=image_of("a"), generation=1)
    assert progress(config, machine_os_build("layered-b")).outcome is Outcome.WAITING


def test_missing_first_build_is_waited_for():
    seen = progress(machine_os_config())
    assert (seen.outcome, seen.state, seen.build) == (Outcome.WAITING, BuildState.PENDING, None)
    assert ids(seen) == ["build.not_started"]
    assert "MachineOSConfig layered" in seen.line


def test_pool_that_is_not_rendered_is_named_as_the_reason():
    assert "not rendered yet" in progress(machine_os_config(), rendered="").line


EDITED = machine_os_config(
    build="layered-a", generation=2, observed_generation=1, image=image_of("a"), edits=[("kubectl", MORNING)]
)


@pytest.mark.parametrize("state", ["", *STATES])
def test_build_that_may_precede_the_edit_does_not_end_the_wait(state):
    seen = progress(EDITED, machine_os_build(state=state, created=MORNING), waited=119)
    assert (seen.outcome, seen.build, ids(seen)) == (Outcome.WAITING, None, [])
    assert "waiting for the build of its present spec" in seen.line


def test_build_that_stays_unproven_fails_after_the_grace_period():
    seen = progress(EDITED, machine_os_build(created=MORNING), waited=120)
    assert (seen.outcome, seen.build, ids(seen)) == (Outcome.FAILED, None, ["build.identity_unverified"])
    assert seen.findings[0].fatal


def test_interrupted_build_fails_after_the_grace_period():
    seen = progress(NEW, machine_os_build(state="Interrupted"), waited=119)
    assert (seen.outcome, seen.state, ids(seen)) == (Outcome.WAITING, BuildState.INTERRUPTED, [])
    late = progress(NEW, machine_os_build(state="Interrupted"), waited=120)
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.interrupted"])


def test_replacement_of_an_interrupted_build_is_followed():
    before = progress(NEW, machine_os_build(state="Interrupted"))
    after = progress(NEW, machine_os_build(state="Building", uid="another"), waited=500)
    assert before.pending == PendingBuild(FindingId.BUILD_INTERRUPTED, "layered-a/uid-of-layered-a")
    assert (after.outcome, after.pending) == (Outcome.WAITING, None)


def test_two_interrupted_builds_with_one_name_are_two_pending_reasons():
    one = progress(NEW, machine_os_build(state="Interrupted", uid="1"))
    other = progress(NEW, machine_os_build(state="Interrupted", uid="2"))
    assert one.pending != other.pending


def test_deleted_build_fails_after_the_grace_period():
    seen = progress(NEW, waited=119)
    assert (seen.outcome, seen.build, ids(seen)) == (Outcome.WAITING, None, [])
    assert "build layered-a: deleted, waiting" in seen.line
    late = progress(NEW, waited=120)
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.deleted"])


def test_grace_period_can_be_zero():
    assert progress(NEW, machine_os_build(state="Interrupted"), grace=0).outcome is Outcome.FAILED


def test_missing_build_does_not_fail_by_time_alone():
    seen = progress(machine_os_config(), waited=10_000)
    assert (seen.outcome, ids(seen), seen.not_started) == (Outcome.WAITING, ["build.not_started"], True)


def test_pool_with_too_long_name_cannot_be_built():
    config = machine_os_config(pool="pool-with-22-characters")
    seen = progress(config)
    assert (seen.outcome, ids(seen)) == (Outcome.FAILED, ["build.pool_name_too_long"])
    assert "23 characters" in seen.findings[0].message


BUILDING = machine_os_build(state="Building", uid="1")


def test_pushed_image_that_is_not_recorded_fails_after_the_grace_period():
    seen = progress(NEW, BUILDING, pushed="layered-a/1", waited=119)
    assert (seen.outcome, ids(seen)) == (Outcome.WAITING, [])
    assert "image pushed, waiting for the operator to record it" in seen.line
    late = progress(NEW, BUILDING, pushed="layered-a/1", waited=120)
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.result_not_recorded"])


def test_pushed_image_with_a_push_spec_that_cannot_be_recorded_fails_at_once():
    deep = machine_os_config(build="layered-a", renderedImagePushSpec="registry.example.com/a/b/os:latest")
    assert progress(deep, BUILDING).outcome is Outcome.WAITING
    seen = progress(deep, BUILDING, pushed="layered-a/1")
    assert (seen.outcome, ids(seen)) == (Outcome.FAILED, ["build.result_not_recorded"])
    assert "2 namespace segments" in seen.findings[0].message


def test_push_of_another_build_with_the_same_name_is_ignored():
    assert progress(NEW, BUILDING, pushed="layered-a/0", waited=500).outcome is Outcome.WAITING


def test_build_of_another_rendered_config_counts_as_not_started():
    seen = progress(NEW, machine_os_build(state="Succeeded", rendered=OLD_RENDERED), waited=500)
    assert (seen.outcome, ids(seen)) == (Outcome.WAITING, ["build.not_started"])


def rebuild_requested(config: dict) -> dict:
    """Return a MachineOSConfig with a rebuild request."""
    config["metadata"]["annotations"]["machineconfiguration.openshift.io/rebuild"] = ""
    return config


@pytest.mark.parametrize("state", ["Succeeded", "Failed"])
def test_build_before_a_requested_rebuild_does_not_end_the_wait(state):
    config = rebuild_requested(machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    seen = progress(config, machine_os_build(state=state, image=image_of("a")), waited=119)
    assert (seen.outcome, ids(seen)) == (Outcome.WAITING, [])
    assert "waiting for the requested rebuild to start" in seen.line
    late = progress(config, machine_os_build(state=state, image=image_of("a")), waited=120)
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.rebuild_not_started"])
    assert "the requested rebuild of MachineOSBuild layered-a has not started" in late.findings[0].message


def test_requested_rebuild_is_forgotten_once_another_build_exists():
    waiting = progress(rebuild_requested(machine_os_config(build="layered-a")), machine_os_build(image=image_of("a")))
    other = progress(machine_os_config(build="layered-b"), machine_os_build("layered-b", state="Building"))
    requested = tracked(BuildTracking(), waiting)
    assert requested.before_rebuild == "layered-a/uid-of-layered-a"
    missing = progress(machine_os_config(build="layered-a"))
    assert tracked(requested, missing).before_rebuild == requested.before_rebuild, "while no build exists"
    assert tracked(requested, other).before_rebuild == ""


def test_interrupted_build_is_reported_as_interrupted_while_a_rebuild_is_requested():
    config = rebuild_requested(machine_os_config(build="layered-a"))
    assert progress(config, machine_os_build(state="Interrupted"), waited=119).outcome is Outcome.WAITING
    assert ids(progress(config, machine_os_build(state="Interrupted"), waited=120)) == ["build.interrupted"]


def test_rebuild_request_that_is_removed_without_a_rebuild_is_not_forgotten():
    config = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
    requested = progress(rebuild_requested(machine_os_config(build="layered-a")), machine_os_build(image=image_of("a")))
    assert requested.awaits_rebuild_of == "layered-a/uid-of-layered-a"
    seen = progress(config, machine_os_build(), before_rebuild=requested.awaits_rebuild_of, waited=120)
    assert ids(seen) == ["build.rebuild_not_started"]
    again = progress(config, machine_os_build(uid="another"), before_rebuild=requested.awaits_rebuild_of)
    assert (again.outcome, again.awaits_rebuild_of) == (Outcome.SUCCEEDED, "")


def test_rebuild_that_has_started_is_followed():
    config = rebuild_requested(machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    assert progress(config, machine_os_build(state="Building")).line == "build layered-a: building"


def test_reduced_config_keeps_the_rebuild_request():
    config = rebuild_requested(machine_os_config(build="layered-a"))
    assert MachineOSConfig.from_api(reduced(config)).rebuild_requested


# The time for which the current build is missing ---------------------------------------------------------------------


MISSING = progress(machine_os_config())
INTERRUPTED = progress(NEW, machine_os_build(state="Interrupted"))


def seconds(*observations: tuple[BuildProgress, float, bool]) -> float:
    tracking = BuildTracking()
    for seen, watched, resumed in observations:
        tracking = tracked(tracking, seen, watched, resumed)
    return tracking.pending_seconds


def test_time_counts_while_the_pending_reason_stays_the_same():
    assert seconds((MISSING, 10, True), (MISSING, 12, False), (MISSING, 17, False)) == 7


def test_time_starts_again_with_another_pending_reason():
    assert seconds((MISSING, 10, True), (INTERRUPTED, 12, False), (INTERRUPTED, 15, False)) == 3
    assert seconds((MISSING, 10, True), (MISSING, 12, False), (INTERRUPTED, 15, False)) == 0


def test_time_between_two_module_calls_does_not_count():
    assert seconds((MISSING, 10, True), (MISSING, 12, False), (MISSING, 500, True), (MISSING, 501, False)) == 3


def test_clock_that_goes_back_adds_no_time():
    assert seconds((MISSING, 10, True), (MISSING, 5, False), (MISSING, 6, False)) == 1


def test_running_build_has_no_pending_time():
    running = progress(NEW, BUILDING)
    assert seconds((running, 10, True), (running, 12, False)) == 0
    assert tracked(BuildTracking(), running, 12).pending is None


def test_seeded_image_is_no_build_of_the_containerfile():
    seeded = machine_os_build("layered-a", image=image_of("e"))
    seeded["metadata"]["labels"]["machineconfiguration.openshift.io/pre-built-image"] = "true"
    seen = progress(machine_os_config(build="layered-a", image=image_of("e")), seeded)
    assert seen.outcome is Outcome.SUCCEEDED
    assert ids(seen) == [FindingId.BUILD_SEEDED]
    assert seen.line == f"build layered-a: seeded, not built from the Containerfile, {image_of('e')}"


def test_built_image_is_not_reported_as_seeded():
    seen = progress(machine_os_config(build="layered-a", image=image_of("a")), machine_os_build("layered-a"))
    assert (seen.outcome, ids(seen)) == (Outcome.SUCCEEDED, [])


def test_success_that_is_not_published_fails_after_the_grace_period():
    """Repeated writes of a MachineOSConfig without pool can leave the image of an older build."""
    other = machine_os_config(build="layered-z", image=image_of("b"), generation=2, builds_before=["layered-z/1"])
    older, current = machine_os_build("layered-z", uid="1", image=image_of("b")), machine_os_build("layered-a")
    assert progress(other, older, current, waited=119).outcome is Outcome.WAITING
    late = progress(other, older, current, waited=120)
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.not_published"])
    assert f"status of MachineOSConfig layered has {image_of('b')}" in late.line


def test_named_build_before_our_edit_that_is_gone_was_not_deleted_by_anyone():
    """The operator deletes a running build after an edit, and names it for some seconds more."""
    edited = machine_os_config(build="layered-a", generation=2, builds_before=["layered-a/1"])
    late = progress(edited, waited=10_000)
    assert (late.outcome, ids(late)) == (Outcome.WAITING, ["build.not_started"])


def test_named_build_that_was_proven_and_is_gone_fails_after_the_grace_period():
    edited = machine_os_config(build="layered-a", generation=2)
    spec = MachineOSConfig.from_api(edited).spec_hash
    proven = {"specHash": spec, "build": "layered-a/1", "image": image_of("a")}
    back = machine_os_config(build="layered-a", generation=2, builds_before=["layered-a/1"], proven=[proven])
    assert ids(progress(back, waited=120)) == ["build.deleted"]


def test_build_that_took_over_an_older_image_fails_after_the_grace_period():
    edited = machine_os_config(
        build="layered-b", image=image_of("a"), generation=2, builds_before=["layered-a/1"], image_before=image_of("a")
    )
    builds = machine_os_build("layered-a", uid="1"), machine_os_build("layered-b", image=image_of("a"))
    assert "has the image of an earlier spec" in progress(edited, *builds).line
    late = progress(edited, *builds, waited=120)
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.identity_unverified"])


def test_failed_build_that_took_over_an_older_image_is_a_failed_build():
    edited = machine_os_config(generation=2, builds_before=[], image_before=image_of("a"))
    seen = progress(edited, machine_os_build("layered-b", state="Failed", image=image_of("a")))
    assert ids(seen) == ["build.failed"]


def test_wait_remembers_that_a_build_after_the_edit_was_observed():
    edited = machine_os_config(build="layered-a", image=image_of("a"), generation=3)
    spec = MachineOSConfig.from_api(edited).spec_hash
    proven = {"specHash": spec, "build": "layered-a/1", "image": image_of("a")}
    back = machine_os_config(
        build="layered-a", image=image_of("a"), generation=3, builds_before=["layered-a/1"], proven=[proven]
    )
    older, newer = machine_os_build("layered-a", uid="1"), machine_os_build("layered-b", state="Building")
    tracking = BuildTracking()
    for builds, outcome in (
        ((older,), Outcome.SUCCEEDED),
        ((older, newer), Outcome.WAITING),
        ((older,), Outcome.WAITING),
    ):
        there = [MachineOSBuild.from_api(build) for build in builds]
        seen = build_progress(MachineOSConfig.from_api(back), there, RENDERED, tracking=tracking)
        assert seen.outcome is outcome
        tracking = tracked(tracking, seen)
    again = {**back, "metadata": {**back["metadata"], "generation": 4}}
    seen = build_progress(MachineOSConfig.from_api(again), there, RENDERED, tracking=tracking)
    assert seen.outcome is Outcome.SUCCEEDED, "what was observed of an earlier generation does not count"


RUN = RunSpec(image=image_of("a"))
PUBLISHED = machine_os_config(build="layered-a", image=image_of("a"))


def test_success_with_the_image_of_the_run_is_a_success():
    seen = progress(PUBLISHED, machine_os_build())
    assert bound_to_image(RUN, MachineOSConfig.from_api(PUBLISHED), seen) == seen


def test_success_with_another_image_than_the_one_of_the_run_is_none():
    config = machine_os_config(build="layered-b", image=image_of("b"))
    seen = bound_to_image(RUN, MachineOSConfig.from_api(config), progress(config, machine_os_build("layered-b")))
    assert (seen.outcome, ids(seen)) == (Outcome.WAITING, [])
    assert "has another image than this run built" in seen.line
    assert ids(seen.after(120)) == ["build.identity_unverified"]


def test_failure_is_not_bound_to_an_image():
    config = machine_os_config(build="layered-b", image=image_of("b"))
    failed = progress(config, machine_os_build("layered-b", state="Failed"))
    assert bound_to_image(RUN, MachineOSConfig.from_api(config), failed) == failed


def test_ended_build_of_an_edit_that_was_not_settled_fails_after_the_grace_period():
    edited = machine_os_config(build="layered-a", image=image_of("a"), generation=2, builds_before=[], settled=False)
    assert progress(edited, machine_os_build(state="Building")).line == "build layered-a: building"
    late = progress(edited, machine_os_build(), waited=120)
    assert (late.outcome, late.build, ids(late)) == (Outcome.FAILED, None, ["build.identity_unverified"])
    assert "can belong to an earlier spec" in late.line
