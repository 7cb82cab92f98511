# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure for how long a wait has made no progress."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StallTimer:
    """For how long the mark of the observations has not changed. Outages do not count."""

    mark: str = ""
    """``Observation.mark`` of the last observation."""
    seconds: float = 0.0
    observed_at: float = 0.0
    """Time of the last observation, in seconds since the epoch."""

    def after(self, mark: str, now: float, in_outage: bool = False) -> StallTimer:
        """Return the timer after an observation.

        :param in_outage: whether the API server is away, so that progress cannot be observed
        """
        if mark != self.mark:
            return StallTimer(mark, 0.0, now)
        passed = 0.0 if in_outage else max(0.0, now - self.observed_at)
        return StallTimer(mark, self.seconds + passed, now)
