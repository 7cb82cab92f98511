# SPDX-License-Identifier: GPL-3.0-or-later
"""Timeline of a run for the page: what it says in sentences, and its rows as text.

The pictures are drawn by ``picture.py``.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ...module_utils._model.objects.timestamp import timestamp_at
from ...module_utils._model.text import listed
from ...module_utils._model.timeline import (
    FAILED,
    SUCCEEDED,
    AttemptEntry,
    NodeEntry,
    Span,
    Timeline,
    timeline_of,
)
from .._progress import duration
from .document import Document
from .picture import Chart, Row, RowKind, charts

MOST_ROWS = 500
"""Nodes of the page. The JSON has more."""
_LONGEST_LABEL = 26
"""Characters of a name beside its row."""
_MOST_NAMES = 10
"""Names of nodes in a sentence."""
_ABOUT = "~"
"""Marks a time at which the wait observed the change."""
_NO_TIME = "-"


@dataclass(frozen=True)
class TextRow:
    """A node in the table of times."""

    name: str
    state: str
    failed: bool
    cells: tuple[str, ...]
    """Start of the update, drain, reboot, and end."""


@dataclass(frozen=True)
class TimelineView:
    """What the page shows of a timeline."""

    build: str
    """Sentence about the build, or an empty text."""
    nodes: str
    """Sentence about the nodes, or an empty text."""
    build_charts: tuple[Chart, ...]
    node_charts: tuple[Chart, ...]
    attempts: tuple[str, ...]
    """Each attempt in one line."""
    rows: tuple[TextRow, ...]
    left_out: int


def view_of(doc: Document) -> TimelineView | None:
    """Return the timeline of a document, or None if it has none.

    :param doc: the document, with printable texts
    """
    timeline = timeline_of(doc["build"], doc["timeline"])
    if timeline is None:
        return None
    shown = timeline.limited(MOST_ROWS)
    labels = _labels([node.name for node in shown.nodes])
    return TimelineView(
        build=_build_sentence(timeline),
        nodes=_nodes_sentence(timeline),
        build_charts=charts("Build", _build_rows(timeline)),
        node_charts=charts("Nodes", [_node_row(node, label) for node, label in zip(shown.nodes, labels)]),
        attempts=tuple(_attempt_text(attempt) for attempt in timeline.attempts),
        rows=tuple(_text_row(node) for node in shown.nodes),
        left_out=shown.left_out,
    )


# Sentences -----------------------------------------------------------------------------------------------------------


def _build_sentence(timeline: Timeline) -> str:
    build, attempts = timeline.build, timeline.attempts
    if build is None and not attempts:
        return ""
    failed = sum(attempt.state == FAILED for attempt in attempts)
    count = f"{_count(len(attempts), 'attempt')}, {failed} failed" if attempts else "attempts not observed"
    when = f" {_period(build.span)}." if build else ""
    state = f" {build.state}" if build and build.state else ""
    return f"Build{state} ({count}).{when}"


def _nodes_sentence(timeline: Timeline) -> str:
    nodes = timeline.nodes
    if not nodes:
        return ""
    done = sum(node.is_done for node in nodes)
    total = len(nodes) + timeline.left_out
    lost = len(nodes) - done
    parts = [f"Update of {_count(total, 'node')} observed: {done} done" + (f", {lost} not done" if lost else "")]
    times = [time for node in nodes for time in node.known]
    if times:
        parts.append(_period(Span(min(times), max(times))))
    slowest = max(nodes, key=_seconds)
    if _seconds(slowest):
        parts.append(f"Slowest update: {slowest.name}, {duration(int(_seconds(slowest)))}")
    if lost:
        parts.append(_not_done([node for node in nodes if not node.is_done]))
    return ". ".join(parts) + "."


def _not_done(nodes: t.Sequence[NodeEntry]) -> str:
    return f"Not done: {listed([f'{node.name} ({_state(node)})' for node in nodes], _MOST_NAMES)}"


def _seconds(node: NodeEntry) -> float:
    return node.whole.seconds or 0.0


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _period(span: Span) -> str:
    """Return a period as text: with date, in UTC."""
    begin, end = (_moment(time) if time is not None else "" for time in (span.begin, span.end))
    if not begin or not end:
        return f"Since {begin}" if begin else f"Until {end}" if end else ""
    return f"{begin} to {end} ({_length(span)})"


def _moment(time: float) -> str:
    return timestamp_at(time).replace("T", " ").replace("Z", " UTC")


# Rows of pictures ----------------------------------------------------------------------------------------------------


def _build_rows(timeline: Timeline) -> list[Row]:
    rows = []
    if timeline.build:
        build = timeline.build
        rows.append(Row("build", f"Build {build.name}: {build.state}", RowKind.BUILD, whole=build.span))
    for attempt in timeline.attempts:
        kind = {SUCCEEDED: RowKind.SUCCEEDED, FAILED: RowKind.FAILED}.get(attempt.state, RowKind.RUNNING)
        rows.append(Row(f"attempt {attempt.number}", _attempt_text(attempt), kind, whole=attempt.span))
    return rows if any(row.whole.known for row in rows) else []


def _node_row(node: NodeEntry, label: str) -> Row:
    kind = RowKind.DONE if node.is_done else RowKind.NOT_DONE
    text = _text_row(node)
    start, drain, reboot, end = text.cells
    title = f"{node.name}: {text.state}; started {start}; drain {drain}; reboot {reboot}; done {end}"
    return Row(label, title, kind, node.whole, drain=node.drain, reboot=node.reboot)


def _labels(names: t.Sequence[str]) -> list[str]:
    """Return short names: without the domain if they stay distinct, and cut where they are too long."""
    short = [name.partition(".")[0] for name in names]
    chosen = short if len(set(short)) == len(names) else names
    return [n if len(n) <= _LONGEST_LABEL else f"{n[: _LONGEST_LABEL - 1]}\N{HORIZONTAL ELLIPSIS}" for n in chosen]


# Rows of text --------------------------------------------------------------------------------------------------------


def _attempt_text(attempt: AttemptEntry) -> str:
    why = ""
    if attempt.state == FAILED:
        code = f"exit code {attempt.exit_code}" if attempt.exit_code else ""
        why = ", ".join(filter(None, (attempt.reason, code)))
    state = (attempt.state or "unknown") + (f" ({why})" if why else "")
    return f"Attempt {attempt.number}: {state}, {_clock(attempt.span, '', '')}, pod {attempt.pod}"


def _text_row(node: NodeEntry) -> TextRow:
    about = dict.fromkeys(node.observed, _ABOUT)
    cells = (
        _time(node.started, about.get("started", "")),
        _clock(node.drain, about.get("drain_started", ""), about.get("drain_finished", "")),
        _clock(node.reboot, about.get("not_ready", ""), about.get("ready", "")),
        _time(node.done, about.get("done", "")),
    )
    return TextRow(node.name, _state(node), not node.is_done, cells)


def _state(node: NodeEntry) -> str:
    """Return the state of a node in words. A node that is not Ready again has not come back."""
    if node.state == "updating" and node.reboot.begin is not None and node.reboot.end is None:
        return "not back"
    return {"left": "left the pool"}.get(node.state, node.state) or "unknown"


def _clock(span: Span, begin: str, end: str) -> str:
    """Return a period with clock times.

    :param begin: mark before the start
    :param end: mark before the end
    """
    if not span.known:
        return _NO_TIME
    length = f" ({_length(span)})" if span.seconds is not None else ""
    return f"{_time(span.begin, begin, 'unknown')} to {_time(span.end, end, 'unknown')}{length}"


def _length(span: Span) -> str:
    """Return the length of a period. It is unknown if the end is before the start, because two clocks differ."""
    seconds = span.seconds
    return duration(int(seconds)) if seconds is not None and seconds >= 0 else "unknown"


def _time(time: float | None, mark: str, missing: str = _NO_TIME) -> str:
    return missing if time is None else mark + timestamp_at(time)[11:19]
