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


def read_json(text: str | bytes) -> t.Any:
    """Return the JSON value in *text*.

    :raises ValueError: the text is not JSON or nested too deeply; the message never quotes the text
    """
    reason = "it is not JSON"
    try:
        return json.loads(text)
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, TypeError):
        pass
    raise ValueError(reason)
