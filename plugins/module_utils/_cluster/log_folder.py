# SPDX-License-Identifier: GPL-3.0-or-later
"""Log files that are continued where they ended: by the next window, and by a run after one that was killed.

A file has the lines of ``oc logs --timestamps``. Its last lines tell where to continue, so nothing else has to be
remembered, and no line is lost or written twice.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import typing as t

from .._model.build.log_position import LogPosition, has_time
from .response_body import size_text

LOG_LIMIT = 256 << 20
"""Greatest size of a saved log. A build that writes without end must not fill the disk."""
FULL = f"[imagemode.openshift: the log is larger than {size_text(LOG_LIMIT)}, the rest is not saved]\n".encode()
"""Last line of a saved log that reached the limit."""

_INVALID = re.compile(r"[^A-Za-z0-9._-]+")


class LogFile:
    """One log that is open for writing.

    :raises OSError: it cannot be opened, or is not a regular file
    """

    def __init__(self, folder: int, path: str) -> None:
        # Links are not followed and devices are not waited for: a user with access to the folder must not be able to
        # redirect the log.
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        self.path = path
        self.is_full = False
        """Whether the limit is reached. Nothing more is saved then."""
        self._fd = os.open(os.path.basename(path), flags, 0o600, dir_fd=folder)
        try:
            if not stat.S_ISREG(os.fstat(self._fd).st_mode):
                raise OSError(f"{path} is not a regular file")
            os.fchmod(self._fd, 0o600)
            self.position = self._find_end()
        except OSError:
            os.close(self._fd)
            raise

    def write(self, lines: bytes) -> None:
        """Write whole lines.

        :raises OSError: they could not be written, or the limit is reached
        """
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
        """Close the file."""
        with contextlib.suppress(OSError):
            os.close(self._fd)

    def _find_end(self) -> LogPosition:
        """Return the end of the log. Remove an incomplete last line."""
        position, end = LogPosition(), 0
        with os.fdopen(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                position, end = position.after(line), end + len(line)
                self.is_full = line == FULL
        os.ftruncate(self._fd, end)
        return position


class LogFolder:
    """The folder of saved logs. It is created when the first log is opened."""

    def __init__(self, path: str) -> None:
        self.path = os.path.abspath(path)
        self._fd = -1

    def open(self, *parts: str) -> LogFile:
        """Open a log.

        :param parts: the parts of its name
        :raises OSError: it cannot be opened
        """
        if self._fd < 0:
            os.makedirs(self.path, mode=0o700, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return LogFile(self._fd, self.path_of(*parts))

    def path_of(self, *parts: str) -> str:
        """Return the path of a log."""
        name = "_".join(_INVALID.sub("-", part).lstrip(".") or "unknown" for part in parts)
        return os.path.join(self.path, f"{name}.log")


def without_times(lines: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """Return the lines of a log without their times."""
    for line in lines:
        yield line.partition(b" ")[2] if has_time(line) else line
