# SPDX-License-Identifier: GPL-3.0-or-later
"""Write times as the Kubernetes API does: RFC 3339, in UTC, with whole seconds."""

from __future__ import annotations

from datetime import datetime, timezone


def timestamp(moment: datetime) -> str:
    """Return a time as text.

    :param moment: a time with a time zone
    """
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def timestamp_now() -> str:
    """Return the current time as text."""
    return timestamp(datetime.now(timezone.utc))
