# SPDX-License-Identifier: GPL-3.0-or-later
"""The pauses between the attempts of a request."""

from __future__ import annotations

import random

FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
"""Seconds between two attempts, before they are shortened at random so that many clients do not retry at once."""

_LONGEST_REQUESTED = 30.0
"""Seconds of a ``Retry-After`` header that are respected; a proxy can send an hour."""


def pause(delay: float, requested: float) -> float:
    """Return the seconds to pause: about *delay*, and at least what the API server has *requested*."""
    return max(delay * random.uniform(0.5, 1.0), min(requested, _LONGEST_REQUESTED))
