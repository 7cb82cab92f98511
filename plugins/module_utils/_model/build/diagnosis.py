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
from dataclasses import dataclass, replace

from ..findings import FindingId
from ..registry.masking import masked
from ..text import truncate_middle
from .builder_error import BuilderError, Cause, cause_of_operation, find_error, other_cause
from .command_output import command_cause, last_telling
from .containerfile import Instruction, Step, instructions, is_announced_as, locate_in, normalized
from .containerfile_faults import containerfile_faults
from .diagnosis_patterns import (
    AT_STEP,
    EVICTED,
    INVALID,
    KILLED,
    NOISE,
    ORIGINAL,
    PUSH_OPERATION,
    SOURCE_NOT_FOUND,
    STEP,
    STEP_OBJECT,
    UNKNOWN_INSTRUCTION,
)
from .log_lines import MAX_SHOWN, Line, lines_of
from .remedies import special_remedy

EXCERPT_LINES = 12
EXCERPT_BYTES = 1500
MAX_QUOTE_ENDS = 100
"""Possible ends of a quoted step that are tried, from the end of the line: the text after the quote is short."""
MAX_STEPS = 200
"""Steps at the end of a log that an error with a here-document can be about."""
MAX_COMPLETE_SIZE = 2000
"""Characters from which on a text may be the end of a longer one: a status contains 2048 bytes of a log."""

_MARK = re.compile(r"^(?:[-*]|>>>) +")
"""Mark of an entry of a list."""


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
    remedy: str = ""
    """Remedy for this failure, if that of the finding is too general."""


def diagnose(log: str, containerfile: str = "", exit_code: int = 0, reason: str = "") -> Diagnosis:
    """Return why a container of a build failed.

    :param log: log of the container, or the end of it from the status of the pod
    :param containerfile: the user's Containerfile, without the operator's stages
    :param exit_code: exit code of the container
    :param reason: reason from the status of the pod: ``OOMKilled``, ``Evicted``, ``Error``, ...
    """
    found = _Log.read(log)
    written = instructions(containerfile)
    failed = _failed_step(found, written)
    step = failed.step if failed else _last_step(found.lines)
    cause = _cause(found, failed, exit_code, reason)
    is_user_step = not cause.pushed and cause.finding is not FindingId.BUILD_EVICTED
    instruction = locate_in(written, step) if step and is_user_step else None
    place = (instruction.line, instruction.text) if instruction else None
    if place is None and cause.finding is FindingId.BUILD_CONTAINERFILE_INVALID:
        place = _invalid_line(containerfile, lines_of(log, str.rstrip))
    excerpt = "\n".join(line.shown() for line in _excerpt(found, cause.telling))
    return Diagnosis(
        cause=cause.finding,
        summary=truncate_middle(cause.summary, MAX_SHOWN),
        excerpt=_last_bytes(excerpt, EXCERPT_BYTES),
        line=place[0] if place else None,
        instruction=instruction_text(place[1]) if place else "",
        remedy=special_remedy(cause.finding, cause.summary, cause.by_mirror),
    )


def instruction_text(text: str) -> str:
    """Return an instruction on one line, shortened and with credentials masked."""
    return truncate_middle(masked(" ".join(text.split())), MAX_SHOWN)


@dataclass(frozen=True)
class _Log:
    """The log of a container."""

    lines: t.Sequence[Line]
    """The lines that carry information."""
    error: BuilderError | None

    @classmethod
    def read(cls, log: str) -> _Log:
        """Read a log. The first line of a truncated log is dropped, because it is partial."""
        lines = lines_of(log, _without_object)
        whole = lines[1:] if len(log) >= MAX_COMPLETE_SIZE and len(lines) > 1 else lines
        return cls([line for line in whole if not NOISE.match(line.text)], find_error(whole))

    @property
    def output(self) -> t.Sequence[Line]:
        """The lines since the last step, without the error of the builder."""
        of_error = self.error.lines if self.error else ()
        hidden = {id(line) for line in of_error}
        return [line for line in _since_last_step(self.lines) if id(line) not in hidden and not STEP.match(line.text)]


def _without_object(line: str) -> str:
    """Return a line without the builder's internal representation of a step, which ends some lines."""
    return (line.partition(STEP_OBJECT)[0] if line.endswith("}") else line).rstrip()


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


def _failed_step(log: _Log, written: t.Sequence[Instruction]) -> _FailedStep | None:
    """Parse an error about a step.

    The builder quotes the step without escaping. The quote ends where its text is a step of the log or, failing that,
    an instruction of the Containerfile.
    """
    if log.error is None or not log.error.text.startswith(AT_STEP):
        return None
    text = log.error.text
    ends = [found.start() for found in re.finditer('": ', text)]
    ends = [*ends[:1], *ends[1:][-MAX_QUOTE_ENDS:]]
    logged = {normalized(found[5]): _step(found) for found in _steps(log.lines)}
    known: t.Sequence[t.Callable[[str], Step | None]] = (
        lambda quoted: _logged_step(logged, normalized(quoted)),
        lambda quoted: Step(quoted) if locate_in(written, Step(quoted)) else None,
        Step,
    )
    for step_of in known:
        for end in ends:
            step = step_of(text[len(AT_STEP) : end])
            if step:
                return _FailedStep(step, text[end + 3 :], end + 3)
    return None


def _logged_step(logged: t.Mapping[str, Step], text: str) -> Step | None:
    """Return the last step that was announced with this text, or None.

    :param logged: normalized text -> last step with this text
    """
    found = logged.get(text)
    if found or "<<" not in text:
        return found
    latest = list(logged.items())[-MAX_STEPS:]
    return next((step for announced, step in reversed(latest) if is_announced_as(text, announced)), None)


def _steps(lines: t.Iterable[Line]) -> t.Iterator[t.Match[str]]:
    return (found for found in (STEP.match(line.text) for line in lines) if found)


def _last_step(lines: t.Sequence[Line]) -> Step | None:
    return next(map(_step, _steps(reversed(lines))), None)


def _step(found: t.Match[str]) -> Step:
    stage, stages, number, of = (int(n) if n else 0 for n in found.groups()[:4])
    # The log of a build with one stage contains no stage number.
    return Step(found.group(5), stage or 1, stages or 1, number, of)


@dataclass(frozen=True)
class _FoundCause:
    """The cause of a failure, and what the log says about it."""

    finding: FindingId
    summary: str
    """The most informative text."""
    telling: Line | None = None
    """The line of the output that names the cause."""
    pushed: bool = False
    """Whether the push failed, so that no instruction did."""
    by_mirror: bool = False


def _cause(log: _Log, failed: _FailedStep | None, exit_code: int, reason: str) -> _FoundCause:
    cause = _cause_in_log(log, failed, exit_code)
    if reason == "OOMKilled":
        return replace(cause, finding=FindingId.BUILD_KILLED)
    if reason in EVICTED:
        return replace(cause, finding=FindingId.BUILD_EVICTED)
    return cause


def _cause_in_log(log: _Log, failed: _FailedStep | None, exit_code: int) -> _FoundCause:
    error = log.error
    if error is None:
        is_killed = exit_code == 137 or any(KILLED.search(line.text) for line in log.output)
        telling = last_telling(log.output)
        finding = FindingId.BUILD_KILLED if is_killed else FindingId.BUILD_FAILED
        return _FoundCause(finding, telling.shown() if telling else "", telling)
    if failed:
        return _cause_in_run(error, failed, log.output) if failed.keyword == "RUN" else _cause_in_step(error, failed)
    known = cause_of_operation(error)
    if known:
        return _of_builder(known, pushed=bool(PUSH_OPERATION.search(error.text)))
    other = other_cause(error)
    return _of_builder(replace(other, finding=FindingId.BUILD_KILLED) if exit_code == 137 else other)


def _of_builder(cause: Cause, pushed: bool = False) -> _FoundCause:
    return _FoundCause(cause.finding, cause.message, None, pushed, cause.by_mirror)


def _cause_in_step(error: BuilderError, failed: _FailedStep) -> _FoundCause:
    known = cause_of_operation(error, failed.reason_at)
    if known:
        return _of_builder(known)
    other = other_cause(error, failed.reason_at)
    if other.finding is FindingId.BUILD_FAILED and SOURCE_NOT_FOUND.search(failed.reason):
        other = replace(other, finding=FindingId.BUILD_SOURCE_NOT_FOUND)
    return _of_builder(other)


def _cause_in_run(error: BuilderError, failed: _FailedStep, output: t.Sequence[Line]) -> _FoundCause:
    """Return why a command failed: its exit status, and the line of its output that names the cause."""
    reason = error.first.shown(failed.reason_at)
    if INVALID.search(failed.reason):
        return _FoundCause(FindingId.BUILD_CONTAINERFILE_INVALID, reason)
    cause = command_cause(failed.reason, output)
    telling = cause.telling
    if telling is None:
        return _FoundCause(cause.finding, reason)
    return _FoundCause(cause.finding, f"{reason}: {_MARK.sub('', telling.shown().strip())}", telling)


def _since_last_step(lines: t.Sequence[Line]) -> t.Sequence[Line]:
    """Return the lines after the announcement of the last step.

    The output streams of a container are not ordered, so the output of a step may precede its announcement.
    """
    started = next((n for n in range(len(lines) - 1, -1, -1) if STEP.match(lines[n].text)), -1)
    since = lines[started + 1 :]
    return since if len(since) > 1 else lines[-EXCERPT_LINES:]


def _excerpt(log: _Log, telling: Line | None) -> t.Sequence[Line]:
    """Return the last lines. The line that names the cause and the error of the builder are among them."""
    since = list(_since_last_step(log.lines))
    of_error = [line for line in (log.error.lines if log.error else ()) if line.text]
    error = [line for line in of_error if all(line is not other for other in since)]
    shown = [*since[len(error) - EXCERPT_LINES :], *error] if len(error) < EXCERPT_LINES else error
    if telling is None or any(line is telling for line in shown):
        return shown
    return [telling, *shown[1:]]


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
    if len(matching) == 1:
        return matching[0]
    faults = [fault for fault in containerfile_faults(containerfile) if fault.line]
    return _line(containerfile, faults[0].line) if len(faults) == 1 else None


def _line(containerfile: str, number: int) -> tuple[int, str]:
    return number, containerfile.split("\n")[number - 1]


def _original(line: str) -> str:
    """Return the original instruction from the builder's internal representation of a step, or an empty string."""
    if not line.endswith('"}') or STEP_OBJECT not in line:
        return ""
    return line[:-2].rpartition(ORIGINAL)[2]


def _last_bytes(text: str, limit: int) -> str:
    kept = text.encode("utf-8", "replace")[-limit:].decode("utf-8", "ignore")
    return kept if len(kept) == len(text) else kept.partition("\n")[2] or kept
