# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch objects: list them once and watch from there, with one watch for each subject.

A watch that ends, breaks or is denied for a short time is opened again where it ended. If the API server no longer
knows the resourceVersion (410), the objects are listed again. Callers see whole objects and do not notice.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import typing as t
from dataclasses import dataclass, field, replace

from .._errors import OperationError
from .._model.objects.resources import Kind, Object
from .._model.objects.served_object import checked_object, text_of
from .._model.objects.subject import Subject
from .api_error import ApiError, Unreachable, explain, reaching
from .json_response import read_object, weight_of
from .lines import LineSplitter
from .pauses import FIRST_PAUSE, LONGEST_PAUSE, pause
from .response_body import ApiResponse
from .session import Session, query_of, selected
from .watch_errors import Decision, WatchStatus, classify, is_denial

_OVERRUN = 1.0
"""Seconds after the deadline in which queued events are still taken. A server that never pauses must not prolong it."""
SILENCE = 330.0
"""Seconds without data after which a watch is opened again. It is longer than a window of the usual length, because the
watch of a kind that does not change is silent for the whole window. The API server sends bookmarks only if something
changed since the start of the watch. A dead connection is noticed earlier, see ``session.KEEPALIVE``."""
_QUEUED = 64
"""Greatest number of events that wait for the caller. A watch that is ahead of it stops reading, to limit memory."""


@dataclass(frozen=True)
class Listed:
    """All objects of a subject at one moment. They replace what was known."""

    kind: str
    """Key of the subject, here and in the other events."""
    items: list[Object]
    resource_version: str


@dataclass(frozen=True)
class Changed:
    """One object after a change, or before its deletion."""

    kind: str
    item: Object
    gone: bool
    """Whether the object was deleted."""
    resource_version: str


@dataclass(frozen=True)
class Interrupted:
    """The API server is away. The watch continues when it is back."""

    kind: str
    reason: str
    denied: bool = False
    """Whether the API server answers, but denies what it allowed before."""


@dataclass(frozen=True)
class Open:
    """A watch is open, for the first time or after an outage: the known objects are up to date."""

    kind: str


@dataclass(frozen=True)
class Unreadable:
    """An optional subject is forbidden or not served. It has no more events."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Reached:
    """Nothing happened to the subject up to this resourceVersion. The next watch can start from it."""

    kind: str
    resource_version: str


Event = t.Union[Listed, Changed, Reached, Interrupted, Open, Unreadable]


def watch(
    session: Session,
    subjects: t.Sequence[Subject],
    statuses: t.Mapping[str, WatchStatus],
    seconds: float,
    also: t.Callable[[], t.Iterable[Subject]] = tuple,
) -> t.Iterator[Event | None]:
    """Yield the events of the subjects for *seconds*, and None after each group of events that arrived together.

    None is also yielded whenever a second has passed. The watches are opened when the caller asks for more after the
    lists: a caller that stops after the lists, like the first window of a wait, opens no watch.

    :param statuses: key of a subject -> where its watch ended; a subject without a version is listed first
    :param also: returns the subjects to watch additionally; called after each None; the watches do not wait for their
        lists
    :raises OperationError: a subject is forbidden, or has been denied for a minute
    """
    events: queue.Queue[Event | Exception] = queue.Queue(_QUEUED)
    span = _Span(time.monotonic() + seconds)
    unlisted = {subject.key for subject in subjects if not statuses.get(subject.key, WatchStatus()).version}
    if not unlisted:
        span.begun.set()

    def watcher_of(subject: Subject) -> _Watcher:
        return _Watcher(session, subject, statuses.get(subject.key, WatchStatus()), span, events)

    watched: set[str] = set()
    _start(subjects, watched, watcher_of)
    try:
        for event in _received(events, span):
            if isinstance(event, (Listed, Unreadable)):
                unlisted.discard(event.kind)
            yield event
            if event is not None:
                continue
            if not unlisted:
                span.begun.set()
            _start(also(), watched, watcher_of)
    finally:
        span.end()


def _start(subjects: t.Iterable[Subject], watched: set[str], watcher_of: t.Callable[[Subject], _Watcher]) -> None:
    """Start a thread for each subject that is not watched yet."""
    for subject in subjects:
        if subject.key in watched:
            continue
        watched.add(subject.key)
        threading.Thread(target=watcher_of(subject).run, name=f"watch {subject.key}", daemon=True).start()


def _received(events: queue.Queue[Event | Exception], span: _Span) -> t.Iterator[Event | None]:
    while True:
        try:
            event = events.get(timeout=max(0.01, min(1.0, span.left)))
        except queue.Empty:
            if span.over:
                return
            yield None
            continue
        if isinstance(event, Exception):
            raise event
        yield event
        if events.empty():
            yield None
        elif span.left < -_OVERRUN:
            yield None  # the next window starts after the events that were taken
            return


@dataclass(frozen=True)
class _Span:
    """The time for which the subjects are watched: until the deadline, or until the caller stops."""

    deadline: float
    begun: threading.Event = field(default_factory=threading.Event)
    """Set when the caller wants more than the lists."""
    stopped: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Stop all watchers, also those that wait for the beginning."""
        self.stopped.set()
        self.begun.set()

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    @property
    def over(self) -> bool:
        return self.stopped.is_set() or self.left <= 0


class _CallerStopped(Exception):
    """The caller takes no more events."""


class _Watcher:
    """Watches one subject in its own thread."""

    def __init__(
        self,
        session: Session,
        subject: Subject,
        status: WatchStatus,
        span: _Span,
        events: queue.Queue[Event | Exception],
    ) -> None:
        self.session = session
        self.subject = subject
        self.status = status
        self.span = span
        self.events = events
        self._weights: dict[str, int] = {}
        """Key of an object -> weight of its newest event."""
        self._weight = 0
        """Sum of the weights."""

    @property
    def kind(self) -> str:
        """Key of the subject."""
        return self.subject.key

    def _reduced(self, obj: Object) -> Object:
        return self.subject.reader.reduced(obj) if self.subject.reader else obj

    def run(self) -> None:
        with contextlib.suppress(_CallerStopped):
            self._run()

    def _run(self) -> None:
        delay = FIRST_PAUSE
        while not self.span.over:
            requested = 0.0
            try:
                if not self.status.version:
                    self._list()
                self.span.begun.wait(max(0.0, self.span.left))
                if self.span.over or self._follow():
                    delay = FIRST_PAUSE
                    continue
            except (ApiError, Unreachable) as error:
                if self.span.over or not self._continues_after(error):
                    return
                requested = error.retry_after if isinstance(error, ApiError) else 0.0
            except _CallerStopped:
                raise
            except Exception as error:  # noqa: BLE001 - an exception in a thread would otherwise be lost
                self._report(error)
                return
            self.session.sleep(pause(delay, requested))
            delay = min(delay * 2, LONGEST_PAUSE)

    def _report(self, event: Event | Exception) -> None:
        """Put an event into the queue. Wait until it has room.

        :raises _CallerStopped: the caller has stopped; a later event must not be reported without this one
        """
        while True:
            try:
                self.events.put(event, timeout=0.2)
                return
            except queue.Full:
                if self.span.over:
                    raise _CallerStopped from None

    def _continues_after(self, error: ApiError | Unreachable) -> bool:
        """Report what an error means for the caller. Return whether the watch continues."""
        self.status, decision = classify(error, self.subject, self.status, self.session.clock())
        if decision is Decision.OUTAGE:
            self._report(Interrupted(self.kind, _reason(error), denied=is_denial(error)))
        if decision in (Decision.GIVE_UP, Decision.FAIL):
            failure = self._error(error)
            self._report(Unreadable(self.kind, failure.reason) if decision is Decision.GIVE_UP else failure)
            return False
        return True

    def _error(self, error: ApiError | Unreachable) -> OperationError:
        what = f"{'watch' if self.status.version else 'list'} {self.subject.kind.name}s"
        if isinstance(error, ApiError):
            return explain(error, what, self.subject.kind, self.session.api_url)
        return OperationError(what, str(error), error.remedy)

    def _list(self) -> None:
        listing = self.session.pages(self.subject)
        self.status = replace(self.status, version=listing.resource_version)
        self._weights, self._weight = {}, 0
        self._report(Listed(self.kind, listing.items, listing.resource_version))

    def _follow(self) -> bool:
        """Report the events of a watch until it ends. Return whether it was more than a connection that closes at once.

        A watch that breaks is not an outage: proxies close connections that are open for long. It is an outage if the
        watch cannot be opened again.
        """
        began, before = time.monotonic(), self.status.version
        left = max(1, int(self.span.left) + 1)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.status.version,
            "timeoutSeconds": str(left),
        }
        response, served = self.session.in_served_version(
            self.subject.kind, lambda served: (self._open(served, query, min(left + 10, SILENCE)), served)
        )
        if self.status.interrupted or not self.status.watched:
            self._report(Open(self.kind))
        self.status = WatchStatus(self.status.version, watched=True)
        response.expire_in(left + 10)
        with contextlib.closing(response):
            self._take_events(response, served)
        return self.status.version != before or time.monotonic() - began > 1.0

    def _open(self, served: Kind, query: t.Mapping[str, str], read_timeout: float) -> ApiResponse:
        selection = query_of(self.subject, served)
        path = served.path(namespace=self.subject.namespace)
        return self.session.open("GET", path, {**query, **selection}, read_timeout=read_timeout)

    def _take_events(self, response: ApiResponse, served: Kind) -> None:
        """Report the events of a stream until it ends or breaks. An incomplete last line is dropped."""
        splitter = LineSplitter(self.session.limits.line)
        for piece in self._pieces(response):
            lines = splitter.take(piece)
            if splitter.has_cut:
                raise self._not_a_watch("an event is too large")
            for line in filter(bytes.strip, lines):
                self._take(line, served)

    def _pieces(self, response: ApiResponse) -> t.Iterator[bytes]:
        with contextlib.suppress(Unreachable), reaching(self.session.api_url):
            yield from response.pieces()

    def _take(self, line: bytes, served: Kind) -> None:
        try:
            event = read_object(line, self.session.limits.values)
            what = text_of(event.get("type"), "type")
            if what == "ERROR":
                raise _error_in(event.get("object"))
            item = checked_object(event.get("object"), is_named=what != "BOOKMARK")
            version = text_of((item.get("metadata") or {}).get("resourceVersion"), "metadata.resourceVersion")
            if not version:
                raise ValueError("metadata.resourceVersion is missing")
        except ValueError as error:
            raise self._not_a_watch(str(error)) from None
        self.status = replace(self.status, version=version)
        if what == "BOOKMARK":
            self._report(Reached(self.kind, version))
            return
        self._weigh(item["metadata"], weight_of(line), what == "DELETED")
        for found in selected(self.subject, served, [item]):
            self._report(Changed(self.kind, self._reduced(found), what == "DELETED", version))

    def _weigh(self, meta: Object, weight: int, is_gone: bool) -> None:
        """Limit the weight of all reported objects: the caller keeps the newest state of each.

        :raises OperationError: the limit is exceeded
        """
        key = f"{meta.get('namespace') or ''}/{meta['name']}"
        self._weight -= self._weights.pop(key, 0)
        if is_gone:
            return
        self._weights[key] = weight
        self._weight += weight
        if self._weight > self.session.limits.list_size:
            reason = f"{self.session.api_url} reports more objects than any cluster has"
            raise OperationError(f"watch {self.subject.kind.name}s", reason, "Check that this is the right cluster")

    def _not_a_watch(self, reason: str) -> Unreachable:
        return Unreachable(f"{self.session.api_url} sends invalid watch events ({reason})")


def _error_in(status: t.Any) -> ApiError:
    """Return the error in an event of type ERROR, which is a Status object.

    :raises ValueError: the event has no Status object
    """
    if not isinstance(status, dict):
        raise ValueError("the object of an error is not an object")
    code = status.get("code")
    return ApiError(code if isinstance(code, int) and 400 <= code < 600 else 500, status)


def _reason(error: ApiError | Unreachable) -> str:
    if isinstance(error, ApiError):
        return f"it answers {error.status} ({error.message or 'no message'})"
    return str(error)
