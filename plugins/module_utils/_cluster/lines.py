# SPDX-License-Identifier: GPL-3.0-or-later
"""Split a stream into lines, in linear time and with a limit on the length of a line."""

from __future__ import annotations

LINE_CUT = b" [imagemode.openshift: line too long, cut here]"
"""The end of a line that was cut."""


class LineSplitter:
    """Take a stream piece by piece and return complete lines.

    :param longest: bytes to keep of a line; the rest of a longer line is dropped
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._line = bytearray()
        self._is_cut = False
        self.has_cut = False
        """Whether a line was too long."""

    def take(self, piece: bytes) -> list[bytes]:
        """Return the lines that this piece completes, without line ends."""
        *ended, rest = piece.split(b"\n")
        lines = []
        for part in ended:
            self._add(part)
            lines.append(self.rest())
        self._add(rest)
        return lines

    def rest(self) -> bytes:
        """Return the incomplete last line, and start a new one."""
        line = bytes(self._line) + (LINE_CUT if self._is_cut else b"")
        self._line.clear()
        self._is_cut = False
        return line

    def _add(self, part: bytes) -> None:
        room = self._longest - len(self._line)
        self._line += part[:room]
        if len(part) > room:
            self._is_cut = self.has_cut = True
