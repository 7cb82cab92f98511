# SPDX-License-Identifier: GPL-3.0-or-later
"""Write times as the Kubernetes API does: RFC 3339, in UTC, with whole seconds."""

from __future__ import annotations

from calendar import timegm
from datetime import datetime, timedelta, timezone
from time import strptime

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def timestamp(moment: datetime) -> str:
    """Return a time as text.

    :param moment: a time with a time zone
    """
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp_at(seconds: float) -> str:
    """Return a time as text.

    :param seconds: seconds since the epoch, of the years 1 to 9999
    """
    return timestamp(_EPOCH + timedelta(seconds=seconds))


def timestamp_now() -> str:
    """Return the current time as text."""
    return timestamp(datetime.now(timezone.utc))


def seconds_of(text: str) -> float | None:
    """Return a time as seconds since the epoch, without fractions of a second, or None if it is not a time."""
    try:
        return float(timegm(strptime(text[:19], "%Y-%m-%dT%H:%M:%S")))
    except ValueError:
        return None


def seconds_between(earlier: str, later: str) -> float | None:
    """Return the seconds from one time to another, or None if one of them is not a time."""
    start, end = seconds_of(earlier), seconds_of(later)
    return None if start is None or end is None else end - start
