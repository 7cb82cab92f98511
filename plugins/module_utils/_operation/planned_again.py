# SPDX-License-Identifier: GPL-3.0-or-later
"""Read, plan and write once more when somebody else wrote in between, or when the answer to our write was lost."""

from __future__ import annotations

import typing as t

from .._cluster.session import Conflict

_ATTEMPTS = 5

T = t.TypeVar("T")


def planned_again(job: t.Callable[[], T]) -> T:
    """Do a job that reads before it writes, from its beginning while the API server answers with a conflict.

    :raises Conflict: others write without end
    """
    for dummy in range(_ATTEMPTS - 1):
        try:
            return job()
        except Conflict:
            continue
    return job()
