# SPDX-License-Identifier: GPL-3.0-or-later
"""Read an exit status that another program wrote."""

from __future__ import annotations

_HIGHEST = 255


def read_exit_status(digits: str) -> int | None:
    """Return the exit status in *digits*, or None if they are not one."""
    if not (0 < len(digits) <= 3 and digits.isascii() and digits.isdigit()):
        return None
    status = int(digits)
    return status if status <= _HIGHEST else None
