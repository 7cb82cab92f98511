# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame a command's output, for ways that mix what it writes with what others write, and lose how it ended.

Each part stands between lines that begin with a mark nobody can guess. Without the last of them the output was cut off,
and nothing is known of how the command ended.
"""

from __future__ import annotations

import secrets
import shlex
import typing as t
from dataclasses import dataclass

from ..exit_status import read_exit_status

_STOP = " ."
"""Follows the exit status, so that one that was cut off is none."""


@dataclass(frozen=True)
class Framed:
    """What a command wrote and how it ended."""

    stdout: str
    stderr: str
    exit_status: int


def new_mark() -> str:
    """Return a mark that no output holds by accident."""
    return f"imagemode-{secrets.token_hex(16)}"


def framing_script(command: t.Sequence[str], mark: str) -> str:
    """Return a shell's script that runs a command and frames what it writes; it writes nothing to the disk."""
    return (
        f"exec 3>&1; echo {mark} stdout; "
        f"err=$({shlex.join(command)} 2>&1 >&3 3>&-); rc=$?; "
        f'printf "\\n%s stderr\\n%s\\n%s exit %s .\\n" {mark} "$err" {mark} "$rc"'
    )


def read_framed(text: str, mark: str) -> Framed | None:
    """Return what stands in the frame, or None when it is not whole."""
    dummy, begun, rest = f"\n{text}".partition(f"\n{mark} stdout\n")
    streams, ended, last = rest.rpartition(f"\n{mark} exit ")
    stdout, parted, stderr = streams.rpartition(f"\n{mark} stderr\n")
    exit_line = last.partition("\n")[0]
    if not (begun and ended and parted and exit_line.endswith(_STOP)):
        return None
    exit_status = read_exit_status(exit_line[: -len(_STOP)])
    return None if exit_status is None else Framed(stdout, stderr, exit_status)
