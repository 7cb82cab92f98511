# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait in a test for a state that the lab reaches by itself."""

from __future__ import annotations

import re
import time
import typing as t

from lab.faults import Fault

if t.TYPE_CHECKING:
    import subprocess

    from lab.faults import FaultProxy

T = t.TypeVar("T")


def wait_until(condition: t.Callable[[], T], timeout: float = 60) -> T:
    """Return the first true value of *condition*, which is evaluated ten times a second.

    :param timeout: seconds
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not true within {timeout:g} s"
        time.sleep(0.1)
    return value


def wait_for_line(line: str, printed: t.Callable[[], str], process: subprocess.Popen[bytes], timeout: float) -> None:
    """Wait until a process has printed *line*, a regular expression.

    :param printed: returns what it has printed
    :param timeout: seconds
    :raises RuntimeError: the process ended by itself, or did not print the line in time
    """
    deadline = time.monotonic() + timeout
    while not re.search(line, printed()):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{line} was not printed:\n{printed()}")
        time.sleep(0.05)


def wait_for_watches(proxy: FaultProxy, count: int, timeout: float = 60) -> None:
    """Return when that many watches have started; a harmless fault counts them."""
    proxy.add(Fault("slow", bytes_per_second=10**9, verbs=("watch",)))
    wait_until(lambda: proxy.faults()[-1]["hits"] >= count, timeout)
    proxy.clear()
