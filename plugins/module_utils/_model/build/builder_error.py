# SPDX-License-Identifier: GPL-3.0-or-later
"""The error of the builder, which may have several lines, and the part of it that names the cause.

A registry can report several errors, one on each line. If the cluster has mirrors, the builder tries each of them and
then the source, and reports all errors. In a disconnected cluster the source is not reachable, so the answer of the
mirror counts.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..findings import FindingId
from .diagnosis_patterns import (
    AT_STEP,
    BUILDER_CAUSES,
    ERROR,
    INVALID,
    NOISE,
    PULL_CAUSES,
    PULL_OPERATION,
    PUSH_CAUSES,
    PUSH_OPERATION,
    STEP,
    Patterns,
)
from .log_lines import Line

_MAX_LINES = 40
"""Lines of an error that are read."""
_MIRRORS = "(Mirrors also failed: ["
_MIRRORS_END = "]): "
_IMAGE = re.compile(r"initializing source docker://(\S+): (?=(?:reading manifest|pinging|\S+ error))")


@dataclass(frozen=True)
class Part:
    """A part of one line."""

    line: Line
    start: int = 0
    """Index into the text of the line."""
    end: int | None = None

    @property
    def text(self) -> str:
        """Text for patterns."""
        return self.line.text[self.start : self.end]

    @property
    def shown(self) -> str:
        """Text for output, without the marks of a list and of a logger."""
        text = self.line.shown(self.start, self.end).strip().lstrip('"* ')
        return text.rstrip('"') if self.line.text.startswith("time=") else text


@dataclass(frozen=True)
class BuilderError:
    """One error of the builder."""

    lines: tuple[Line, ...]
    """The lines. The first one has the prefix of an error."""

    @property
    def first(self) -> Line:
        """The first line."""
        return self.lines[0]

    @property
    def text(self) -> str:
        """The first line, for patterns."""
        return self.first.text

    def parts(self, start: int = 0) -> list[Part]:
        """Return the lines without the prefix, or from an index into the first one on."""
        prefix = ERROR.match(self.text)
        begin = start or (prefix.end() if prefix else 0)
        return [Part(self.first, begin), *(Part(line) for line in self.lines[1:])]


@dataclass(frozen=True)
class Cause:
    """Why the builder failed."""

    finding: FindingId
    message: str
    """The message with the part that names the cause. Credentials are masked."""
    by_mirror: bool = False
    """Whether the answer of a mirror is the cause."""


def find_error(lines: t.Sequence[Line]) -> BuilderError | None:
    """Return the last error of the builder in a log, or None.

    An error in a step is preferred to what its command printed, because two output streams are not ordered.

    :param lines: all lines, also those without information
    """
    last = _last_error(lines)
    if last < 0:
        return None
    found = [lines[last]]
    if found[0].text.startswith(f"{AT_STEP}RUN "):  # what follows may be the output of the command
        return BuilderError(tuple(found))
    for line in lines[last + 1 : last + _MAX_LINES]:
        if NOISE.match(line.text) or STEP.match(line.text) or ERROR.match(line.text):
            break
        found.append(line)
    return BuilderError(tuple(found))


def _last_error(lines: t.Sequence[Line]) -> int:
    last = -1
    for n in range(len(lines) - 1, -1, -1):
        text = lines[n].text
        if text.startswith(AT_STEP):
            return n
        if STEP.match(text):
            break
        if last < 0 and ERROR.match(text):
            last = n
            if _is_operation(text):
                break
    return last


def _is_operation(text: str) -> bool:
    return bool(PUSH_OPERATION.search(text) or PULL_OPERATION.search(text))


def cause_of_operation(error: BuilderError, start: int = 0) -> Cause | None:
    """Return why a push, a pull or the parsing of the Containerfile failed, or None for any other error.

    :param start: where the message begins in the first line
    """
    parts = error.parts(start)
    message = parts[0].text
    if PUSH_OPERATION.search(message):
        return _known(parts, parts, [*BUILDER_CAUSES, *PUSH_CAUSES]) or Cause(FindingId.BUILD_FAILED, _joined(parts))
    if PULL_OPERATION.search(message):
        return _pull_cause(parts)
    if INVALID.search(message):
        return Cause(FindingId.BUILD_CONTAINERFILE_INVALID, parts[0].shown)
    return None


def other_cause(error: BuilderError, start: int = 0) -> Cause:
    """Return the cause that an error of any operation names."""
    parts = error.parts(start)
    return _known(parts, parts, BUILDER_CAUSES) or Cause(FindingId.BUILD_FAILED, _joined(parts))


def _pull_cause(parts: t.Sequence[Part]) -> Cause:
    mirrors = _split_mirrors(parts)
    if mirrors is None:
        return _answer(parts, parts) or Cause(FindingId.BUILD_FAILED, _joined(parts))
    head, of_mirrors, of_source = mirrors
    source = _answer([head], of_source)
    if source is not None and _is_answer(source):
        return source
    mirror = _answer([head], of_mirrors)
    if mirror is None:
        return source or Cause(FindingId.BUILD_FAILED, _joined(parts))
    return Cause(mirror.finding, mirror.message, by_mirror=True)


def _is_answer(cause: Cause) -> bool:
    return any(cause.finding is finding for finding, dummy in PULL_CAUSES)


def _answer(parts: t.Sequence[Part], searched: t.Sequence[Part]) -> Cause | None:
    """Return the cause of a failed pull: what a registry answered, else why none did."""
    answered = [part for part in searched if not any(pattern.search(part.text) for dummy, pattern in BUILDER_CAUSES)]
    return _known(parts, answered, PULL_CAUSES) or _known(parts, searched, BUILDER_CAUSES)


def _split_mirrors(parts: t.Sequence[Part]) -> tuple[Part, list[Part], list[Part]] | None:
    """Return what precedes the answers of mirrors, these answers, and that of the source. None if there are none."""
    first = parts[0]
    start = first.line.text.find(_MIRRORS, first.start)
    last = next((n for n, part in enumerate(parts) if _MIRRORS_END in part.text), -1)
    if start < 0 or last < 0:
        return None
    begin = start + len(_MIRRORS)
    end = parts[last].line.text.find(_MIRRORS_END, begin if last == 0 else 0)
    if end < 0:
        return None
    of_mirrors = [Part(first.line, begin, end if last == 0 else None)]
    of_mirrors += [Part(part.line, 0, end if n == last else None) for n, part in enumerate(parts[1 : last + 1], 1)]
    of_source = [Part(parts[last].line, end + len(_MIRRORS_END)), *parts[last + 1 :]]
    return Part(first.line, first.start, start), of_mirrors, of_source


def _known(parts: t.Sequence[Part], searched: t.Sequence[Part], causes: Patterns) -> Cause | None:
    """Return the first of the *causes* that a searched part names, with its message."""
    for cause, pattern in causes:
        for part in searched:
            if pattern.search(part.text):
                head = [] if part is parts[0] else parts[:1]
                return Cause(cause, _joined([*head, part]))
    return None


def _joined(parts: t.Sequence[Part]) -> str:
    return _IMAGE.sub(r"\1: ", " ".join(part.shown for part in parts if part.shown))
