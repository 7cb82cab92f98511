# SPDX-License-Identifier: GPL-3.0-or-later
"""Old place of functions of :mod:`text`, until their users import them from there."""

from __future__ import annotations

from .text import all_printable as all_printable
from .text import printable as printable
