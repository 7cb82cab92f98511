# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of what the builder prints: the tables behind :mod:`diagnosis`.

The tests match every pattern against recordings of real failures (``tests/recordings``). A hostile build can write
anything into its log, so each pattern takes time in proportion to the length of the line.
"""

from __future__ import annotations

import re
import typing as t

from ..findings import FindingId

NOISE = re.compile(
    r"^\s*$"
    r"|^\++ "  # shell trace
    r"|^time=\"[^\"]*\" level=(?:debug|info) "
    r"|^Retry \d+/\d+ exited \d+"
    r"|^subprocess exited with status \d+$"
    r"|^--> [0-9a-f]+$"
    r"|^Error file found\. Exiting\.$"
)
"""Lines without information: shell trace, debug output, retries."""
_NUMBER = r"(\d{1,9})"
STEP = re.compile(rf"^(?:\[{_NUMBER}/{_NUMBER}\] )?STEP {_NUMBER}/{_NUMBER}: (.*)$")
"""Announcement of a step: stage, number of stages, step, number of steps, instruction."""
ERROR = re.compile(r"^(?:Error:|time=\"[^\"]*\" level=(?:error|fatal) msg=)")
"""Beginning of an error of the builder."""
AT_STEP = 'Error: building at STEP "'
"""Beginning of an error in a step. The quoted instruction follows."""
STEP_OBJECT = " &imagebuilder.Step{"
"""Beginning of the builder's internal representation of a step, which ends some lines."""
ORIGINAL = ', Original:"'
"""Precedes the original instruction in that representation."""
EXIT_STATUS = re.compile(rf"exit status {_NUMBER}$")
"""Exit status of a command, at the end of an error."""

PULL_OPERATION = re.compile(
    r"creating build container|initializing source|reading manifest|unable to pull|Error pulling|choosing image"
    r"|reading blob|no stage or image found|parsing image configuration|short-name|resolving image|looking up image",
    re.IGNORECASE,
)
"""Operations that read a base image."""
PUSH_OPERATION = re.compile(r"pushing image|trying to reuse blob|writing manifest|writing blob|initiating layer upload")
"""Operations that push the built image."""

Patterns = t.Sequence[tuple[FindingId, t.Pattern[str]]]
"""Cause -> pattern. The first cause that matches any line counts."""


def compiled(table: t.Mapping[FindingId, t.Sequence[str]]) -> Patterns:
    """Return the table with one pattern for each cause, without regard to case."""
    return [(cause, re.compile("|".join(words), re.IGNORECASE)) for cause, words in table.items()]


def _words(*words: str) -> str:
    """Return a pattern of words that are not part of the name of an image or of a host."""
    return rf"(?<![\w./:@-])(?:{'|'.join(words)})(?![\w/-]|[.:]\w)"


BUILDER_CAUSES = compiled(
    {
        FindingId.BUILD_NO_SPACE: ["no space left on device", "disk quota exceeded"],
        FindingId.BUILD_BASE_IMAGE_REJECTED: [
            "source image rejected",
            "a signature was required",
            "is rejected by policy",
        ],
        FindingId.BUILD_REGISTRY_BLOCKED: [r"registry \S+ is blocked in "],
        FindingId.BUILD_REGISTRY_WITHOUT_TLS: [
            "server gave HTTP response to HTTPS client",
            "first record does not look like a TLS",
        ],
        FindingId.BUILD_REGISTRY_NOT_TRUSTED: [
            "x509:",
            "certificate (?:is not trusted|has expired|signed by unknown)",
            "tls: failed to verify",
        ],
        FindingId.BUILD_REGISTRY_ERROR: [r"received unexpected HTTP status: 5\d\d", r"StatusCode: 5\d\d"],
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
            ": EOF$",
        ],
    }
)
"""Causes in an error of the builder, for any operation. In most of them no registry answered."""
PULL_CAUSES = compiled(
    {
        FindingId.BUILD_BASE_IMAGE_DENIED: [
            _words("unauthorized", "denied", "forbidden"),
            "authentication required",
            "access to the requested resource is not authorized",
            "invalid username/password",
            "too ?many ?requests",
            r"StatusCode: (?:40[13]|429)",
        ],
        FindingId.BUILD_BASE_IMAGE_NOT_FOUND: [
            r"StatusCode: 404",
            "did not resolve to an alias",
            "manifest unknown",
            "name unknown",
            "not found",
            "no (?:stage or )?image found",
            "no such image",
        ],
    }
)
"""Answers of a registry about a base image."""
PUSH_CAUSES = compiled(
    {
        FindingId.BUILD_PUSH_TAG_IMMUTABLE: [_words("immutable"), "cannot be overwritten"],
        FindingId.BUILD_PUSH_QUOTA_EXCEEDED: [
            _words("quota"),
            "storage limit",
            "exceeds? the (?:maximum|limit|configured)",
            "insufficient storage",
        ],
        FindingId.BUILD_PUSH_TOO_LARGE: ["request entity too large", "payload too large", r"StatusCode: 413"],
        FindingId.BUILD_REGISTRY_ERROR: [
            "blob upload (?:unknown|invalid)",
            "unknown: unknown error",
            _words("read-only"),
        ],
        FindingId.BUILD_PUSH_REPOSITORY_UNKNOWN: [
            "name unknown",
            "name invalid",
            r"project \S{1,300} not found",
            "repository .{0,300}?(?:not found|does not exist)",
            ": not found",
        ],
        FindingId.BUILD_PUSH_DENIED: [
            _words("unauthorized", "denied", "forbidden"),
            "authentication required",
            "not authorized",
            "invalid username",
            r"StatusCode: 40[13]",
        ],
    }
)
"""Answers of a registry about the push."""
KILLED = re.compile(r"^Killed\b|exited 137")
"""The builder was killed."""
UNKNOWN_INSTRUCTION = re.compile(r"unknown (?:Dockerfile )?instruction:? \\?\"?(\w+)", re.IGNORECASE)
"""Name of an instruction that the builder does not know."""
SOURCE_NOT_FOUND = re.compile(
    "checking on sources|copier: stat|no such file or directory|no items matching glob", re.IGNORECASE
)
"""The source of a COPY or ADD instruction does not exist."""
INVALID = re.compile(
    "|".join(
        (
            "unknown (?:Dockerfile )?instruction",
            "unterminated heredoc",
            "parsing main Dockerfile",
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
"""The Containerfile is not valid."""
EVICTED = frozenset(
    ("Evicted", "Preempting", "Preempted", "NodeShutdown", "Terminated", "DeadlineExceeded", "NodeLost", "Deleted")
)
"""Reasons of an attempt whose pod was stopped by the node or deleted."""
