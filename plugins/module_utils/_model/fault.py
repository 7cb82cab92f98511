# SPDX-License-Identifier: GPL-3.0-or-later
"""Name an unexpected error without quoting it: whatever a library raises can hold a credential."""

from __future__ import annotations


def name_of(error: BaseException) -> str:
    """Return the type of an error and the place where it was raised."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" in {place.tb_frame.f_code.co_name}, line {place.tb_lineno}" if place else ""
    return f"{type(error).__name__}{where}"
