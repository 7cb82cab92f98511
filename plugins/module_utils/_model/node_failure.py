# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the cause in the reason that a machine-config-daemon reports for a degraded node.

The reason quotes the commands of the daemon, which contain the name of the image, before the error of the last one.
Only that error tells the cause. Source: docs/operator-behavior.md ("Node annotations and states").
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .findings import FindingId

_UPDATE_FAILED = "failed to update os to"
_NO_REVERT = "rolling back from a layered to non-layered configuration is not currently supported"
_ERROR = "error: "
_MIRRORS = re.compile(r"\(mirrors also failed: \[.*?\]\)", re.IGNORECASE)
"""Errors of mirrors. The error of the registry itself follows, and decides."""
_EQUAL_REFS = "old and new refs are equal"
_RETRY = re.compile(rf"{_EQUAL_REFS}|timed out waiting for the condition", re.IGNORECASE)
"""Errors that a retry of an update prints. They say nothing about the first error."""


def _words(*alternatives: str) -> re.Pattern[str]:
    """Return a pattern of words that are not part of a host name, a path or a digest. They may end a sentence."""
    return re.compile(rf"(?<![\w./:@-])(?:{'|'.join(alternatives)})(?![\w/-]|[.:]\w)", re.IGNORECASE)


_CAUSES: t.Sequence[tuple[FindingId, re.Pattern[str]]] = (
    (
        FindingId.NODE_IMAGE_REJECTED,
        _words(
            "source image rejected",
            "is rejected by policy",
            "a signature was required",
            "none of the signatures were accepted",
            "signature verification failed",
        ),
    ),
    (FindingId.NODE_REGISTRY_BLOCKED, _words("is blocked in")),
    (
        FindingId.NODE_REGISTRY_NOT_TRUSTED,
        _words(
            "x509:",
            "certificate signed by unknown authority",
            "certificate has expired",
            "server gave http response to https client",
        ),
    ),
    (
        FindingId.NODE_IMAGE_NOT_FOUND,
        _words("manifest unknown", "name unknown", "repository name not known", "was deleted or has expired"),
    ),
    (
        FindingId.NODE_IMAGE_PULL_DENIED,
        _words(
            "unauthorized",
            "authentication required",
            "denied",
            "forbidden",
            "invalid username/password",
            "unable to retrieve auth token",
        ),
    ),
)
"""Errors that the same request gets again. Errors of the network, and limits of a registry, are none of them."""

PULL_FAILURES: t.Final = frozenset(finding for finding, dummy in _CAUSES)
"""Ids of failed pulls that do not clear by themselves."""


@dataclass(frozen=True)
class NodeFailure:
    """What a daemon reports of a failure.

    :ivar finding: public id; ``node.degraded`` if the reason names a cause that has no id of its own
    :ivar error: the error that tells the cause, in one line; empty without a reason
    """

    finding: FindingId
    error: str

    @property
    def names_cause(self) -> bool:
        """Whether the reason tells why the node failed, not only that a retry failed."""
        return bool(self.error) and self.finding is not FindingId.NODE_CAUSE_IN_LOG


def failure_of(reason: str) -> NodeFailure:
    """Return the failure in the reason of a degraded node."""
    text = " ".join(reason.split())
    if _NO_REVERT in text.lower():
        return NodeFailure(FindingId.NODE_REVERT_NOT_SUPPORTED, text)
    if _UPDATE_FAILED not in text.lower():
        is_retry = _EQUAL_REFS in text.lower()
        return NodeFailure(FindingId.NODE_CAUSE_IN_LOG if is_retry else FindingId.NODE_DEGRADED, text)
    error = text.rpartition(_ERROR)[2] or text
    error = error.rpartition(": exit status")[0].rstrip() or error
    if _RETRY.search(error):
        return NodeFailure(FindingId.NODE_CAUSE_IN_LOG, error)
    decisive = _MIRRORS.sub("", error)
    found = (finding for finding, pattern in _CAUSES if pattern.search(decisive))
    return NodeFailure(next(found, FindingId.NODE_DEGRADED), error)


def cause_in_log(node: str) -> str:
    """Return the message about a node whose reason is the error of a retry."""
    return (
        f"Node {node} is degraded: a retry of its update failed. The first error is in the log of its "
        "machine-config-daemon"
    )
