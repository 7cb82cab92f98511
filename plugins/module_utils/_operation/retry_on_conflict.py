# SPDX-License-Identifier: GPL-3.0-or-later
"""Repeat a job that reads and writes after a conflict, or after the response to a write was lost."""

from __future__ import annotations

import typing as t

from .._cluster.api_error import Conflict

_ATTEMPTS = 5


def retry_on_conflict(job: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Run a job that reads before it writes, and run it again after a conflict.

    If the response to a write was lost, the job may find nothing to do in the next attempt. It has changed the cluster
    all the same, and its result says so.

    :raises Conflict: all attempts failed with a conflict
    """
    has_written = False
    for dummy in range(_ATTEMPTS - 1):
        try:
            return _with_change(job(), has_written)
        except Conflict as conflict:
            has_written = has_written or conflict.after_loss
    return _with_change(job(), has_written)


def _with_change(result: dict[str, t.Any], has_written: bool) -> dict[str, t.Any]:
    return {**result, "changed": True} if has_written else result
