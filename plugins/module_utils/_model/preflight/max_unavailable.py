# SPDX-License-Identifier: GPL-3.0-or-later
"""Check ``maxUnavailable`` of a MachineConfigPool.

The API accepts any number and any text. With a text that is no percentage, or with a negative number, the operator
updates no node, and reports it only in its log. It reads 0 as 1.
Source: docs/operator-behavior.md ("Rollout order and maxUnavailable").
"""

from __future__ import annotations

import re

from .rejection import Rejection, quoted

_NUMBER = re.compile(r"([0-9]{1,6})(%?)")
_MOST_PERCENT = 100


def reject_max_unavailable(value: object) -> Rejection | None:
    """Return why a value cannot be used, or None."""
    text = str(value).strip()
    found = _NUMBER.fullmatch(text)
    if not found:
        reason = "is negative" if re.fullmatch(r"-[0-9]+%?", text) else "is neither a number nor a percentage"
        return Rejection(f"{quoted(text)} {reason}", "Set a number such as 2, or 10%")
    number, percent = int(found.group(1)), bool(found.group(2))
    if number == 0:
        return Rejection(f"{text} allows no node to be updated", "Set 1 or more, or pause the pool to update no node")
    if percent and number > _MOST_PERCENT:
        return Rejection(f"{text} is more than 100%", "Set a percentage from 1% to 100%")
    return None
