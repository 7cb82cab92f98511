# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame the output of a command, for programs that mix it with other output and lose the exit status.

Each part of the output is between lines that begin with a random mark. Without the last of these lines the output is
incomplete, and the exit status is unknown.
"""

from __future__ import annotations

import secrets
import shlex
import typing as t
from dataclasses import dataclass

from ..exit_status import read_exit_status

_STOP = " ."
"""The text after the exit status, so that an incomplete exit status is not read."""


@dataclass(frozen=True)
class FrameContent:
    """The output and the exit status of a command."""

    stdout: str
    stderr: str
    exit_status: int


def new_mark() -> str:
    """Return a random mark, which no output contains by accident."""
    return f"imagemode-{secrets.token_hex(16)}"


def framing_script(command: t.Sequence[str], mark: str) -> str:
    """Return a shell script that runs a command and frames its output. It writes no files."""
    return (
        f"exec 3>&1; echo {mark} stdout; "
        f"err=$({shlex.join(command)} 2>&1 >&3 3>&-); rc=$?; "
        f'printf "\\n%s stderr\\n%s\\n%s exit %s .\\n" {mark} "$err" {mark} "$rc"'
    )


def read_frame(text: str, mark: str) -> FrameContent | None:
    """Return the content of the frame, or None if the frame is incomplete."""
    dummy, begun, rest = f"\n{text}".partition(f"\n{mark} stdout\n")
    streams, ended, last = rest.rpartition(f"\n{mark} exit ")
    stdout, parted, stderr = streams.rpartition(f"\n{mark} stderr\n")
    exit_line = last.partition("\n")[0]
    if not (begun and ended and parted and exit_line.endswith(_STOP)):
        return None
    exit_status = read_exit_status(exit_line[: -len(_STOP)])
    return None if exit_status is None else FrameContent(stdout, stderr, exit_status)
