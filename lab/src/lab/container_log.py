# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's log as a container runtime writes it, so that the kubelet's own reader can read it."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import BinaryIO

# What a kubelet takes of a log as a container's last words.
MESSAGE_LINES = 80
MESSAGE_BYTES = 2048

_LONGEST_LINE = 16384


def log_folder(pods_dir: Path, namespace: str, pod: str, uid: str, container: str) -> Path:
    """Where the log of a container is, as kubelets lay logs out."""
    return pods_dir / f"{namespace}_{pod}_{uid}" / container


class ContainerLog:
    """Writes ``0.log`` in its folder, and ``exited`` beside it when the container has ended."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        (folder / "exited").unlink(missing_ok=True)
        self._file = (folder / "0.log").open("wb")
        self._lock = threading.Lock()
        self._last: deque[bytes] = deque(maxlen=MESSAGE_LINES)

    def copy(self, stream: BinaryIO, name: str) -> None:
        """Write everything that comes out of ``stream`` (stdout or stderr) until it ends."""
        while line := stream.readline(_LONGEST_LINE):
            self.write(line, name)

    def write(self, line: bytes, name: str) -> None:
        """Write one line, or the first part of one that is too long."""
        whole = line.endswith(b"\n") or len(line) < _LONGEST_LINE
        text = line.removesuffix(b"\n")
        with self._lock:
            self._file.write(b"%s %s %s %s\n" % (_now(), name.encode(), b"F" if whole else b"P", text))
            self._file.flush()
            self._last.append(text + (b"\n" if whole else b""))

    @property
    def last_words(self) -> str:
        """What a kubelet reports of the log of a failed container."""
        with self._lock:
            tail = b"".join(self._last)[-MESSAGE_BYTES:]
        return tail.decode("utf-8", "replace")

    def end(self) -> None:
        """Tell readers that nothing more comes."""
        with self._lock:
            self._file.close()
        (self._folder / "exited").touch()


def append(folder: Path, text: str) -> None:
    """Write a line into the log of a container that has not ended, such as a daemon's."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "0.log").open("ab") as log:
        for line in text.splitlines():
            log.write(b"%s stderr F %s\n" % (_now(), line.encode()))


def _now() -> bytes:
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{nanoseconds:09d}Z".encode()
