# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as the API writes them."""

from __future__ import annotations

from datetime import datetime, timezone


def now() -> str:
    """Return this moment, in UTC with whole seconds."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
