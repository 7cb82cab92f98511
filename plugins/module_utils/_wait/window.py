# SPDX-License-Identifier: GPL-3.0-or-later
"""The window of a wait: one module call, in which the subjects are watched.

A wait consists of many module calls. What one call knows reaches the next in the cursor, so nothing is listed twice and
no progress line is repeated.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass, replace

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.session import Session
from .._cluster.watch import Changed, Event, Interrupted, Listed, Open, Reached, Unreadable, watch
from .._cluster.watch_errors import WatchStatus
from .._model.findings import FATAL, Finding, first_of
from .._model.objects.readers import READERS
from .._model.objects.resources import Kind, Object, metadata_of
from .._model.objects.subject import Subject
from .._model.observation import Need, Observation, Snapshot, Wait
from .cursor import Cursor, Progress, SubjectState, read_cursor
from .outage import AWAY, BACK

S = t.TypeVar("S")
Obs = t.TypeVar("Obs", bound=Observation)

UNREAD = (
    "Could not read the cursor: it was changed, or belongs to another version, cluster or pool. The wait continues and "
    "reads everything again. Until the cursor can be read, stall_timeout does not count from one call to the next."
)


@dataclass(frozen=True)
class Limits:
    """For how long to wait, and what ends the wait early."""

    timeout: float
    """Seconds for the whole wait; 0 for no limit."""
    window: float
    """Greatest number of seconds for this call."""
    stall_timeout: float = 0.0
    """Seconds without progress before the wait fails; 0 for no limit."""
    fail_on: t.Sequence[str] = (FATAL,)
    """Ids of the findings that end the wait. FATAL means all findings whose severity is fatal."""
    waited: float = 0.0
    """Seconds that the wait has lasted by the caller's clock. Used where the cursor has a smaller value or none."""


def limits_of(options: t.Mapping[str, t.Any]) -> Limits:
    """Return the limits from the options of a wait module."""
    return Limits(
        timeout=options["timeout"],
        window=options["window"],
        stall_timeout=options["stall_timeout"],
        fail_on=tuple(options["fail_on_findings"] or ()),
        waited=options["waited"],
    )


class _KnownSubject:
    """What is known of one subject. An object is parsed once, when it changes."""

    def __init__(self, key: str, state: SubjectState) -> None:
        self.kind = key.partition(" ")[0]
        self.version = state.version
        self.watched = state.watched
        self.denied_since = state.denied_since
        self.unreadable = state.unreadable
        self.objects = dict(state.objects)
        self.parsed = {name: self._parse(obj) for name, obj in self.objects.items()}

    def state(self) -> SubjectState:
        """Return what the next window needs."""
        return SubjectState(self.version, self.watched, self.denied_since, self.unreadable, self.objects)

    def take(self, event: Listed | Changed | Reached | Unreadable) -> bool:
        """Apply an event. Return whether an object changed."""
        if isinstance(event, Unreadable):
            self.unreadable = event.reason
            self.version = ""
            self.replace(())
            return True
        self.version = event.resource_version
        if isinstance(event, Reached):
            return False
        if isinstance(event, Listed):
            self.replace(event.items)
            return True
        name = _name(event.item)
        if event.gone:
            self.parsed.pop(name, None)
            return self.objects.pop(name, None) is not None
        if self.objects.get(name) == event.item:
            return False
        self.objects[name] = event.item
        self.parsed[name] = self._parse(event.item)
        return True

    def replace(self, items: t.Iterable[Object]) -> None:
        """Replace all objects by reduced ones."""
        before, parsed = self.objects, self.parsed
        self.objects = {_name(obj): obj for obj in items}
        self.parsed = {
            name: parsed[name] if before.get(name) == obj else self._parse(obj) for name, obj in self.objects.items()
        }

    def _parse(self, obj: Object) -> t.Any:
        return READERS[self.kind].parse(obj)


class Window(t.Generic[S, Obs]):
    """Watches the subjects of a wait for one module call.

    :ivar state: the state of the wait
    :ivar progress: how far the wait is, whatever it waits for
    :ivar unread: why the cursor was not used, or an empty text
    """

    def __init__(
        self,
        session: Session,
        wait: Wait[S, Obs],
        limits: Limits,
        cursor: str,
        clock: t.Callable[[], float] = time.time,
    ) -> None:
        self.session = session
        self.wait = wait
        self.limits = limits
        self.now = clock
        self._known: dict[str, _KnownSubject] = {}
        before = self._read(cursor)
        self.unread = UNREAD if cursor and before is None else ""
        now = clock()
        self.progress = before.progress if before else Progress(started=now)
        started = min(self.progress.started, now - limits.waited)
        reported_at = min(self.progress.reported_at, now)
        self.progress = replace(self.progress, about=self._about, started=started, reported_at=reported_at)
        self.state: S = before.state if before else wait.first_state
        self._reported_before = self.progress.reported
        self._also: list[Subject] = []
        self._active = {*self._known, *(subject.key for subject in wait.subjects)}
        """Keys of the subjects that are part of snapshots: until the first observation, all of the cursor."""
        self._lists: dict[str, tuple[t.Any, ...]] = {}
        self._resumed = True

    # Cursor ----------------------------------------------------------------------------------------------------------

    def _read(self, cursor: str) -> Cursor | None:
        """Return the cursor if it belongs to this wait and its objects can be parsed."""
        before = read_cursor(cursor, type(self.wait.first_state)) if cursor else None
        if before is None or before.progress.about not in ("", self._about):
            return None
        try:
            self._known = {key: _KnownSubject(key, state) for key, state in before.subjects.items()}
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None
        return before

    @property
    def _about(self) -> str:
        """Return what identifies the cluster and the watched objects."""
        watched = (f"{s.key} {s.namespace} {s.label_selector} {s.field_selector}" for s in self.wait.subjects)
        return " ".join((self.session.api_url, *watched))

    def cursor(self) -> str:
        """Return what the next window needs."""
        subjects = {key: known.state() for key, known in self._known.items() if key in self._active or known.unreadable}
        return str(Cursor(self.progress, subjects, self.state))

    def forget_inactive(self) -> None:
        """Forget subjects that are no longer watched, for a caller that uses one window again and again."""
        self._known = {key: known for key, known in self._known.items() if key in self._active}

    # Objects ---------------------------------------------------------------------------------------------------------

    def snapshot(self, results: t.Mapping[Need[t.Any], t.Any]) -> Snapshot:
        """Return what is known now.

        :param results: results of needs
        """
        kinds = {self._known[key].kind for key in self._active if key in self._known}
        resumed, self._resumed = self._resumed, False
        return Snapshot(
            objects={kind: self._list(kind) for kind in kinds},
            results=results,
            unreadable={key: known.unreadable for key, known in self._known.items() if known.unreadable},
            outage=self.outage,
            watched=self.watched,
            resumed=resumed,
        )

    def _list(self, kind: str) -> tuple[t.Any, ...]:
        if kind not in self._lists:
            found = self._all(kind, lambda known: known.parsed)
            self._lists[kind] = tuple(found[name] for name in sorted(found))
        return self._lists[kind]

    def objects(self, kind: Kind) -> list[Object]:
        """Return the reduced objects of a kind, sorted by name."""
        found = self._all(kind.name, lambda known: known.objects)
        return [found[name] for name in sorted(found)]

    def _all(self, kind: str, part: t.Callable[[_KnownSubject], t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
        """Return name -> object of all subjects of a kind."""
        active = [known for key, known in self._known.items() if key in self._active and known.kind == kind]
        return {name: obj for known in active for name, obj in part(known).items()}

    def watch_also(self, subjects: t.Iterable[Subject]) -> None:
        """Watch these subjects as well, until the next call of this method. They are optional."""
        self._also = [subject for subject in subjects if not self._subject(subject.key).unreadable]
        active = {subject.key for subject in (*self.wait.subjects, *self._also)}
        changed = active ^ self._active
        self._active = active
        self._forget_lists(changed)
        outage = self.progress.outage
        for key in outage.away:
            if key not in active:
                outage = outage.restored(key, self.now())
        self.progress = replace(self.progress, outage=outage)

    def read_once(self, subjects: t.Iterable[Subject]) -> None:
        """List subjects once, for check mode. A kind that is forbidden is requested only once."""
        denied: dict[str, str] = {}
        unreachable = ""
        for subject in subjects:
            kind, known = subject.kind, self._subject(subject.key)
            reason = unreachable or denied.get(kind.name, "")
            if not reason:
                try:
                    known.replace(self.session.pages(subject).items)
                except ApiError as error:
                    reason = denied[kind.name] = error.message or f"the API server returned {error.status}"
                except Unreachable as error:
                    reason = unreachable = str(error)
            known.unreadable = reason
            self._active.add(subject.key)
            self._forget_lists([subject.key])

    def _subject(self, key: str) -> _KnownSubject:
        if key not in self._known:
            self._known[key] = _KnownSubject(key, SubjectState())
        return self._known[key]

    def _forget_lists(self, keys: t.Iterable[str]) -> None:
        for key in keys:
            self._lists.pop(key.partition(" ")[0], None)

    @property
    def complete(self) -> bool:
        """Whether each subject of the wait has been listed."""
        known = [self._known.get(subject.key) for subject in self.wait.subjects]
        return all(one is not None and (one.version or one.unreadable) for one in known)

    # Time ------------------------------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> float:
        """Seconds since the wait started."""
        return self.now() - self.progress.started

    @property
    def watched(self) -> float:
        """Seconds since the wait started, without outages."""
        return max(0.0, self.elapsed - self.progress.outage.lost_by(self.now()))

    @property
    def timed_out(self) -> bool:
        """Whether the timeout of the wait is over."""
        return bool(self.limits.timeout) and self.elapsed >= self.limits.timeout

    @property
    def stalled(self) -> bool:
        """Whether the wait made no progress for too long."""
        return bool(self.limits.stall_timeout) and self.progress.stall.seconds >= self.limits.stall_timeout

    # Reporting -------------------------------------------------------------------------------------------------------

    @property
    def outage(self) -> str:
        """Why the API server is away, or an empty text."""
        return self.progress.outage.reason if self.progress.outage.away else ""

    @property
    def is_uncertain(self) -> bool:
        """Whether the known objects may be out of date, because of an outage."""
        return self.progress.outage.is_uncertain(self.now())

    def line(self, otherwise: str) -> str:
        """Return the progress line: the outage or, without one, *otherwise*.

        To the reader, an outage lasts until its end was reported: another reason until then is no other outage.
        """
        if not self.outage:
            return otherwise
        return self.reported if self.reported.startswith(AWAY) else AWAY + self.outage

    @property
    def reported(self) -> str:
        """The progress line that was reported last."""
        return self.progress.reported

    def report(self, line: str) -> None:
        """Record that a progress line is reported."""
        self.progress = replace(self.progress, reported=line, reported_at=self.now())

    def keep_line(self, line: str) -> None:
        """Record a progress line that is reported at the end of the window."""
        self.progress = replace(self.progress, reported=line)

    @property
    def progress_line(self) -> str:
        """The progress line for the result. It mentions the end of an outage once."""
        is_back = self._reported_before.startswith(AWAY) and not self.reported.startswith(AWAY)
        return BACK + self.reported if is_back else self.reported

    def record(self, observation: Observation) -> bool:
        """Record mark and findings of an observation. Return whether a finding is new to the wait."""
        stall = self.progress.stall.after(observation.mark, self.now(), in_outage=bool(self.outage))
        names = dict.fromkeys(f"{finding.id} {finding.object}" for finding in observation.findings)
        new = sorted(names.keys() - set(self.progress.found))
        self.progress = replace(self.progress, stall=stall, found=(*self.progress.found, *new))
        return bool(new)

    def ending(self, observation: Observation) -> Finding | None:
        """Return the finding that ends the wait. None while the findings may be out of date."""
        if self.is_uncertain:
            return None
        return observation.limit or first_of(observation.findings, self.limits.fail_on)

    # Events ----------------------------------------------------------------------------------------------------------

    def moments(self) -> t.Iterator[bool]:
        """Yield once a second and after each group of events, until the window is over.

        True means that something may have changed. The first moment comes when each subject was listed; with a cursor
        it comes at once.
        """
        seconds = self.limits.window
        if self.limits.timeout:
            seconds = min(seconds, max(0.0, self.limits.timeout - self.elapsed))
        was_complete = self.complete
        if was_complete:
            yield True
        changed = False
        for event in self._events(seconds):
            if event is not None:
                changed = self._take(event) or changed
                continue
            if not self.complete:
                if self.outage and self.line("") != self.reported:
                    self.keep_line(self.line(""))
                    if not self.unread:
                        return
                continue
            yield changed or not was_complete
            was_complete, changed = True, False

    def _events(self, seconds: float) -> t.Iterator[Event | None]:
        now, clock = self.now(), self.session.clock()
        away = self.progress.outage.away
        statuses = {}
        for key, known in self._known.items():
            since = known.denied_since
            denied_since = None if since is None else clock - max(0.0, now - since)
            statuses[key] = WatchStatus(known.version, known.watched, key in away, denied_since)
        return watch(self.session, self.wait.subjects, statuses, seconds, also=lambda: self._also)

    def _take(self, event: Event) -> bool:
        known, outage, now = self._subject(event.kind), self.progress.outage, self.now()
        if isinstance(event, Interrupted):
            known.denied_since = now if event.denied else known.denied_since
            self.progress = replace(self.progress, outage=outage.interrupted(event.kind, event.reason, now))
            return True
        was_away = event.kind in outage.away
        if was_away:
            known.denied_since = None
            self.progress = replace(self.progress, outage=outage.restored(event.kind, now))
        if isinstance(event, Open):
            known.watched = True
            return was_away
        changed = known.take(event)
        if changed:
            self._forget_lists([event.kind])
        return changed


def _name(obj: Object) -> str:
    meta = metadata_of(obj)
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])
