# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines of a log that a hostile build may have written: bounded in size and number, and without credentials.

Patterns are matched against :attr:`Line.text` only, which is short. What is shown comes from :meth:`Line.shown`, which
looks for credentials in the line as it was written: in a line that was cut, what is left of a credential, or of the
name in front of it, may not be seen to be one.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from ..registry.masking import MASK, Span, inside_keys, masked_part, secrets_in

LONGEST_LOG = 4 << 20
"""Characters of a log that are looked at, the last ones."""
MOST_LINES = 20000
"""Lines of a log that are looked at, the last ones."""
LONGEST_LINE = 4096
"""Characters of a line that patterns are matched against: half of them from each end."""
LONGEST_SHOWN = 400
"""Characters of a line that are shown: half of them from each end."""
GAP = " ... "
"""Stands for what was cut out of a line."""


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    whole: str
    text: str
    """What patterns are matched against: of a long line its two ends."""
    hidden: bool = False
    """Whether it is a part of a key of several lines."""

    def shown(self, start: int = 0) -> str:
        """Return the line as it may be shown, from a place in :attr:`text` on: short, and with credentials masked."""
        if self.hidden:
            return MASK
        size = len(self.whole)
        begin = start if start <= LONGEST_LINE // 2 else size - (len(self.text) - start)
        if size - begin <= LONGEST_SHOWN:
            return self._part(begin, size)
        half = LONGEST_SHOWN // 2
        return f"{self._part(begin, begin + half)}{GAP}{self._part(size - half, size)}"

    def _part(self, begin: int, end: int) -> str:
        return masked_part(self.whole, begin, end, self._secrets)

    @cached_property
    def _secrets(self) -> t.Sequence[Span]:
        """Where the line looks like a credential: looking takes long, and a line is shown in several parts."""
        return secrets_in(self.whole)


def lines_of(log: str, strip: t.Callable[[str], str] = str.rstrip) -> list[Line]:
    """Return the last lines of a log.

    :param strip: takes away from each line what says nothing
    """
    text = log[-LONGEST_LOG:].replace("\r\n", "\n").replace("\r", "\n")
    found = [strip(line) for line in text.rstrip("\n").rsplit("\n", MOST_LINES)[-MOST_LINES:]]
    hidden = inside_keys(found)
    return [Line(line, cut(line, LONGEST_LINE), n in hidden) for n, line in enumerate(found)]


def cut(text: str, limit: int) -> str:
    """Return the two ends of a text that is longer than *limit*, with a mark between."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]}{GAP}{text[-half:]}"
