# SPDX-License-Identifier: GPL-3.0-or-later
"""Where did the last window of a wait end?

A cursor carries what the next window needs in order not to list again: each kind's resourceVersion and the reduced
state of each object. It is opaque to users and versioned; one that cannot be read means listing again.
"""

from __future__ import annotations

import base64
import binascii
import json
import typing as t
import zlib
from dataclasses import dataclass, field

VERSION = 1


@dataclass(frozen=True)
class Cursor:
    """The end of one window."""

    started: float
    """When the whole wait began, seconds since the epoch on the host where the module runs."""
    versions: t.Mapping[str, str] = field(default_factory=dict)
    """Kind -> resourceVersion to watch from."""
    objects: t.Mapping[str, t.Mapping[str, t.Any]] = field(default_factory=dict)
    """Kind -> name -> the reduced object."""
    told: str = ""
    """What the last progress line said, so that the next one is not a repetition."""

    def __str__(self) -> str:
        content = [VERSION, self.started, self.versions, self.objects, self.told]
        packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
        return base64.b85encode(packed).decode("ascii")


def read_cursor(text: str) -> Cursor | None:
    """Return the cursor, or None when it is not one of this version."""
    try:
        content = json.loads(zlib.decompress(base64.b85decode(text)))
        version, started, versions, objects, told = content
        readable = version == VERSION and isinstance(versions, dict) and isinstance(objects, dict)
        return Cursor(float(started), versions, objects, str(told)) if readable else None
    except (binascii.Error, ValueError, TypeError, zlib.error):
        return None
