# SPDX-License-Identifier: GPL-3.0-or-later
"""Where did the last window of a wait end?

A cursor carries what the next window needs in order not to list again: each kind's resourceVersion and the reduced
state of each object. It is opaque to users and versioned; one that cannot be read means listing again.

On its way from one module call to the next, Ansible replaces in it whatever equals a secret value of the task, however
short that is. So it is written in the 256 Braille patterns, a byte each: printable characters that no credential has.
What comes back may be anything all the same, also a cursor of another wait, so it is read like an answer of a stranger:
bounded in size and depth, and each value of the type that the waits rely on.
"""

from __future__ import annotations

import json
import typing as t
import zlib
from dataclasses import dataclass, field

from .._model.findings import FINDINGS
from .._model.json_text import most_values, read_json
from .outage import Sight

VERSION = 5
LONGEST = 32 << 20
"""Bytes of content that are unpacked; 2000 nodes have 3.5 MB."""
MOST_VALUES = 2_000_000
"""JSON values in it; those of 2000 nodes are a tenth of that."""
DEEPEST = 60
"""Levels of nesting."""
LATEST = 1e11
"""Seconds; what is later is no time."""

_BRAILLE = 0x28
"""The high byte of the characters U+2800 to U+28FF."""


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
    about: str = ""
    """Stands for the cluster and the objects that are waited for; empty fits all."""

    def __str__(self) -> str:
        still, sight = self.stillness, self.sight
        # Field by field: asdict would copy all objects.
        content = {
            "version": VERSION,
            "started": self.started,
            "versions": self.versions,
            "objects": self.objects,
            "told": self.told,
            "found": self.found,
            "stillness": {"mark": still.mark, "seconds": still.seconds, "seen_at": still.seen_at},
            "memory": self.memory,
            "sight": {
                "away": sight.away,
                "reason": sight.reason,
                "since": sight.since,
                "back_at": sight.back_at,
                "lost": sight.lost,
                "denied": sight.denied,
            },
            "opened": self.opened,
            "about": self.about,
        }
        return _written(zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 9))


def read_cursor(text: str) -> Cursor | None:
    """Return the cursor, or None when it is not one of this version."""
    try:
        content = read_json(_unpacked(text))
        known = _is_shallow(content, DEEPEST) and _fits(content, _CURSOR) and content.keys() == _CURSOR.keys()
        if not known or content["version"] != VERSION:
            return None
    except ValueError:
        return None
    still, seen = content["stillness"], content["sight"]
    return Cursor(
        started=float(content["started"]),
        versions=content["versions"],
        objects=content["objects"],
        told=content["told"],
        found=tuple(content["found"]),
        stillness=Stillness(still["mark"], float(still["seconds"]), float(still["seen_at"])),
        memory=content["memory"],
        sight=Sight(
            away=tuple(seen["away"]),
            reason=seen["reason"],
            since=float(seen["since"]),
            back_at=None if seen["back_at"] is None else float(seen["back_at"]),
            lost=float(seen["lost"]),
            denied={subject: float(since) for subject, since in seen["denied"].items()},
        ),
        opened=tuple(content["opened"]),
        about=content["about"],
    )


def _written(data: bytes) -> str:
    pairs = bytearray(2 * len(data))
    pairs[0::2] = bytes((_BRAILLE,)) * len(data)
    pairs[1::2] = data
    return pairs.decode("utf-16-be")


def _unpacked(text: str) -> bytes:
    """Return the content of a cursor.

    :raises ValueError: it is not one, was changed on its way, or is too long
    """
    if len(text) > LONGEST:
        raise ValueError("it is too long")
    pairs = text.encode("utf-16-be")
    if pairs[0::2].translate(None, bytes((_BRAILLE,))):
        raise ValueError("it has other characters")
    unpacker = zlib.decompressobj()
    try:
        content = unpacker.decompress(pairs[1::2], LONGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if most_values(content) > MOST_VALUES:
        raise ValueError("it has too many values")
    if not unpacker.eof or unpacker.unused_data:
        raise ValueError("it is too long, or has no end")
    return content


# What its values are -------------------------------------------------------------------------------------------------


def _is_number(value: t.Any) -> bool:
    """Whether a value is a number of seconds: no text, and neither infinite nor so large that it cannot be one."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= LATEST


def _is_known_finding(value: t.Any) -> bool:
    return isinstance(value, str) and value in FINDINGS


_SELECTOR = {
    "matchLabels?": {str: str},
    "matchExpressions?": [{"key": str, "operator": str, "values?": [str]}],
}
_OBJECT = {
    "metadata": {
        "name": str,
        "namespace?": str,
        "uid?": str,
        "labels?": {str: str},
        "annotations?": {str: str},
        "managedFields?": [dict],
        "ownerReferences?": [dict],
        "creationTimestamp?": str,
    },
    "spec?": {"nodeSelector?": _SELECTOR, "selector?": _SELECTOR},
    "status?": {"conditions?": [{"type": str}], "containerStatuses?": [dict], "initContainerStatuses?": [dict]},
}
_LOGS = {
    "build": str,
    "version": str,
    "pods": [_OBJECT],
    "done": [str],
    "places": {str: (str, int)},
    "paths": [str],
}


def _is_place_in_logs(value: t.Any) -> bool:
    return value == {} or _fits(value, _LOGS)


_MEMORY = {
    "unreadable?": {str: str},
    "told_at?": _is_number,
    "lack?": (str, str, _is_number, _is_number),
    "before_rebuild?": str,
    "reasons?": [(_is_known_finding, str, str, str, str)],
    "reasons_at?": _is_number,
    "reasons_for?": str,
    "job?": (_is_number, _is_number),
    "cluster?": str,
    "pushed?": str,
    "history?": ({str: (bool, *[lambda value: value is None or _is_number(value)] * 4)}, [_is_number], bool),
    "awaited?": _is_number,
    "draining?": [str],
    "release?": str,
    "logs?": _is_place_in_logs,
}
"""What the waits of each kind remember, by the names that they give it."""
_CURSOR: t.Mapping[t.Any, t.Any] = {
    "version": int,
    "started": _is_number,
    "versions": {str: str},
    "objects": {str: {str: _OBJECT}},
    "told": str,
    "found": [str],
    "stillness": {"mark": str, "seconds": _is_number, "seen_at": _is_number},
    "memory": _MEMORY,
    "sight": {
        "away": [str],
        "reason": str,
        "since": _is_number,
        "back_at": lambda value: value is None or _is_number(value),
        "lost": _is_number,
        "denied": {str: _is_number},
    },
    "opened": [str],
    "about": str,
}


def _fits(value: t.Any, shape: t.Any) -> bool:
    """Whether a value has a shape.

    A shape is a type, a predicate, a list of the shape of all items, a tuple of the shapes of each, or a dictionary: of
    the shape of all values, with ``str`` for the key, or of the shapes of some. The names of those that may be missing
    end with ``?``.
    """
    if isinstance(shape, type):
        return isinstance(value, shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, tuple):
        return isinstance(value, list) and len(value) == len(shape) and all(map(_fits, value, shape))
    if not isinstance(shape, dict):
        return bool(shape(value))
    if not isinstance(value, dict):
        return False
    if str in shape:
        return all(_fits(item, shape[str]) for item in value.values())
    return all(
        _fits(value[name.rstrip("?")], inner) if name.rstrip("?") in value else name.endswith("?")
        for name, inner in shape.items()
    )


def _is_shallow(value: t.Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(_is_shallow(item, levels - 1) for item in inner)
