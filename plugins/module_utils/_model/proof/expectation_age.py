# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an expected image that the inventory read is recent enough to prove something.

An inventory can be old: a cache keeps it, and Automation Platform stores the variables of hosts in its database until
the next synchronization. A pool may want another image since then.
"""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta, timezone

from ..findings import Finding, FindingId
from ..objects.resources import NODE, ObjectRef

MAX_AGE = timedelta(minutes=5)
"""Age of an expected image at the start of a play up to which it counts as current."""

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def doubt_about_expectation(
    node: str, read_at: t.Any, cached: bool, started: datetime, now: datetime
) -> Finding | None:
    """Return why the expected image of a node may be outdated, or None.

    :param read_at: when the inventory read it (RFC 3339), as the inventory states it
    :param cached: whether the inventory states that it comes from a cache
    :param started: start of the play
    """
    ref = ObjectRef(NODE.name, node)
    if cached:
        message = f"the expected image of Node {node} comes from a cache, read at {read_at or 'an unknown time'}"
        return Finding(FindingId.CLUSTER_EXPECTATION_CACHED, ref, message)
    reason = _why_outdated(read_at, started, now)
    if not reason:
        return None
    return Finding(FindingId.CLUSTER_EXPECTATION_OUTDATED, ref, f"the expected image of Node {node} {reason}")


def _why_outdated(read_at: t.Any, started: datetime, now: datetime) -> str:
    moment = _parsed(read_at)
    if moment is None:
        return "was read at an unknown time"
    if moment > now + MAX_AGE:
        return f"was read at {read_at}, which is in the future by the clock of this machine"
    age = started - moment
    if age <= MAX_AGE:
        return ""
    return f"was read at {read_at}, {int(age.total_seconds()) // 60} minutes before the play"


def _parsed(read_at: t.Any) -> datetime | None:
    try:
        return datetime.strptime(str(read_at), _FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None
