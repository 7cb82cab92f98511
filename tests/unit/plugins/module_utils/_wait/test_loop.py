# SPDX-License-Identifier: GPL-3.0-or-later
"""How waits end, and what they report. The tests set the clock."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    Observation,
    Outcome,
    Pace,
    Snapshot,
    Wait,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.loop import run, wait_result
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits, Window

EVERY_SECOND = Pace()
FAILED = Finding(FindingId.BUILD_FAILED, ObjectRef("MachineOSBuild", "a"), "MachineOSBuild a failed")
DEGRADED = Finding(FindingId.NODE_DEGRADED, ObjectRef("Node", "worker-0"), "Node worker-0: cannot pull")


def waiting(line: str = "building", mark: str = "", *findings: Finding) -> Observation:
    return Observation(Outcome.WAITING, line, mark or line, findings)


def ended(*findings: Finding) -> Observation:
    return Observation(Outcome.FAILED if findings else Outcome.SUCCEEDED, "ended", "ended", findings)


@dataclass(frozen=True)
class NoState:
    """The state of a wait that remembers nothing."""


class Script:
    """A wait whose observations are given, one a second, and whose windows are as long as necessary."""

    def __init__(self, session: t.Any, **limits: t.Any) -> None:
        self.session = session
        self.limits = Limits(**{"timeout": 0, "window": 300, **limits})
        self.now = 1_000_000.0
        self.cursor = ""
        self.observed: list[Observation] = []
        self.reported: list[str] = []

    def window(self, wait: Wait[NoState, Observation], seconds: int, changed: bool, outage: str) -> Window:
        """Return a window of so many seconds: with a change in each second, or only in the first."""
        script = self

        class ScriptedWindow(Window[NoState, Observation]):
            """A window without a cluster."""

            def moments(self) -> t.Iterator[bool]:
                """Yield once a second."""
                for second in range(seconds):
                    yield changed or second == 0
                    script.now += 1

            @property
            def outage(self) -> str:
                """Why the API server is away."""
                return outage

        return ScriptedWindow(self.session, wait, self.limits, self.cursor, lambda: self.now)

    def go(
        self,
        *observations: Observation,
        seconds: int = 0,
        pace: Pace = EVERY_SECOND,
        check_mode: bool = False,
        changed: bool = True,
        outage: str = "",
    ) -> dict[str, t.Any]:
        """Run a window and return its result. The last observation is repeated."""
        self.observed = []

        def observe(dummy: Snapshot, state: NoState, dummy_now: float) -> tuple[NoState, Observation]:
            seen = observations[min(len(self.observed), len(observations) - 1)]
            self.observed.append(replace(seen, pace=pace))
            return state, self.observed[-1]

        wait = Wait("await it", (), NoState(), observe)
        window = self.window(wait, seconds or len(observations), changed, outage)
        last = run(window, [], check_mode)
        self.reported.append(window.reported)
        self.cursor = window.cursor()
        return wait_result(window, last, check_mode, {})

    def go_on(self, apart: float, observations: t.Iterable[Observation]) -> None:
        """Run windows of one observation each, so many seconds apart."""
        for observation in observations:
            self.go(observation)
            self.now += apart


def error_of(work: t.Callable[[], object]) -> OperationError:
    with pytest.raises(OperationError) as error:
        work()
    return error.value


def test_changed_line_is_reported_and_the_same_line_is_not(session):
    wait = Script(session)
    wait.go(waiting("one"))
    result = wait.go(waiting("one"), waiting("one"), waiting("two"), waiting("three"))
    assert result["progress"] == "two"
    assert len(wait.observed) == 3
    assert not result["finished"]


def test_success_ends_the_wait(session):
    wait = Script(session)
    assert wait.go(ended())["finished"]


def test_unchanged_objects_are_observed_at_the_longest_interval(session):
    wait = Script(session)
    wait.go(waiting())
    wait.go(waiting(), seconds=30, pace=Pace(longest=10.0), changed=False)
    assert len(wait.observed) == 3


def test_changes_are_observed_at_the_shortest_interval(session):
    wait = Script(session)
    wait.go(waiting())
    wait.go(waiting(), seconds=30, pace=Pace(shortest=5.0, longest=10.0))
    assert len(wait.observed) == 7, "one every five seconds, and one at the end"


def test_last_change_is_observed_before_the_window_ends(session):
    wait = Script(session)
    wait.go(waiting())
    assert wait.go(waiting(), ended(), seconds=3, pace=Pace(shortest=5.0))["finished"]


def test_line_that_changes_early_is_reported_after_the_report_interval(session):
    wait = Script(session)
    wait.go(waiting("one"))
    began = wait.now
    wait.go(waiting("two"), seconds=30, pace=Pace(report_interval=10.0), changed=False)
    assert wait.reported[-1] == "two"
    assert wait.now - began == 10


def test_windows_shorter_than_the_report_interval_report_too(session):
    wait = Script(session)
    wait.go(waiting("one"))
    for dummy in range(4):
        wait.go(waiting("two"), seconds=3, pace=Pace(report_interval=10.0))
    assert wait.reported[-2:] == ["one", "two"]


def test_new_finding_is_reported_at_once_and_only_once(session):
    wait = Script(session)
    wait.go(waiting())
    slow = Pace(report_interval=100.0)
    wait.go(waiting("two", "", DEGRADED), seconds=30, pace=slow)
    assert len(wait.observed) == 1
    wait.go(waiting("two", "", DEGRADED), seconds=30, pace=slow)
    assert len(wait.observed) == 30


def test_finding_that_returns_is_not_reported_again(session):
    wait = Script(session)
    wait.go(waiting("one", "", DEGRADED))
    wait.go(waiting("one"), waiting("one", "", DEGRADED), waiting("one"), seconds=5)
    assert len(wait.observed) == 5


# What ends a wait ----------------------------------------------------------------------------------------------------


def test_fatal_finding_ends_the_wait(session):
    error = error_of(lambda: Script(session).go(ended(FAILED)))
    assert str(error).startswith("Could not await it: MachineOSBuild a failed. Read the evidence")
    assert error.result["finished"]


def test_finding_that_may_clear_by_itself_does_not_end_the_wait(session):
    assert not Script(session).go(waiting("one", "", DEGRADED))["finished"]


@pytest.mark.parametrize("fail_on", [("fatal", "node.degraded"), ("node.degraded",)])
def test_finding_in_fail_on_findings_ends_the_wait(fail_on, session):
    error = error_of(lambda: Script(session, fail_on=fail_on).go(waiting("one", "", DEGRADED)))
    assert "Node worker-0: cannot pull" in str(error)
    assert not error.result["finished"], "the rollout has not come to an end"


@pytest.mark.parametrize("fail_on", [(), ("node.degraded",)])
def test_fatal_finding_that_is_not_in_fail_on_findings_does_not_end_the_wait(fail_on, session):
    wait = Script(session, fail_on=fail_on)
    held = wait.go(ended(FAILED))
    assert not held["finished"]
    assert [f["id"] for f in held["findings"]] == ["build.failed"]
    assert wait.go(ended())["finished"]


def test_success_takes_precedence_over_a_finding(session):
    done = Observation(Outcome.SUCCEEDED, "done", "done", (DEGRADED,))
    assert Script(session, fail_on=("node.degraded",)).go(done)["finished"]


def test_check_mode_ends_at_once_and_does_not_fail(session):
    result = Script(session, fail_on=("node.degraded",)).go(waiting("one", "", DEGRADED), check_mode=True)
    assert result["finished"]
    assert result["findings"]


def test_wait_without_progress_fails_with_its_state(session):
    wait = Script(session, stall_timeout=60)
    wait.go(waiting("building"))
    error = error_of(lambda: wait.go(waiting("building"), seconds=300))
    assert "no progress for 60 s (building). Raise stall_timeout." in str(error)
    assert wait.now - 1_000_000 == pytest.approx(60, abs=2)
    assert not error.result["finished"]


def test_stall_continues_across_windows(session):
    wait = Script(session, stall_timeout=60)
    for dummy in range(4):
        wait.go(waiting("building"), seconds=18)
    assert "no progress for 60 s" in str(error_of(lambda: wait.go(waiting("building"), seconds=18)))


def test_progress_that_does_not_change_the_line_prevents_a_stall(session):
    wait = Script(session, stall_timeout=60)
    for number in range(30):
        assert not wait.go(waiting("building", f"log of {number} bytes"), seconds=20)["finished"]


def test_changed_line_is_not_progress(session):
    wait = Script(session, stall_timeout=60)
    observations = [waiting(f"degraded ({number})", "same") for number in range(30)]
    assert "no progress for 60 s (degraded (3))" in str(error_of(lambda: wait.go_on(20, observations)))


def test_wait_without_stall_timeout_needs_no_progress(session):
    assert not Script(session).go(waiting(), seconds=100_000, changed=False)["finished"]


def test_outage_does_not_count_as_a_stall(session):
    wait = Script(session, stall_timeout=60)
    wait.go(waiting())
    assert not wait.go(waiting(), seconds=1000, outage="no connection")["finished"]


def test_stall_error_names_the_first_finding(session):
    wait = Script(session, stall_timeout=60)
    wait.go(waiting("one", "", DEGRADED))
    error = error_of(lambda: wait.go(waiting("one", "", DEGRADED), seconds=100))
    assert "no progress for 60 s (one): Node worker-0: cannot pull" in str(error)
    assert error.remedy == FINDINGS["node.degraded"].remedy.rstrip(".")


def test_finding_that_is_part_of_the_line_is_not_repeated(session):
    wait = Script(session, timeout=10)
    held = waiting(f"held: {DEGRADED.message}", "", DEGRADED)
    wait.go(held)
    late = error_of(lambda: wait.go(held, seconds=20))
    assert str(late).count(DEGRADED.message) == 1


def test_timeout_ends_a_wait_that_makes_progress(session):
    wait = Script(session, timeout=30, stall_timeout=20)
    observations = [waiting(f"step {number}") for number in range(100)]
    assert "not done after 30 s (step 6). Raise timeout" in str(error_of(lambda: wait.go_on(5, observations)))
