# SPDX-License-Identifier: GPL-3.0-or-later
"""The known races between users and the operator, one by one, on the simulated operator of each release.

They are described in docs/operator-behavior.md ("Build identity"). test_build_identity.py looks for others.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.tests.fuzz.build_identity import (
    Apply,
    WaitRun,
    built_from,
    edit_by,
    holds_the_right_image,
    verify,
    verify_content,
)
from ansible_collections.imagemode.openshift.tests.fuzz.simulated_operator import (
    FAILING,
    MISSPELT,
    REBUILD,
    RELEASES,
    Circumstances,
    Operator,
    is_state,
    meaning,
)

A = "FROM configs AS final\nRUN a\n"
B = "FROM configs AS final\nRUN b\n"
C = "FROM configs AS final\nRUN c\n"


@pytest.fixture(params=sorted(RELEASES))
def operator(request: pytest.FixtureRequest) -> Operator:
    """Return the operator of each release."""
    return Operator(RELEASES[request.param], Circumstances())


def apply(operator: Operator, containerfile: str) -> WaitRun:
    """Apply a Containerfile and return the wait of this run."""
    return WaitRun(operator, Apply(operator, containerfile).run())


def until_ended(wait: WaitRun, seconds: float = 300.0) -> WaitRun:
    """Observe once a second until the wait ends, or for some time."""
    for dummy in range(int(seconds)):
        if wait.ended:
            break
        wait.observe()
        wait.operator.advance(1.0)
    return wait


def until_succeeded(operator: Operator) -> None:
    """Let time pass until the build that runs has succeeded, and nothing else has happened since."""
    unfinished = [name for name, build in operator.api.builds.items() if not is_state(build, "Succeeded")]
    for dummy in range(600):
        operator.advance(0.1)
        if any(name in operator.api.builds and is_state(operator.api.builds[name], "Succeeded") for name in unfinished):
            return
    raise AssertionError("no build has succeeded")


def assert_ended_with(wait: WaitRun, containerfile: str) -> None:
    """Check that a wait ended with the image of a Containerfile, and that verify expects this image."""
    last, config = wait.observation, wait.operator.api.config
    assert last is not None
    assert config is not None
    assert (last.outcome, last.error) == (Outcome.SUCCEEDED, None), last.progress
    assert last.build is not None
    assert containerfile.splitlines()[-1] in built_from(wait.operator, last.build.digested_image_push_spec)
    wait.operator.advance(60.0)
    expected, content = verify_content(wait.operator, wait.operator.api.config)
    assert expected.current
    assert expected.pull_spec == last.build.digested_image_push_spec
    assert content.is_proven, content.why_not


def assert_changed_by(wait: WaitRun, manager: str) -> None:
    """Check that a wait ended because another client changed the spec of its run."""
    assert wait.observation is not None
    assert wait.observation.error is not None, wait.observation.progress
    assert f"was changed by {manager} after this run wrote it" in wait.observation.error.reason


def test_the_operator_builds_and_publishes(operator):
    assert_ended_with(until_ended(apply(operator, A)), A)
    assert holds_the_right_image(operator)


@pytest.mark.parametrize("seconds", [0.0, 0.4, 3.0, 4.9])
def test_an_edit_within_seconds_of_the_end_of_the_previous_build_waits_for_its_own(operator, seconds):
    apply(operator, A)
    operator.advance(7.0)
    until_succeeded(operator)
    operator.advance(seconds)
    assert_ended_with(until_ended(apply(operator, B)), B)


@pytest.mark.parametrize("seconds", [12.0, 17.0, 20.0])
def test_a_late_success_of_the_previous_build_does_not_end_the_wait(operator, seconds):
    apply(operator, A)
    operator.advance(seconds)
    wait = apply(operator, B)
    assert_ended_with(until_ended(wait), B)


def test_an_older_build_that_a_failing_sync_points_to_is_not_taken(operator):
    for containerfile in (A, B, C):
        until_ended(apply(operator, containerfile))
    operator.lose_pool_of_another_config()
    for containerfile in (A + "RUN 1\n", B + "RUN 2\n", C + "RUN 3\n", A + "RUN 4\n"):
        wait = until_ended(apply(operator, containerfile))
        assert wait.observation is not None
        if wait.observation.outcome is Outcome.SUCCEEDED:
            assert_image = wait.observation.build.digested_image_push_spec
            assert built_from(operator, assert_image) == meaning(operator.api.config["spec"])
        expected = verify(operator, operator.api.config)
        assert not expected.current or built_from(operator, expected.pull_spec) == wait.wrote


@pytest.mark.parametrize("seconds", [0.3, 4.0, 12.0, 20.0, 40.0])
def test_the_run_of_a_user_fails_when_another_user_applies(operator, seconds):
    first = apply(operator, A)
    until_ended(first, seconds)
    second = apply(operator, B)
    if not first.ended:
        first.observe()
        assert_changed_by(first, "imagemode.openshift")
    assert_ended_with(until_ended(second), B)


@pytest.mark.parametrize("seconds", [0.3, 12.0, 20.0])
def test_the_run_of_a_user_fails_after_an_edit_by_hand(operator, seconds):
    first = apply(operator, A)
    until_ended(first, seconds)
    edit_by(operator, "kubectl-edit", B)
    until_ended(first)
    assert_changed_by(first, "kubectl-edit")


@pytest.mark.parametrize("broken", [FAILING, MISSPELT])
@pytest.mark.parametrize("seconds", [3.0, 12.0, 100.0])
def test_a_failed_edit_that_is_taken_back_ends_with_the_first_build(operator, broken, seconds):
    until_ended(apply(operator, A))
    until_ended(apply(operator, broken), seconds)
    assert_ended_with(until_ended(apply(operator, A)), A)


@pytest.mark.parametrize("seconds", [3.0, 4.9, 6.0, 15.0])
def test_an_edit_that_is_undone_while_its_build_runs_ends_with_the_first_build(operator, seconds):
    until_ended(apply(operator, A))
    operator.circumstances = replace(operator.circumstances, build_seconds=90.0)
    until_ended(apply(operator, B), seconds)
    assert_ended_with(until_ended(apply(operator, A)), A)


@pytest.mark.parametrize("seconds", [1.0, 4.0, 7.0, 14.0])
def test_an_edit_that_is_undone_at_once_ends_with_the_build_that_was_running(operator, seconds):
    until_ended(apply(operator, A))
    operator.circumstances = replace(operator.circumstances, build_seconds=90.0)
    apply(operator, B)
    operator.advance(seconds)
    apply(operator, C)
    operator.advance(1.0)
    assert_ended_with(until_ended(apply(operator, B)), B)


def test_a_reused_build_is_taken(operator):
    for containerfile in (A, B, C, A, C, B):
        assert_ended_with(until_ended(apply(operator, containerfile)), containerfile)


def test_a_rebuild_ends_with_the_new_build(operator):
    until_ended(apply(operator, A))
    (before,) = operator.api.builds.values()
    operator.api.change_config({"metadata": {"annotations": {REBUILD: ""}}}, "kubectl-annotate")
    operator.rebuild_requested()
    wait = until_ended(WaitRun(operator, operator.api.config))
    assert_ended_with(wait, A)
    assert wait.observation.build.uid != before["metadata"]["uid"]


def test_a_build_that_was_deleted_is_replaced(operator):
    until_ended(apply(operator, A))
    (name,) = operator.api.builds
    operator.api.delete_build(name)
    operator.build_deleted(name)
    assert_ended_with(until_ended(WaitRun(operator, operator.api.config)), A)


@pytest.mark.parametrize("files", ["1", "2"])
def test_a_rendered_config_that_needs_no_new_image_keeps_the_image(operator, files):
    until_ended(apply(operator, A))
    operator.api.render(operator.api.rendered[:-1] + files)
    operator.rendered_config_changed()
    assert_ended_with(until_ended(WaitRun(operator, operator.api.config)), A)


@pytest.mark.parametrize("seconds", [0.0, 0.3, 4.0, 8.0])
def test_an_edit_with_a_rendered_config_that_needs_no_new_image_does_not_take_the_old_image(operator, seconds):
    until_ended(apply(operator, A))
    wait = apply(operator, B)
    operator.advance(seconds)
    operator.api.render(operator.api.rendered[:-1] + "1")
    operator.rendered_config_changed()
    until_ended(wait)
    if wait.observation.outcome is Outcome.SUCCEEDED:
        assert_ended_with(wait, B)
    expected = verify(operator, operator.api.config)
    assert not expected.current or built_from(operator, expected.pull_spec) == wait.wrote


@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0, 4.8, 5.2, 7.0, 10.2])
@pytest.mark.parametrize("previous", [B, FAILING, MISSPELT])
def test_a_build_of_the_previous_spec_that_is_created_after_the_edit_is_not_taken(operator, previous, seconds):
    until_ended(apply(operator, A))
    apply(operator, previous)
    operator.advance(seconds)
    assert_ended_with(until_ended(apply(operator, C)), C)


@pytest.mark.parametrize("seconds", [7.0, 13.0, 14.0, 16.0])
def test_edits_while_the_pool_is_degraded_are_built_in_any_order(operator, seconds):
    until_ended(apply(operator, A))
    operator.degraded = True
    apply(operator, B)
    operator.advance(seconds)
    wait = apply(operator, C)
    operator.advance(7.0)
    operator.degraded = False
    until_ended(wait)
    if wait.observation.outcome is Outcome.SUCCEEDED:
        assert_ended_with(wait, C)
    expected = verify(operator, operator.api.config)
    assert not expected.current or built_from(operator, expected.pull_spec) == wait.wrote


@pytest.mark.parametrize("seconds", [1.0, 7.0, 13.0, 19.0, 30.0])
def test_a_restart_of_the_operator_changes_no_result(operator, seconds):
    until_ended(apply(operator, A))
    wait = apply(operator, B)
    until_ended(wait, seconds)
    operator.stop()
    operator.advance(10.0)
    operator.start()
    assert_ended_with(until_ended(wait), B)
