# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects as they change: list once, watch from there, one watch a kind.

A watch that ends, is cut or is refused for a moment is opened again from where it was; one whose place the API server
has forgotten (410) begins with a list again. Callers see whole objects and do not notice.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
import typing as t
from dataclasses import dataclass, field
from functools import partial

from .._errors import OperationError
from .._model.objects.resources import Kind, Object
from .._model.objects.served_object import checked_object, text_of
from .._model.objects.subject import Subject
from .api_error import EXPIRED, ApiError, Unreachable, explain, reaching
from .json_response import read_object, weight_of
from .lines import LineSplitter
from .pauses import FIRST_PAUSE, LONGEST_PAUSE, pause
from .response_body import ApiResponse
from .session import Session, selectors

_UNAUTHORIZED = 401
_FORBIDDEN = 403
_DENIED = (_UNAUTHORIZED, _FORBIDDEN)
DENIAL = 60.0
"""Seconds for which a subject that was read before may be refused: what decides about it restarts, too."""
BLIP = 5.0
"""The same for an optional subject: the wait goes on without it, so it is given up sooner, and is no outage."""
_OVERRUN = 1.0
"""Seconds beyond the deadline in which waiting events are still taken, so that a server that never pauses ends nothing
late."""
SILENCE = 330.0
"""Seconds after which a watch that says nothing is opened anew: longer than a window of the usual length, because one
of a kind that does not change is silent for all that time. Bookmarks come only when something has changed since the
place that the watch began from. A connection that is dead is noticed before, see ``session.KEEPALIVE``."""
_QUEUED = 64
"""Events that wait for the caller. A watch that is ahead of it stops reading, so that they cannot fill the memory."""


@dataclass(frozen=True)
class Listed:
    """The objects of a subject as of one moment; what was known of it before is void."""

    kind: str
    items: list[Object]
    resource_version: str


@dataclass(frozen=True)
class Changed:
    """One object as it is now, or as it last was when it is gone."""

    kind: str
    item: Object
    gone: bool
    resource_version: str


@dataclass(frozen=True)
class Interrupted:
    """The API server is away; the watch goes on when it is back."""

    kind: str
    reason: str
    denied: bool = False
    """Whether the API server answers, and refuses what it allowed before."""


@dataclass(frozen=True)
class Open:
    """A watch is open, for the first time or again: what is known of the subject is true."""

    kind: str


@dataclass(frozen=True)
class Unreadable:
    """An optional subject that may not be read, or is not served: nothing more comes of it."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Reached:
    """Nothing happened to the subject up to here, and the next watch can begin from here."""

    kind: str
    resource_version: str


Event = t.Union[Listed, Changed, Reached, Interrupted, Open, Unreadable]


def watch(
    session: Session,
    subjects: t.Sequence[Subject],
    versions: t.Mapping[str, str],
    seconds: float,
    away: t.Collection[str] = (),
    denied: t.Mapping[str, float] | None = None,
    opened: t.Collection[str] = (),
    keep: t.Callable[[Kind, Object], Object] = lambda kind, obj: obj,
    also: t.Callable[[], t.Iterable[Subject]] = tuple,
) -> t.Iterator[Event | None]:
    """Yield what happens to the subjects for *seconds*, and None whenever that was all for now.

    None comes after what was heard together, and otherwise whenever a second has passed. A caller who ends with what
    was listed, as the first window of a wait does, has asked for no watch: they begin when he comes back for more.

    :param versions: subject's key -> resourceVersion to watch from; a subject without one is listed first
    :param away: keys of subjects for which the caller was told before that the API server is away
    :param denied: keys of subjects that were refused lately, though they had been read -> for how many seconds
    :param opened: keys of subjects of which the caller has heard that a watch was open
    :param keep: what the caller wants to have of an object
    :param also: what is to be watched from now on as well, asked for whenever None was taken; nobody waits for its list
    :raises OperationError: a subject may not be read, or not any more for a minute
    """
    events: queue.Queue[Event | Exception] = queue.Queue(_QUEUED)
    span = _Span(time.monotonic() + seconds)
    unknown = {subject.key for subject in subjects if not versions.get(subject.key)}
    if not unknown:
        span.begun.set()

    def watcher_of(subject: Subject) -> _Watcher:
        watcher = _Watcher(session, subject, versions.get(subject.key, ""), span, events)
        watcher.told = subject.key in away
        watcher.has_watched = subject.key in opened
        watcher.keep = partial(keep, subject.kind)
        if denied and subject.key in denied:
            watcher.denied_at = session.clock() - denied[subject.key]
        return watcher

    watched: set[str] = set()
    _begin(subjects, watched, watcher_of)
    try:
        for event in _heard(events, span):
            if isinstance(event, (Listed, Unreadable)):
                unknown.discard(event.kind)
            yield event
            if event is not None:
                continue
            if not unknown:
                span.begun.set()
            _begin(also(), watched, watcher_of)
    finally:
        span.end()


def _begin(subjects: t.Iterable[Subject], watched: set[str], watcher_of: t.Callable[[Subject], _Watcher]) -> None:
    """Watch those that are not watched yet."""
    for subject in subjects:
        if subject.key in watched:
            continue
        watched.add(subject.key)
        threading.Thread(target=watcher_of(subject).run, name=f"watch {subject.key}", daemon=True).start()


def _heard(events: queue.Queue[Event | Exception], span: _Span) -> t.Iterator[Event | None]:
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
            yield None  # what was taken is one moment; the next window begins behind it
            return


@dataclass(frozen=True)
class _Span:
    """The time for which is watched: until the deadline, or until the caller has seen enough."""

    deadline: float
    begun: threading.Event = field(default_factory=threading.Event)
    """Whether the caller wants to know more than what was listed."""
    seen_enough: threading.Event = field(default_factory=threading.Event)

    def end(self) -> None:
        """Let everybody go who watches, or waits for the beginning."""
        self.seen_enough.set()
        self.begun.set()

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    @property
    def over(self) -> bool:
        return self.seen_enough.is_set() or self.left <= 0


class _Left(Exception):
    """The caller takes no more events."""


class _Watcher:
    """Watches one subject in a thread of its own."""

    def __init__(
        self, session: Session, subject: Subject, version: str, span: _Span, events: queue.Queue[Event | Exception]
    ) -> None:
        self.session = session
        self.subject = subject
        self.version = version
        self.span = span
        self.events = events
        self.kind = subject.key
        self.keep: t.Callable[[Object], Object] = lambda obj: obj
        self.told = False
        """Whether the caller was told that the API server is away."""
        self.has_watched = False
        """Whether the subject has ever been watched: who may list it need not be allowed to watch it."""
        self.denied_at: float | None = None
        """When it was first refused since."""
        self._weights: dict[str, int] = {}
        """What the newest event of each object weighs that the watch has reported."""
        self._weight = 0
        """The sum of these."""

    def run(self) -> None:
        with contextlib.suppress(_Left):
            self._run()

    def _run(self) -> None:
        delay = FIRST_PAUSE
        while not self.span.over:
            asked = 0.0
            try:
                if not self.version:
                    self._list()
                self.span.begun.wait(max(0.0, self.span.left))
                if self.span.over or self._follow():
                    delay = FIRST_PAUSE
                    continue
            except (ApiError, Unreachable) as error:
                if self.span.over or not self._goes_on_after(error):
                    return
                asked = error.retry_after if isinstance(error, ApiError) else 0.0
            except _Left:
                raise
            except Exception as error:  # noqa: BLE001 - in a thread, what is not handed on goes unnoticed
                self._report(error)
                return
            self.session.sleep(pause(delay, asked))
            delay = min(delay * 2, LONGEST_PAUSE)

    def _report(self, event: Event | Exception) -> None:
        """Hand an event to the caller, and wait until there is room for it.

        :raises _Left: the caller has gone; no later event may be reported, or this one would be lost
        """
        while True:
            try:
                self.events.put(event, timeout=0.2)
                return
            except queue.Full:
                if self.span.over:
                    raise _Left from None

    def _goes_on_after(self, error: ApiError | Unreachable) -> bool:
        """Tell the caller what he has to know of an error, and return whether the watch goes on."""
        if _is_expired(error):
            self.version = ""
            return True
        is_refusal = error.final if isinstance(error, Unreachable) else error.status in _DENIED or error.not_served
        began = is_refusal and self.denied_at is None
        if not is_refusal:
            self.denied_at = None
        elif self.denied_at is None:
            self.denied_at = self.session.clock()
        is_dispensable = self.subject.optional and isinstance(error, ApiError) and error.status != _UNAUTHORIZED
        patience = BLIP if is_dispensable else DENIAL
        if self.denied_at is not None and not (
            self._has_worked(error) and self.session.clock() - self.denied_at < patience
        ):
            refusal = self._refusal(error)
            self._report(Unreadable(self.kind, refusal.reason) if self.subject.optional else refusal)
            return False
        if is_refusal and is_dispensable:
            return True
        if began or not self.told:
            self._report(Interrupted(self.kind, _reason(error), denied=is_refusal))
            self.told = True
        return True

    def _has_worked(self, error: ApiError | Unreachable) -> bool:
        """Whether what is refused now was allowed before, so that it may be allowed again in a moment."""
        is_forbidden = isinstance(error, ApiError) and error.status == _FORBIDDEN
        return self.has_watched or (bool(self.version) and not is_forbidden)

    def _refusal(self, error: ApiError | Unreachable) -> OperationError:
        what = f"{'watch' if self.version else 'list'} {self.subject.kind.name}s"
        if isinstance(error, ApiError):
            return explain(error, what, self.subject.kind, self.session.api_url)
        return OperationError(what, str(error), error.remedy)

    def _list(self) -> None:
        subject = self.subject
        query = selectors(subject.label_selector, subject.field_selector)
        listing = self.session.pages(subject.kind.path(namespace=subject.namespace), query, keep=self.keep)
        self.version = listing.resource_version
        self._weights, self._weight = {}, 0
        self._report(Listed(self.kind, listing.items, self.version))

    def _follow(self) -> bool:
        """Hand on what a watch says until it ends, and tell whether it was more than a connection that closes.

        One that breaks is no outage yet: proxies cut what is open for long. It is one when it cannot be opened again.
        """
        began, before = time.monotonic(), self.version
        left = max(1, int(self.span.left) + 1)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self.version,
            "timeoutSeconds": str(left),
            **selectors(self.subject.label_selector, self.subject.field_selector),
        }
        path = self.subject.kind.path(namespace=self.subject.namespace)
        response = self.session.open("GET", path, query, read_timeout=min(left + 10, SILENCE))
        if self.told or not self.has_watched:
            self._report(Open(self.kind))
        self.has_watched, self.denied_at, self.told = True, None, False
        response.expire_in(left + 10)
        with contextlib.closing(response):
            self._take_events(response)
        return self.version != before or time.monotonic() - began > 1.0

    def _take_events(self, response: ApiResponse) -> None:
        """Take the events of a stream until it ends or breaks; a last line without its end was cut off."""
        splitter = LineSplitter(self.session.limits.line)
        for piece in self._pieces(response):
            lines = splitter.take(piece)
            if splitter.has_cut:
                raise self._is_no_watch("an event is too large")
            for line in filter(bytes.strip, lines):
                self._take(line)

    def _pieces(self, response: ApiResponse) -> t.Iterator[bytes]:
        with contextlib.suppress(Unreachable), reaching(self.session.api_url):
            yield from response.pieces()

    def _take(self, line: bytes) -> None:
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
            raise self._is_no_watch(str(error)) from None
        self.version = version
        if what == "BOOKMARK":
            self._report(Reached(self.kind, version))
            return
        self._weigh(item["metadata"], weight_of(line), what == "DELETED")
        self._report(Changed(self.kind, self.keep(item), what == "DELETED", version))

    def _weigh(self, meta: Object, weight: int, is_gone: bool) -> None:
        """Limit the weight of all objects that the watch has reported: the caller keeps the newest state of each.

        :raises OperationError: it is exceeded
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

    def _is_no_watch(self, reason: str) -> Unreachable:
        return Unreachable(f"{self.session.api_url} sends what is no watch ({reason})")


def _error_in(status: t.Any) -> ApiError:
    """Return the error that an event of the type ERROR carries, a Status object.

    :raises ValueError: it is not an object
    """
    if not isinstance(status, dict):
        raise ValueError("the object of an error is not an object")
    code = status.get("code")
    return ApiError(code if isinstance(code, int) and 400 <= code < 600 else 500, status)


def _reason(error: ApiError | Unreachable) -> str:
    if isinstance(error, ApiError):
        return f"it answers {error.status} ({error.message or 'without a word'})"
    return str(error)


def _is_expired(error: ApiError | Unreachable) -> bool:
    return isinstance(error, ApiError) and error.status == EXPIRED
