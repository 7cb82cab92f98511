# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan and write once more when somebody else wrote in between, or when the answer to our write was lost."""

from __future__ import annotations

import typing as t

from .._cluster.api_error import Conflict

_ATTEMPTS = 5


def planned_again(job: t.Callable[[], dict[str, t.Any]]) -> dict[str, t.Any]:
    """Do a job that reads before it writes, from its beginning while the API server answers with a conflict.

    A job that finds nothing to do after the answer to its own write was lost has changed something.

    :raises Conflict: others write without end
    """
    is_ours = False
    for dummy in range(_ATTEMPTS - 1):
        try:
            return _honest(job(), is_ours)
        except Conflict as conflict:
            is_ours = is_ours or conflict.after_loss
    return _honest(job(), is_ours)


def _honest(result: dict[str, t.Any], is_ours: bool) -> dict[str, t.Any]:
    return {**result, "changed": True} if is_ours else result
