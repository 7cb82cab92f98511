# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile server can do with a response: nothing that lasts, grows, or leads elsewhere."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import time
import tracemalloc
import typing as t
from functools import partial

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.api_error import (
    ApiError,
    Conflict,
    Unreachable,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.log_follower import LogFollower
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.response_body import ResponseLimits
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch import Interrupted, watch
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch_errors import WatchStatus
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_position import LogPosition
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    NODE,
    POD,
    SELF_SUBJECT_REVIEW,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.subject import Subject
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import node
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, Reply, refusal
from ansible_collections.imagemode.openshift.tests.unit.plugins.raw_server import (
    RawServer,
    Speak,
    answer,
    drips,
    pours,
    says,
)

PATH = NODE.path("worker-0")
SHORT = ResponseLimits(seconds=0.4)
SMALL = ResponseLimits(size=100_000, error_size=10_000, line=100_000)
LATE = r"takes too long|timed out"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"


@pytest.fixture
def serve() -> t.Iterator[t.Callable[..., RawServer]]:
    """Start servers that speak as the test wants."""
    servers: list[RawServer] = []

    def start(speak: Speak, is_first: bool = False) -> RawServer:
        servers.append(RawServer(speak, is_first))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


def session_with(url: str, limits: ResponseLimits = SHORT, **options: t.Any) -> Session:
    options = {"host": url, "api_key": "sha256~token", **options}
    return Session(connect(options, {}), patience=0, sleep=lambda dummy: None, limits=limits)


# Time ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "speak",
    [
        drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" "),
        drips(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        drips(CHUNKED, b"1\r\n \r\n"),
        drips(CHUNKED, b"0"),
        drips(CHUNKED + b"0\r\n", b"X: y\r\n"),
        drips(b"HTTP/1.1 500 no\r\nContent-Length: 5000\r\n\r\n", b" "),
    ],
    ids=["of a known length", "until the end", "chunk", "length of a chunk", "trailer", "error"],
)
def test_a_body_that_comes_byte_by_byte_reaches_its_deadline(speak, serve):
    with pytest.raises(Unreachable, match=LATE):
        session_with(serve(speak).url).request_once("GET", PATH)


@pytest.mark.parametrize(
    "speak",
    [
        drips(b"", b"H"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X"),
        drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        drips(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status line", "header", "headers", "interim answers"],
)
def test_headers_that_come_byte_by_byte_reach_their_deadline(speak, serve):
    with pytest.raises(Unreachable, match=LATE):
        session_with(serve(speak).url).open("GET", PATH, read_timeout=0.4)


def test_a_proxy_that_answers_byte_by_byte_reaches_a_deadline(serve, monkeypatch):
    monkeypatch.setattr(f"{Session.__module__}.REQUEST_TIMEOUT", 0.4)
    proxy = serve(drips(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"))
    with pytest.raises(Unreachable, match=LATE):
        session_with("https://api.example.com:6443", proxy=proxy.url).request_once("GET", PATH)
    assert proxy.heads[0].startswith("CONNECT api.example.com:6443")


def through_proxy(certificate: str, speak: t.Callable[[ssl.SSLSocket, ssl.SSLContext], None]) -> Speak:
    """Be an HTTPS proxy, whose connection to the API server *speak* stands in for."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def proxy(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as outer:
            assert outer.recv(65536).startswith(b"CONNECT ")
            outer.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            speak(outer, context)

    return proxy


def inner_tls(outer: ssl.SSLSocket, context: ssl.SSLContext, content: bytes) -> bytes:
    """Shake hands within a connection to a proxy, take a request, and return *content* as the bytes to be sent."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    inner = context.wrap_bio(incoming, outgoing, server_side=True)
    request = b""
    while b"\r\n\r\n" not in request:
        try:
            request += inner.read(65536)
        except ssl.SSLWantReadError:
            outer.sendall(outgoing.read())
            incoming.write(outer.recv(65536))
    inner.write(content)
    return outgoing.read()


def drip_handshake(outer: ssl.SSLSocket, context: ssl.SSLContext) -> None:
    drips(b"\x16\x03\x03\x40\x00", b"\x02")(outer)


def drip_record(outer: ssl.SSLSocket, context: ssl.SSLContext) -> None:
    for number in inner_tls(outer, context, answer(b" " * 16_000)):
        outer.sendall(bytes([number]))
        time.sleep(0.02)


def answer_at_once(outer: ssl.SSLSocket, context: ssl.SSLContext) -> None:
    outer.sendall(inner_tls(outer, context, answer(json.dumps(node("worker-0")).encode())))


def session_through(proxy: RawServer, certificate: str) -> Session:
    port = proxy.url.rpartition(":")[2]
    return session_with("https://localhost:6443", proxy=f"https://localhost:{port}", ca_cert=certificate)


@pytest.mark.parametrize("drip", [drip_handshake, drip_record], ids=["handshake", "answer"])
def test_tls_within_tls_that_comes_byte_by_byte_reaches_a_deadline(drip, certificate, serve, monkeypatch):
    monkeypatch.setattr(f"{Session.__module__}.REQUEST_TIMEOUT", 0.4)
    proxy = serve(through_proxy(certificate, drip), is_first=True)
    with pytest.raises(Unreachable, match=LATE):
        session_through(proxy, certificate).open("GET", PATH, read_timeout=0.4).whole(100_000)


def test_an_api_server_behind_an_https_proxy_is_read(certificate, serve):
    proxy = serve(through_proxy(certificate, answer_at_once), is_first=True)
    assert session_through(proxy, certificate).get(NODE, "worker-0")["kind"] == "Node"


def test_the_time_of_a_whole_list_is_limited(api):
    now = iter(range(0, 10_000, 100))
    api.always_fail("limit=", Reply(200, '{"items": [], "metadata": {"continue": "more"}}'))
    session = Session(connect({"host": api.url, "api_key": "x"}, {}), clock=lambda: next(now))
    with pytest.raises(
        OperationError, match=r"^Could not list Nodes: .* sends a list that does not end\. Check that host"
    ):
        session.list(NODE)
    assert len(api.requests) < 10


def test_a_connection_is_used_again_with_its_usual_timeout(api, session):
    api.keep(NODE, node("worker-0"))
    sockets = set()
    for dummy in range(3):
        response = session.open("GET", PATH)
        connection = response.response.connection.sock
        assert response.whole(10_000)
        assert connection.gettimeout() == 30.0
        sockets.add(connection)
        response.close()
    assert len(sockets) == 1


# Size ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "speak",
    [
        pours(ENDLESS, b" " * 10_000),
        pours(CHUNKED, b"2710\r\n" + b" " * 10_000 + b"\r\n"),
        pours(CHUNKED, b"0" * 10_000),
        pours(CHUNKED + b"0\r\n", b"X: y\r\n" * 1000),
        pours(CHUNKED + b"2;x=", b"y" * 10_000),
    ],
    ids=["of a known length", "chunks", "length of a chunk", "trailers", "extension of a chunk"],
)
def test_an_answer_without_end_is_not_kept_in_memory(speak, serve):
    session = session_with(serve(speak).url, SMALL)
    tracemalloc.start()
    with pytest.raises(Unreachable):
        session.request_once("GET", PATH)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6e6


@pytest.mark.parametrize("before", [CHUNKED + b"0\r\n", CHUNKED + b"1\r\n{\r\n0\r\n"], ids=["empty", "begun"])
def test_what_stands_outside_of_a_body_is_limited(before, serve):
    with pytest.raises(Unreachable, match="too much data outside its body"):
        session_with(serve(pours(before, b"X: y\r\n" * 1000)).url, SMALL).request_once("GET", PATH)


def test_an_answer_that_is_too_large_is_not_asked_for_again(serve):
    server = serve(pours(ENDLESS, b" " * 10_000))
    session = session_with(server.url, SMALL)
    session.patience = 60
    with pytest.raises(OperationError, match=r"^Could not get Node worker-0: .* is larger than 100000 bytes\. Check"):
        session.get(NODE, "worker-0")
    assert len(server.heads) == 1


def test_an_answer_of_exactly_the_limit_is_read(api):
    body = json.dumps(node("worker-0")).encode()
    api.always_fail(PATH, Reply(200, body.decode()))
    assert session_with(api.url, ResponseLimits(size=len(body))).get(NODE, "worker-0")["kind"] == "Node"
    with pytest.raises(OperationError, match="larger than"):
        session_with(api.url, ResponseLimits(size=len(body) - 1)).get(NODE, "worker-0")


@pytest.mark.parametrize("status", ["403 Forbidden", "500 no"])
def test_an_error_without_end_is_still_that_error(status, serve):
    head = f"HTTP/1.1 {status}\r\nContent-Length: 99999999999\r\n\r\n".encode()
    with pytest.raises(ApiError) as error:
        session_with(serve(pours(head, b"no " * 1000)).url, SMALL).request_once("GET", PATH)
    assert error.value.status == int(status[:3])
    assert len(error.value.message) < 10_000


def test_json_that_would_need_far_more_memory_than_it_has_bytes_is_refused(api):
    api.always_fail(PATH, Reply(200, '{"x": [' + "{}," * 50_000 + "{}]}"))
    with pytest.raises(Unreachable, match="too many values"):
        session_with(api.url, ResponseLimits(values=50_000)).request_once("GET", PATH)


@pytest.mark.parametrize("expires", [False, True], ids=["pages", "beginnings"])
def test_a_list_without_end_ends(expires, api):
    page = Reply(200, '{"items": [], "metadata": {"continue": "more"}}')
    if expires:
        api.always_fail("continue=", refusal(410, "Expired", "too old"))
    api.always_fail("limit=", page)
    with pytest.raises(Unreachable, match="does not end") as error:
        session_with(api.url, ResponseLimits(list_pages=20)).pages(Subject(NODE))
    assert error.value.final
    assert len(api.requests) == 20


def test_a_chunk_of_a_negative_size_is_no_unexpected_error(serve):
    server = serve(says(CHUNKED + b"-5\r\nhello\r\n"))
    with pytest.raises(Unreachable, match="the response is not HTTP"):
        session_with(server.url).request_once("GET", "/x")


def test_the_size_of_a_whole_list_is_limited(api):
    items = [{"metadata": {"name": f"worker-{number}"}} for number in range(100)]
    api.always_fail("limit=", Reply(200, json.dumps({"items": items, "metadata": {"continue": "more"}})))
    with pytest.raises(Unreachable, match="does not end"):
        session_with(api.url, ResponseLimits(list_size=10_000)).pages(Subject(NODE))
    assert len(api.requests) < 6


def test_a_list_of_many_small_values_weighs_what_it_takes_in_memory(api):
    items = [{"metadata": {"name": f"{number}"}, "x": [0] * 1000} for number in range(3)]
    body = json.dumps({"items": items, "metadata": {"continue": "more"}}, separators=(",", ":"))
    api.always_fail("limit=", Reply(200, body))
    with pytest.raises(Unreachable, match="does not end"):
        session_with(api.url, ResponseLimits(list_size=10 * len(body))).pages(Subject(NODE))
    assert len(api.requests) == 1


# Compression ---------------------------------------------------------------------------------------------------------

BOMB = gzip.compress(b'{"x": "' + b"A" * 10_000_000 + b'"}')


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip"])
def test_a_compressed_answer_is_refused_and_not_unpacked(encoding, serve):
    server = serve(says(answer(BOMB, "200 OK", f"Content-Encoding: {encoding}")))
    tracemalloc.start()
    with pytest.raises(
        OperationError, match=r"^Could not get Node worker-0: .* compressed response, which was not accepted"
    ):
        session_with(server.url).get(NODE, "worker-0")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6
    assert "accept-encoding: identity\r\n" in server.heads[0].lower()


def test_a_compressed_error_is_an_error_without_its_words(serve):
    server = serve(says(answer(BOMB, "503 busy", "Content-Encoding: gzip")))
    with pytest.raises(ApiError) as error:
        session_with(server.url).request_once("GET", PATH)
    assert (error.value.status, error.value.message) == (503, "")


# Redirects -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(api) -> t.Iterator[ApiServer]:
    """Another server, which would answer whatever is asked."""
    other = ApiServer()
    other.keep(NODE, node("worker-0"))
    yield other
    other.stop()


def follow_log(session: Session) -> None:
    LogFollower(session, "pod", "image-build", None, LogPosition())._read()


CALLS: dict[str, t.Callable[[Session], t.Any]] = {
    "get": lambda s: s.get(NODE, "worker-0"),
    "find": lambda s: s.find(NODE, "worker-0"),
    "list": lambda s: s.list(NODE),
    "patch": lambda s: s.patch(NODE, "worker-0", {}),
    "create": lambda s: s.create(NODE, node("worker-0")),
    "delete": lambda s: s.delete(NODE, "worker-0"),
    "log": follow_log,
}


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304, 300])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_request_follows_a_redirect_with_the_token(call, status, api, elsewhere):
    api.always_fail("/", Reply(status, "", headers={"Location": f"{elsewhere.url}{PATH}"}))
    session = session_with(api.url)
    session.patience = 60
    with pytest.raises((OperationError, Unreachable), match=rf"redirect .HTTP {status}., which is not followed"):
        call(session)
    assert elsewhere.requests == []
    assert len(api.requests) == 1


def test_a_redirect_to_the_same_server_is_not_followed(api):
    api.keep(NODE, node("worker-0"))
    api.fail("worker-9", Reply(302, "", headers={"Location": PATH}))
    with pytest.raises(OperationError, match=r"Could not get Node worker-9: .*redirect .* Check that host"):
        session_with(api.url).get(NODE, "worker-9")
    assert api.said == ["GET /api/v1/nodes/worker-9"]


def test_a_watch_follows_no_redirect_with_the_token(api, elsewhere):
    api.always_fail("watch=", Reply(307, "", headers={"Location": f"{elsewhere.url}/api/v1/nodes?watch=true"}))
    with pytest.raises(OperationError, match=r"Could not watch Nodes: .*redirect .HTTP 307., which is not followed"):
        list(watch(session_with(api.url), [Subject(NODE)], {"Node": WatchStatus("100", denied_since=-3600.0)}, 20))
    assert elsewhere.requests == []


def test_what_is_good_to_know_is_not_fetched_from_elsewhere(api, elsewhere):
    api.always_fail("/", Reply(302, "", headers={"Location": f"{elsewhere.url}{PATH}"}))
    assert session_with(api.url).peek(NODE, "worker-0") is None
    assert session_with(api.url).review(SELF_SUBJECT_REVIEW) is None
    assert elsewhere.requests == []


def test_an_answer_that_switches_protocols_is_no_success(serve):
    server = serve(says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"))
    with pytest.raises(Unreachable, match="returns HTTP 101") as error:
        session_with(server.url).request_once("GET", PATH)
    assert error.value.final


# Shape ---------------------------------------------------------------------------------------------------------------

DEEP = "[" * 100_000
NAMED = '{"metadata": {"name": "worker-0", %s}}'
OBJECTS = {
    "deep": '{"metadata": ' + DEEP,
    "deep in the object": '{"status": {"x": ' + '{"a":' * 100_000,
    "not UTF-8": '{"metadata": "\udcff"}',
    "half a character": '{"metadata": {"name": "\\ud800"}}',
    "metadata is a list": '{"metadata": []}',
    "metadata is a number": '{"metadata": 5}',
    "name is a number": '{"metadata": {"name": 5}}',
    "name is a path": '{"metadata": {"name": "../../secrets/x"}}',
    "name is the folder above": '{"metadata": {"name": ".."}}',
    "name is too long": '{"metadata": {"name": "%s"}}' % ("x" * 254),
    "name moves the cursor": '{"metadata": {"name": "\\u001b[2J"}}',
    "namespace is a path": NAMED % '"namespace": "a/b"',
    "version is a number": NAMED % '"resourceVersion": 7',
    "UID is an object": NAMED % '"uid": {}',
    "time is a number": NAMED % '"creationTimestamp": 7',
    "labels are a list": NAMED % '"labels": ["a"]',
    "a label is a number": NAMED % '"labels": {"a": 5}',
    "annotations are a text": NAMED % '"annotations": "a"',
    "owners are an object": NAMED % '"ownerReferences": {}',
    "managers are numbers": NAMED % '"managedFields": [1]',
    "spec is a text": '{"metadata": {"name": "a"}, "spec": "x"}',
    "status is a list": '{"metadata": {"name": "a"}, "status": [1]}',
    "conditions are an object": '{"metadata": {"name": "a"}, "status": {"conditions": {}}}',
    "a condition is a number": '{"metadata": {"name": "a"}, "status": {"conditions": [5]}}',
    "a type is a number": '{"metadata": {"name": "a"}, "status": {"conditions": [{"type": 5}]}}',
    "a condition has no type": '{"metadata": {"name": "a"}, "status": {"conditions": [{"status": "True"}]}}',
    "containers are numbers": '{"metadata": {"name": "a"}, "status": {"containerStatuses": [5]}}',
}


def raw(body: str) -> Speak:
    return says(answer(body.encode("utf-8", "surrogateescape")))


@pytest.mark.parametrize("body", OBJECTS.values(), ids=OBJECTS)
def test_an_object_with_parts_of_a_wrong_type_is_no_answer_of_a_kubernetes_api(body, serve):
    with pytest.raises(
        OperationError, match=r"^Could not get Node worker-0: .* not as a Kubernetes API \(.*Check that host"
    ):
        session_with(serve(raw(body)).url).get(NODE, "worker-0")


LISTS = {
    "deep": '{"items": ' + DEEP,
    "items are a number": '{"items": 5}',
    "items are an object": '{"items": {"a": 1}}',
    "an item is a number": '{"items": [5]}',
    "an item is null": '{"items": [null]}',
    "an item has no name": '{"items": [{"metadata": {}}]}',
    "metadata is a text": '{"items": [], "metadata": "x"}',
    "continue is a number": '{"items": [], "metadata": {"continue": 5}}',
    "continue is half a character": '{"items": [], "metadata": {"continue": "\\udfff"}}',
    "version is an object": '{"items": [], "metadata": {"resourceVersion": {}}}',
    **{name: f'{{"items": [{body}]}}' for name, body in OBJECTS.items() if name.startswith(("metadata", "a label"))},
}


@pytest.mark.parametrize("body", LISTS.values(), ids=LISTS)
def test_a_list_with_parts_of_a_wrong_type_is_no_answer_of_a_kubernetes_api(body, serve):
    with pytest.raises(Unreachable, match=r"not as a Kubernetes API \("):
        session_with(serve(raw(body)).url).pages(Subject(NODE))


EVENTS = {
    "deep": '{"type": "ADDED", "object": ' + DEEP,
    "type is a list": '{"type": [], "object": {}}',
    "object is a number": '{"type": "ADDED", "object": 5}',
    "error is a text": '{"type": "ERROR", "object": "x"}',
    "code is a text": '{"type": "ERROR", "object": {"code": "x"}}',
    "code is endless": '{"type": "ERROR", "object": {"code": 1e999}}',
    "code has many digits": '{"type": "ERROR", "object": {"code": %s}}' % ("9" * 5000),
    "details are a number": '{"type": "ERROR", "object": {"code": 404, "details": 5}}',
    "name is a number": '{"type": "ADDED", "object": {"metadata": {"name": 5, "resourceVersion": "7"}}}',
    "no name": '{"type": "ADDED", "object": {"metadata": {"resourceVersion": "7"}}}',
    "no version": '{"type": "BOOKMARK", "object": {"metadata": {}}}',
    "spec is a list": '{"type": "ADDED", "object": {"metadata": {"name": "a", "resourceVersion": "7"}, "spec": [1]}}',
    "too long": '{"type": "ADDED", "object": "' + "x" * 200_000,
}


WATCHED = {"Node": WatchStatus("7", watched=True)}


@pytest.mark.parametrize("line", EVENTS.values(), ids=EVENTS)
def test_an_event_with_parts_of_a_wrong_type_is_an_interruption(line, serve):
    session = session_with(serve(raw(line + "\n")).url, SMALL)
    seen = (event for event in watch(session, [Subject(NODE)], WATCHED, 20) if event is not None)
    assert isinstance(next(seen), Interrupted)
    seen.close()


def test_an_event_without_end_is_not_waited_for(serve):
    session = session_with(serve(pours(CHUNKED, b"2710\r\n" + b" " * 10_000 + b"\r\n")).url, SMALL)
    seen = (event for event in watch(session, [Subject(NODE)], WATCHED, 20) if event is not None)
    away = next(seen)
    assert isinstance(away, Interrupted)
    assert "an event is too large" in away.reason
    seen.close()


@pytest.mark.parametrize(
    "body",
    [
        DEEP,
        '{"message": ' + DEEP,
        '{"message": ["x"], "details": 5}',
        '{"message": null, "details": []}',
        '{"message": "x", "details": {"causes": 5}}',
        '{"message": "x", "details": {"causes": [5, {"message": {}}, {"field": [], "message": 7}]}}',
    ],
    ids=range(6),
)
@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 500])
def test_an_error_with_parts_of_a_wrong_type_is_still_that_error(body, status, api):
    api.always_fail("/", Reply(status, body, headers={"Retry-After": "9" * 400}))
    with pytest.raises(OperationError, match=r"^Could not change Node worker-0: ") as error:
        session_with(api.url).patch(NODE, "worker-0", {})
    assert len(str(error.value)) < 10_000


# A write -------------------------------------------------------------------------------------------------------------


def test_a_write_whose_answer_was_not_read_whole_counts_as_lost(api, session):
    api.keep(NODE, node("worker-0"))
    api.fail(PATH, Reply(200, json.dumps(node("worker-0")), cut=True))
    api.fail(PATH, refusal(409, "Conflict", "it was changed", name="worker-0"))
    with pytest.raises(Conflict) as conflict:
        session.patch(NODE, "worker-0", {})
    assert conflict.value.after_loss
    assert len(api.requests) == 2


def test_a_write_whose_answer_came_too_slowly_is_sent_again(serve):
    server = serve(drips(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", b" "))
    times = iter((0.0, 1.0, 99.0))
    session = session_with(server.url, ResponseLimits(seconds=0.2))
    session.patience, session.clock = 60, partial(next, times)
    with pytest.raises(OperationError, match="Could not change Node worker-0: no connection to"):
        session.patch(NODE, "worker-0", {})
    assert len(server.heads) == 2


def test_names_from_a_cluster_stay_one_segment_of_a_path():
    assert POD.path("a/b", "c", "log") == "/api/v1/namespaces/c/pods/a%2Fb/log"


def test_the_reason_of_a_failure_does_not_quote_a_whole_line(serve):
    with pytest.raises(Unreachable) as error:
        session_with(serve(says(b"x" * 60_000 + b"\r\n\r\n")).url).request_once("GET", PATH)
    assert len(str(error.value)) < 400
