# SPDX-License-Identifier: GPL-3.0-or-later
"""Why did a build fail? From what the builder said to the cause, the line of the Containerfile and the telling words.

The builder runs buildah three times and traces itself (operator.md 2.4), so the same failure stands in its log up to
three times, among the trace; the last try counts. The patterns are held to recordings of real failures
(``tests/recordings``). What no pattern knows stays unknown: then the words themselves are all there is to show.

A log may be hostile. So patterns are matched against single lines that were cut (``log_lines``), never against a whole
log, and each takes time in proportion to the line. Words that name a cause are looked for in the last lines only.
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from ..findings import FindingId
from ..registry.masking import masked
from .containerfile import Instruction, Step, instructions, locate_in, plain
from .log_lines import LONGEST_SHOWN, Line, cut, lines_of

EXCERPT_LINES = 12
EXCERPT_BYTES = 1500
SEARCHED_LINES = 2000
"""Lines in which the words of a command that failed are looked for, the last ones."""
SEARCHED_SIZE = 512 << 10
"""Characters in which they are looked for."""
MOST_READINGS = 100
"""Places at which the quotation of a step may end that are tried, the last ones: what follows it is short."""
CUT_OFF = 2000
"""Bytes from which on a text may be the end of a longer one: a status holds 2048 of a log."""


@dataclass(frozen=True)
class Diagnosis:
    """Why a build failed."""

    cause: FindingId
    telling: str
    """The line that says most; empty where nothing was said. Credentials are masked, here and below."""
    excerpt: str
    """The last lines before the end, without trace and debugging."""
    line: int | None = None
    """The line of the user's Containerfile on which the failed instruction begins, where that is certain."""
    instruction: str = ""
    """That instruction, as written but in one line."""


def diagnose(said: str, containerfile: str = "", exit_code: int = 0, reason: str = "") -> Diagnosis:
    """Return why a container of a build failed.

    :param said: its log, or the last words that its status holds
    :param containerfile: the user's, without the operator's stages
    :param exit_code: its exit code
    :param reason: why it ended, by the pod's status: ``OOMKilled``, ``Evicted``, ``Error`` ...
    """
    told = _told(said)
    error = _last(_ERROR, told)
    written = instructions(containerfile)
    blamed = _blamed(told, error, written)
    step = blamed.step if blamed else _last_step(told)
    cause = _cause(told, error, blamed, exit_code, reason)
    telling = _telling(told, error, blamed, cause)
    pushed = error is not None and _PUSHES.search(error.text)
    found = locate_in(written, step) if step and not pushed and cause is not FindingId.BUILD_EVICTED else None
    place = (found.line, found.text) if found else None
    if place is None and cause is FindingId.BUILD_CONTAINERFILE_INVALID:
        place = _line_of_invalid(containerfile, lines_of(said, str.rstrip))
    excerpt = "\n".join(line.shown() for line in _excerpt(told, error))
    return Diagnosis(
        cause=cause,
        telling=cut(telling, LONGEST_SHOWN),
        excerpt=_last_bytes(excerpt, EXCERPT_BYTES),
        line=place[0] if place else None,
        instruction=cut(masked(" ".join(place[1].split())), LONGEST_SHOWN) if place else "",
    )


_NOISE = re.compile(
    r"^\s*$"
    r"|^\++ "  # the shell's trace
    r"|^time=\"[^\"]*\" level=(?:debug|info) "
    r"|^Retry \d+/\d+ exited \d+"
    r"|^subprocess exited with status \d+$"
    r"|^--> [0-9a-f]+$"
    r"|^Error file found\. Exiting\.$"
)
_NUMBER = r"(\d{1,9})"
_STEP = re.compile(rf"^(?:\[{_NUMBER}/{_NUMBER}\] )?STEP {_NUMBER}/{_NUMBER}: (.*)$")
_ERROR = re.compile(r"^(?:Error:|time=\"[^\"]*\" level=(?:error|fatal) msg=)")
_AT_STEP = 'Error: building at STEP "'
_STEP_OBJECT = " &imagebuilder.Step{"
_ORIGINAL = ', Original:"'
_EXIT_STATUS = re.compile(rf"exit status {_NUMBER}$")

_PULLS = re.compile(
    r"creating build container|initializing source|reading manifest|unable to pull|Error pulling|choosing image"
    r"|reading blob|no stage or image found|parsing image configuration|short-name|resolving image|looking up image",
    re.IGNORECASE,
)
_PUSHES = re.compile(r"pushing image|trying to reuse blob|writing manifest|writing blob|initiating layer upload")

_Patterns = t.Sequence[tuple[FindingId, t.Pattern[str]]]


def _patterns(table: t.Mapping[FindingId, t.Sequence[str]]) -> _Patterns:
    return [(cause, re.compile("|".join(words), re.IGNORECASE)) for cause, words in table.items()]


# What tells the cause in the builder's own error, the first that fits.
_BUILDER = _patterns(
    {
        FindingId.BUILD_NO_SPACE: ["no space left on device", "disk quota exceeded"],
        FindingId.BUILD_REGISTRY_WITHOUT_TLS: [
            "server gave HTTP response to HTTPS client",
            "first record does not look like a TLS",
        ],
        FindingId.BUILD_REGISTRY_NOT_TRUSTED: [
            "x509:",
            "certificate (?:is not trusted|has expired|signed by unknown)",
            "tls: failed to verify",
        ],
        FindingId.BUILD_REGISTRY_UNREACHABLE: [
            "connection refused",
            "no such host",
            "i/o timeout",
            "no route to host",
            "network is unreachable",
            "TLS handshake timeout",
            "server misbehaving",
            "connection reset by peer",
            r"Client\.Timeout exceeded",
            "context deadline exceeded",
            "proxyconnect",
            r"received unexpected HTTP status: 5\d\d",
            ": EOF$",
        ],
    }
)
_PULL = _patterns(
    {
        FindingId.BUILD_BASE_IMAGE_DENIED: [
            "unauthorized",
            "authentication required",
            "access to the requested resource is not authorized",
            "denied",
            "forbidden",
            "invalid username/password",
            "toomanyrequests",
        ],
        FindingId.BUILD_BASE_IMAGE_NOT_FOUND: [
            "manifest unknown",
            "name unknown",
            "not found",
            "no (?:stage or )?image found",
            "no such image",
        ],
    }
)
_PUSH = _patterns(
    {
        FindingId.BUILD_PUSH_QUOTA_EXCEEDED: [
            "quota",
            "storage limit",
            "exceeds? the (?:maximum|limit)",
            "request entity too large",
        ],
        FindingId.BUILD_PUSH_REPOSITORY_UNKNOWN: [
            "name unknown",
            "name invalid",
            "repository .{0,300}?(?:not found|does not exist)",
            ": not found",
        ],
        FindingId.BUILD_PUSH_DENIED: [
            "unauthorized",
            "authentication required",
            "denied",
            "forbidden",
            "not authorized",
            "invalid username",
        ],
    }
)
# What tells the cause in the words of a command that a RUN ran.
_COMMAND = _patterns(
    {
        FindingId.BUILD_NO_SPACE: [
            "no space left on device",
            "disk quota exceeded",
            "not enough free space",
            r"needs \S+ more space",
        ],
        FindingId.BUILD_PACKAGE_NOT_FOUND: [
            r"^\W*error: unable to find a match",
            r"^\W*no match for argument",
            r"^\W*error: packages not found",
            r"^\W*no package \S+ available",
            "nothing provides ",
        ],
        FindingId.BUILD_REPOSITORY_UNUSABLE: [
            "there are no enabled repo",
            "no enabled repositories",
            "not registered with an entitlement server",
            "unable to read consumer identity",
            "failed to (?:download|synchronize|retrieve) (?:metadata|cache|repodata)",
            "cannot download repo(?:md|data)",
            "errors during downloading metadata",
            "cannot update repo",
            "cannot prepare internal mirrorlist",
            r"status code: 40[1347] for \S*(?:repo|rpm)",
            "gpg check failed",
        ],
    }
)
_NOT_STARTED = re.compile(
    "process failed to start.{0,300}?no such file or directory|executable file .{0,300}?not found", re.IGNORECASE
)
_NOT_FOUND = re.compile(rf"not found$|{_NOT_STARTED.pattern}", re.IGNORECASE)
_KILLED_IN_RUN = re.compile(r"^subprocess exited on killed$")
_KILLED = re.compile(r"^Killed\b|exited 137")
_UNKNOWN_WORD = re.compile(r"unknown instruction:? \\?\"?(\w+)", re.IGNORECASE)
_SOURCE = re.compile("checking on sources|copier: stat|no such file or directory|no items matching glob", re.IGNORECASE)
_INVALID = re.compile(
    "|".join(
        (
            "unknown instruction",
            "parse error",
            "error parsing",
            "unknown flag",
            "only supports the",
            "unsupported mount",
            "requires .{0,100}?argument",
            "at least (?:one|two) argument",
            "resolving stage",
            "no FROM statement",
            "syntax error in",
            "invalid (?:flag|reference format)",
            "no build stage",
            "must (?:have|provide) ",
        )
    ),
    re.IGNORECASE,
)
_EVICTED = frozenset(
    ("Evicted", "Preempting", "Preempted", "NodeShutdown", "Terminated", "DeadlineExceeded", "NodeLost")
)


def _told(said: str) -> list[Line]:
    """Return the lines that mean something. Of a text that was cut off in front, the first is no whole line."""
    lines = lines_of(said, _without_object)
    whole = lines[1:] if len(said) >= CUT_OFF and len(lines) > 1 else lines
    return [line for line in whole if not _NOISE.match(line.text)]


def _without_object(line: str) -> str:
    """Return a line without the builder's own picture of a step, which ends some of them."""
    return (line.partition(_STEP_OBJECT)[0] if line.endswith("}") else line).rstrip()


def _last(pattern: t.Pattern[str], lines: t.Sequence[Line]) -> Line | None:
    return next((line for line in reversed(lines) if pattern.match(line.text)), None)


@dataclass(frozen=True)
class _Blamed:
    """What the builder says of a step that failed."""

    step: Step
    why: str
    why_at: int
    """Where in the builder's word the reason begins."""

    @property
    def keyword(self) -> str:
        """The instruction's name, as an instruction that is none may have none."""
        return (self.step.text.split(None, 1) or [""])[0].upper()


def _blamed(told: t.Sequence[Line], error: Line | None, written: t.Sequence[Instruction]) -> _Blamed | None:
    """Take the builder's word on a step apart.

    It quotes the step without escaping it, so where the quotation ends is told by the steps that the log shows, or else
    by the Containerfile.
    """
    if error is None or not error.text.startswith(_AT_STEP):
        return None
    quotes = error.text
    ends = [found.start() for found in re.finditer('": ', quotes)]
    ends = [*ends[:1], *ends[1:][-MOST_READINGS:]]
    shown = {plain(found[5]): _step(found) for found in _steps(told)}
    known: t.Sequence[t.Callable[[str], Step | None]] = (
        lambda text: shown.get(plain(text)),
        lambda text: Step(text) if locate_in(written, Step(text)) else None,
        Step,
    )
    for step_of in known:
        for end in ends:
            step = step_of(quotes[len(_AT_STEP) : end])
            if step:
                return _Blamed(step, quotes[end + 3 :], end + 3)
    return None


def _steps(told: t.Iterable[Line]) -> t.Iterator[t.Match[str]]:
    return (found for found in (_STEP.match(line.text) for line in told) if found)


def _last_step(told: t.Sequence[Line]) -> Step | None:
    return next(map(_step, _steps(reversed(told))), None)


def _step(found: t.Match[str]) -> Step:
    stage, stages, number, of = (int(n) if n else 0 for n in found.groups()[:4])
    # A build of one stage is shown without its number.
    return Step(found.group(5), stage or 1, stages or 1, number, of)


def _cause(
    told: t.Sequence[Line], error: Line | None, blamed: _Blamed | None, exit_code: int, reason: str
) -> FindingId:
    if reason == "OOMKilled":
        return FindingId.BUILD_KILLED
    if reason in _EVICTED:
        return FindingId.BUILD_EVICTED
    words = _searched(_since_last_step(told))
    if blamed:
        return _cause_in_run(blamed, words) if blamed.keyword == "RUN" else _cause_in_step(blamed)
    said = error.text if error else ""
    if _PUSHES.search(said):
        return _first(_BUILDER, said) or _first(_PUSH, said) or FindingId.BUILD_FAILED
    if _PULLS.search(said):
        return _first(_BUILDER, said) or _first(_PULL, said) or FindingId.BUILD_FAILED
    if _INVALID.search(said):
        return FindingId.BUILD_CONTAINERFILE_INVALID
    if exit_code == 137 or (error is None and any(map(_KILLED.search, words))):
        return FindingId.BUILD_KILLED
    return _first(_BUILDER, said) or FindingId.BUILD_FAILED


def _cause_in_step(blamed: _Blamed) -> FindingId:
    why = blamed.why
    if _PULLS.search(why):
        return _first(_BUILDER, why) or _first(_PULL, why) or FindingId.BUILD_FAILED
    if _INVALID.search(why):
        return FindingId.BUILD_CONTAINERFILE_INVALID
    return _first(_BUILDER, why) or (
        FindingId.BUILD_SOURCE_NOT_FOUND if _SOURCE.search(why) else FindingId.BUILD_FAILED
    )


def _cause_in_run(blamed: _Blamed, words: t.Sequence[str]) -> FindingId:
    why = blamed.why
    if _INVALID.search(why):
        return FindingId.BUILD_CONTAINERFILE_INVALID
    known = _first(_COMMAND, *words)
    if known:
        return known
    status = _EXIT_STATUS.search(why)
    code = int(status.group(1)) if status else 0
    if code == 137 or "signal: killed" in why or any(map(_KILLED_IN_RUN.search, words)):
        return FindingId.BUILD_KILLED
    if code == 127 or any(map(_NOT_STARTED.search, words)):
        return FindingId.BUILD_COMMAND_NOT_FOUND
    return FindingId.BUILD_RUN_FAILED


def _first(patterns: _Patterns, *lines: str) -> FindingId | None:
    return next((cause for cause, pattern in patterns if any(map(pattern.search, lines))), None)


def _searched(lines: t.Sequence[Line]) -> list[str]:
    """Return the last lines, as many as are looked at."""
    room = SEARCHED_SIZE
    found: list[str] = []
    for line in reversed(lines[-SEARCHED_LINES:]):
        room -= len(line.text)
        if room < 0:
            break
        found.append(line.text)
    return found[::-1]


def _since_last_step(told: t.Sequence[Line]) -> t.Sequence[Line]:
    """Return the lines behind the last step that was begun.

    The two streams of a container do not keep their order, so what the builder said of the step may stand before it.
    """
    begun = next((n for n in range(len(told) - 1, -1, -1) if _STEP.match(told[n].text)), -1)
    since = told[begun + 1 :]
    return since if len(since) > 1 else told[-EXCERPT_LINES:]


def _excerpt(told: t.Sequence[Line], error: Line | None) -> t.Sequence[Line]:
    since = list(_since_last_step(told))[-EXCERPT_LINES:]
    return since if error is None or error in since else [*since[1:], error]


def _telling(told: t.Sequence[Line], error: Line | None, blamed: _Blamed | None, cause: FindingId) -> str:
    """Return what says most: of a command that failed its own words, with the status that the builder gives."""
    others = [line for line in _since_last_step(told) if line != error and not _STEP.match(line.text)]
    since = others[-SEARCHED_LINES:]
    if error is None or blamed is None:
        return _plainly(error) or (since[-1].shown() if since else "")
    why = error.shown(blamed.why_at)
    if blamed.keyword != "RUN" or cause is FindingId.BUILD_CONTAINERFILE_INVALID:
        return why
    patterns = [pattern for known, pattern in _COMMAND if known is cause]
    if cause is FindingId.BUILD_COMMAND_NOT_FOUND:
        patterns = [_NOT_FOUND]
    fitting = (line for pattern in patterns for line in since if pattern.search(line.text))
    telling = next(fitting, since[-1] if since else None)
    return f"{why}: {telling.shown().strip()}" if telling else why


def _plainly(error: Line | None) -> str:
    """Return an error without the mark that it is one, and an image that it names twice only once."""
    mark = _ERROR.match(error.text) if error else None
    if error is None or mark is None:
        return ""
    start = len(error.text) - len(error.text[mark.end() :].lstrip(' "'))
    said = error.shown(start).rstrip(' "')
    return re.sub(r"initializing source docker://(\S+): (?=(?:reading manifest|pinging|\S+ error))", r"\1: ", said)


def _line_of_invalid(containerfile: str, said: t.Sequence[Line]) -> tuple[int, str] | None:
    """Return the one line that the builder could not read, by the text or the first word that it quotes."""
    lines = [(n, line.strip()) for n, line in enumerate(containerfile.splitlines(), 1) if line.strip()]
    original = next(filter(None, (_original(line.text) for line in reversed(said))), None)
    word = next(filter(None, (_UNKNOWN_WORD.search(line.text) for line in reversed(said))), None)
    if original is not None:
        alike = [place for place in lines if place[1] == original.replace('\\"', '"')]
    elif word:
        alike = [place for place in lines if place[1].split()[0].upper() == word.group(1).upper()]
    else:
        alike = []
    return alike[0] if len(alike) == 1 else None


def _original(line: str) -> str:
    """Return the instruction as it was written, which ends the builder's own picture of a step; else an empty text."""
    if not line.endswith('"}') or _STEP_OBJECT not in line:
        return ""
    return line[:-2].rpartition(_ORIGINAL)[2]


def _last_bytes(text: str, limit: int) -> str:
    kept = text.encode("utf-8", "replace")[-limit:].decode("utf-8", "ignore")
    return kept if len(kept) == len(text) else kept.partition("\n")[2] or kept
