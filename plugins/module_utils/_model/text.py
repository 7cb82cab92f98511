# SPDX-License-Identifier: GPL-3.0-or-later
"""Make text from other programs printable, and shorten it.

A build, an API server, a node or another tenant can write terminal escape sequences, or control characters that reverse
the direction of text. Both change what a reader sees. They are replaced by visible characters.
"""

from __future__ import annotations

import typing as t

GAP = " ... "
"""Replaces the middle of a shortened text."""
_KEPT = frozenset("\n\t")


def printable(text: str) -> str:
    r"""Return *text* with each character that is not printable replaced by its escape, such as ``\x1b``.

    Line ends and tabs stay. Not printable are control characters, characters without width, characters that set the
    direction of text, all spaces but the common one, and unpaired surrogates.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else _escaped(c) for c in text)


def all_printable(value: t.Any) -> t.Any:
    """Return a copy of a JSON value with all strings printable, including keys."""
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


def legible(text: str, limit: int = 300) -> str:
    """Return the beginning of *text* on one line, *limit* characters at most, without control characters."""
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[: limit + 1])
    return shown if len(shown) <= limit else f"{shown[: limit - 3]}..."


def listed(names: t.Sequence[str], most: int = 10) -> str:
    """Return the first names, and how many more there are, because a pool can have any number of nodes."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def truncate_bytes(text: str, limit: int) -> str:
    """Return the beginning of *text*, *limit* bytes of UTF-8 at most."""
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")


def truncate_middle(text: str, limit: int) -> str:
    """Return *text*, or both ends of a text that is longer than *limit* with GAP between them."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}{GAP}{text[-half:]}"
