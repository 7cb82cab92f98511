# SPDX-License-Identifier: GPL-3.0-or-later
"""One window of a wait: what is known of the watched objects, and for how long the window lasts.

A wait is many module calls, each a window. What one call knew reaches the next in a cursor, so that nothing is listed
twice and a progress line is not said twice.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.session import Session, selectors
from .._cluster.watch import Event, Interrupted, Listed, Open, Reached, Unreadable, watch
from .._model.findings import FATAL, Finding, first_of
from .._model.objects import budget, machineconfignode, machineosbuild, machineosconfig, node, pod
from .._model.objects import machineconfigpool as pool
from .._model.objects.budget import PodDisruptionBudget
from .._model.objects.machineconfignode import MachineConfigNode
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosbuild import MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.node import NodeState
from .._model.objects.pod import Pod
from .._model.objects.resources import (
    MACHINE_CONFIG_NODE,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
    POD_DISRUPTION_BUDGET,
    Kind,
    Object,
    metadata_of,
)
from .._model.objects.subject import Subject
from .cursor import Cursor, Stillness, read_cursor
from .outage import AWAY, BACK, Sight

_REDUCE: t.Mapping[str, t.Callable[[Object], Object]] = {
    MACHINE_OS_CONFIG.name: machineosconfig.reduced,
    MACHINE_OS_BUILD.name: machineosbuild.reduced,
    MACHINE_CONFIG_POOL.name: pool.reduced,
    NODE.name: node.reduced,
    POD.name: pod.reduced,
    POD_DISRUPTION_BUDGET.name: budget.reduced,
    MACHINE_CONFIG_NODE.name: machineconfignode.reduced,
}
_READ: t.Mapping[str, t.Callable[[Object], object]] = {
    MACHINE_OS_CONFIG.name: MachineOSConfig.from_api,
    MACHINE_OS_BUILD.name: MachineOSBuild.from_api,
    MACHINE_CONFIG_POOL.name: Pool.from_api,
    NODE.name: NodeState.from_api,
    POD.name: Pod.from_api,
    POD_DISRUPTION_BUDGET.name: PodDisruptionBudget.from_api,
    MACHINE_CONFIG_NODE.name: MachineConfigNode.from_api,
}
UNREAD = (
    "Could not read the cursor: it was changed on its way, or is of another version, cluster or pool. The wait goes on "
    "and reads everything again; until its cursor can be read, stall_timeout does not count from one call to the next."
)


@dataclass(frozen=True)
class Limits:
    """For how long to wait, and what ends the wait before."""

    timeout: float
    """Seconds for the whole wait, 0 for no end."""
    window: float
    """Seconds that this call lasts at most."""
    stall_timeout: float = 0.0
    """Seconds for which nothing moves, 0 for no end."""
    fail_on: t.Sequence[str] = (FATAL,)
    """The findings that end the wait, by their ids; FATAL stands for all that the public table calls fatal."""
    waited: float = 0.0
    """Seconds that the wait has lasted by the caller's clock, which counts where the cursor says less or nothing."""


def limits_of(options: t.Mapping[str, t.Any]) -> Limits:
    """Return the limits that a wait's options set."""
    return Limits(
        timeout=options["timeout"],
        window=options["window"],
        stall_timeout=options["stall_timeout"],
        fail_on=tuple(options["fail_on_findings"] or ()),
        waited=options["waited"],
    )


class Window:
    """Follows the subjects of a wait for one window.

    What is known is reduced to what a wait reads, and is handed on in the cursor.
    """

    def __init__(
        self,
        session: Session,
        subjects: t.Sequence[Subject],
        limits: Limits,
        cursor: str,
        clock: t.Callable[[], float] = time.time,
    ) -> None:
        self._session = session
        self._subjects = tuple(subjects)
        before = self._read(cursor)
        self.unread = UNREAD if cursor and before is None else ""
        """Why the wait does not go on from its cursor, or an empty text."""
        self._also: list[Subject] = []
        self.limits = limits
        self.now = clock
        now = clock()
        self.started = min(before.started if before else now, now - limits.waited)
        self.told = before.told if before else ""
        self.memory: dict[str, t.Any] = dict(before.memory) if before else {}
        self._stillness = before.stillness if before else Stillness()
        self._found = dict.fromkeys(before.found) if before else {}
        self._told_before = self.told
        self._sight = before.sight if before else Sight()
        self.unreadable: dict[str, str] = self.memory.setdefault("unreadable", {})
        """Optional subjects that may not be read or are not served: key -> why."""
        self._opened = set(before.opened) if before else set()
        self._versions = dict(before.versions) if before else {}
        self._objects: dict[str, dict[str, Object]] = {k: dict(v) for k, v in before.objects.items()} if before else {}

    def _read(self, cursor: str) -> Cursor | None:
        """Return the cursor if it is one of this wait's, and its objects can be read as those of the API can."""
        before = read_cursor(cursor) if cursor else None
        if before is None or before.about not in ("", self._about):
            return None
        try:
            for key, objects in before.objects.items():
                for obj in objects.values():
                    _READ[key.partition(" ")[0]](obj)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return None
        return before

    @property
    def _about(self) -> str:
        """Return what tells this wait from one for another cluster or other objects."""
        watched = (f"{s.key} {s.namespace} {s.label_selector} {s.field_selector}" for s in self._subjects)
        return " ".join((self._session.api_url, *watched))

    def watch_also(self, subjects: t.Iterable[Subject]) -> None:
        """Watch these besides, from now on and in no window that does not ask for them again.

        They are optional: nobody waits for what is known of them.
        """
        self._also = [subject for subject in subjects if subject.key not in self.unreadable]
        for key in self._sight.away:
            if key not in self._keys:  # that it is back is nothing to wait for
                self._sight = self._sight.having(key, self.now())

    def read_now(self, subjects: t.Iterable[Subject]) -> None:
        """Read these once, for who does not wait: each is asked for once, and a kind that is refused not again."""
        refused: dict[str, str] = {}
        for subject in subjects:
            kind = subject.kind
            query = selectors(subject.label_selector, subject.field_selector)
            if kind.name not in refused:
                try:
                    found = self._session.pages(kind.path(namespace=subject.namespace), query).items
                    self._objects[subject.key] = {_name(o): o for o in map(_REDUCE[kind.name], found)}
                    continue
                except ApiError as error:
                    refused[kind.name] = error.message or f"the API server answers {error.status}"
                except Unreachable as gone:
                    refused = dict.fromkeys(_REDUCE, str(gone))
            self.unreadable[subject.key] = refused[kind.name]

    @property
    def _keys(self) -> set[str]:
        return {subject.key for subject in (*self._subjects, *self._also)}

    @property
    def elapsed(self) -> float:
        """Seconds since the whole wait began."""
        return self.now() - self.started

    @property
    def watched(self) -> float:
        """Seconds of the whole wait in which the cluster was seen: what comes with time alone is judged by these."""
        return max(0.0, self.elapsed - self._sight.lost_by(self.now()))

    @property
    def timed_out(self) -> bool:
        """Whether the time of the whole wait is over."""
        return bool(self.limits.timeout) and self.elapsed >= self.limits.timeout

    def still_at(self, mark: str) -> float:
        """Return the seconds for which everything was, as of the last look, where a mark says that it is."""
        return self._stillness.seconds if mark == self._stillness.mark else 0.0

    @property
    def stalled(self) -> bool:
        """Whether nothing has moved for too long."""
        return bool(self.limits.stall_timeout) and self._stillness.seconds >= self.limits.stall_timeout

    def saw(self, mark: str) -> None:
        """Take down where everything is: another mark than at the look before is a movement."""
        self._stillness = self._stillness.after(mark, self.now(), blind=bool(self.outage))

    def ending(self, findings: t.Iterable[Finding]) -> Finding | None:
        """Return the finding that ends the wait, if one of them does: none while it may be of the past."""
        if self._sight.is_blind(self.now()):
            return None
        return first_of(findings, self.limits.fail_on)

    def learns(self, findings: t.Iterable[Finding]) -> bool:
        """Take findings down, and tell whether one of them is new to the whole wait."""
        new = dict.fromkeys(f"{f.id} {f.object}" for f in findings).keys() - self._found.keys()
        self._found.update(dict.fromkeys(sorted(new)))
        return bool(new)

    @property
    def outage(self) -> str:
        """Why the API server is away, or an empty text."""
        return self._sight.reason if self._sight.away else ""

    @property
    def progress(self) -> str:
        """What was told last; with the end of an outage, if that is news."""
        is_back = self._told_before.startswith(AWAY) and not self.told.startswith(AWAY)
        return BACK + self.told if is_back else self.told

    def line(self, otherwise: str) -> str:
        """Return what there is to tell: that the API server is away, or else *otherwise*."""
        return AWAY + self.outage if self.outage else otherwise

    def moments(self) -> t.Iterator[bool]:
        """Yield once a second, and whenever something was heard, until the window is over.

        True means that something may have changed. The first moment comes when every subject is known, which it is at
        once by a cursor. What was heard together is one moment.
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
                if self.outage and self.line("") != self.told:
                    self.told = self.line("")
                    if not self.unread:
                        return
                continue
            yield changed or not was_complete
            was_complete, changed = True, False

    def _events(self, seconds: float) -> t.Iterator[Event | None]:
        now = self.now()
        return watch(
            self._session,
            self._subjects,
            self._versions,
            seconds,
            away=self._sight.away,
            denied={subject: max(0.0, now - since) for subject, since in self._sight.denied.items()},
            opened=self._opened,
            keep=lambda kind, obj: _REDUCE[kind.name](obj),
            also=lambda: self._also,
        )

    def objects(self, kind: Kind) -> list[Object]:
        """Return the objects of a kind, in the order of their names."""
        known = {
            name: obj
            for key, objects in self._objects.items()
            if key.partition(" ")[0] == kind.name
            for name, obj in objects.items()
        }
        return [known[name] for name in sorted(known)]

    def cursor(self) -> str:
        """Return what the next window needs."""
        keys = self._keys
        return str(
            Cursor(
                self.started,
                {key: version for key, version in self._versions.items() if key in keys},
                {key: objects for key, objects in self._objects.items() if key in keys},
                self.told,
                tuple(self._found),
                self._stillness,
                self.memory,
                self._sight,
                tuple(sorted(self._opened & keys)),
                self._about,
            )
        )

    @property
    def complete(self) -> bool:
        """Whether every subject that is waited for has been listed once."""
        return all(s.key in self._versions or s.key in self.unreadable for s in self._subjects)

    def _take(self, event: Event) -> bool:
        if isinstance(event, Interrupted):
            self._sight = self._sight.without(event.kind, event.reason, self.now(), event.denied)
            return True
        was_away = event.kind in self._sight.away
        self._sight = self._sight.having(event.kind, self.now())
        if isinstance(event, Open):
            self._opened.add(event.kind)
            return was_away
        if isinstance(event, Unreadable):
            self.unreadable[event.kind] = event.reason
            self._objects.pop(event.kind, None)  # what it was is not what it is
            self._versions.pop(event.kind, None)
            return True
        self._versions[event.kind] = event.resource_version
        if isinstance(event, Reached):
            return False
        if isinstance(event, Listed):
            self._objects[event.kind] = {_name(o): o for o in event.items}
            return True
        known = self._objects.setdefault(event.kind, {})
        name = _name(event.item)
        if event.gone:
            return known.pop(name, None) is not None
        same = known.get(name) == event.item
        known[name] = event.item
        return not same


def _name(obj: Object) -> str:
    meta = metadata_of(obj)
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])
