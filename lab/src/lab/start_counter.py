# SPDX-License-Identifier: GPL-3.0-or-later
"""A supervisord extension that counts how often each program was started. It runs inside supervisord."""

from __future__ import annotations

from collections import Counter
from typing import Any

from supervisor import events


class StartCounter:
    """The XML-RPC methods ``lab.*``."""

    def __init__(self) -> None:
        self._starts: Counter[str] = Counter()
        events.subscribe(events.ProcessStateStartingEvent, self._count)

    def starts(self) -> dict[str, int]:
        """Starts of each program since the lab came up, tries that ended at once included."""
        return dict(self._starts)

    def _count(self, event: Any) -> None:
        self._starts[event.process.config.name] += 1


def make_rpcinterface(_supervisord: Any, **_options: str) -> StartCounter:
    """The factory that supervisord's configuration names."""
    return StartCounter()
