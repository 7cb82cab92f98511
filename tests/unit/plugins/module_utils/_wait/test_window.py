# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    NODE,
    POD,
    ObjectRef,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.subject import Subject
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import Cursor, read_cursor
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.outage import Sight
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits, Window
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_config_pool, node, pod
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import Reply, bookmark

SUBJECTS = (Subject(NODE), Subject(MACHINE_CONFIG_POOL))
LONG = Limits(timeout=0, window=30)


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


def test_the_first_moment_comes_when_every_subject_is_known(cluster, session):
    window = Window(session, SUBJECTS, LONG, "")
    assert next(window.moments())
    assert names(window) == ["worker-0", "worker-1"]
    assert names(window, MACHINE_CONFIG_POOL) == ["layered"]


def test_objects_come_and_go(cluster, session):
    window = Window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    cluster.keep(NODE, node("worker-2"))
    next_change(moments)
    cluster.drop(NODE, "worker-0")
    next_change(moments)
    assert names(window) == ["worker-1", "worker-2"]


def test_what_a_wait_does_not_read_is_no_change(cluster, session):
    window = Window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    noisy = node("worker-0", boot_id="boot-2")
    noisy["metadata"]["annotations"]["k8s.ovn.org/node-subnets"] = "10.0.0.0/24"
    cluster.keep(NODE, noisy)
    assert next(moments) is False


def test_the_next_window_goes_on_without_listing_again(cluster, session):
    window = Window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    window.told = "the last line"
    moments.close()
    cluster.requests.clear()
    cluster.keep(NODE, node("worker-2"))
    following = Window(session, SUBJECTS, LONG, window.cursor())
    assert following.told == "the last line"
    assert following.started == window.started
    assert names(following) == ["worker-0", "worker-1"]
    moments = following.moments()
    next_change(moments)
    while "worker-2" not in names(following):
        next_change(moments)
    assert all(r.query.get("watch") for r in cluster.requests)


def test_the_next_window_goes_on_from_where_a_bookmark_said(cluster, session):
    cluster.fail("nodes?watch", Reply(200, bookmark(150)))
    window = Window(session, [Subject(NODE)], LONG, "")
    moments = window.moments()
    next(moments)
    assert next(moments) is False
    moments.close()
    following = read_cursor(window.cursor())
    assert following.versions == {"Node": "150"}
    assert list(following.objects["Node"]) == ["worker-0", "worker-1"]


def test_a_window_that_ends_with_its_first_look_has_watched_nothing(cluster, session):
    moments = Window(session, SUBJECTS, LONG, "").moments()
    assert next(moments)
    moments.close()
    following = Window(session, SUBJECTS, LONG, "")
    assert next(following.moments())
    assert [request.query.get("watch") for request in cluster.requests] == [None] * 4


def test_the_next_window_knows_of_which_subjects_a_watch_was_open(cluster, session):
    listed = Window(session, SUBJECTS, LONG, "")
    moments = listed.moments()
    next(moments)
    moments.close()
    assert read_cursor(listed.cursor()).opened == ()
    watched = Window(session, SUBJECTS, LONG, listed.cursor())
    moments = watched.moments()
    while len(read_cursor(watched.cursor()).opened) < len(SUBJECTS):
        next(moments)
    assert read_cursor(watched.cursor()).opened == ("MachineConfigPool", "Node")


PODS = Subject(POD, part="worker-0", optional=True)


def test_what_is_watched_besides_begins_within_the_window_and_is_waited_for_by_nobody(cluster, session):
    cluster.keep_as("/api/v1/pods", pod())
    window = Window(session, SUBJECTS, LONG, "")
    moments = window.moments()
    next(moments)
    window.watch_also([PODS])
    assert window.complete
    while not window.objects(POD):
        next(moments)
    known = read_cursor(window.cursor())
    assert "Pod worker-0" in known.versions
    window.watch_also([])
    forgotten = read_cursor(window.cursor())
    assert "Pod worker-0" not in {*forgotten.versions, *forgotten.objects, *forgotten.opened}


def test_an_outage_of_what_nobody_watches_any_more_is_over(cluster, session):
    away = Sight().without("Pod worker-0", "it answers 503", time.time())
    before = Cursor(time.time(), {"Node": "101", "MachineConfigPool": "103"}, sight=away)
    window = Window(session, SUBJECTS, LONG, str(before))
    window.watch_also([PODS])
    assert read_cursor(window.cursor()).sight.away == ("Pod worker-0",)
    window.watch_also([])
    assert read_cursor(window.cursor()).sight.away == ()


@pytest.mark.parametrize("cursor", ["", "unreadable"])
def test_a_cursor_that_cannot_be_read_means_listing_again(cursor, cluster, session):
    window = Window(session, SUBJECTS, LONG, cursor)
    next(window.moments())
    assert names(window) == ["worker-0", "worker-1"]
    assert [r for r in cluster.requests if not r.query.get("watch")]


def test_a_list_replaces_what_was_known_before(cluster, session):
    known = {"Node": {"gone": {"metadata": {"name": "gone"}}}}
    forgotten = Cursor(time.time(), {"Node": "7", "MachineConfigPool": "103"}, known)
    window = Window(session, SUBJECTS, LONG, str(forgotten))
    moments = window.moments()
    while "gone" in names(window):
        next(moments)
    assert names(window) == ["worker-0", "worker-1"]


def test_an_outage_is_a_change_and_is_over_with_the_next_news(cluster, session):
    window = Window(session, SUBJECTS, LONG, "")
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


def test_an_outage_from_the_start_is_told_before_anything_is_known(cluster, session):
    cluster.stop()
    window = Window(session, SUBJECTS, LONG, "")
    assert list(window.moments()) == []
    assert window.progress.startswith("API server away: no connection to")
    cluster.start()
    following = Window(session, SUBJECTS, LONG, window.cursor())
    assert any(following.moments())
    following.told = following.line("all is well")
    assert following.progress == "API server back: all is well"
    later = Window(session, SUBJECTS, LONG, following.cursor())
    assert later.progress == "all is well"


def test_an_outage_has_one_reason_for_as_long_as_a_subject_is_away(cluster, session):
    window = Window(session, SUBJECTS, LONG, str(Cursor(0.0, {"Node": "103", "MachineConfigPool": "103"})))
    cluster.fail("nodes?", Reply(503, "starting"))
    cluster.fail("machineconfigpools", *[Reply(500, "etcd is away")] * 3)
    told: set[str] = set()
    moments = window.moments()
    while not (told and not window.outage):
        told |= {window.outage} if next(moments) and window.outage else set()
    assert len(told) == 1
    assert told < {"it answers 503 (starting)", "it answers 500 (etcd is away)"}


def test_a_finding_ends_nothing_while_it_may_be_of_the_past(session):
    now = [1000.0]
    fatal = Finding(FindingId.BUILD_FAILED, ObjectRef("MachineOSBuild", "a"), "MachineOSBuild a failed")

    def ending(sight: Sight) -> bool:
        return Window(session, [], LONG, str(Cursor(0.0, sight=sight)), lambda: now[0]).ending([fatal]) is not None

    assert ending(Sight())
    assert not ending(Sight().without("Node", "gone", 990.0))
    assert not ending(Sight().without("Node", "gone", 990.0).having("Node", 998.0))
    assert ending(Sight().without("Node", "gone", 900.0).having("Node", 990.0))


def test_the_time_of_an_outage_is_not_watched(session):
    sight = Sight().without("Node", "gone", 100.0).having("Node", 400.0).without("Node", "gone", 900.0)
    window = Window(session, [], LONG, str(Cursor(0.0, sight=sight)), lambda: 1000.0)
    assert window.elapsed == 1000
    assert window.watched == 600


def test_a_window_ends_by_itself(cluster, session):
    window = Window(session, SUBJECTS, Limits(timeout=0, window=0.2), "")
    assert any(window.moments())
    assert not window.timed_out


@pytest.mark.parametrize(
    ("timeout", "ago", "over"), [(0, 10**6, False), (60, 59, False), (60, 61, True), (60, 10**6, True)]
)
def test_the_whole_wait_is_over_by_the_time_at_which_it_began(timeout, ago, over, session):
    began = Cursor(time.time() - ago)
    assert Window(session, SUBJECTS, Limits(timeout, window=30), str(began)).timed_out is over


def test_what_the_window_before_knew_is_looked_at_at_once_even_when_the_time_is_over(session):
    known = {"Node": {"worker-0": node("worker-0")}, "MachineConfigPool": {}}
    began = str(Cursor(time.time() - 100, {"Node": "103", "MachineConfigPool": "103"}, known))
    window = Window(session, SUBJECTS, Limits(timeout=60, window=30), began)
    assert list(window.moments()) == [True]
    assert names(window) == ["worker-0"]


# A cursor that is not the one that was handed out -------------------------------------------------------------------


def after_a_look(session, subjects: t.Sequence[Subject] = SUBJECTS) -> str:
    window = Window(session, subjects, LONG, "")
    next(window.moments())
    return window.cursor()


def test_a_cursor_of_the_same_wait_is_no_stranger(cluster, session):
    assert Window(session, SUBJECTS, LONG, after_a_look(session)).unread == ""
    assert Window(session, SUBJECTS, LONG, "").unread == ""


def test_a_cursor_of_another_wait_is_not_read(cluster, session):
    others = [Subject(NODE, label_selector="zone=b"), Subject(MACHINE_CONFIG_POOL)]
    window = Window(session, SUBJECTS, LONG, after_a_look(session, others))
    assert window.unread.startswith("Could not read the cursor: ")
    assert not window.objects(NODE)


def test_a_cursor_of_another_cluster_is_not_read(cluster, session):
    foreign = replace(read_cursor(after_a_look(session)), about="https://other.example.com Node")
    assert Window(session, SUBJECTS, LONG, str(foreign)).unread


@pytest.mark.parametrize(
    "change",
    [
        {"spec": []},
        {"status": {"conditions": [{"type": []}]}},
        {"metadata": {"name": "worker-0", "annotations": {"a": {}}}},
    ],
)
def test_a_cursor_whose_objects_cannot_be_read_is_not_read(change, cluster, session):
    known = read_cursor(after_a_look(session))
    objects = {"Node": {"worker-0": {**known.objects["Node"]["worker-0"], **change}}}
    window = Window(session, SUBJECTS, LONG, str(replace(known, objects=objects)))
    assert window.unread
    assert next(window.moments())
    assert names(window) == ["worker-0", "worker-1"]


def test_a_cursor_of_an_unknown_kind_is_not_read(cluster, session):
    known = read_cursor(after_a_look(session))
    assert Window(session, SUBJECTS, LONG, str(replace(known, objects={"Secret": known.objects["Node"]}))).unread


@pytest.mark.parametrize(
    ("cursor", "waited", "elapsed"),
    [
        ("", 0, 0),
        ("********", 100, 100),
        (Cursor(1000.0 - 40), 100, 100),
        (Cursor(1000.0 - 400), 100, 400),
        (Cursor(1000.0 + 5000), 0, 0),
        (Cursor(-5000.0), 0, 6000),
    ],
    ids=["none", "masked", "less", "more", "future", "negative"],
)
def test_a_wait_has_lasted_for_what_the_caller_or_the_cursor_says_whichever_is_more(cursor, waited, elapsed, session):
    limits = Limits(timeout=50, window=1, waited=waited)
    window = Window(session, SUBJECTS, limits, str(cursor), lambda: 1000.0)
    assert window.elapsed == elapsed
    assert window.timed_out is (elapsed >= 50)
    assert read_cursor(window.cursor()).started == 1000.0 - elapsed
