# SPDX-License-Identifier: GPL-3.0-or-later
"""Read fields of served objects whose types are not checked. A value of another type counts as missing."""

from __future__ import annotations

import typing as t


def text_in(part: t.Any, key: str) -> str:
    """Return the text of a field, or an empty string."""
    value = mapping(part).get(key)
    return value if isinstance(value, str) else ""


def number_in(part: t.Any, key: str) -> int:
    """Return the whole number of a field, or 0."""
    value = mapping(part).get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def mapping(value: t.Any) -> t.Mapping[str, t.Any]:
    """Return an object, or an empty one."""
    return value if isinstance(value, t.Mapping) else {}


def mappings(value: t.Any) -> list[t.Mapping[str, t.Any]]:
    """Return the objects in a list."""
    return [item for item in value if isinstance(item, t.Mapping)] if isinstance(value, list) else []
