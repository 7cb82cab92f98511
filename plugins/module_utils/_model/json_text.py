# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse JSON from other programs: API servers, nodes, registries, Secrets.

``json.loads`` raises RecursionError for deeply nested text and TypeError for values that are not text, besides
ValueError. The function here raises ValueError only.
"""

from __future__ import annotations

import json
import typing as t


def most_values(content: bytes) -> int:
    """Return an upper bound of the number of JSON values in a text. Characters inside strings are counted too."""
    return sum(map(content.count, (b",", b"[", b"{")))


class _DuplicateKey(Exception):
    """An object has a key twice, so programs may disagree about its value."""


def _unique(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _DuplicateKey
    return found


def read_json(text: str | bytes, unique_keys: bool = False) -> t.Any:
    """Return the JSON value in *text*.

    :param unique_keys: whether an object with a key twice is an error; otherwise the last value counts
    :raises ValueError: the text is not JSON or nested too deeply; the message never quotes the text
    """
    reason = "it is not JSON"
    try:
        return json.loads(text, object_pairs_hook=_unique) if unique_keys else json.loads(text)
    except _DuplicateKey:
        reason = "an object has a key twice"
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, TypeError):
        pass
    raise ValueError(reason)
