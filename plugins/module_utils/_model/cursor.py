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
from dataclasses import asdict, dataclass, field

from .sight import Sight

VERSION = 4


@dataclass(frozen=True)
class Stillness:
    """For how long nothing has moved, as far as it was seen."""

    mark: str = ""
    """Stands for where everything was; another one means that something has moved."""
    seconds: float = 0.0
    """For how long the mark has been seen unchanged. Time in which the API server is away is not seen."""
    seen_at: float = 0.0
    """When it was last seen, seconds since the epoch."""

    def after(self, mark: str, now: float, blind: bool = False) -> Stillness:
        """Return how it is at a later look.

        :param blind: whether the API server is away, so that nobody knows whether something moves
        """
        if mark != self.mark:
            return Stillness(mark, 0.0, now)
        passed = 0.0 if blind else max(0.0, now - self.seen_at)
        return Stillness(mark, self.seconds + passed, now)


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
    found: t.Sequence[str] = ()
    """The findings that were told."""
    stillness: Stillness = Stillness()
    memory: t.Mapping[str, t.Any] = field(default_factory=dict)
    """What a wait of its own kind remembers, as JSON has it."""
    sight: Sight = field(default_factory=Sight)
    opened: t.Sequence[str] = ()
    """The subjects of which a watch was open: one that is refused now was allowed before."""

    def __str__(self) -> str:
        content = {"version": VERSION, **asdict(self)}
        packed = zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9)
        return base64.b85encode(packed).decode("ascii")


def read_cursor(text: str) -> Cursor | None:
    """Return the cursor, or None when it is not one of this version."""
    try:
        content = json.loads(zlib.decompress(base64.b85decode(text)))
        if content.pop("version") != VERSION:
            return None
        still = content.pop("stillness")
        stillness = Stillness(str(still["mark"]), float(still["seconds"]), float(still["seen_at"]))
        seen = content.pop("sight")
        sight = Sight(
            away=tuple(map(str, seen["away"])),
            reason=str(seen["reason"]),
            since=float(seen["since"]),
            back_at=None if seen["back_at"] is None else float(seen["back_at"]),
            lost=float(seen["lost"]),
            denied={str(subject): float(since) for subject, since in seen["denied"].items()},
        )
        content["started"] = float(content["started"])
        content["found"] = tuple(map(str, content["found"]))
        content["opened"] = tuple(map(str, content["opened"]))
        cursor = Cursor(stillness=stillness, sight=sight, **content)
    except (binascii.Error, ValueError, TypeError, KeyError, AttributeError, zlib.error):
        return None
    whole = all(isinstance(part, dict) for part in (cursor.versions, cursor.objects, cursor.memory))
    return cursor if whole and isinstance(cursor.told, str) else None
