# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the log of one container, and save it."""

from __future__ import annotations

import contextlib
import threading
import typing as t
from dataclasses import dataclass, field

from .._model.build.log_position import LogPosition
from .._model.objects.resources import OPERATOR_NAMESPACE, POD
from .api_error import DENIED, ApiError, Unreachable, reaching
from .lines import LineSplitter
from .log_folder import LogFile
from .session import Session

LONGEST_LINE = 1 << 16
"""Bytes of a line that are kept. The rest of a longer line is dropped. The lines of buildah are far shorter."""
STREAM_TIMEOUT = 3600.0
"""Seconds after which the stream of a log is opened again: a builder may write nothing for long."""
_NOT_FOUND = 404
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0


@dataclass
class LogFollower:
    """Follows the log of one container in its own thread.

    :param file: where the log is saved; None only tracks the position
    """

    session: Session
    pod: str
    container: str
    file: LogFile | None
    position: LogPosition
    done: threading.Event = field(default_factory=threading.Event)
    """Set when the log was read to its end."""
    ended: threading.Event = field(default_factory=threading.Event)
    """Set when the container has ended, according to the status of its pod."""
    unreadable: str = ""
    unwritten: str = ""
    size: int = 0
    """Bytes that were read."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Start to follow the log."""
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Stop. Nothing is written after this."""
        with self._lock:
            self._stop.set()
            if self.file:
                self.file.close()
                self.file = None

    def _run(self) -> None:
        delay = _FIRST_PAUSE
        while not self._stop.is_set():
            # A stream may end because the connection was closed, and the log of a container that has just started may
            # not exist yet. Only a stream that was opened after the end of the container is complete.
            is_last = self.ended.is_set()
            try:
                self._read()
                if is_last:
                    break
                delay = _FIRST_PAUSE
            except ApiError as error:
                if error.status in DENIED:
                    self.unreadable = error.message
                    break
                if error.status == _NOT_FOUND and is_last:
                    break
            except Unreachable:
                pass
            except Exception as error:  # noqa: BLE001 - an exception in a thread would otherwise be lost
                self.unreadable = f"an unexpected {type(error).__name__}"
                break
            (self._stop if is_last else self.ended).wait(delay)
            delay = min(delay * 2, _LONGEST_PAUSE)
        if not self._stop.is_set():  # the end of a window ends the stream, not the log
            self.done.set()

    def _read(self) -> None:
        query = {"container": self.container, "follow": "true", "timestamps": "true"}
        if self.position.since:
            query["sinceTime"] = self.position.since
        elif self.file is None:
            query["tailLines"] = "1"
        known = self.position.lines if self.position.since else 0
        path = POD.path(self.pod, OPERATOR_NAMESPACE, "log")
        response = self.session.open("GET", path, query, read_timeout=STREAM_TIMEOUT)
        response.expire_in(STREAM_TIMEOUT)
        splitter = LineSplitter(LONGEST_LINE)
        with contextlib.closing(response), reaching(self.session.api_url):
            for piece in response.pieces():
                lines = splitter.take(piece)
                skipped = min(known, len(lines))
                known -= skipped
                self._take([line + b"\n" for line in lines[skipped:]])
                if self._stop.is_set():
                    return
            rest = splitter.rest()
            if rest and not known:
                self._take([rest + b"\n"])

    def _take(self, lines: t.Sequence[bytes]) -> None:
        with self._lock:
            if self._stop.is_set() or not lines:
                return
            for line in lines:
                self.position = self.position.after(line)
            self.size += sum(map(len, lines))
            if self.file is None:
                return
            try:
                self.file.write(b"".join(lines))
            except OSError as error:
                self.unwritten = f"{self.file.path}: {error.strerror or error}"
                self.file.close()
                self.file = None
