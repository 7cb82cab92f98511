# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer of a check that runs before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_QUOTE = 100


@dataclass(frozen=True)
class Rejection:
    """Why a request cannot work, with the same text for a variable, an option and a module."""

    reason: str
    """A fact with the actual value, without a full stop."""
    remedy: str
    """What to do, in the imperative, without a full stop."""


def quoted(value: object) -> str:
    """Return a value as a message quotes it, on one line."""
    text = " ".join(str(value).split())
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."
