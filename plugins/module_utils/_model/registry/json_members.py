# SPDX-License-Identifier: GPL-3.0-or-later
"""Change members of a JSON object that somebody else wrote, and leave the text of all others as it is.

A value that is read and written again can change without anybody's wish: a number loses digits, a name that is given
twice loses one value. So what is not to be changed is never read into a value here, but kept as text.
"""

from __future__ import annotations

import json
import re
import typing as t

from ..json_text import read_json

_BLANK = re.compile(r"[ \t\n\r]*")


def read_members(text: str) -> dict[str, str]:
    """Return the members of the JSON object that *text* holds: name -> text of the value.

    :raises ValueError: it is not a JSON object, names a member twice at any depth, or holds a value that JSON does not
        have, such as NaN; the message never quotes it
    """
    if not isinstance(read_json(text), dict):
        raise ValueError("it is not JSON that describes an object")
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
    try:
        return _unique(_members(text, decoder))
    except RecursionError:
        reason = "it is nested too deeply"
    raise ValueError(reason)


def write_members(members: t.Mapping[str, str]) -> str:
    """Return the JSON object that has these members: name -> text of the value."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


def _members(text: str, decoder: json.JSONDecoder) -> list[tuple[str, str]]:
    """Split a text that is known to hold a JSON object."""
    members: list[tuple[str, str]] = []
    place = _after_blanks(text, text.index("{") + 1)
    while text[place] != "}":
        name, end = decoder.raw_decode(text, place)
        start = _after_blanks(text, _after_blanks(text, end) + 1)
        dummy, end = decoder.raw_decode(text, start)
        members.append((name, text[start:end]))
        place = _after_blanks(text, end)
        if text[place] == ",":
            place = _after_blanks(text, place + 1)
    return members


def _after_blanks(text: str, place: int) -> int:
    return t.cast("re.Match[str]", _BLANK.match(text, place)).end()


def _unique(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it names a member of an object twice")
    return found


def _no_constant(dummy: str) -> t.NoReturn:
    raise ValueError("it is not JSON")
