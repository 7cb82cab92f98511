# SPDX-License-Identifier: GPL-3.0-or-later
"""For how long has an answer been lacking in the same way, as far as that was seen?

Between two windows nothing is seen: what the next one begins with is of the past, and may be over by now.
"""

from __future__ import annotations

from .window import Window


class Lack:
    """The lack of an answer, remembered from window to window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._seen_at: float | None = None

    def lasts(self, lack: str) -> float:
        """Take the lack of this look down, and return for how many seconds it is the same."""
        before, seconds = self._window.memory.get("lack") or ("", 0.0)
        now = self._window.watched
        passed = 0.0 if self._seen_at is None else max(0.0, now - self._seen_at)
        seconds = float(seconds) + passed if lack and lack == before else 0.0
        self._window.memory["lack"] = [lack, seconds]
        self._seen_at = now
        return seconds
