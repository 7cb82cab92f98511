# SPDX-License-Identifier: GPL-3.0-or-later
"""Track outages of the API server.

During an outage the known objects may be out of date, and time limits must not count it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

AWAY = "API server away: "
BACK = "API server back: "
"""Prefixes of the progress lines that report an outage and its end."""
SETTLING = 5.0
"""Seconds after an outage within which the watches still deliver changes from before its end."""


@dataclass(frozen=True)
class OutageTracker:
    """The current and the past outages. Times are seconds since the epoch."""

    away: tuple[str, ...] = ()
    """Keys of the subjects that cannot be read now."""
    reason: str = ""
    """Why the first of them cannot be read. An outage has one reason, which is reported once."""
    since: float = 0.0
    """Start of the current outage."""
    back_at: float | None = None
    """End of the last outage."""
    lost: float = 0.0
    """Seconds of all outages that have ended."""

    def interrupted(self, subject: str, reason: str, now: float) -> OutageTracker:
        """Return the tracker after a subject became unreadable."""
        if self.away:
            return replace(self, away=(*self.away, *{subject} - set(self.away)))
        return replace(self, away=(subject,), reason=reason, since=now)

    def restored(self, subject: str, now: float) -> OutageTracker:
        """Return the tracker after a subject was read."""
        if subject not in self.away:
            return self
        away = tuple(other for other in self.away if other != subject)
        if away:
            return replace(self, away=away)
        return OutageTracker(back_at=now, lost=self.lost + max(0.0, now - self.since))

    def is_uncertain(self, now: float) -> bool:
        """Whether the known objects may be out of date."""
        return bool(self.away) or (self.back_at is not None and 0.0 <= now - self.back_at < SETTLING)

    def lost_by(self, now: float) -> float:
        """Return the seconds of all outages so far."""
        return self.lost + (max(0.0, now - self.since) if self.away else 0.0)
