# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's one kind of expected failure."""

from __future__ import annotations


class LabError(Exception):
    """Something a user can act on. Its text is the whole message: what, why, and the remedy."""
