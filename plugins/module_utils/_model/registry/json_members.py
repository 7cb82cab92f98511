# SPDX-License-Identifier: GPL-3.0-or-later
"""Change members of a JSON object and preserve the text of all others.

A value can change when it is parsed and written again: a number loses digits, a duplicate key loses a value. Members
that do not change are therefore kept as text.
"""

from __future__ import annotations

import json
import re
import typing as t

from ..json_text import read_json

_BLANK = re.compile(r"[ \t\n\r]*")


def read_members(text: str) -> dict[str, str]:
    """Return the members of the JSON object in *text*: name -> text of the value.

    :raises ValueError: the text is not a JSON object, contains a duplicate key at any depth, or a value that is not
        JSON, such as NaN; the message never quotes the text
    """
    if not isinstance(read_json(text), dict):
        raise ValueError("it is not a JSON object")
    decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)
    try:
        return _unique(_members(text, decoder))
    except RecursionError:
        reason = "it is nested too deeply"
    raise ValueError(reason)


def write_members(members: t.Mapping[str, str]) -> str:
    """Return the JSON object with these members: name -> text of the value."""
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


def _members(text: str, decoder: json.JSONDecoder) -> list[tuple[str, str]]:
    """Split a text that is a JSON object."""
    members: list[tuple[str, str]] = []
    position = _after_blanks(text, text.index("{") + 1)
    while text[position] != "}":
        name, end = decoder.raw_decode(text, position)
        start = _after_blanks(text, _after_blanks(text, end) + 1)
        dummy, end = decoder.raw_decode(text, start)
        members.append((name, text[start:end]))
        position = _after_blanks(text, end)
        if text[position] == ",":
            position = _after_blanks(text, position + 1)
    return members


def _after_blanks(text: str, position: int) -> int:
    return t.cast("re.Match[str]", _BLANK.match(text, position)).end()


def _unique(pairs: list[tuple[str, t.Any]]) -> dict[str, t.Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it contains a duplicate key")
    return found


def _no_constant(dummy: str) -> t.NoReturn:
    raise ValueError("it is not JSON")
