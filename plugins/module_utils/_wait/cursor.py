# SPDX-License-Identifier: GPL-3.0-or-later
"""The cursor: what one module call of a wait hands to the next.

With a cursor the next call does not list the objects again and does not repeat a progress line. The cursor is opaque to
users and has a version. A cursor that cannot be read means that everything is listed again.

Ansible replaces each text in a result that equals a secret value of the task, however short the value is. So the cursor
is written in the 256 Braille patterns, one for each byte: printable characters that no credential contains. A cursor
that comes back may still be changed, or be the cursor of another wait. So it is read like the data of an untrusted
server: limited in size and depth, and with a check of each type.
"""

from __future__ import annotations

import typing as t
import zlib
from dataclasses import dataclass, field

from .._model.json_text import most_values, read_json
from .._model.objects.resources import Object
from .codec import decode, encode
from .outage import OutageTracker
from .stall import StallTimer

VERSION = 6
MAX_BYTES = 32 << 20
"""Greatest length of the unpacked content; 2000 nodes need 3.5 MB."""
MAX_VALUES = 2_000_000
"""Greatest number of JSON values; 2000 nodes have a tenth of that."""
MAX_DEPTH = 60
"""Greatest depth of nested values."""

_BRAILLE = 0x28
"""The high byte of the characters U+2800 to U+28FF."""


@dataclass(frozen=True)
class SubjectState:
    """What is known of a watched subject."""

    version: str = ""
    """The resourceVersion to watch from. Empty if the subject was not listed."""
    watched: bool = False
    """Whether a watch was open. A watch that is denied now was allowed before."""
    denied_since: float | None = None
    """Since when the API server denies the subject, in seconds since the epoch. None if it does not."""
    unreadable: str = ""
    """Why an optional subject was given up, or an empty text."""
    objects: t.Mapping[str, Object] = field(default_factory=dict)
    """``NAMESPACE/NAME`` or ``NAME`` -> the reduced object."""


@dataclass(frozen=True)
class Progress:
    """How far the wait is, whatever it waits for."""

    about: str = ""
    """Identifies the cluster and the watched objects. Empty matches all."""
    started: float = 0.0
    """Start of the wait, in seconds since the epoch on the host where the module runs."""
    reported: str = ""
    """The last progress line that was reported."""
    reported_at: float = 0.0
    found: tuple[str, ...] = ()
    """The findings that were reported, as ``ID OBJECT``."""
    stall: StallTimer = field(default_factory=StallTimer)
    outage: OutageTracker = field(default_factory=OutageTracker)


@dataclass(frozen=True)
class Cursor:
    """What one module call hands to the next."""

    progress: Progress
    subjects: t.Mapping[str, SubjectState] = field(default_factory=dict)
    """Key of a subject -> its state."""
    state: t.Any = None
    """The state of the wait, a frozen dataclass."""

    def __str__(self) -> str:
        content = {
            "version": VERSION,
            "progress": self.progress,
            "subjects": self.subjects,
            "state": self.state,
        }
        return _written(zlib.compress(encode(content), 9))


@dataclass(frozen=True)
class _Subjects:
    subjects: t.Mapping[str, SubjectState]


def read_cursor(text: str, state_type: type[t.Any]) -> Cursor | None:
    """Return the cursor, or None if it is not a cursor of this version and of a wait with this type of state."""
    try:
        content = read_json(_unpacked(text))
        if not isinstance(content, dict) or content.keys() != {"version", "progress", "subjects", "state"}:
            return None
        if content["version"] != VERSION or not _is_shallow(content, MAX_DEPTH):
            return None
        subjects = decode(_Subjects, {"subjects": content["subjects"]}).subjects
        return Cursor(decode(Progress, content["progress"]), subjects, decode(state_type, content["state"]))
    except ValueError:
        return None


def _written(data: bytes) -> str:
    pairs = bytearray(2 * len(data))
    pairs[0::2] = bytes((_BRAILLE,)) * len(data)
    pairs[1::2] = data
    return pairs.decode("utf-16-be")


def _unpacked(text: str) -> bytes:
    """Return the content of a cursor.

    :raises ValueError: the text is not a cursor, was changed, or is too long
    """
    if len(text) > MAX_BYTES:
        raise ValueError("it is too long")
    pairs = text.encode("utf-16-be")
    if pairs[0::2].translate(None, bytes((_BRAILLE,))):
        raise ValueError("it contains other characters")
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(pairs[1::2], MAX_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if most_values(content) > MAX_VALUES:
        raise ValueError("it has too many values")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it is too long, or not complete")
    return content


def _is_shallow(value: t.Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)
