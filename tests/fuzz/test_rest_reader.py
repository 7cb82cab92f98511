# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a server answers, requests, lists, watches and logs end with a result or with a documented error.

The server is the other end of a socket pair: urllib3, http.client and everything above them are the real ones.
"""

from __future__ import annotations

import contextlib
import json
import queue
import socket
import threading
import time
import typing as t

import pytest
import urllib3
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import watch as watches
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.api_error import (
    ApiError,
    Unreachable,
    explain,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.json_response import read_object
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.log_archive import LogArchive
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.log_follower import LONGEST_LINE, LogFollower
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.logs import BuildLogs
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.response_body import ResponseLimits
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Listing, Session
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch_errors import WatchStatus
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import Attempt, Container
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import FollowedLogs
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_position import LogPosition
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    NODE,
    SELF_SUBJECT_REVIEW,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.served_object import checked_object
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.subject import Subject
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    build_pod,
    container_status,
    machine_config_pool,
    machine_os_build,
    node,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import status_object
from hypothesis import given
from hypothesis import strategies as st

LIMITS = ResponseLimits(seconds=5.0, size=20_000, values=2_000, error_size=2_000, line=5_000, list_pages=4)
CONNECTION = connect({"host": "http://127.0.0.1:1", "api_key": "sha256~token"}, {})

Path = t.Sequence[t.Union[str, int]]


# What a server may send ----------------------------------------------------------------------------------------------

NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -1, 200, 410, 1e999])
TEXTS = st.text(max_size=8) | st.sampled_from(["", "..", "a/b", "%2e", "\ud800", "\x1b[2J", "\u202e", "x" * 300])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
VERSIONED = {"resourceVersion": "7"}
OBJECTS: list[t.Any] = [
    {**made, "metadata": {**made["metadata"], **VERSIONED}}
    for made in (
        node("worker-0"),
        machine_config_pool(),
        machine_os_build(),
        build_pod("build-layered-a-x7k2p", container_status("image-build", 7, "last words")),
    )
]
REFUSAL = status_object(422, "Invalid", "no", name="x", causes=[{"field": "spec", "message": "no"}])
LIST = {"kind": "List", "metadata": {**VERSIONED, "continue": "more"}, "items": OBJECTS}
EVENTS: list[t.Any] = [
    *({"type": kind, "object": OBJECTS[0]} for kind in ("ADDED", "MODIFIED", "DELETED")),
    {"type": "BOOKMARK", "object": {"metadata": VERSIONED}},
    {"type": "ERROR", "object": status_object(410, "Expired", "too old")},
]


def paths_in(value: t.Any, before: Path = ()) -> t.Iterator[Path]:
    """Yield the path of every part of a JSON value."""
    yield before
    if isinstance(value, dict):
        for name, part in value.items():
            yield from paths_in(part, (*before, name))
    if isinstance(value, list):
        for number, part in enumerate(value):
            yield from paths_in(part, (*before, number))


def replaced(value: t.Any, path: Path, part: t.Any) -> t.Any:
    """Return a copy of a JSON value with another part at a path."""
    if not path:
        return part
    step, *rest = path
    copy: t.Any = dict(value) if isinstance(value, dict) else list(value)
    copy[step] = replaced(copy[step], rest, part)
    return copy


@st.composite
def mutated(draw: t.Any, originals: t.Sequence[t.Any]) -> t.Any:
    """A valid value of the API of which some parts are something else."""
    value = draw(st.sampled_from(originals))
    for dummy in range(draw(st.integers(0, 3))):
        value = replaced(value, draw(st.sampled_from(list(paths_in(value)))), draw(VALUES))
    return value


def as_json(value: t.Any) -> bytes:
    try:
        return json.dumps(value).encode()
    except ValueError:  # a number of more digits than this Python writes
        return b'{"metadata": %s}' % (b"9" * 5000)


def damaged(contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """The content, or a part of it, or one with other bytes somewhere."""

    def damage(content: bytes, start: int, length: int, other: bytes) -> bytes:
        start = start % (len(content) + 1)
        return content[:start] + other + content[start + length :]

    cut = st.builds(damage, contents, st.integers(0, 5000), st.integers(0, 5000), st.binary(max_size=20))
    return contents | cut


def bodies(originals: t.Sequence[t.Any]) -> st.SearchStrategy[bytes]:
    deep = st.sampled_from([b"[" * 15_000, b'{"a":' * 2_500, b'{"metadata": ' + b"[" * 15_000])
    return damaged(mutated(originals).map(as_json)) | deep | st.binary(max_size=200)


HEADERS = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 5",
            b"Content-Length: -5",
            b"Content-Length: 5, 6",
            b"Content-Length: " + b"9" * 5000,
            b"Transfer-Encoding: chunked",
            b"Transfer-Encoding: gzip, chunked",
            b"Content-Encoding: gzip",
            b"Content-Encoding: identity",
            b"Connection: close",
            b"Location: http://127.0.0.1:1/",
            b"Retry-After: " + b"9" * 400,
            b"Retry-After: \xb2",
            b"no colon",
            b": no name",
            b" continued",
            b"X: " + b"y" * 70_000,
        ]
    )
    | st.binary(max_size=30),
    max_size=4,
)
STATUSES = st.sampled_from(
    [
        *[b"200 OK"] * 9,
        *(b"%d no" % status for status in (100, 101, 201, 302, 403, 404, 409, 410, 422, 500, 503, 999)),
        *(b"0 no", b"20 no", b"-1 no", b"x no", b""),
    ]
)


def chunked(content: bytes, size: int, end: bytes) -> bytes:
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


@st.composite
def responses(draw: t.Any, content: st.SearchStrategy[bytes]) -> bytes:
    """A whole response, which is a valid one in about half of the cases."""
    body = draw(content)
    headers = draw(st.just([]) | HEADERS)
    framing = draw(st.sampled_from(["length", "length", "chunks", "chunks", "close"]))
    if framing == "length":
        headers = [b"Content-Length: %d" % len(body), *headers]
    if framing == "chunks":
        headers = [b"Transfer-Encoding: chunked", *headers]
        ends = [b"0\r\n\r\n", b"0\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"", b"-1\r\n", b"x\r\n", b"f" * 100, b"7fffffff\r\n"]
        body = chunked(body, draw(st.integers(1, 2_000)), draw(st.sampled_from(ends)))
    head = b"\r\n".join([b"HTTP/1.1 " + draw(STATUSES), *headers, b"", b""])
    return bytes(head + body)


def exchanges(originals: t.Sequence[t.Any]) -> st.SearchStrategy[bytes]:
    return damaged(responses(bodies(originals))) | st.binary(max_size=200)


# The wire ------------------------------------------------------------------------------------------------------------


class Wire:
    """Gives each new connection of the client a server that has sent its response already."""

    def __init__(self) -> None:
        self.responses: list[bytes] = []
        self.ends: list[socket.socket] = []

    def connect(self, *dummy: t.Any) -> socket.socket:
        if not self.responses:
            raise OSError("nothing more is answered")
        ours, theirs = socket.socketpair()
        theirs.settimeout(5.0)
        ours.settimeout(5.0)
        self.ends.append(theirs)
        content = self.responses.pop(0)
        # What is too much for the buffer of a socket needs somebody to read it.
        send = threading.Thread(target=_send, args=(theirs, content), daemon=True)
        (send.start if len(content) > 50_000 else send.run)()
        return ours

    @contextlib.contextmanager
    def answering(self, *responses: bytes) -> t.Iterator[Session]:
        """Give a session whose requests are answered by these."""
        self.responses = list(responses)
        yield Session(CONNECTION, patience=0, sleep=lambda dummy: None, limits=LIMITS)
        while self.ends:
            self.ends.pop().close()


def _send(end: socket.socket, content: bytes) -> None:
    with contextlib.suppress(OSError):
        end.sendall(content)
        end.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def wire() -> t.Iterator[Wire]:
    """All connections of this module."""
    found = Wire()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(urllib3.connection.HTTPConnection, "_new_conn", lambda self: found.connect())
        yield found


# What has to hold ----------------------------------------------------------------------------------------------------

BODY = {"metadata": {"name": "worker-0"}}
CALLS: dict[str, t.Callable[[Session], t.Any]] = {
    "get": lambda s: s.get(NODE, "worker-0"),
    "find": lambda s: s.find(NODE, "worker-0"),
    "peek": lambda s: s.peek(NODE, "worker-0"),
    "review": lambda s: s.review(SELF_SUBJECT_REVIEW),
    "create": lambda s: s.create(NODE, BODY),
    "patch": lambda s: s.patch(NODE, "worker-0", BODY),
}


def is_sound(obj: t.Any) -> bool:
    """Whether an object can be used and written everywhere."""
    json.dumps(obj, ensure_ascii=False).encode()
    meta = obj.get("metadata") or {}
    NODE.path(meta.get("name") or "x")
    return all(isinstance(text, str) for text in (meta.get("labels") or {}).values())


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@given(response=exchanges([*OBJECTS, REFUSAL]))
def test_a_request_ends_with_an_object_or_a_refusal(wire, call, response):
    with wire.answering(response) as session:
        found = None
        with contextlib.suppress(OperationError):
            found = call(session)
    assert found is None or is_sound(found)


@given(response=exchanges([*OBJECTS, REFUSAL]))
def test_a_deletion_ends_or_is_refused(wire, response):
    with wire.answering(response) as session, contextlib.suppress(OperationError):
        session.delete(NODE, "worker-0")


@given(responses=st.lists(exchanges([LIST, REFUSAL]), min_size=1, max_size=6))
def test_a_list_ends_with_objects_or_an_error(wire, responses):
    with wire.answering(*responses) as session:
        listing = Listing([], "")
        with contextlib.suppress(ApiError, Unreachable):
            listing = session.pages(Subject(NODE))
    assert isinstance(listing.resource_version, str)
    assert all(is_sound(item) and item["metadata"]["name"] for item in listing.items)


LINES = st.lists(bodies(EVENTS), max_size=8).map(lambda lines: b"\n".join(lines) + b"\n")


@given(response=damaged(responses(damaged(LINES))))
def test_a_watch_reports_events_or_an_error(wire, response):
    events: queue.Queue[t.Any] = queue.Queue()
    span = watches._Span(time.monotonic() + 5.0)
    with wire.answering(response) as session:
        watcher = watches._Watcher(session, Subject(NODE), WatchStatus("7"), span, events)
        with contextlib.suppress(ApiError, Unreachable, OperationError):
            watcher._follow()
    assert isinstance(watcher.status.version, str)
    while not events.empty():
        event = events.get_nowait()
        if isinstance(event, watches.Changed):
            assert is_sound(event.item)
            assert event.item["metadata"]["name"]


LOG_LINES = st.lists(
    st.sampled_from([b"2026-03-01T12:00:00.1Z one", b"2026-03-01T12:00:01.1Z two", b"2026-03-01T12:00:00.2Z three"])
    | st.sampled_from([b"x" * (LONGEST_LINE + 5), b"", b"\x1b[2J", b"9999-99-99T99:99:99Z", b"\xff\xfe"])
    | st.binary(max_size=40),
    max_size=8,
).map(b"\n".join)


@given(response=damaged(responses(damaged(LOG_LINES))), known=st.integers(0, 5))
def test_a_followed_log_is_counted_or_an_error(wire, response, known):
    position = LogPosition("2026-03-01T12:00:00", known) if known else LogPosition()
    with wire.answering(response) as session:
        follower = LogFollower(session, "pod", "image-build", None, position)
        with contextlib.suppress(ApiError, Unreachable):
            follower._read()
    assert follower.position.second >= position.second
    assert follower.size <= 2 * len(response)


@given(response=damaged(responses(damaged(LOG_LINES))))
def test_the_text_of_a_log_is_text(wire, response):
    container = Container("image-build", False, True, 1, "", "", "", "")
    attempt = Attempt(1, "pod", "", "", "", "", (container,))
    with wire.answering(response) as session:
        text = BuildLogs(session, LogArchive(), FollowedLogs(), 5).text(attempt, container)
    assert len(text.encode()) <= 4 * len(response)


@given(body=bodies([REFUSAL]), status=st.integers(0, 999))
def test_an_error_is_always_a_refusal(body, status):
    error = ApiError(status, body)
    assert str(explain(error, "get Node worker-0", NODE, "https://api")).startswith("Could not get Node worker-0: ")


@given(content=bodies([*OBJECTS, LIST, *EVENTS]))
def test_json_is_an_object_or_a_value_error(content):
    with contextlib.suppress(ValueError):
        assert is_sound(checked_object(read_object(content, 2_000)))
