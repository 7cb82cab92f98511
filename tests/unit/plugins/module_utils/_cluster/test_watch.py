# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import queue
import threading
import time
import tracemalloc
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import session as sessions
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import watch as watches
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.response_body import ResponseLimits
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch import (
    Changed,
    Event,
    Interrupted,
    Listed,
    Open,
    Reached,
    Unreadable,
    watch,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch_errors import (
    DENIAL_TIMEOUT,
    OPTIONAL_DENIAL_TIMEOUT,
    WatchStatus,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.subject import Reader, Subject
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    machine_config_pool,
    machine_os_build,
    node,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import (
    ApiServer,
    Reply,
    bookmark,
    forbidden,
    status_object,
)

NODES = Subject(NODE)
LONG = 300
"""Seconds of a window that the test leaves as soon as it has seen enough."""


def watched_at(**versions: str) -> dict[str, WatchStatus]:
    """Return the status of subjects of which a watch was open."""
    return {kind: WatchStatus(version, watched=True) for kind, version in versions.items()}


def listed_at(**versions: str) -> dict[str, WatchStatus]:
    """Return the status of subjects that were only listed."""
    return {kind: WatchStatus(version) for kind, version in versions.items()}


def events(session: Session, *subjects: Subject, **versions: str) -> t.Iterator[Event]:
    """What a watch yields, without the seconds in which nothing happens, and without what says that it is open.

    Of the subjects of which a version is known, a watch was open before.
    It is asked on and on, whether the test takes what it yields or not.
    """
    yielded: queue.Queue[Event | BaseException | None] = queue.Queue()
    over = threading.Event()

    def ask() -> None:
        try:
            for event in watch(session, subjects or (NODES,), watched_at(**versions), LONG):
                if over.is_set():
                    break
                if event is not None and not isinstance(event, (Open, Reached)):
                    yielded.put(event)
            yielded.put(None)
        except BaseException as error:  # noqa: BLE001 - it is the test's
            yielded.put(error)

    def take() -> t.Iterator[Event]:
        try:
            while (event := yielded.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            over.set()

    threading.Thread(target=ask, daemon=True).start()
    return take()


@pytest.fixture
def slept() -> list[float]:
    """The pauses that were made, in seconds."""
    return []


@pytest.fixture
def patient(session: Session, slept: list[float]) -> Session:
    """A session whose time goes by in its pauses alone."""

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(0.01)

    session.sleep = sleep
    session.clock = lambda: sum(slept)
    return session


def names(event: Event) -> list[str]:
    assert isinstance(event, Listed)
    return [item["metadata"]["name"] for item in event.items]


def changed(event: Event) -> tuple[str, bool]:
    assert isinstance(event, Changed), event
    return event.item["metadata"]["name"], event.gone


def said(api: ApiServer, plural: str = "nodes") -> list[str]:
    """Whether nodes were listed or watched, request by request."""
    return ["watch" if r.query.get("watch") else "list" for r in api.requests if r.path.endswith(plural)]


def test_objects_are_listed_once_and_watched_from_there(api, session):
    api.keep(NODE, node("worker-0"), node("worker-1"))
    seen = events(session)
    assert names(next(seen)) == ["worker-0", "worker-1"]
    api.keep(NODE, node("worker-2"))
    assert changed(next(seen)) == ("worker-2", False)
    api.keep(NODE, node("worker-0", ready="False"))
    assert changed(next(seen)) == ("worker-0", False)
    api.drop(NODE, "worker-1")
    assert changed(next(seen)) == ("worker-1", True)
    assert said(api) == ["list", "watch"]
    assert api.requests[1].query["resourceVersion"] == "102"


def test_a_kind_whose_version_is_known_is_not_listed(api, session):
    api.keep(NODE, node("worker-0"), node("worker-1"))
    seen = events(session, Node="101")
    assert changed(next(seen)) == ("worker-1", False)
    assert said(api) == ["watch"]


def test_every_kind_has_one_list_and_one_watch(api, session):
    api.keep(NODE, node("worker-0"))
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool())
    seen = events(session, NODES, Subject(MACHINE_CONFIG_POOL))
    assert {next(seen).kind, next(seen).kind} == {"Node", "MachineConfigPool"}
    api.keep(NODE, node("worker-1"))
    assert next(seen).kind == "Node"
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool("gpu"))
    assert next(seen).kind == "MachineConfigPool"
    assert said(api) == said(api, "machineconfigpools") == ["list", "watch"]


def test_only_the_part_that_the_selectors_choose_is_asked_for(api, session):
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(), machine_config_pool("gpu"))
    api.keep(MACHINE_OS_BUILD, machine_os_build(), machine_os_build("gpu-b", pool="gpu"))
    label = "machineconfiguration.openshift.io/target-machine-config-pool=gpu"
    by_field = events(session, Subject(MACHINE_CONFIG_POOL, field_selector="metadata.name=gpu"))
    by_label = events(session, Subject(MACHINE_OS_BUILD, label_selector=label))
    assert names(next(by_field)) == ["gpu"]
    assert names(next(by_label)) == ["gpu-b"]
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(), machine_config_pool("gpu", paused=True))
    assert changed(next(by_field)) == ("gpu", False)
    api.keep(MACHINE_OS_BUILD, machine_os_build(), machine_os_build("gpu-c", pool="gpu"))
    assert changed(next(by_label)) == ("gpu-c", False)


@pytest.mark.parametrize("cut", [False, True], ids=["ended", "cut"])
def test_a_stream_that_breaks_is_opened_again_from_where_it_was_and_is_no_outage(cut, api, session):
    api.keep(NODE, node("worker-0"))
    seen = events(session)
    next(seen)
    api.await_requests("watch", 1)
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)
    api.end_watches(cut=cut)
    api.await_requests("watch", 2)
    api.keep(NODE, node("worker-2"))
    assert changed(next(seen)) == ("worker-2", False)
    assert said(api) == ["list", "watch", "watch"]
    assert api.requests[-1].query["resourceVersion"] == "102"


def test_a_bookmark_only_moves_the_place_to_go_on_from(api, session):
    api.keep(NODE, node("worker-0"))
    api.fail("watch", Reply(200, bookmark(150)))
    seen = (event for event in watch(session, [NODES], {}, LONG) if event is not None)
    assert [type(next(seen)) for dummy in range(2)] == [Listed, Open]
    assert next(seen) == Reached("Node", "150")
    api.await_requests("watch", 2)
    assert api.requests[-1].query["resourceVersion"] == "150"
    assert api.requests[-1].query["allowWatchBookmarks"] == "true"


@pytest.mark.parametrize("how", ["event", "status"])
def test_a_forgotten_place_means_listing_again(how, api, session):
    api.keep(NODE, node("worker-0"))
    if how == "status":
        api.fail("watch", Reply(410, '{"kind": "Status", "code": 410, "message": "too old"}'))
    seen = events(session, Node="7")
    first = next(seen)
    if isinstance(first, Interrupted):
        first = next(seen)
    assert names(first) == ["worker-0"]
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)
    assert said(api) == ["watch", "list", "watch"]


def test_an_api_server_that_goes_away_is_told_once_and_waited_for(api, session):
    api.keep(NODE, node("worker-0"))
    seen = events(session)
    next(seen)
    api.await_requests("watch", 1)
    api.stop()
    away = next(seen)
    assert isinstance(away, Interrupted)
    assert api.url in away.reason
    api.start()
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)
    assert "list" not in said(api)[1:]


def test_an_api_server_that_is_busy_is_asked_again(api, session):
    api.keep(NODE, node("worker-0"))
    api.fail("watch", Reply(429, "busy"), Reply(503, "starting"))
    seen = events(session)
    next(seen)
    assert isinstance(next(seen), Interrupted)
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)


def test_a_stream_that_says_nothing_for_long_is_opened_again_and_is_no_outage(api, session, monkeypatch):
    monkeypatch.setattr(watches, "SILENCE", 0.3)
    api.keep(NODE, node("worker-0"))
    seen = events(session)
    next(seen)
    api.await_requests("watch", 2)
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)


@pytest.mark.parametrize("part", ["limit", "watch"])
def test_a_subject_that_may_not_be_read_ends_the_watch(part, api, session):
    api.always_fail(f"{part}=", forbidden("nodes"))
    verb = {"limit": "list", "watch": "watch"}[part]
    with pytest.raises(
        OperationError, match=f"^Could not {verb} Nodes: nodes is forbidden.*Grant the account that right"
    ):
        list(events(session))


def test_a_kind_that_is_not_served_ends_the_watch(api, session):
    api.not_served.add("machineosconfigs")
    with pytest.raises(OperationError, match="does not serve machineosconfigs"):
        list(events(session, Subject(MACHINE_OS_CONFIG)))


REFUSALS = [
    pytest.param(Reply(401, "Unauthorized"), "does not accept the credentials", id="401"),
    pytest.param(forbidden("nodes"), "nodes is forbidden", id="403"),
    pytest.param(Reply(404, "404 page not found"), "does not serve nodes", id="not served"),
]


@pytest.mark.parametrize(("reply", "reason"), REFUSALS)
def test_what_was_watched_and_is_refused_is_given_a_minute(reply, reason, api, slept, patient):
    api.keep(NODE, node("worker-0"))
    seen = events(patient)
    next(seen)
    api.await_requests("watch", 1)
    api.always_fail("watch", reply)
    api.end_watches()
    away = next(seen)
    assert isinstance(away, Interrupted)
    assert away.denied
    assert str(reply.status) in away.reason
    with pytest.raises(OperationError, match=f"^Could not watch Nodes: .*{reason}"):
        next(seen)
    assert DENIAL_TIMEOUT <= sum(slept) < DENIAL_TIMEOUT + 10


@pytest.mark.parametrize(("reply", "reason"), REFUSALS)
def test_what_is_refused_for_less_than_a_minute_goes_on(reply, reason, api, patient):
    api.keep(NODE, node("worker-0"))
    seen = events(patient)
    next(seen)
    api.await_requests("watch", 1)
    api.fail("watch", *[reply] * 5)
    api.end_watches()
    assert isinstance(next(seen), Interrupted)
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)


def test_who_may_list_and_not_watch_is_told_at_once_in_the_next_window_too(api, patient, slept):
    api.always_fail("watch", forbidden("nodes"))
    with pytest.raises(OperationError, match=r"^Could not watch Nodes: nodes is forbidden"):
        list(watch(patient, [NODES], listed_at(Node="101"), LONG))
    assert not slept


def test_credentials_that_were_accepted_by_a_list_are_given_a_minute_by_the_first_watch(api, patient):
    api.keep(NODE, node("worker-0"))
    seen = events(patient)
    api.fail("watch", *[Reply(401, "Unauthorized")] * 5)
    assert isinstance(next(seen), Listed)
    assert isinstance(next(seen), Interrupted)
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)


OPTIONAL = Subject(NODE, optional=True)


@pytest.mark.parametrize(("reply", "reason"), REFUSALS[1:])
def test_an_optional_subject_that_is_refused_later_is_given_up_and_is_no_outage(reply, reason, api, slept, patient):
    seen = events(patient, OPTIONAL, Node="101")
    api.await_requests("watch", 1)
    api.always_fail("watch", reply)
    api.end_watches()
    given_up = next(seen)
    assert isinstance(given_up, Unreadable)
    assert reason in given_up.reason
    assert OPTIONAL_DENIAL_TIMEOUT <= sum(slept) < OPTIONAL_DENIAL_TIMEOUT + 10


def test_an_optional_subject_that_is_refused_for_a_moment_is_not_given_up(api, patient):
    seen = events(patient, OPTIONAL, Node="101")
    api.fail("watch", *[forbidden("nodes")] * 3)
    api.keep(NODE, *[node(f"worker-{number}") for number in range(2)])
    assert changed(next(seen)) == ("worker-1", False)


def test_credentials_that_are_not_accepted_are_no_refusal_of_an_optional_subject_alone(api, patient):
    seen = events(patient, OPTIONAL, Node="101")
    api.fail("watch", *[Reply(401, "Unauthorized")] * 5)
    assert isinstance(next(seen), Interrupted)
    api.keep(NODE, *[node(f"worker-{number}") for number in range(2)])
    assert changed(next(seen)) == ("worker-1", False)


def test_the_minute_of_a_refusal_goes_on_in_the_next_window(api, slept, patient):
    api.always_fail("watch", forbidden("nodes"))
    with pytest.raises(OperationError, match="nodes is forbidden"):
        list(watch(patient, [NODES], {"Node": WatchStatus("101", True, True, -50.0)}, LONG))
    assert 10 <= sum(slept) < 20


def test_a_minute_begins_anew_when_the_api_server_was_away_in_between(api, slept, patient):
    api.keep(NODE, node("worker-0"))
    seen = events(patient, Node="101")
    api.fail("watch", *[forbidden("nodes")] * 9, Reply(503, "starting"))
    api.always_fail("watch", forbidden("nodes"))
    assert [next(seen).denied for dummy in range(2)] == [True, True]
    with pytest.raises(OperationError):
        next(seen)
    assert sum(slept) > DENIAL_TIMEOUT + 20


def test_objects_are_kept_as_the_caller_wants_them_listed_and_changed(api, session):
    api.keep(NODE, node("worker-0"))
    reader = Reader(NODE, lambda obj: {"name": obj["metadata"]["name"], "of": "Node"}, lambda obj: obj)
    found = watch(session, [reader.subject()], {}, LONG)
    seen = (event for event in found if isinstance(event, (Listed, Changed)))
    assert next(seen).items == [{"name": "worker-0", "of": "Node"}]
    api.keep(NODE, node("worker-1"))
    assert next(seen).item == {"name": "worker-1", "of": "Node"}


def test_a_list_of_5000_objects_is_never_in_memory_as_a_whole(session, monkeypatch):
    """50 MB of objects, of which a name is kept; a page is 5 MB."""
    pages = iter(range(10))

    def read_page(*dummy: t.Any) -> t.Any:
        page = next(pages)
        items = [{"metadata": {"name": f"{page}-{number}"}, "status": "x" * 10_000} for number in range(500)]
        return sessions._Page(items, "7", "more" if page < 9 else "", 5_000_000)

    monkeypatch.setattr(session, "_page", read_page)
    tracemalloc.start()
    listing = session.pages(Subject(NODE, reader=Reader(NODE, lambda obj: {"name": obj["metadata"]["name"]}, dict)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(listing.items) == 5000
    assert peak < 15e6


@pytest.mark.parametrize(
    "line",
    ["<html>log in</html>\n", "[]\n", '{"type": "ADDED"}\n', '{"type": "ADDED", "object": {}}\n'],
    ids=["html", "list", "no object", "no metadata"],
)
def test_a_stream_that_is_no_watch_is_not_waited_for_in_silence(line, api, session):
    """A proxy that answers itself: the stream breaks, and goes on when the API server answers again."""
    api.keep(NODE, node("worker-0"))
    api.fail("watch", Reply(200, line))
    seen = events(session)
    next(seen)
    assert isinstance(next(seen), Interrupted)
    api.keep(NODE, node("worker-1"))
    assert changed(next(seen)) == ("worker-1", False)


def test_an_error_in_the_stream_that_is_no_expiry_is_an_interruption(api, session):
    api.keep(NODE, node("worker-0"))
    broken = {"type": "ERROR", "object": status_object(500, "InternalError", "etcd is away")}
    api.fail("watch", Reply(200, json.dumps(broken) + "\n"))
    seen = events(session)
    next(seen)
    away = next(seen)
    assert isinstance(away, Interrupted)
    assert away.reason == "it answers 500 (etcd is away)"


def test_a_window_ends_by_itself(api, session):
    api.keep(NODE, node("worker-0"))
    seen = [e for e in watch(session, [NODES], {}, 3) if e is not None]
    assert [type(e) for e in seen] == [Listed, Open]


def test_a_stream_that_always_ends_at_once_is_asked_for_ever_less_often(api, session):
    api.always_fail("watch", Reply(200, ""))
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time.sleep(0.02)

    session.sleep = sleep
    list(watch(session, [NODES], {}, 0.5))
    assert len(slept) >= said(api).count("watch") - 1
    for number, pause in enumerate(slept):
        longest = min(0.5 * 2**number, 8.0)
        assert longest / 2 <= pause <= longest


def test_what_nobody_expected_reaches_the_caller(session, monkeypatch):
    def broken(*dummy: t.Any, **more: t.Any) -> t.NoReturn:
        raise KeyError("spec")

    monkeypatch.setattr(session, "pages", broken)
    with pytest.raises(KeyError, match="spec"):
        list(events(session))


def test_nothing_is_watched_for_whom_the_lists_are_enough(api, session):
    subjects = [NODES, Subject(MACHINE_CONFIG_POOL)]
    before = set(threading.enumerate())
    seen = watch(session, subjects, {}, LONG)
    for dummy in subjects:
        while not isinstance(next(seen), Listed):
            pass
    watchers = [thread for thread in threading.enumerate() if thread not in before and "watch" in thread.name]
    assert len(watchers) == len(subjects)
    seen.close()
    for watcher in watchers:
        watcher.join(LONG / 2)
    assert said(api) == said(api, "machineconfigpools") == ["list"]


def test_what_is_known_is_not_watched_before_the_rest_is_known(api, session):
    api.fail("machineconfigpools", Reply(503, "starting"))
    seen = watch(session, [NODES, Subject(MACHINE_CONFIG_POOL)], listed_at(Node="100"), LONG)
    while not isinstance(next(seen), Listed):
        pass
    assert said(api) == []
    seen.close()


def test_who_has_seen_enough_leaves_nobody_watching(api, session):
    before = set(threading.enumerate())
    seen = watch(session, [NODES, Subject(MACHINE_CONFIG_POOL)], listed_at(Node="100", MachineConfigPool="100"), LONG)
    next(seen)
    watchers = [thread for thread in threading.enumerate() if thread not in before and thread.daemon]
    api.await_requests("watch", 2)
    seen.close()
    api.stop()
    for watcher in watchers:
        watcher.join(LONG / 2)
    assert not any(watcher.is_alive() for watcher in watchers)


def test_who_waits_is_asked_now_and_then_even_when_nothing_happens(api, session):
    seen = watch(session, [NODES], {}, LONG)
    assert isinstance(next(seen), Listed)
    assert next(seen) is None


def test_a_cluster_that_is_away_from_the_start_is_waited_for_like_any_other(api, session):
    api.stop()
    seen = events(session)
    assert isinstance(next(seen), Interrupted)
    api.start()
    api.keep(NODE, node("worker-0"))
    assert names(next(seen)) == ["worker-0"]


def test_the_end_of_an_outage_is_told(api, session):
    api.keep(NODE, node("worker-0"))
    api.fail("watch", Reply(503, "starting"))
    seen = (event for event in watch(session, [NODES], {}, LONG) if event is not None)
    assert [type(next(seen)) for dummy in range(2)] == [Listed, Interrupted]
    api.keep(NODE, node("worker-1"))
    assert [type(next(seen)) for dummy in range(2)] == [Open, Changed]


def test_a_watch_that_is_ahead_of_its_caller_waits_and_leaves_with_him(session):
    span = watches._Span(time.monotonic() + LONG)
    events: queue.Queue[t.Any] = queue.Queue(1)
    watcher = watches._Watcher(session, NODES, WatchStatus("100"), span, events)
    watcher._report(Reached("Node", "101"))
    span.end()
    with pytest.raises(watches._CallerStopped):
        watcher._report(Reached("Node", "102"))
    assert events.get_nowait() == Reached("Node", "101")


def test_nobody_goes_on_watching_for_a_caller_that_has_gone_while_events_wait(api, session):
    before = set(threading.enumerate())
    seen = watch(session, [NODES], listed_at(Node="100"), LONG)
    next(seen)
    api.keep(NODE, *(node(f"worker-{number}") for number in range(300)))
    (watcher,) = (thread for thread in threading.enumerate() if thread not in before and thread.name == "watch Node")
    seen.close()
    watcher.join(LONG / 2)
    assert not watcher.is_alive()


def test_nothing_is_lost_when_the_caller_is_slow(api, session, monkeypatch):
    monkeypatch.setattr(watches, "_QUEUED", 1)
    api.keep(NODE, node("worker-0"))
    seen = events(session)
    next(seen)
    api.await_requests("watch", 1)
    api.keep(NODE, *(node(f"worker-{number}") for number in range(1, 50)))
    assert [changed(next(seen))[0] for dummy in range(49)] == [f"worker-{number}" for number in range(1, 50)]


def test_a_watch_that_reports_ever_more_objects_ends(api, session):
    session.limits = ResponseLimits(list_size=50_000)
    api.keep(NODE, *(node(f"worker-{number}") for number in range(300)))
    with pytest.raises(OperationError, match=r"^Could not watch Nodes: .* reports more objects than any cluster has"):
        list(events(session, Node="100"))


def test_an_object_of_many_small_values_weighs_what_it_takes_in_memory(api, session):
    session.limits = ResponseLimits(list_size=50_000)
    api.keep(NODE, {**node("worker-0"), "x": [0] * 3000})
    with pytest.raises(OperationError, match=r"^Could not watch Nodes: .* reports more objects than any cluster has"):
        list(events(session, Node="100"))


def test_a_watch_may_report_the_same_object_for_ever(api, session):
    session.limits = ResponseLimits(list_size=50_000)
    seen = events(session, Node="100")
    for dummy in range(300):
        api.keep(NODE, node("worker-0"))
    assert [changed(next(seen)) for dummy in range(300)] == [("worker-0", False)] * 300


def test_a_server_that_never_pauses_does_not_prolong_a_window():
    events: queue.Queue[t.Any] = queue.Queue()
    for dummy in range(3):
        events.put(watches.Reached("Node", "1"))
    heard = watches._received(events, watches._Span(time.monotonic() - 5))
    assert list(heard) == [watches.Reached("Node", "1"), None]
