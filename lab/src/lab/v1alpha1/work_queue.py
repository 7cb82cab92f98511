# SPDX-License-Identifier: GPL-3.0-or-later
"""A queue of keys that are due later, and are retried with growing delays when their work fails."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from lab.kube_rest import ApiError

log = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)
_FIRST_DELAY = 0.005


class RetryLater(Exception):
    """The work of a key has to be repeated; the text says why."""


class WorkQueue(Generic[Key]):
    """Runs ``work`` for one key after another, in the thread that calls ``serve``.

    A key whose work fails is due again after 5 ms, then after twice as long. After ``tries`` failures it is due after
    ``pause`` seconds, for as long as it fails.
    """

    def __init__(self, work: Callable[[Key], None], tries: int, pause: float) -> None:
        self._work = work
        self._tries = tries
        self._pause = pause
        self._due: list[tuple[float, int, Key]] = []
        self._waiting: dict[Key, float] = {}
        self._failures: dict[Key, int] = {}
        self._numbers = itertools.count()
        self._changed = threading.Condition()

    def add(self, key: Key, delay: float = 0.0) -> None:
        """Have a key worked on after ``delay`` seconds. A key that is due earlier already stays so."""
        moment = time.monotonic() + delay
        with self._changed:
            if self._waiting.get(key, moment + 1) <= moment:
                return
            self._waiting[key] = moment
            heapq.heappush(self._due, (moment, next(self._numbers), key))
            self._changed.notify()

    def serve(self) -> None:
        """Work, for ever."""
        while True:
            key = self._next()
            try:
                self._work(key)
            except (RetryLater, ApiError) as error:
                self._repeat(key, error)
            else:
                self._failures.pop(key, None)

    def _next(self) -> Key:
        with self._changed:
            while True:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    moment, _, key = heapq.heappop(self._due)
                    # An entry that an earlier one has overtaken.
                    if self._waiting.get(key) == moment:
                        del self._waiting[key]
                        return key
                    continue
                self._changed.wait(self._due[0][0] - now if self._due else None)

    def _repeat(self, key: Key, error: Exception) -> None:
        failures = self._failures.get(key, 0) + 1
        if failures >= self._tries:
            log.error("%s: %s; again in %.0f s", key, error, self._pause)
            self._failures.pop(key, None)
            self.add(key, self._pause)
            return
        log.warning("%s: %s", key, error)
        self._failures[key] = failures
        self.add(key, _FIRST_DELAY * 2 ** (failures - 1))
