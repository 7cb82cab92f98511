# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of a failed command of a RUN instruction: the cause, and the line that names it.

A command is often a list of commands. What a program printed before it reported a success is no cause of a later
failure. The line that names the cause is often not the last one: make, package managers and linters print summaries and
hints after it.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..findings import FindingId
from .command_patterns import (
    AFTERMATH,
    BUILDER,
    CHATTER,
    COMMAND_CAUSES,
    DETAIL,
    ENTITLEMENT,
    KILLED_IN_RUN,
    NO_MATCH,
    NOT_STARTED,
    SUCCESS,
    TELLING,
)
from .diagnosis_patterns import EXIT_STATUS
from .log_lines import Line

SEARCHED_LINES = 2000
"""Lines at the end of the output that are searched for the cause of a failed command."""
SEARCHED_SIZE = 512 << 10
"""Characters at the end of the output that are searched."""


@dataclass(frozen=True)
class CommandCause:
    """Why a command failed."""

    finding: FindingId
    telling: Line | None
    """The line that names the cause, or None if the command printed nothing since its last success."""


def command_cause(reason: str, lines: t.Sequence[Line]) -> CommandCause:
    """Return why a command failed.

    :param reason: what the builder reports, which ends with the exit status
    :param lines: output of the command
    """
    output = _since_success(_searched(lines))
    causes = [line for line in output if not CHATTER.match(line.text)]
    last = last_telling(causes)
    if last and NO_MATCH.match(last.text):
        return CommandCause(FindingId.BUILD_PACKAGE_NOT_FOUND, last)
    known = next((c for c, pattern in COMMAND_CAUSES if any(pattern.search(line.text) for line in causes)), None)
    if known:
        return CommandCause(known, telling_line(known, causes))
    status = EXIT_STATUS.search(reason)
    code = int(status.group(1)) if status else 0
    if code == 137 or "signal: killed" in reason or any(KILLED_IN_RUN.search(line.text) for line in output):
        return CommandCause(FindingId.BUILD_KILLED, last_telling(output))
    if code == 127 or any(NOT_STARTED.search(line.text) for line in output):
        return CommandCause(FindingId.BUILD_COMMAND_NOT_FOUND, telling_line(FindingId.BUILD_COMMAND_NOT_FOUND, output))
    if not causes and any(ENTITLEMENT.search(line.text) for line in output):
        return CommandCause(FindingId.BUILD_REPOSITORY_UNUSABLE, next(x for x in output if ENTITLEMENT.search(x.text)))
    return CommandCause(FindingId.BUILD_RUN_FAILED, last_telling(output))


def telling_line(cause: FindingId, output: t.Sequence[Line]) -> Line | None:
    """Return the line that names a known cause."""
    wide = [pattern for known, pattern in COMMAND_CAUSES if known is cause]
    matching = (line for pattern in (*TELLING.get(cause, ()), *wide) for line in output if pattern.search(line.text))
    return next(matching, None) or last_telling(output)


def last_telling(output: t.Sequence[Line]) -> Line | None:
    """Return the last line that is no summary and no hint, or the last line if all are."""
    printed = [line for line in output if not BUILDER.match(line.text)]
    candidates = [line for line in printed if not AFTERMATH.match(line.text.strip()) and not CHATTER.match(line.text)]
    whole = (line for line in reversed(candidates) if not DETAIL.match(line.text))
    return next(whole, None) or next(reversed(candidates or printed), None)


def _since_success(lines: t.Sequence[Line]) -> t.Sequence[Line]:
    """Return the lines after the last one that reports a success."""
    last = next((n for n in range(len(lines) - 1, -1, -1) if SUCCESS.match(lines[n].text)), -1)
    return lines[last + 1 :]


def _searched(lines: t.Sequence[Line]) -> t.Sequence[Line]:
    """Return the last lines, within the limits of the search."""
    room = SEARCHED_SIZE
    found: list[Line] = []
    for line in reversed(lines[-SEARCHED_LINES:]):
        room -= len(line.text)
        if room < 0:
            break
        found.append(line)
    return found[::-1]
