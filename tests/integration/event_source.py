# SPDX-License-Identifier: GPL-3.0-or-later
"""The event source, run as ansible-rulebook runs it: by its path, with a queue of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import runpy
import threading
import typing as t
from pathlib import Path

from polling import wait_until

PLUGIN = Path(__file__).resolve().parents[2] / "extensions/eda/plugins/event_source/pools.py"

Event = dict[str, t.Any]


class RunningSource:
    """A source in a thread with an event loop of its own.

    :ivar events: the events so far
    :ivar error: why the source ended by itself, or None
    """

    def __init__(self, args: t.Mapping[str, t.Any]) -> None:
        self.events: list[Event] = []
        self.error: BaseException | None = None
        self._args = dict(args)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))
        self._task: asyncio.Task[None] | None = None

    async def _run(self) -> None:
        queue: asyncio.Queue[Event] = asyncio.Queue(maxsize=1)  # it blocks the source, as a busy rulebook does
        self._task = asyncio.ensure_future(runpy.run_path(str(PLUGIN))["main"](queue, self._args))
        reader = asyncio.ensure_future(self._read(queue))
        try:
            await self._task
        except asyncio.CancelledError:
            pass
        except Exception as error:  # noqa: BLE001 - the test reads it
            self.error = error
        reader.cancel()

    async def _read(self, queue: asyncio.Queue[Event]) -> None:
        while True:
            self.events.append(await queue.get())

    def start(self) -> None:
        """Start the source."""
        self._thread.start()

    def stop(self) -> None:
        """Cancel the source, as ansible-rulebook does at its end."""
        if self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(timeout=30)
        self._loop.close()

    def wait_for(self, *types: str, timeout: float = 900) -> None:
        """Wait for events with these types, in any order."""

        def found() -> bool:
            assert self.error is None, self.error
            return set(types) <= set(self.types)

        wait_until(found, timeout)

    def wait_for_end(self, timeout: float = 60) -> str:
        """Wait until the source ends by itself, and return the text of its error."""
        return str(wait_until(lambda: self.error, timeout))

    @property
    def types(self) -> list[str]:
        """The types of the events, in order."""
        return [event["type"] for event in self.events]


@contextlib.contextmanager
def running_source(**args: t.Any) -> t.Iterator[RunningSource]:
    """Run a source with these arguments: ``with running_source(kubeconfig=...) as source:``."""
    source = RunningSource(args)
    source.start()
    try:
        yield source
    finally:
        source.stop()
