# SPDX-License-Identifier: GPL-3.0-or-later
"""Read JSON that another program wrote: an API server, a node, a registry, a file in a Secret.

``json.loads`` raises more than ValueError: RecursionError for a text of many brackets, and TypeError for what is no
text. Callers of this function have one error to expect.
"""

from __future__ import annotations

import json
import typing as t


def most_values(content: bytes) -> int:
    """Return an upper bound of the number of JSON values in a text: characters within strings are counted as well."""
    return sum(map(content.count, (b",", b"[", b"{")))


def read_json(text: str | bytes) -> t.Any:
    """Return the value that *text* holds.

    :raises ValueError: it is not JSON, or is nested too deeply; the message never quotes it
    """
    reason = "it is not JSON"
    try:
        return json.loads(text)
    except RecursionError:
        reason = "it is nested too deeply"
    except (ValueError, TypeError):
        pass
    raise ValueError(reason)
