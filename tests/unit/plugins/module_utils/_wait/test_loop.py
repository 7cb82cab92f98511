# SPDX-License-Identifier: GPL-3.0-or-later
"""How waits end, and what they tell on the way; the time is the test's own."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import ObjectRef
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.loop import Look, Pace, conclude, follow
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits, Window

EVERY_SECOND = Pace()
FAILED = Finding(FindingId.BUILD_FAILED, ObjectRef("MachineOSBuild", "a"), "MachineOSBuild a failed")
DEGRADED = Finding(FindingId.NODE_DEGRADED, ObjectRef("Node", "worker-0"), "Node worker-0: cannot pull")


def waiting(line: str = "building", mark: str = "", *findings: Finding) -> Look:
    return Look(Outcome.WAITING, line, mark or line, findings)


def ended(*findings: Finding) -> Look:
    return Look(Outcome.FAILED if findings else Outcome.SUCCEEDED, "ended", "ended", findings)


class Wait:
    """A wait whose every look is given, a second apart, and whose windows are as long as they have to be."""

    def __init__(self, session: t.Any, **limits: t.Any) -> None:
        self.session = session
        self.limits = Limits(**{"timeout": 0, "window": 300, **limits})
        self.now = 1_000_000.0
        self.cursor = ""
        self.looks: list[Look] = []
        self.told: list[str] = []

    def window(self, seconds: int, changed: bool = True, outage: str = "") -> Window:
        """Return a window of so many seconds, all of them with a change, or none but the first."""
        wait = self

        class Scripted(Window):
            """A window without a cluster."""

            def moments(self) -> t.Iterator[bool]:
                """Yield once a second."""
                for second in range(seconds):
                    yield changed or second == 0
                    wait.now += 1

            @property
            def outage(self) -> str:
                """Why the API server is away."""
                return outage

        return Scripted(self.session, [], self.limits, self.cursor, lambda: self.now)

    def go(
        self, *looks: Look, seconds: int = 0, pace: Pace = EVERY_SECOND, check_mode: bool = False, **script: t.Any
    ) -> dict[str, t.Any]:
        """Go through a window and return its result; the last look is repeated."""
        window = self.window(seconds or len(looks), **script)
        self.looks = []

        def judge() -> Look:
            self.looks.append(looks[min(len(self.looks), len(looks) - 1)])
            return self.looks[-1]

        look = follow(window, judge, pace, check_mode)
        self.told.append(window.told)
        self.cursor = window.cursor()
        return conclude(self.session, window, "await it", look, check_mode, {})

    def go_on(self, apart: float, looks: t.Iterable[Look]) -> None:
        """Go through windows of one look each, so many seconds apart."""
        for look in looks:
            self.go(look)
            self.now += apart


def refused(work: t.Callable[[], object]) -> OperationError:
    with pytest.raises(OperationError) as refusal:
        work()
    return refusal.value


def test_another_line_is_news_and_the_same_is_not(session):
    wait = Wait(session)
    wait.go(waiting("one"))
    result = wait.go(waiting("one"), waiting("one"), waiting("two"), waiting("three"))
    assert result["progress"] == "two"
    assert len(wait.looks) == 3
    assert not result["finished"]


def test_success_ends_the_wait(session):
    wait = Wait(session)
    assert wait.go(ended())["finished"]


def test_a_look_that_says_nothing_new_is_not_repeated_before_its_time(session):
    wait = Wait(session)
    wait.go(waiting())
    wait.go(waiting(), seconds=30, pace=Pace(most=10.0), changed=False)
    assert len(wait.looks) == 3


def test_many_changes_are_looked_at_together(session):
    wait = Wait(session)
    wait.go(waiting())
    wait.go(waiting(), seconds=30, pace=Pace(least=5.0, most=10.0))
    assert len(wait.looks) == 7, "one every five seconds, and one at the end"


def test_what_changed_last_is_looked_at_before_the_window_ends(session):
    wait = Wait(session)
    wait.go(waiting())
    assert wait.go(waiting(), ended(), seconds=3, pace=Pace(least=5.0))["finished"]


def test_a_line_that_changes_too_early_is_told_when_its_time_has_come(session):
    wait = Wait(session)
    wait.go(waiting("one"))
    began = wait.now
    wait.go(waiting("two"), seconds=30, pace=Pace(news=10.0), changed=False)
    assert wait.told[-1] == "two"
    assert wait.now - began == 10


def test_windows_that_are_shorter_than_the_time_between_news_tell_all_the_same(session):
    wait = Wait(session)
    wait.go(waiting("one"))
    for dummy in range(4):
        wait.go(waiting("two"), seconds=3, pace=Pace(news=10.0))
    assert wait.told[-2:] == ["one", "two"]


def test_a_new_finding_is_news_at_once_and_only_once(session):
    wait = Wait(session)
    wait.go(waiting())
    slow = Pace(news=100.0)
    wait.go(waiting("two", "", DEGRADED), seconds=30, pace=slow)
    assert len(wait.looks) == 1
    wait.go(waiting("two", "", DEGRADED), seconds=30, pace=slow)
    assert len(wait.looks) == 30


def test_a_finding_that_came_and_went_is_no_news_again(session):
    wait = Wait(session)
    wait.go(waiting("one", "", DEGRADED))
    wait.go(waiting("one"), waiting("one", "", DEGRADED), waiting("one"), seconds=5)
    assert len(wait.looks) == 5


# What ends a wait ----------------------------------------------------------------------------------------------------


def test_what_is_fatal_by_the_public_table_ends_the_wait(session):
    refusal = refused(lambda: Wait(session).go(ended(FAILED)))
    assert str(refusal).startswith("Could not await it: MachineOSBuild a failed. Read the evidence")
    assert refusal.result["finished"]


def test_what_may_clear_by_itself_does_not(session):
    assert not Wait(session).go(waiting("one", "", DEGRADED))["finished"]


@pytest.mark.parametrize("fail_on", [("fatal", "node.degraded"), ("node.degraded",)])
def test_a_finding_that_the_user_names_ends_the_wait(fail_on, session):
    refusal = refused(lambda: Wait(session, fail_on=fail_on).go(waiting("one", "", DEGRADED)))
    assert "Node worker-0: cannot pull" in str(refusal)
    assert not refusal.result["finished"], "the rollout has not come to an end"


@pytest.mark.parametrize("fail_on", [(), ("node.degraded",)])
def test_a_fatal_finding_that_the_user_does_not_name_is_waited_out(fail_on, session):
    wait = Wait(session, fail_on=fail_on)
    held = wait.go(ended(FAILED))
    assert not held["finished"]
    assert [f["id"] for f in held["findings"]] == ["build.failed"]
    assert wait.go(ended())["finished"]


def test_success_counts_more_than_a_finding_beside_it(session):
    done = Look(Outcome.SUCCEEDED, "done", "done", (DEGRADED,))
    assert Wait(session, fail_on=("node.degraded",)).go(done)["finished"]


def test_check_mode_ends_at_once_and_fails_for_nothing(session):
    result = Wait(session, fail_on=("node.degraded",)).go(waiting("one", "", DEGRADED), check_mode=True)
    assert result["finished"]
    assert result["findings"]


def test_a_wait_in_which_nothing_moves_ends_and_says_where_it_stands(session):
    wait = Wait(session, stall_timeout=60)
    wait.go(waiting("building"))
    refusal = refused(lambda: wait.go(waiting("building"), seconds=300))
    assert "nothing has moved for 60 s (building). Raise stall_timeout." in str(refusal)
    assert wait.now - 1_000_000 == pytest.approx(60, abs=2)
    assert not refusal.result["finished"]


def test_nothing_moves_across_windows(session):
    wait = Wait(session, stall_timeout=60)
    for dummy in range(4):
        wait.go(waiting("building"), seconds=18)
    assert "nothing has moved for 60 s" in str(refused(lambda: wait.go(waiting("building"), seconds=18)))


def test_a_movement_that_no_line_tells_keeps_the_wait_going(session):
    wait = Wait(session, stall_timeout=60)
    for number in range(30):
        assert not wait.go(waiting("building", f"log of {number} bytes"), seconds=20)["finished"]


def test_a_line_that_changes_is_no_movement(session):
    wait = Wait(session, stall_timeout=60)
    looks = [waiting(f"degraded ({number})", "same") for number in range(30)]
    assert "nothing has moved for 60 s (degraded (3))" in str(refused(lambda: wait.go_on(20, looks)))


def test_without_a_stall_timeout_nothing_has_to_move(session):
    assert not Wait(session).go(waiting(), seconds=100_000, changed=False)["finished"]


def test_while_the_api_server_is_away_nobody_knows_whether_something_moves(session):
    wait = Wait(session, stall_timeout=60)
    wait.go(waiting())
    assert not wait.go(waiting(), seconds=1000, outage="no connection")["finished"]


def test_a_stall_names_what_holds_the_wait(session):
    wait = Wait(session, stall_timeout=60)
    wait.go(waiting("one", "", DEGRADED))
    refusal = refused(lambda: wait.go(waiting("one", "", DEGRADED), seconds=100))
    assert "nothing has moved for 60 s (one): Node worker-0: cannot pull" in str(refusal)
    assert refusal.remedy == FINDINGS["node.degraded"].remedy.rstrip(".")


def test_a_finding_that_the_line_tells_already_is_not_repeated(session):
    wait = Wait(session, timeout=10)
    held = waiting(f"held: {DEGRADED.message}", "", DEGRADED)
    wait.go(held)
    late = refused(lambda: wait.go(held, seconds=20))
    assert str(late).count(DEGRADED.message) == 1


def test_the_whole_time_ends_a_wait_that_moves(session):
    wait = Wait(session, timeout=30, stall_timeout=20)
    looks = [waiting(f"step {number}") for number in range(100)]
    assert "not done after 30 s (step 6). Raise timeout" in str(refused(lambda: wait.go_on(5, looks)))
