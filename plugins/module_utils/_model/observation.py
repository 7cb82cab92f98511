# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract between the waits, which are pure, and the loop (``_wait``), which does the I/O.

A wait is one frozen state and one pure function::

    observe(snapshot: Snapshot, state: S, now: float) -> tuple[S, Observation]

How the loop drives it:

1. It reads the state from the cursor. Without a readable cursor it starts with the first state of the wait.
2. It builds a :class:`Snapshot` of the watched objects. A reader parses an object once, when the object changes.
3. It calls ``observe`` with the snapshot, the state and the time in seconds since the epoch.
4. If :attr:`Observation.needs` names needs that are read once (:attr:`Need.once`) and that have no result yet, the loop
   fetches them and calls ``observe`` again: with the new state, and with a snapshot whose :meth:`Snapshot.result`
   returns the results. It repeats this until each need has a result. Only the last observation counts.
5. It starts the needs that are kept up (watches, logs), and stops those that the observation no longer names. Their
   results are part of later snapshots.
6. It compares :attr:`Observation.mark` for the stall timer, reports the progress line, and ends the wait if the
   outcome, a finding, the error or a limit ends it. Otherwise it continues with step 2 when an object changes.

A wait may return a subclass of :class:`Observation` that carries more for its result: the loop returns the last one.

``observe`` never reads a clock and never blocks. It may be called several times for one snapshot, so calling it again
with the same arguments and the returned state must not change the decision.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass, field

from .findings import Finding
from .objects.resources import Kind, Object
from .objects.subject import Reader, Subject

T = t.TypeVar("T")
R = t.TypeVar("R")
S = t.TypeVar("S")


class Outcome(enum.Enum):
    """State of a wait after an observation."""

    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Need(t.Generic[R]):
    """Something that the loop fetches for a wait. R is the type of the result.

    Each need is a frozen dataclass. The needs of all waits are defined here; those of build logs are in
    ``build/log_needs.py``, because their results are types of ``build``.
    """

    once: t.ClassVar[bool] = True
    """Whether the loop reads it at once and observes again. Otherwise the loop keeps it up while it is named."""


@dataclass(frozen=True)
class ReadResult:
    """Result of reading one object."""

    obj: Object | None = None
    """None if the object does not exist or could not be read."""
    known: bool = True
    """Whether the API server answered. False if the account may not read the object or the server is unreachable."""

    @property
    def missing(self) -> bool:
        """Whether the object certainly does not exist."""
        return self.known and self.obj is None


@dataclass(frozen=True)
class ReadObject(Need[ReadResult]):
    """Read one object."""

    kind: Kind
    name: str
    namespace: str = ""
    by_list: bool = False
    """Whether to use the permission to list, which a wait has for the kinds that it watches."""
    retried: bool = True
    """Whether the request is repeated while the API server is away. Without it there is exactly one request."""


@dataclass(frozen=True)
class ListResult:
    """Result of reading several objects."""

    items: tuple[Object, ...] = ()
    known: bool = True
    """Whether the API server answered."""


@dataclass(frozen=True)
class ReadList(Need[ListResult]):
    """Read the objects of a kind that a selector matches, by one request without repetition."""

    kind: Kind
    namespace: str
    label_selector: str


@dataclass(frozen=True)
class WatchObjects(Need[None]):
    """Watch more objects. They are part of later snapshots, see :meth:`Snapshot.all`. The subject is optional."""

    once: t.ClassVar[bool] = False
    subject: Subject


@dataclass(frozen=True)
class Pace:
    """How often the loop observes and reports, in seconds."""

    shortest: float = 0.0
    """Between two observations, even if objects change."""
    longest: float = 1.0
    """Until the next observation if nothing changes: some findings depend on time alone."""
    report_interval: float = 0.0
    """Between two reports of a changed progress line. An end, a new finding and an outage are reported at once."""


@dataclass(frozen=True)
class WaitError:
    """Why a wait cannot continue, for example because its pool was deleted."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class Observation:
    """What a wait knows from one snapshot."""

    outcome: Outcome
    """FAILED requires a finding or an error."""
    progress: str
    """One line for the user."""
    mark: str
    """Changes exactly when the awaited objects made progress. The stall timer compares it."""
    findings: tuple[Finding, ...] = ()
    needs: tuple[Need[t.Any], ...] = ()
    pace: Pace = Pace()
    limit: Finding | None = None
    """Ends the wait as a failure, whatever ``fail_on_findings`` names. None if no limit of the wait is reached."""
    error: WaitError | None = None
    """Ends the wait at once, also in check mode."""


Obs = t.TypeVar("Obs", bound=Observation)


@dataclass(frozen=True)
class Snapshot:
    """What the loop knows at one moment."""

    objects: t.Mapping[str, t.Sequence[t.Any]] = field(default_factory=dict)
    """Name of a kind -> its parsed objects, sorted by namespace and name. Use :meth:`all`."""
    results: t.Mapping[Need[t.Any], t.Any] = field(default_factory=dict)
    """Results of needs. Use :meth:`result`."""
    unreadable: t.Mapping[str, str] = field(default_factory=dict)
    """Key of an optional subject that is forbidden or not served -> why."""
    outage: str = ""
    """Why the API server is away, or an empty text."""
    watched: float = 0.0
    """Seconds since the wait started, without the outages: what is decided by time alone is decided by these."""
    resumed: bool = False
    """Whether this is the first observation of a module call. Between two calls the cluster was not watched."""

    def all(self, reader: Reader[T]) -> t.Sequence[T]:
        """Return the objects of a kind."""
        return self.objects.get(reader.kind.name, ())

    def result(self, need: Need[R]) -> R | None:
        """Return the result of a need, or None if it was not fetched."""
        return t.cast("R | None", self.results.get(need))


@dataclass(frozen=True)
class Wait(t.Generic[S, Obs]):
    """A wait that the loop can run.

    :ivar goal: completes "Could not ...", for example ``await the build of MachineConfigPool layered``
    :ivar subjects: what is always watched; the first snapshot is taken when each of them was listed
    :ivar first_state: the state of a wait without a cursor; the cursor is decoded by its type
    """

    goal: str
    subjects: t.Sequence[Subject]
    first_state: S
    observe: t.Callable[[Snapshot, S, float], tuple[S, Obs]]
