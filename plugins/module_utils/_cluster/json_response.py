# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the JSON object of a response. A response can be hostile, so its memory is estimated before it is parsed."""

from __future__ import annotations

import json
import re
import typing as t

from .._model.json_text import most_values, read_json
from .._model.objects.resources import Object

_LEAST_WEIGHT = 26
"""Bytes that each JSON value weighs at least. In memory it takes some hundred, in JSON it can take three."""
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that can stand for half of a character. The API server writes none."""


def weight_of(content: bytes) -> int:
    """Return the weight of JSON that is kept in memory: its bytes, or more if it has many small values."""
    return max(len(content), _LEAST_WEIGHT * most_values(content))


def read_object(content: bytes, limit: int) -> Object:
    """Return the JSON object of a response.

    :param limit: JSON values that it may have
    :raises ValueError: it is not a JSON object, or would need far more memory than a real one
    """
    if most_values(content) > limit:
        raise ValueError("it has too many values")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    value = read_json(text)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    if _LONE_SURROGATE.search(text):
        _require_unicode(value)
    return value


def _require_unicode(value: t.Any) -> None:
    """Reject text that cannot be encoded, because writing it later would fail.

    :raises ValueError: it has such text
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise ValueError("it has text that is not Unicode") from None
