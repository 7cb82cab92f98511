# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a wait see the cluster, and for how long did it not?

While the API server is away nothing that is known can be trusted to be so still, and what is judged by time alone
(nothing came for two minutes) must not count that time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

AWAY = "API server away: "
BACK = "API server back: "
"""How the lines begin that tell of an outage and of its end."""
SETTLING = 5.0
"""Seconds after an outage within which what happened meanwhile is still being told."""


@dataclass(frozen=True)
class Sight:
    """What is seen of the watched subjects. Times are seconds since the epoch."""

    away: t.Sequence[str] = ()
    """The subjects that cannot be read now."""
    reason: str = ""
    """Why the first of them could not, for as long as one cannot: an outage has one reason, which is told once."""
    since: float = 0.0
    """When the outage began."""
    back_at: float | None = None
    """When the last outage ended."""
    lost: float = 0.0
    """Seconds of all outages that have ended."""
    denied: t.Mapping[str, float] = field(default_factory=dict)
    """Subjects that were read before and are refused now -> since when."""

    def without(self, subject: str, reason: str, now: float, denied: bool = False) -> Sight:
        """Return how it is when a subject cannot be read any more.

        :param denied: whether the API server answers, and has begun to refuse
        """
        refusals = {**self.denied, subject: now} if denied else self.denied
        if self.away:
            return replace(self, away=(*self.away, *{subject} - set(self.away)), denied=refusals)
        return replace(self, away=(subject,), reason=reason, since=now, denied=refusals)

    def having(self, subject: str, now: float) -> Sight:
        """Return how it is when a subject is read."""
        if subject not in self.away:
            return self
        away = tuple(other for other in self.away if other != subject)
        denied = {other: since for other, since in self.denied.items() if other != subject}
        if away:
            return replace(self, away=away, denied=denied)
        return Sight(back_at=now, lost=self.lost + max(0.0, now - self.since))

    def is_blind(self, now: float) -> bool:
        """Whether what is known may be of the past."""
        return bool(self.away) or (self.back_at is not None and 0.0 <= now - self.back_at < SETTLING)

    def lost_by(self, now: float) -> float:
        """Return for how many seconds nothing was seen."""
        return self.lost + (max(0.0, now - self.since) if self.away else 0.0)
