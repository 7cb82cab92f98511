# SPDX-License-Identifier: GPL-3.0-or-later
"""One window of a wait: what is known of the watched objects, and for how long the window lasts.

A wait is many module calls, each a window. What one call knew reaches the next in a cursor, so that nothing is listed
twice and a progress line is not said twice.
"""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._cluster.watch import Event, Interrupted, Listed, Open, Subject, watch
from .._model import machineosbuild, machineosconfig, node, pool
from .._model.cursor import Cursor, read_cursor
from .._model.resources import MACHINE_CONFIG_POOL, MACHINE_OS_BUILD, MACHINE_OS_CONFIG, NODE, Kind, Object, metadata_of

_REDUCE: t.Mapping[str, t.Callable[[Object], Object]] = {
    MACHINE_OS_CONFIG.name: machineosconfig.reduced,
    MACHINE_OS_BUILD.name: machineosbuild.reduced,
    MACHINE_CONFIG_POOL.name: pool.reduced,
    NODE.name: node.reduced,
}

_AWAY = "API server away: "


@dataclass(frozen=True)
class Limits:
    """For how long to wait."""

    timeout: float
    """Seconds for the whole wait, 0 for no end."""
    window: float
    """Seconds that this call lasts at most."""


class Window:
    """Follows the subjects of a wait for one window.

    What is known is reduced to what a wait reads, and is handed on in the cursor.
    """

    def __init__(self, session: Session, subjects: t.Sequence[Subject], limits: Limits, cursor: str) -> None:
        before = read_cursor(cursor) if cursor else None
        self._session = session
        self._subjects = subjects
        self._limits = limits
        self.started = before.started if before else time.time()
        self.told = before.told if before else ""
        outage = self.told[len(_AWAY) :] if self.told.startswith(_AWAY) else ""
        self._away = {subject.kind.name: outage for subject in subjects} if outage else {}
        self._versions = dict(before.versions) if before else {}
        self._objects: dict[str, dict[str, Object]] = {k: dict(v) for k, v in before.objects.items()} if before else {}

    @property
    def elapsed(self) -> float:
        """Seconds since the whole wait began."""
        return time.time() - self.started

    @property
    def timed_out(self) -> bool:
        """Whether the time of the whole wait is over."""
        return bool(self._limits.timeout) and self.elapsed >= self._limits.timeout

    @property
    def outage(self) -> str:
        """Why the API server is away, or an empty text."""
        return next(iter(self._away.values()), "")

    def line(self, otherwise: str) -> str:
        """Return what there is to tell: that the API server is away, or else *otherwise*."""
        return _AWAY + self.outage if self.outage else otherwise

    def moments(self) -> t.Iterator[bool]:
        """Yield after every look at the objects, True when something may have changed, until the window is over.

        The first moment comes when every subject is known, which it is at once by a cursor.
        """
        seconds = self._limits.window
        if self._limits.timeout:
            seconds = min(seconds, max(0.0, self._limits.timeout - self.elapsed))
        was_complete = self._complete
        if was_complete:
            yield True
        for event in watch(self._session, self._subjects, self._versions, seconds, away=set(self._away)):
            changed = event is not None and self._take(event)
            if not self._complete:
                continue
            yield changed or not was_complete
            was_complete = True

    def objects(self, kind: Kind) -> list[Object]:
        """Return the objects of a kind, in the order of their names."""
        known = self._objects.get(kind.name, {})
        return [known[name] for name in sorted(known)]

    def cursor(self) -> str:
        """Return what the next window needs."""
        return str(Cursor(self.started, self._versions, self._objects, self.told))

    @property
    def _complete(self) -> bool:
        return all(subject.kind.name in self._versions for subject in self._subjects)

    def _take(self, event: Event) -> bool:
        if isinstance(event, Interrupted):
            self._away[event.kind] = event.reason
            return True
        was_away = self._away.pop(event.kind, None) is not None
        if isinstance(event, Open):
            return was_away
        reduce = _REDUCE[event.kind]
        self._versions[event.kind] = event.resource_version
        if isinstance(event, Listed):
            self._objects[event.kind] = {metadata_of(o)["name"]: reduce(o) for o in event.items}
            return True
        known = self._objects.setdefault(event.kind, {})
        name = metadata_of(event.item)["name"]
        if event.gone:
            return known.pop(name, None) is not None
        now = reduce(event.item)
        same = known.get(name) == now
        known[name] = now
        return not same
