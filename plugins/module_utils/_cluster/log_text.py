# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the end of the log of a container at once."""

from __future__ import annotations

import contextlib
import typing as t
from collections import deque

from .._model.objects.resources import OPERATOR_NAMESPACE, POD
from .api_error import reaching
from .lines import LineSplitter
from .log_follower import LONGEST_LINE
from .session import Session

_MAX_TEXT = 4 << 20


def read_log(session: Session, pod: str, container: str, lines: int) -> str:
    """Return the last lines of a log, without times and without the debugging output of the builder.

    :raises ApiError: the API server returned an error
    :raises Unreachable: the API server could not be reached
    """
    query = {"container": container, "tailLines": str(lines)}
    response = session.open("GET", POD.path(pod, OPERATOR_NAMESPACE, "log"), query)
    with contextlib.closing(response), reaching(session.api_url):
        return last_lines(split_lines(response.pieces()), lines)


def split_lines(pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """Return the lines of a log, each with its end."""
    splitter = LineSplitter(LONGEST_LINE)
    for piece in pieces:
        yield from (line + b"\n" for line in splitter.take(piece))
    rest = splitter.rest()
    if rest:
        yield rest


def last_lines(lines: t.Iterable[bytes], most: int) -> str:
    """Return the last lines, without the debugging output of the builder."""
    kept: deque[bytes] = deque()
    size = 0
    for line in lines:
        if b" level=debug " in line[:80]:
            continue
        kept.append(line)
        size += len(line)
        while size > _MAX_TEXT or len(kept) > most:
            size -= len(kept.popleft())
    return b"".join(kept).decode("utf-8", "replace")
