# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch import Interrupted, Open
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.readers import NODES, PODS, POOLS
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    NODE,
    POD,
    ObjectRef,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.subject import Subject
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    Observation,
    Outcome,
    Snapshot,
    Wait,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import Cursor, Progress, SubjectState
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import read_cursor as read_any_cursor
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.outage import OutageTracker
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits, Window
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_config_pool, node, pod
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import Reply, bookmark

SUBJECTS = (NODES.subject(), POOLS.subject())
LONG = Limits(timeout=0, window=30)


@dataclass(frozen=True)
class NoState:
    """The state of a wait that remembers nothing."""


def observe(dummy: Snapshot, state: NoState, dummy_now: float) -> tuple[NoState, Observation]:
    return state, Observation(Outcome.WAITING, "", "")


def new_window(
    session: t.Any,
    subjects: t.Sequence[Subject] = SUBJECTS,
    limits: Limits = LONG,
    cursor: str = "",
    clock: t.Callable[[], float] = time.time,
) -> Window[NoState, Observation]:
    return Window(session, Wait("wait", subjects, NoState(), observe), limits, cursor, clock)


def read_cursor(text: str) -> Cursor:
    found = read_any_cursor(text, NoState)
    assert found is not None
    return found


def cursor_of(subjects: t.Mapping[str, SubjectState] | None = None, **progress: t.Any) -> str:
    return str(Cursor(Progress(**progress), subjects or {}, NoState()))


LISTED = {"Node": SubjectState("103"), "MachineConfigPool": SubjectState("103")}


@pytest.fixture
def cluster(api):
    api.keep(NODE, node("worker-1"), node("worker-0"))
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    return api


def names(window: Window, kind: t.Any = NODE) -> list[str]:
    return [obj["metadata"]["name"] for obj in window.objects(kind)]


def next_change(moments: t.Iterator[bool]) -> None:
    """Go on to the next moment at which something changed."""
    assert any(moments)


def test_first_moment_comes_when_each_subject_was_listed(cluster, session):
    window = new_window(session, SUBJECTS, LONG, "")
    assert next(window.moments())
    assert names(window) == ["worker-0", "worker-1"]
    assert names(window, MACHINE_CONFIG_POOL) == ["layered"]


def test_objects_are_added_and_deleted(cluster, session):
    window = new_window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    cluster.keep(NODE, node("worker-2"))
    next_change(moments)
    cluster.drop(NODE, "worker-0")
    next_change(moments)
    assert names(window) == ["worker-1", "worker-2"]


def test_change_of_a_field_that_no_wait_reads_is_ignored(cluster, session):
    window = new_window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    noisy = node("worker-0", boot_id="boot-2")
    noisy["metadata"]["annotations"]["k8s.ovn.org/node-subnets"] = "10.0.0.0/24"
    cluster.keep(NODE, noisy)
    assert next(moments) is False


def test_next_window_does_not_list_again(cluster, session):
    window = new_window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    window.report("the last line")
    moments.close()
    cluster.requests.clear()
    cluster.keep(NODE, node("worker-2"))
    following = new_window(session, SUBJECTS, LONG, window.cursor())
    assert following.reported == "the last line"
    assert following.progress.started == window.progress.started
    assert names(following) == ["worker-0", "worker-1"]
    moments = following.moments()
    next_change(moments)
    while "worker-2" not in names(following):
        next_change(moments)
    assert all(r.query.get("watch") for r in cluster.requests)


def test_next_window_continues_at_the_last_bookmark(cluster, session):
    cluster.fail("nodes?watch", Reply(200, bookmark(150)))
    window = new_window(session, [NODES.subject()], LONG, "")
    moments = window.moments()
    next(moments)
    while read_cursor(window.cursor()).subjects["Node"].version != "150":
        assert next(moments) is False
    moments.close()
    following = read_cursor(window.cursor())
    assert list(following.subjects["Node"].objects) == ["worker-0", "worker-1"]


def test_window_that_ends_with_its_first_observation_opens_no_watch(cluster, session):
    moments = new_window(session, SUBJECTS, LONG, "").moments()
    assert next(moments)
    moments.close()
    following = new_window(session, SUBJECTS, LONG, "")
    assert next(following.moments())
    assert [request.query.get("watch") for request in cluster.requests] == [None] * 4


def watched_subjects(window: Window) -> list[str]:
    return sorted(key for key, state in read_cursor(window.cursor()).subjects.items() if state.watched)


def test_cursor_records_which_subjects_were_watched(cluster, session):
    listed = new_window(session, SUBJECTS, LONG, "")
    moments = listed.moments()
    next(moments)
    moments.close()
    assert watched_subjects(listed) == []
    watched = new_window(session, SUBJECTS, LONG, listed.cursor())
    moments = watched.moments()
    while len(watched_subjects(watched)) < len(SUBJECTS):
        next(moments)
    assert watched_subjects(watched) == ["MachineConfigPool", "Node"]


PODS_OF_NODE = PODS.subject(part="worker-0", optional=True)


def test_additional_subject_is_watched_within_the_window_and_does_not_delay_it(cluster, session):
    cluster.keep_as("/api/v1/pods", pod())
    window = new_window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    window.watch_also([PODS_OF_NODE])
    assert window.complete
    while not window.objects(POD):
        next(moments)
    assert read_cursor(window.cursor()).subjects["Pod worker-0"].version
    window.watch_also([])
    assert "Pod worker-0" not in read_cursor(window.cursor()).subjects
    assert not window.objects(POD)


def test_outage_of_a_subject_that_is_no_longer_watched_is_over(cluster, session):
    away = OutageTracker().interrupted("Pod worker-0", "it answers 503", time.time())
    before = cursor_of(LISTED, started=time.time(), outage=away)
    window = new_window(session, SUBJECTS, LONG, before)
    window.watch_also([PODS_OF_NODE])
    assert read_cursor(window.cursor()).progress.outage.away == ("Pod worker-0",)
    window.watch_also([])
    assert read_cursor(window.cursor()).progress.outage.away == ()


@pytest.mark.parametrize("cursor", ["", "unreadable"])
def test_unreadable_cursor_means_listing_again(cursor, cluster, session):
    window = new_window(session, SUBJECTS, LONG, cursor)
    next(window.moments())
    assert names(window) == ["worker-0", "worker-1"]
    assert [r for r in cluster.requests if not r.query.get("watch")]


def test_list_replaces_the_known_objects(cluster, session):
    known = SubjectState("7", objects={"gone": {"metadata": {"name": "gone"}}})
    window = new_window(session, SUBJECTS, LONG, cursor_of({**LISTED, "Node": known}, started=time.time()))
    moments = window.moments()
    while "gone" in names(window):
        next(moments)
    assert names(window) == ["worker-0", "worker-1"]


def test_outage_is_a_change_and_ends_with_the_next_event(cluster, session):
    window = new_window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    cluster.stop()
    next_change(moments)
    assert cluster.url in window.outage
    cluster.start()
    cluster.keep(NODE, node("worker-2"))
    while "worker-2" not in names(window):
        next_change(moments)
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool("other"))
    while window.outage:
        next_change(moments)


def test_outage_from_the_start_is_reported_before_the_first_list(cluster, session):
    cluster.stop()
    window = new_window(session, SUBJECTS, LONG, "")
    assert list(window.moments()) == []
    assert window.progress_line.startswith("API server away: no connection to")
    cluster.start()
    following = new_window(session, SUBJECTS, LONG, window.cursor())
    assert any(following.moments())
    following.report(following.line("all is well"))
    assert following.progress_line == "API server back: all is well"
    later = new_window(session, SUBJECTS, LONG, following.cursor())
    assert later.progress_line == "all is well"


def test_outage_has_one_reason_while_a_subject_is_away(cluster, session):
    window = new_window(session, SUBJECTS, LONG, cursor_of(LISTED))
    cluster.fail("nodes?", Reply(503, "starting"))
    cluster.fail("machineconfigpools", *[Reply(500, "etcd is away")] * 3)
    told: set[str] = set()
    moments = window.moments()
    while not (told and not window.outage):
        told |= {window.outage} if next(moments) and window.outage else set()
    assert len(told) == 1
    assert told < {"it answers 503 (starting)", "it answers 500 (etcd is away)"}


def test_outage_lasts_until_its_end_was_reported(session):
    window = new_window(session, [], LONG, cursor_of(outage=OutageTracker().interrupted("Node", "first", 900.0)))
    window.report(window.line("all is well"))

    second = OutageTracker().interrupted("Node", "second", 910.0)
    following = new_window(session, [], LONG, cursor_of(outage=second, reported=window.reported))

    assert following.line("all is well") == "API server away: first"


def test_outage_after_a_reported_end_is_another_one(session):
    second = OutageTracker().interrupted("Node", "second", 910.0)
    window = new_window(session, [], LONG, cursor_of(outage=second, reported="all is well"))
    assert window.line("all is well") == "API server away: second"


def test_finding_does_not_end_the_wait_while_it_may_be_out_of_date(session):
    now = [1000.0]
    fatal = Finding(FindingId.BUILD_FAILED, ObjectRef("MachineOSBuild", "a"), "MachineOSBuild a failed")

    def ending(outage: OutageTracker) -> bool:
        window = new_window(session, [], LONG, cursor_of(outage=outage), lambda: now[0])
        return window.ending(Observation(Outcome.WAITING, "", "", (fatal,))) is not None

    assert ending(OutageTracker())
    assert not ending(OutageTracker().interrupted("Node", "gone", 990.0))
    assert not ending(OutageTracker().interrupted("Node", "gone", 990.0).restored("Node", 998.0))
    assert ending(OutageTracker().interrupted("Node", "gone", 900.0).restored("Node", 990.0))


def test_outage_does_not_count_as_watched_time(session):
    outage = (
        OutageTracker().interrupted("Node", "gone", 100.0).restored("Node", 400.0).interrupted("Node", "gone", 900.0)
    )
    window = new_window(session, [], LONG, cursor_of(outage=outage), lambda: 1000.0)
    assert window.elapsed == 1000
    assert window.watched == 600


def test_window_ends_after_its_time(cluster, session):
    window = new_window(session, SUBJECTS, Limits(timeout=0, window=0.2))
    assert any(window.moments())
    assert not window.timed_out


@pytest.mark.parametrize(
    ("timeout", "ago", "over"), [(0, 10**6, False), (60, 59, False), (60, 61, True), (60, 10**6, True)]
)
def test_timeout_counts_from_the_start_of_the_wait(timeout, ago, over, session):
    began = cursor_of(started=time.time() - ago)
    assert new_window(session, SUBJECTS, Limits(timeout, window=30), began).timed_out is over


def test_objects_of_the_cursor_are_observed_once_after_the_timeout(session):
    known = SubjectState("103", objects={"worker-0": node("worker-0")})
    began = cursor_of({**LISTED, "Node": known}, started=time.time() - 100)
    window = new_window(session, SUBJECTS, Limits(timeout=60, window=30), began)
    assert list(window.moments()) == [True]
    assert names(window) == ["worker-0"]


# A cursor that is not the one that was handed out -------------------------------------------------------------------


def after_first_moment(session, subjects: t.Sequence[Subject] = SUBJECTS) -> str:
    window = new_window(session, subjects)
    next(window.moments())
    return window.cursor()


def test_cursor_of_the_same_wait_is_read(cluster, session):
    assert new_window(session, SUBJECTS, LONG, after_first_moment(session)).unread == ""
    assert new_window(session, SUBJECTS, LONG, "").unread == ""


def test_cursor_of_another_wait_is_not_read(cluster, session):
    others = [NODES.subject(label_selector="zone=b"), POOLS.subject()]
    window = new_window(session, SUBJECTS, LONG, after_first_moment(session, others))
    assert window.unread.startswith("Could not read the cursor: ")
    assert not window.objects(NODE)


def test_cursor_of_another_cluster_is_not_read(cluster, session):
    known = read_cursor(after_first_moment(session))
    foreign = replace(known, progress=replace(known.progress, about="https://other.example.com Node"))
    assert new_window(session, SUBJECTS, LONG, str(foreign)).unread


@pytest.mark.parametrize(
    "change",
    [
        {"spec": []},
        {"status": {"conditions": [{"type": []}]}},
        {"metadata": {"name": "worker-0", "annotations": {"a": {}}}},
    ],
)
def test_cursor_with_objects_that_cannot_be_parsed_is_not_read(change, cluster, session):
    known = read_cursor(after_first_moment(session))
    nodes = known.subjects["Node"]
    changed = replace(nodes, objects={"worker-0": {**nodes.objects["worker-0"], **change}})
    window = new_window(session, SUBJECTS, LONG, str(replace(known, subjects={**known.subjects, "Node": changed})))
    assert window.unread
    assert next(window.moments())
    assert names(window) == ["worker-0", "worker-1"]


def test_cursor_with_an_unknown_kind_is_not_read(cluster, session):
    known = read_cursor(after_first_moment(session))
    assert new_window(session, SUBJECTS, LONG, str(replace(known, subjects={"Secret": known.subjects["Node"]}))).unread


@pytest.mark.parametrize(
    ("cursor", "waited", "elapsed"),
    [
        ("", 0, 0),
        ("********", 100, 100),
        (cursor_of(started=1000.0 - 40), 100, 100),
        (cursor_of(started=1000.0 - 400), 100, 400),
        (cursor_of(started=1000.0 + 5000), 0, 0),
        (cursor_of(started=-5000.0), 0, 6000),
    ],
    ids=["none", "masked", "less", "more", "future", "negative"],
)
def test_elapsed_time_is_the_greater_of_cursor_and_caller(cursor, waited, elapsed, session):
    limits = Limits(timeout=50, window=1, waited=waited)
    window = new_window(session, SUBJECTS, limits, cursor, lambda: 1000.0)
    assert window.elapsed == elapsed
    assert window.timed_out is (elapsed >= 50)
    assert read_cursor(window.cursor()).progress.started == 1000.0 - elapsed


# Snapshots -----------------------------------------------------------------------------------------------------------


def test_object_is_parsed_once_for_each_change(cluster, session):
    window = new_window(session)
    moments = window.moments()
    next(moments)
    before = window.snapshot({}).all(NODES)
    cluster.keep(NODE, node("worker-1", ready="False"))
    next_change(moments)
    after = window.snapshot({}).all(NODES)
    assert [one.ready for one in after] == [True, False]
    assert after[0] is before[0]
    assert window.snapshot({}).all(NODES) is after


def test_only_the_first_snapshot_of_a_window_is_resumed(cluster, session):
    window = new_window(session)
    next(window.moments())
    assert [window.snapshot({}).resumed for dummy in range(2)] == [True, False]


def test_denial_counts_from_its_latest_start_and_ends_when_the_subject_is_read(cluster, session):
    now = [10.0]
    window = new_window(session, clock=lambda: now[0])

    def denied_since() -> float | None:
        return read_cursor(window.cursor()).subjects["Node"].denied_since

    window._take(Interrupted("Node", "forbidden", denied=True))
    assert denied_since() == 10
    now[0] = 13.0
    window._take(Interrupted("Node", "reset"))
    assert denied_since() == 10
    now[0] = 40.0
    window._take(Interrupted("Node", "forbidden", denied=True))
    assert denied_since() == 40
    window._take(Open("Node"))
    assert denied_since() is None


def test_objects_of_the_cursor_are_part_of_the_first_snapshot(session):
    pods = SubjectState("103", objects={"shop/web": {"metadata": {"namespace": "shop", "name": "web"}}})
    window = new_window(session, cursor=cursor_of({**LISTED, "Pod worker-0": pods}))
    assert [one.name for one in window.snapshot({}).all(PODS)] == ["web"]
    window.watch_also([])
    assert not window.snapshot({}).all(PODS)


def test_limit_of_a_wait_ends_it_whatever_findings_end_waits(session):
    fatal = Finding(FindingId.BUILD_ATTEMPT_FAILED, ObjectRef("Pod", "a"), "attempt 1 failed")
    window = new_window(session, [], LONG, cursor_of(), lambda: 1000.0)
    assert window.ending(Observation(Outcome.WAITING, "", "", (fatal,))) is None
    assert window.ending(Observation(Outcome.WAITING, "", "", (fatal,), limit=fatal)) is fatal


def test_subject_that_is_no_longer_watched_can_be_forgotten(cluster, session):
    cluster.keep_as("/api/v1/pods", pod())
    window = new_window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    window.watch_also([PODS_OF_NODE])
    while not names(window, POD):
        next(moments)
    window.watch_also([])
    window.forget_inactive()
    assert window.complete
    assert names(window) == ["worker-0", "worker-1"]
    window.watch_also([PODS_OF_NODE])
    assert names(window, POD) == []
