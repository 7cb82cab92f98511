# SPDX-License-Identifier: GPL-3.0-or-later
"""Lay out rows of periods as charts for SVG: each has a time axis, and fits on half of a printed page.

Coordinates are in units of the view box. Shapes differ in form as well as in color, so that a print in black and white
stays readable.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ...module_utils._model.objects.timestamp import timestamp_at
from ...module_utils._model.timeline import Span

WIDTH = 900
ROWS = 36
"""Rows of a chart."""
_RIGHT = 872.0
"""Where the time axis ends. It begins behind the labels."""
_LETTER = 6.6
"""Width of a letter of a label."""
_MARGIN = 10.0
"""Between a label and the axis."""
_TOP, _ROW = 20.0, 14.0
_MOST_TICKS = 7
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
"""Seconds between two marks of the axis."""
_DAY = 86400
_SHORTEST = 2.0
"""Length of the shortest bar."""
_NOWHERE = Span(None, None)


class RowKind(enum.Enum):
    """What a row shows, which is also its class in the style sheet."""

    BUILD = "build"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DONE = "done"
    NOT_DONE = "not-done"


_ATTEMPTS = (RowKind.RUNNING, RowKind.SUCCEEDED, RowKind.FAILED)
_GOOD = (RowKind.SUCCEEDED, RowKind.DONE)
_BAD = (RowKind.FAILED, RowKind.NOT_DONE)


@dataclass(frozen=True)
class Row:
    """A row before it is laid out."""

    label: str
    title: str
    """The row in words."""
    kind: RowKind
    whole: Span
    drain: Span = _NOWHERE
    reboot: Span = _NOWHERE

    @property
    def known(self) -> tuple[float, ...]:
        """All times of the row."""
        return self.whole.known + self.drain.known + self.reboot.known


@dataclass(frozen=True)
class Bar:
    """A period in a row."""

    kind: str
    """``whole``, ``attempt``, ``drain`` or ``reboot``."""
    x: float
    y: float
    width: float
    height: float
    is_open: bool = False
    """Whether its start or its end is not known."""


@dataclass(frozen=True)
class Mark:
    """The end of a row: ``good`` or ``bad``."""

    kind: str
    x: float
    y: float


@dataclass(frozen=True)
class DrawnRow:
    """A row with its shapes."""

    kind: str
    label: str
    title: str
    y: float
    """Of the base line of its label."""
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Tick:
    """A mark of the time axis."""

    x: float
    label: str
    """Empty where it would overlap the labels of rows."""


@dataclass(frozen=True)
class Chart:
    """A picture."""

    title: str
    description: str
    height: float
    counter: str
    """Which rows of all it has, or an empty text."""
    left: float
    """Where the labels end."""
    ticks: tuple[Tick, ...]
    rows: tuple[DrawnRow, ...]


@dataclass(frozen=True)
class Axis:
    """The time axis of a picture."""

    begin: float
    end: float
    left: float
    """Where it begins."""

    @classmethod
    def of(cls, rows: t.Sequence[Row], counter: str) -> Axis:
        """Return the axis for all times of the rows, behind their labels and the counter."""
        times = [time for row in rows for time in row.known]
        begin = min(times, default=0.0)
        labels = max(map(len, (counter, *(row.label for row in rows)))) * _LETTER
        return cls(begin, max((*times, begin + 1)), round(labels + 2 * _MARGIN, 1))

    def x(self, time: float) -> float:
        """Return the position of a time."""
        share = (time - self.begin) / (self.end - self.begin)
        return round(self.left + share * (_RIGHT - self.left), 1)

    def ticks(self) -> tuple[Tick, ...]:
        """Return the marks: few of them, at round times."""
        length = self.end - self.begin
        step = next((step for step in _STEPS if length / step <= _MOST_TICKS), 0)
        step = step or int(-(-length // (_MOST_TICKS * _DAY))) * _DAY
        first = int(-(-self.begin // step)) * step
        return tuple(self._tick(time, self._label(time, step)) for time in range(first, int(self.end) + 1, step))

    def _tick(self, time: float, label: str) -> Tick:
        x = self.x(time)
        return Tick(x, label if x - self.left > len(label) * _LETTER / 2 else "")

    def _label(self, time: float, step: int) -> str:
        text = timestamp_at(time)
        clock = text[11:19] if step < 60 else text[11:16]
        date = "" if timestamp_at(self.begin)[:10] == timestamp_at(self.end)[:10] else f"{text[5:10]} "
        return date + clock


def charts(title: str, rows: t.Sequence[Row]) -> tuple[Chart, ...]:
    """Return the charts of rows.

    Each has its own time axis. With one axis for all, the periods of many rows would be too short to be read.
    """
    return tuple(_chart(title, rows, start) for start in range(0, len(rows), ROWS))


def _chart(title: str, all_rows: t.Sequence[Row], start: int) -> Chart:
    """Return the chart with the rows from *start* on."""
    rows = all_rows[start : start + ROWS]
    counter = f"{start + 1}-{start + len(rows)} of {len(all_rows)}" if len(all_rows) > ROWS else ""
    axis = Axis.of(rows, counter)
    period = f"{_text(axis.begin)} to {_text(axis.end)} UTC"
    bad = sum(row.kind in _BAD for row in rows)
    what = f"{len(rows)} rows on a time axis from {period}, {bad} of them failed or not done."
    drawn = tuple(_drawn(row, _TOP + index * _ROW, axis) for index, row in enumerate(rows))
    return Chart(
        title=f"{title} {counter}".rstrip(),
        description=f"{what} The times follow as text.",
        height=_TOP + len(rows) * _ROW + 4,
        counter=counter,
        left=round(axis.left - _MARGIN, 1),
        ticks=axis.ticks(),
        rows=drawn,
    )


def _text(time: float) -> str:
    return timestamp_at(time).replace("T", " ").replace("Z", "")


def _drawn(row: Row, top: float, axis: Axis) -> DrawnRow:
    middle = top + _ROW / 2
    bars = [_bar("attempt", row.whole, middle, axis)] if row.kind in _ATTEMPTS else [_line(row, middle, axis)]
    bars += [_bar("drain", row.drain, middle, axis), _bar("reboot", row.reboot, middle, axis)]
    marks = tuple(Mark(kind, x, middle) for kind, x in _end(row, axis))
    return DrawnRow(row.kind.value, row.label, row.title, top + 10.5, tuple(filter(None, bars)), marks)


def _line(row: Row, middle: float, axis: Axis) -> Bar | None:
    """Return the thin line below the bars, from the first time of the row to its end or to the end of the axis."""
    if not row.known:
        return None
    begin = axis.x(min(row.known))
    end = axis.x(axis.end if row.whole.end is None else max(row.known))
    return Bar("whole", begin, middle - 1, max(_SHORTEST, round(end - begin, 1)), 2, row.whole.end is None)


def _bar(kind: str, span: Span, middle: float, axis: Axis) -> Bar | None:
    """Return a bar. Without an end it lasts to the end of the axis; without a start it is only its end."""
    if not span.known:
        return None
    end = axis.end if span.end is None else span.end
    begin = end if span.begin is None else span.begin
    x = axis.x(min(begin, end))
    width = max(_SHORTEST, round(axis.x(max(begin, end)) - x, 1))
    return Bar(kind, min(x, _RIGHT - width), middle - 4, width, 8, len(span.known) < 2)


def _end(row: Row, axis: Axis) -> t.Iterator[tuple[str, float]]:
    """Yield the mark at the end of a row."""
    if row.kind in (*_GOOD, *_BAD):
        end = axis.end if row.whole.end is None else row.whole.end
        yield "good" if row.kind in _GOOD else "bad", axis.x(end)
