# SPDX-License-Identifier: GPL-3.0-or-later
"""Make text from outside safe to print.

A build, an API server, a node or another tenant can put escape sequences of a terminal into what they write, or control
characters that reverse the direction of what follows. Both change what a reader sees. Here they become visible.
"""

from __future__ import annotations

import typing as t

_KEPT = frozenset("\n\t")


def printable(text: str) -> str:
    r"""Return *text* with every character that is not printable shown as its escape, such as ``\x1b``.

    Line ends and tabs stay. Not printable are control characters, characters without a width or that set the direction
    of text, other spaces than the common one, and halves of a surrogate pair.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else _escaped(c) for c in text)


def all_printable(value: t.Any) -> t.Any:
    """Return a copy of *value*, as JSON has it, with every text in it printable; keys of dictionaries are texts too."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, t.Mapping):
        return {all_printable(key): all_printable(content) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [all_printable(content) for content in value]
    return value


def _escaped(character: str) -> str:
    number = ord(character)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
