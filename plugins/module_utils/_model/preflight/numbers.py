# SPDX-License-Identifier: GPL-3.0-or-later
"""Check durations and counts in options of modules and in variables of playbooks."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass

from .rejection import Rejection, quoted

_WHOLE = re.compile(r"-?[0-9]+")
_LARGEST = 10**9
"""About 31 years in seconds. A larger number is a mistake."""
_DIGITS = 18
"""A text with more digits is not converted."""


@dataclass(frozen=True)
class Range:
    """Which numbers an option takes."""

    unit: str
    minimum: int = 0


RANGES: t.Mapping[str, Range] = {
    "concurrency": Range("nodes", 1),
    "max_build_attempts": Range("attempts"),
    "node_timeout": Range("seconds", 1),
    "replacement_grace": Range("seconds"),
    "stall_timeout": Range("seconds"),
    "timeout": Range("seconds"),
    "waited": Range("seconds"),
    "window": Range("seconds", 1),
}
"""Option -> its range."""
_SECONDS = Range("seconds")


def reject_number(option: str, value: object) -> Rejection | None:
    """Return why a value of an option cannot be used, or None.

    :param option: its name in the modules; an unknown one takes seconds
    """
    allowed = RANGES.get(option, _SECONDS)
    text = str(value).strip()
    remedy = f"Set a whole number, {allowed.minimum} or more"
    if isinstance(value, bool) or not _WHOLE.fullmatch(text):
        return Rejection(f"{quoted(text)} is not a number of {allowed.unit}", remedy)
    is_negative = text.startswith("-") and text.strip("-0") != ""
    if is_negative:
        return Rejection(f"{quoted(text)} {allowed.unit} is negative", remedy)
    if len(text.lstrip("-0")) > _DIGITS or int(text) > _LARGEST:
        return Rejection(f"{quoted(text)} {allowed.unit} is too large", f"Set {_LARGEST} or less")
    if int(text) < allowed.minimum:
        return Rejection(f"{text} {allowed.unit} is less than {allowed.minimum}", remedy)
    return None
