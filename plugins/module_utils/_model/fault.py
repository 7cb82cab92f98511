# SPDX-License-Identifier: GPL-3.0-or-later
"""Describe an unexpected error without its message, which can contain a credential."""

from __future__ import annotations


def name_of(error: BaseException) -> str:
    """Return the type of an error and the function and line where it was raised."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    location = f" in {traceback.tb_frame.f_code.co_name}, line {traceback.tb_lineno}" if traceback else ""
    return f"{type(error).__name__}{location}"
