# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs on disk, each written on from where it ended: by the next window, and by the run after one that was killed.

A file holds what ``oc logs --timestamps`` shows. Its own last lines say where to go on, so nothing else has to be
remembered, and nothing is lost or written twice: the API gives a log from a whole second on, and of that second as
many lines are passed over as the file has.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import typing as t
from dataclasses import dataclass

from .response_body import size_text

LOG_LIMIT = 256 << 20
"""Bytes of a saved log: a build that writes without end must not fill the disk."""
FULL = f"[imagemode.openshift: the log is larger than {size_text(LOG_LIMIT)}, the rest is not saved]\n".encode()
"""The last line of a saved log that reached the limit."""

_SECOND = 19
"""Length of ``2026-03-01T12:00:00``: times are UTC with nanoseconds, so they sort as texts."""
_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class Place:
    """How far a log is known."""

    second: str = ""
    """The second of the newest line, without a zone; empty when there is none."""
    lines: int = 0
    """How many lines from that second on are known."""

    @property
    def since(self) -> str:
        """The time from which on the rest is to be asked for, as the API takes it."""
        return f"{self.second}Z" if self.second else ""

    def after(self, line: bytes) -> Place:
        """Return the place behind one more line."""
        second = line[:_SECOND].decode("ascii") if _TIME.match(line) else self.second
        return Place(second, 1) if second > self.second else Place(self.second, self.lines + 1)


class LogFile:
    """One log that is open for writing.

    :raises OSError: it cannot be opened, or is no plain file
    """

    def __init__(self, folder: int, path: str) -> None:
        # No link is followed, and nothing that is no file is waited for: whoever may write to the folder does not get
        # the log into another place.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self.path = path
        self.is_full = False
        """Whether the limit is reached, so that nothing more is saved."""
        self._fd = os.open(os.path.basename(path), flags, 0o600, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise OSError(f"{path} is not a plain file")
            os.fchmod(self._fd, 0o600)
            self.place = self._find_place()
        except OSError:
            os.close(self._fd)
            raise

    def write(self, lines: bytes) -> None:
        """Write whole lines. Raises OSError; then the rest of them is missing, as it is when the log is full."""
        if not self.is_full and os.fstat(self._fd).st_size + len(lines) > LOG_LIMIT:
            self._append(FULL)
            self.is_full = True
        if self.is_full:
            reason = f"the log is larger than {size_text(LOG_LIMIT)}, the rest is not saved"
            raise OSError(errno.EFBIG, reason)
        self._append(lines)

    def _append(self, lines: bytes) -> None:
        rest = memoryview(lines)
        while rest:
            rest = rest[os.write(self._fd, rest) :]

    def close(self) -> None:
        """Write no more."""
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _find_place(self) -> Place:
        """Read how far the log goes, and take away a last line that was cut off."""
        place, end = Place(), 0
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                place, end = place.after(line), end + len(line)
                self.is_full = line == FULL
        os.ftruncate(self._fd, end)
        return place


class LogFolder:
    """The folder for logs, made when it is not there."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._fd = -1

    def open(self, *parts: str) -> LogFile:
        """Open the log that the parts of its name tell apart. Raises OSError."""
        if self._fd < 0:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return LogFile(self._fd, self.path_of(*parts))

    def path_of(self, *parts: str) -> str:
        """Return the path of a log."""
        name = "_".join(_UNFIT.sub("-", part).lstrip(".") or "unknown" for part in parts)
        return os.path.join(self.path, f"{name}.log")


def without_times(lines: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """Return the lines of a log as they were said, without the times in front of them."""
    for line in lines:
        yield line.partition(b" ")[2] if _TIME.match(line) else line
