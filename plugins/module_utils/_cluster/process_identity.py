# SPDX-License-Identifier: GPL-3.0-or-later
"""Identify processes, and decide whether one has ended, to clean up after killed runs.

A process is identified by the boot of its machine, its process namespace, its number and its start time. So a reused
number, another machine and another container are distinguished.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_ENDED = ("Z", "X")
"""The kernel's states of a process that has ended and has not been reaped."""
_LONGEST_NUMBER = 10
"""Digits of a process number. The limit of the kernel has seven."""


def this_process() -> str:
    """Return the identity of this process."""
    return "/".join((*_machine(), str(os.getpid()), _started(os.getpid()) or ""))


def is_gone(process: str) -> bool:
    """Whether a process has certainly ended: it ran on this machine, and is not running any more.

    :param process: a return value of :func:`this_process`
    """
    boot, dummy, rest = process.partition("/")
    space, dummy, rest = rest.partition("/")
    number, dummy, started = rest.partition("/")
    if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER and started):
        return False
    return (boot, space) == _machine() and _started(int(number)) not in (None, started)


def _machine() -> tuple[str, str]:
    """Return the boot and the process namespace of this process, or a random value if the system has neither."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, os.readlink("/proc/self/ns/pid")
    except OSError:
        return "", secrets.token_hex(8)


def _started(process: int) -> str | None:
    """Return the start time of a process in kernel ticks, empty if it has ended, None if unknown."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if _exists(process) else ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in _ENDED else rest[18]


def _exists(process: int) -> bool:
    """Whether a process exists, including one of another user that /proc hides (mount option hidepid)."""
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
