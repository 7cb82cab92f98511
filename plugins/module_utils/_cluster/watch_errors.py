# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what an error of a list or a watch means for a subject."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from .._model.objects.subject import Subject
from .api_error import DENIED, EXPIRED, FORBIDDEN, UNAUTHORIZED, ApiError, Unreachable

DENIAL_TIMEOUT = 60.0
"""Seconds for which a subject that was read before may be denied: what decides about permissions restarts as well."""
OPTIONAL_DENIAL_TIMEOUT = 5.0
"""The same for an optional subject. The wait continues without it, so it is given up sooner and is no outage."""


class Decision(enum.Enum):
    """What to do after an error."""

    LIST_AGAIN = "list_again"
    """The API server no longer knows the resourceVersion: list again."""
    RETRY = "retry"
    """Try again, without a report."""
    OUTAGE = "outage"
    """Report an outage and try again."""
    GIVE_UP = "give_up"
    """Continue without the subject, which is optional."""
    FAIL = "fail"
    """End the wait."""


@dataclass(frozen=True)
class WatchStatus:
    """State of the watch of one subject. Times are those of the session's clock."""

    version: str = ""
    """The resourceVersion to watch from. Empty if the subject was not listed."""
    watched: bool = False
    """Whether a watch was ever open. Permission to list does not imply permission to watch."""
    interrupted: bool = False
    """Whether an outage was reported and has not ended."""
    denied_since: float | None = None
    """Since when the API server denies the subject. None if it does not."""


def classify(
    error: ApiError | Unreachable, subject: Subject, status: WatchStatus, now: float
) -> tuple[WatchStatus, Decision]:
    """Return the next status and what to do.

    A 403 is retried only if a watch was open before. A 401 or a kind that is not served is retried as well if a list
    was answered.

    :param now: time of the session's clock
    """
    if isinstance(error, ApiError) and error.status == EXPIRED:
        return replace(status, version=""), Decision.LIST_AGAIN
    is_new = not status.interrupted
    if not is_denial(error):
        decision = Decision.OUTAGE if is_new else Decision.RETRY
        return replace(status, denied_since=None, interrupted=True), decision
    is_dispensable = subject.optional and isinstance(error, ApiError) and error.status != UNAUTHORIZED
    since = now if status.denied_since is None else status.denied_since
    timeout = OPTIONAL_DENIAL_TIMEOUT if is_dispensable else DENIAL_TIMEOUT
    denied = replace(status, denied_since=since)
    if not _was_allowed(error, status) or now - since >= timeout:
        return denied, Decision.GIVE_UP if subject.optional else Decision.FAIL
    if is_dispensable:
        return denied, Decision.RETRY
    decision = Decision.OUTAGE if is_new or status.denied_since is None else Decision.RETRY
    return replace(denied, interrupted=True), decision


def is_denial(error: ApiError | Unreachable) -> bool:
    """Whether the API server answers but denies the subject, does not serve it, or is not the right server."""
    if isinstance(error, Unreachable):
        return error.final
    return error.status in DENIED or error.not_served


def _was_allowed(error: ApiError | Unreachable, status: WatchStatus) -> bool:
    """Whether the request was allowed before, so that it may be allowed again soon."""
    is_forbidden = isinstance(error, ApiError) and error.status == FORBIDDEN
    return status.watched or (bool(status.version) and not is_forbidden)
