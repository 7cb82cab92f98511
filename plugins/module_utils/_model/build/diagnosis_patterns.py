# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of build logs: the table behind :mod:`diagnosis`.

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
"""Cause -> pattern."""


def _compiled(table: t.Mapping[FindingId, t.Sequence[str]]) -> Patterns:
    return [(cause, re.compile("|".join(words), re.IGNORECASE)) for cause, words in table.items()]


BUILDER_CAUSES = _compiled(
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
"""Causes in an error of the builder, for any operation. The first match counts, here and below."""
PULL_CAUSES = _compiled(
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
"""Causes in an error of the builder about a base image."""
PUSH_CAUSES = _compiled(
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
"""Causes in an error of the builder about the push."""
COMMAND_CAUSES = _compiled(
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
"""Causes in the output of a command in a RUN instruction."""
NOT_STARTED = re.compile(
    "process failed to start.{0,300}?no such file or directory|executable file .{0,300}?not found", re.IGNORECASE
)
"""A command could not be started."""
NOT_FOUND = re.compile(rf"not found$|{NOT_STARTED.pattern}", re.IGNORECASE)
"""A command was not found."""
KILLED_IN_RUN = re.compile(r"^subprocess exited on killed$")
"""A command in a RUN instruction was killed."""
KILLED = re.compile(r"^Killed\b|exited 137")
"""The builder was killed."""
UNKNOWN_INSTRUCTION = re.compile(r"unknown instruction:? \\?\"?(\w+)", re.IGNORECASE)
"""Name of an instruction that the builder does not know."""
SOURCE_NOT_FOUND = re.compile(
    "checking on sources|copier: stat|no such file or directory|no items matching glob", re.IGNORECASE
)
"""The source of a COPY or ADD instruction does not exist."""
INVALID = re.compile(
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
"""The Containerfile is not valid."""
EVICTED = frozenset(
    ("Evicted", "Preempting", "Preempted", "NodeShutdown", "Terminated", "DeadlineExceeded", "NodeLost")
)
"""Reasons in the status of a pod that was stopped by the node."""
