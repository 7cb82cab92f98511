# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnosis of a failed build: the cause, the line of the Containerfile and the most informative log line.

The builder runs buildah up to three times with shell tracing (docs/operator-behavior.md, "Build logs"), so the log
contains the same failure up to three times, between lines of the trace. The last try counts. If no pattern matches, the
cause is unknown, and the log lines are reported.

A hostile build can write anything into its log. Patterns (:mod:`diagnosis_patterns`) are matched against single,
shortened lines (:mod:`log_lines`), never against a whole log. Only the last lines are searched for a cause.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..findings import FindingId
from ..registry.masking import masked
from ..text import truncate_middle
from .containerfile import Instruction, Step, instructions, locate_in, normalized
from .diagnosis_patterns import (
    AT_STEP,
    BUILDER_CAUSES,
    COMMAND_CAUSES,
    ERROR,
    EVICTED,
    EXIT_STATUS,
    INVALID,
    KILLED,
    KILLED_IN_RUN,
    NOISE,
    NOT_FOUND,
    NOT_STARTED,
    ORIGINAL,
    PULL_CAUSES,
    PULL_OPERATION,
    PUSH_CAUSES,
    PUSH_OPERATION,
    SOURCE_NOT_FOUND,
    STEP,
    STEP_OBJECT,
    UNKNOWN_INSTRUCTION,
    Patterns,
)
from .log_lines import MAX_SHOWN, Line, lines_of

EXCERPT_LINES = 12
EXCERPT_BYTES = 1500
SEARCHED_LINES = 2000
"""Lines at the end of the output that are searched for the cause of a failed command."""
SEARCHED_SIZE = 512 << 10
"""Characters at the end of the output that are searched."""
MAX_QUOTE_ENDS = 100
"""Possible ends of a quoted step that are tried, from the end of the line: the text after the quote is short."""
MAX_COMPLETE_SIZE = 2000
"""Characters from which on a text may be the end of a longer one: a status contains 2048 bytes of a log."""


@dataclass(frozen=True)
class Diagnosis:
    """Why a build failed."""

    cause: FindingId
    summary: str
    """The most informative line, or empty. Credentials are masked, here and below."""
    excerpt: str
    """The last lines, without trace and debug output."""
    line: int | None = None
    """Line of the user's Containerfile where the failed instruction begins, if it is certain."""
    instruction: str = ""
    """The failed instruction on one line."""


def diagnose(log: str, containerfile: str = "", exit_code: int = 0, reason: str = "") -> Diagnosis:
    """Return why a container of a build failed.

    :param log: log of the container, or the end of it from the status of the pod
    :param containerfile: the user's Containerfile, without the operator's stages
    :param exit_code: exit code of the container
    :param reason: reason from the status of the pod: ``OOMKilled``, ``Evicted``, ``Error``, ...
    """
    lines = _informative_lines(log)
    error = _last(ERROR, lines)
    written = instructions(containerfile)
    failed = _failed_step(lines, error, written)
    step = failed.step if failed else _last_step(lines)
    cause = _cause(lines, error, failed, exit_code, reason)
    pushed = error is not None and PUSH_OPERATION.search(error.text)
    found = locate_in(written, step) if step and not pushed and cause is not FindingId.BUILD_EVICTED else None
    place = (found.line, found.text) if found else None
    if place is None and cause is FindingId.BUILD_CONTAINERFILE_INVALID:
        place = _invalid_line(containerfile, lines_of(log, str.rstrip))
    excerpt = "\n".join(line.shown() for line in _excerpt(lines, error))
    return Diagnosis(
        cause=cause,
        summary=truncate_middle(_summary(lines, error, failed, cause), MAX_SHOWN),
        excerpt=_last_bytes(excerpt, EXCERPT_BYTES),
        line=place[0] if place else None,
        instruction=truncate_middle(masked(" ".join(place[1].split())), MAX_SHOWN) if place else "",
    )


def _informative_lines(log: str) -> list[Line]:
    """Return the lines that carry information. The first line of a truncated log is dropped, because it is partial."""
    lines = lines_of(log, _without_object)
    whole = lines[1:] if len(log) >= MAX_COMPLETE_SIZE and len(lines) > 1 else lines
    return [line for line in whole if not NOISE.match(line.text)]


def _without_object(line: str) -> str:
    """Return a line without the builder's internal representation of a step, which ends some lines."""
    return (line.partition(STEP_OBJECT)[0] if line.endswith("}") else line).rstrip()


def _last(pattern: t.Pattern[str], lines: t.Sequence[Line]) -> Line | None:
    return next((line for line in reversed(lines) if pattern.match(line.text)), None)


@dataclass(frozen=True)
class _FailedStep:
    """The step that the builder names in its error, and the reason that it gives."""

    step: Step
    reason: str
    reason_at: int
    """Position of the reason in the error."""

    @property
    def keyword(self) -> str:
        """Name of the instruction, or empty for text that is not an instruction."""
        return (self.step.text.split(None, 1) or [""])[0].upper()


def _failed_step(lines: t.Sequence[Line], error: Line | None, written: t.Sequence[Instruction]) -> _FailedStep | None:
    """Parse an error about a step.

    The builder quotes the step without escaping. The quote ends where its text is a step of the log or, failing that,
    an instruction of the Containerfile.
    """
    if error is None or not error.text.startswith(AT_STEP):
        return None
    text = error.text
    ends = [found.start() for found in re.finditer('": ', text)]
    ends = [*ends[:1], *ends[1:][-MAX_QUOTE_ENDS:]]
    logged = {normalized(found[5]): _step(found) for found in _steps(lines)}
    known: t.Sequence[t.Callable[[str], Step | None]] = (
        lambda quoted: logged.get(normalized(quoted)),
        lambda quoted: Step(quoted) if locate_in(written, Step(quoted)) else None,
        Step,
    )
    for step_of in known:
        for end in ends:
            step = step_of(text[len(AT_STEP) : end])
            if step:
                return _FailedStep(step, text[end + 3 :], end + 3)
    return None


def _steps(lines: t.Iterable[Line]) -> t.Iterator[t.Match[str]]:
    return (found for found in (STEP.match(line.text) for line in lines) if found)


def _last_step(lines: t.Sequence[Line]) -> Step | None:
    return next(map(_step, _steps(reversed(lines))), None)


def _step(found: t.Match[str]) -> Step:
    stage, stages, number, of = (int(n) if n else 0 for n in found.groups()[:4])
    # The log of a build with one stage contains no stage number.
    return Step(found.group(5), stage or 1, stages or 1, number, of)


def _cause(
    lines: t.Sequence[Line], error: Line | None, failed: _FailedStep | None, exit_code: int, reason: str
) -> FindingId:
    if reason == "OOMKilled":
        return FindingId.BUILD_KILLED
    if reason in EVICTED:
        return FindingId.BUILD_EVICTED
    output = _searched(_since_last_step(lines))
    if failed:
        return _cause_in_run(failed, output) if failed.keyword == "RUN" else _cause_in_step(failed)
    message = error.text if error else ""
    if PUSH_OPERATION.search(message):
        return _first(BUILDER_CAUSES, message) or _first(PUSH_CAUSES, message) or FindingId.BUILD_FAILED
    if PULL_OPERATION.search(message):
        return _first(BUILDER_CAUSES, message) or _first(PULL_CAUSES, message) or FindingId.BUILD_FAILED
    if INVALID.search(message):
        return FindingId.BUILD_CONTAINERFILE_INVALID
    if exit_code == 137 or (error is None and any(map(KILLED.search, output))):
        return FindingId.BUILD_KILLED
    return _first(BUILDER_CAUSES, message) or FindingId.BUILD_FAILED


def _cause_in_step(failed: _FailedStep) -> FindingId:
    reason = failed.reason
    if PULL_OPERATION.search(reason):
        return _first(BUILDER_CAUSES, reason) or _first(PULL_CAUSES, reason) or FindingId.BUILD_FAILED
    if INVALID.search(reason):
        return FindingId.BUILD_CONTAINERFILE_INVALID
    return _first(BUILDER_CAUSES, reason) or (
        FindingId.BUILD_SOURCE_NOT_FOUND if SOURCE_NOT_FOUND.search(reason) else FindingId.BUILD_FAILED
    )


def _cause_in_run(failed: _FailedStep, output: t.Sequence[str]) -> FindingId:
    reason = failed.reason
    if INVALID.search(reason):
        return FindingId.BUILD_CONTAINERFILE_INVALID
    known = _first(COMMAND_CAUSES, *output)
    if known:
        return known
    status = EXIT_STATUS.search(reason)
    code = int(status.group(1)) if status else 0
    if code == 137 or "signal: killed" in reason or any(map(KILLED_IN_RUN.search, output)):
        return FindingId.BUILD_KILLED
    if code == 127 or any(map(NOT_STARTED.search, output)):
        return FindingId.BUILD_COMMAND_NOT_FOUND
    return FindingId.BUILD_RUN_FAILED


def _first(patterns: Patterns, *lines: str) -> FindingId | None:
    return next((cause for cause, pattern in patterns if any(map(pattern.search, lines))), None)


def _searched(lines: t.Sequence[Line]) -> list[str]:
    """Return the text of the last lines, within the limits of the search."""
    room = SEARCHED_SIZE
    found: list[str] = []
    for line in reversed(lines[-SEARCHED_LINES:]):
        room -= len(line.text)
        if room < 0:
            break
        found.append(line.text)
    return found[::-1]


def _since_last_step(lines: t.Sequence[Line]) -> t.Sequence[Line]:
    """Return the lines after the announcement of the last step.

    The output streams of a container are not ordered, so the output of a step may precede its announcement.
    """
    started = next((n for n in range(len(lines) - 1, -1, -1) if STEP.match(lines[n].text)), -1)
    since = lines[started + 1 :]
    return since if len(since) > 1 else lines[-EXCERPT_LINES:]


def _excerpt(lines: t.Sequence[Line], error: Line | None) -> t.Sequence[Line]:
    since = list(_since_last_step(lines))[-EXCERPT_LINES:]
    return since if error is None or error in since else [*since[1:], error]


def _summary(lines: t.Sequence[Line], error: Line | None, failed: _FailedStep | None, cause: FindingId) -> str:
    """Return the most informative line: for a failed command, its exit status and its own output."""
    others = [line for line in _since_last_step(lines) if line != error and not STEP.match(line.text)]
    since = others[-SEARCHED_LINES:]
    if error is None or failed is None:
        return _message(error) or (since[-1].shown() if since else "")
    reason = error.shown(failed.reason_at)
    if failed.keyword != "RUN" or cause is FindingId.BUILD_CONTAINERFILE_INVALID:
        return reason
    patterns = [pattern for known, pattern in COMMAND_CAUSES if known is cause]
    if cause is FindingId.BUILD_COMMAND_NOT_FOUND:
        patterns = [NOT_FOUND]
    matching = (line for pattern in patterns for line in since if pattern.search(line.text))
    output = next(matching, since[-1] if since else None)
    return f"{reason}: {output.shown().strip()}" if output else reason


def _message(error: Line | None) -> str:
    """Return the message of an error, without its prefix and without a repeated image name."""
    mark = ERROR.match(error.text) if error else None
    if error is None or mark is None:
        return ""
    start = len(error.text) - len(error.text[mark.end() :].lstrip(' "'))
    message = error.shown(start).rstrip(' "')
    return re.sub(r"initializing source docker://(\S+): (?=(?:reading manifest|pinging|\S+ error))", r"\1: ", message)


def _invalid_line(containerfile: str, log: t.Sequence[Line]) -> tuple[int, str] | None:
    """Return the line that the builder could not parse, if its quoted text or first word occurs only once."""
    lines = [(n, line.strip()) for n, line in enumerate(containerfile.splitlines(), 1) if line.strip()]
    original = next(filter(None, (_original(line.text) for line in reversed(log))), None)
    word = next(filter(None, (UNKNOWN_INSTRUCTION.search(line.text) for line in reversed(log))), None)
    if original is not None:
        matching = [place for place in lines if place[1] == original.replace('\\"', '"')]
    elif word:
        matching = [place for place in lines if place[1].split()[0].upper() == word.group(1).upper()]
    else:
        matching = []
    return matching[0] if len(matching) == 1 else None


def _original(line: str) -> str:
    """Return the original instruction from the builder's internal representation of a step, or an empty string."""
    if not line.endswith('"}') or STEP_OBJECT not in line:
        return ""
    return line[:-2].rpartition(ORIGINAL)[2]


def _last_bytes(text: str, limit: int) -> str:
    kept = text.encode("utf-8", "replace")[-limit:].decode("utf-8", "ignore")
    return kept if len(kept) == len(text) else kept.partition("\n")[2] or kept
