# SPDX-License-Identifier: GPL-3.0-or-later
"""What an API server makes of a merge patch (RFC 7386)."""

from __future__ import annotations

import typing as t


def merged(target: t.Any, patch: t.Any) -> t.Any:
    """Return *target* as it is after *patch*: objects are merged, null removes, everything else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
