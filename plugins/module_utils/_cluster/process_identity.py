# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is it, and is it gone? For what a run leaves behind when it is killed.

A process is known by the boot of its machine, its process namespace, its number and its start, so that a number that is
used again is no mistake, and neither is another machine or container.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

_ENDED = ("Z", "X")
"""How the kernel marks a process that is over and has not been reaped."""
_LONGEST_NUMBER = 10
"""Digits of a process's number; the kernel's limit has seven."""


def this_process() -> str:
    """Return what tells this process from all others."""
    return "/".join((*_machine(), str(os.getpid()), _started(os.getpid()) or ""))


def is_gone(process: str) -> bool:
    """Whether a process, as :func:`this_process` named it, is over for certain: it was one of this machine."""
    boot, dummy, rest = process.partition("/")
    space, dummy, rest = rest.partition("/")
    number, dummy, started = rest.partition("/")
    if not (number.isascii() and number.isdigit() and len(number) <= _LONGEST_NUMBER and started):
        return False
    return (boot, space) == _machine() and _started(int(number)) not in (None, started)


def _machine() -> tuple[str, str]:
    """The boot and the process namespace that we are in; where the system does not say, one that nobody else is in."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return boot, os.readlink("/proc/self/ns/pid")
    except OSError:
        return "", secrets.token_hex(8)


def _started(process: int) -> str | None:
    """When a process started, in the kernel's ticks; empty where there is none, None where it cannot be known."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None if _exists(process) else ""
    state, *rest = stat.rpartition(")")[2].split()
    return "" if state in _ENDED else rest[18]


def _exists(process: int) -> bool:
    """Whether there is a process, also one of another user that the system hides (the option hidepid of /proc)."""
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
