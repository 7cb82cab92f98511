# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of a build log, bounded in size and number, and without credentials.

A hostile build can write anything into its log. Patterns are matched against :attr:`Line.text` only, which is short.
Output uses :meth:`Line.shown`, which searches the complete line for credentials: a shortened line may contain a part of
a credential, or of the name in front of it, that no rule recognizes.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from functools import cached_property

from ..registry.masking import MASK, Span, inside_keys, masked_part, secrets_in
from ..text import GAP, truncate_middle

MAX_LOG_SIZE = 4 << 20
"""Characters at the end of a log that are read."""
MAX_LINES = 20000
"""Lines at the end of a log that are read."""
MAX_LINE = 4096
"""Characters of a line that patterns are matched against, half from each end."""
MAX_SHOWN = 400
"""Characters of a line that are shown, half from each end."""


@dataclass(frozen=True)
class Line:
    """One line of a log."""

    whole: str
    text: str
    """Text for patterns: the line, or both ends of a long one."""
    hidden: bool = False
    """Whether the line is part of a private key of several lines."""

    def shown(self, start: int = 0, end: int | None = None) -> str:
        """Return the line, shortened and with credentials masked.

        :param start: first character to show, as an index into :attr:`text`
        :param end: end of the characters to show, as such an index; None is the end of the line
        """
        if self.hidden:
            return MASK
        begin = self._in_whole(start)
        stop = len(self.whole) if end is None else self._in_whole(end)
        if stop - begin <= MAX_SHOWN:
            return self._part(begin, stop)
        half = MAX_SHOWN // 2
        return f"{self._part(begin, begin + half)}{GAP}{self._part(stop - half, stop)}"

    def _in_whole(self, index: int) -> int:
        """Return the index into the whole line of an index into its text."""
        return index if index <= MAX_LINE // 2 else len(self.whole) - (len(self.text) - index)

    def _part(self, begin: int, end: int) -> str:
        return masked_part(self.whole, begin, end, self._secrets)

    @cached_property
    def _secrets(self) -> t.Sequence[Span]:
        """Positions of credentials. Cached, because the search is slow and a line is shown in several parts."""
        return secrets_in(self.whole)


def lines_of(log: str, strip: t.Callable[[str], str] = str.rstrip) -> list[Line]:
    """Return the last lines of a log.

    :param strip: removes meaningless text from a line
    """
    text = log[-MAX_LOG_SIZE:].replace("\r\n", "\n").replace("\r", "\n")
    found = [strip(line) for line in text.rstrip("\n").rsplit("\n", MAX_LINES)[-MAX_LINES:]]
    hidden = inside_keys(found)
    return [Line(line, truncate_middle(line, MAX_LINE), n in hidden) for n, line in enumerate(found)]
