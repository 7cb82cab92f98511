# SPDX-License-Identifier: GPL-3.0-or-later
"""Position in a container log, from which the log is read on without losing or repeating a line.

The API returns a log from a whole second on. So a position is a second and the number of known lines from it on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SECOND = 19
"""Length of ``2026-03-01T12:00:00``. Times are UTC with nanoseconds, so they sort as text."""
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class LogPosition:
    """How much of a log is known."""

    second: str = ""
    """The second of the newest line, without a time zone. Empty if no line is known."""
    lines: int = 0
    """Number of known lines from that second on."""

    @property
    def since(self) -> str:
        """Value of ``sinceTime`` for the rest of the log."""
        return f"{self.second}Z" if self.second else ""

    def after(self, line: bytes) -> LogPosition:
        """Return the position after one more line."""
        second = line[:_SECOND].decode("ascii") if has_time(line) else self.second
        return LogPosition(second, 1) if second > self.second else LogPosition(self.second, self.lines + 1)


def has_time(line: bytes) -> bool:
    """Whether a line of a log starts with its time."""
    return bool(_TIME.match(line))
