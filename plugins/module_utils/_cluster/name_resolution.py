# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolve the name of a host before a deadline. The system's resolver itself can take a minute."""

from __future__ import annotations

import socket
import threading
import time
import typing as t


class ResolutionTimedOut(OSError):
    """The resolver did not answer before the deadline."""


def resolve(host: str, port: int, deadline: float) -> list[t.Any]:
    """Return the addresses of a host, as ``socket.getaddrinfo`` does.

    The resolver runs in a thread, which is abandoned at the deadline.

    :param deadline: by the monotonic clock
    :raises ResolutionTimedOut: the deadline passed
    :raises OSError: the name has no address
    """
    found: list[t.Any] = []
    failures: list[Exception] = []

    def work() -> None:
        try:
            found.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True, name="resolve")
    thread.start()
    thread.join(max(0.0, deadline - time.monotonic()))
    if thread.is_alive():
        raise ResolutionTimedOut(f"{host}: the name could not be resolved in time")
    if failures:
        raise OSError(f"{host}: {getattr(failures[0], 'strerror', None) or 'it is not the name of a host'}")
    return found
