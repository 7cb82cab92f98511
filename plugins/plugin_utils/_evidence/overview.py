# SPDX-License-Identifier: GPL-3.0-or-later
"""Index page of the reports of a folder: one row for each pool, with the worst first.

It is made from the JSON of the reports, so that reports of several hosts, runs and jobs can be merged. A report that
cannot be read is a row without a proof, and never left out.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ...module_utils._model.json_text import read_json
from ...module_utils._model.proof.verdict import Verdict, worst
from .document import (
    NONE,
    SCHEMA,
    Document,
    InvalidResult,
    ReportContext,
    cluster_label,
    document,
    for_readers,
)
from .page import WORST_FIRST, headline, natural, render, shares

INDEX = "image-mode-index"
"""Name of the page without its extension. The name of a report ends with a hash and a pool, so it is never this one."""

_ORDER = (*WORST_FIRST, NONE)


@dataclass(frozen=True)
class Row:
    """One pool of a cluster, or a run that has no report."""

    verdict: str
    pool: str
    cluster: str
    host: str
    result: str
    """The result in a sentence, or the failure."""
    verified_at: str = ""
    image: str = ""
    """Digest that the nodes should have booted, if it is the same for all."""
    page: str = ""
    """File name of the report, or empty."""


def rows_of(reports: t.Mapping[str, bytes | None], pages: t.Collection[str]) -> list[Row]:
    """Return a row for each report.

    :param reports: content of the JSON by the name of its file without extension, None if it cannot be read
    :param pages: names of the HTML pages, without extension
    """
    rows = []
    for name, content in reports.items():
        row = _row(name, content, f"{name}.html" if name in pages else "")
        if row:
            rows.append(row)
    return rows


def row_of_failure(entry: t.Mapping[str, t.Any]) -> Row:
    """Return the row of a run without a report: an entry of image_mode_result."""
    return Row(
        verdict="unknown",
        pool=str(entry.get("pool") or ""),
        cluster="",
        host=str(entry.get("host") or ""),
        result=str(entry.get("failure") or entry.get("message") or "The run has no result."),
    )


def as_index(rows: t.Sequence[Row], context: ReportContext) -> bytes:
    """Return the index page."""
    shown = sorted((_printable(row) for row in rows), key=_place)
    counts = {verdict: sum(row.verdict == verdict for row in shown) for verdict in _ORDER}
    summary = {**counts, "total": len(shown) - counts[NONE]}
    return render(
        "overview.html.j2",
        rows=shown,
        verdict=_worst(shown),
        headline=_headline(summary, counts[NONE]),
        shares=shares(summary),
        clusters=len({row.cluster for row in shown if row.cluster}),
        all_clusters_known=all(row.cluster for row in shown),
        written_at=context.written_at,
        version=context.collection_version,
    )


def _row(name: str, content: bytes | None, page: str) -> Row | None:
    """Return the row of a report, or None if the content is a file of something else."""
    unreadable = Row("unknown", name, "", "", f"Report {name}.json cannot be read.", page=page)
    try:
        given = read_json(content) if content is not None else None
    except ValueError:
        return unreadable
    if given is None:
        return unreadable
    if not isinstance(given, dict) or given.get("$schema") != SCHEMA:
        return None
    host = str(given.get("host") or "")
    try:
        doc = document(
            given, ReportContext(str(given.get("written_at") or ""), host, bool(given.get("check_mode")), None)
        )
    except InvalidResult:
        return unreadable
    return Row(
        verdict=doc["verdict"],
        pool=str(doc["pool"] or ""),
        cluster=cluster_label(doc),
        host=host,
        result=str(doc["failure"] or headline(doc)),
        verified_at=str(doc["verified_at"] or doc["written_at"]),
        image=_image(doc),
        page=page,
    )


def _image(doc: Document) -> str:
    digests = {node["expected"]["digest"] for node in doc["nodes"]}
    return str(digests.pop() or "") if len(digests) == 1 else ""


def _worst(rows: t.Sequence[Row]) -> str:
    """Return the verdict of all pools, as a report has it for its nodes. Without a report nothing is proven."""
    whole = worst([Verdict(row.verdict) for row in rows if row.verdict != NONE])
    return whole.value if whole else NONE if rows else Verdict.UNKNOWN.value


def _headline(summary: t.Mapping[str, int], without_nodes: int) -> str:
    total = summary["total"]
    if not total:
        return "No pool has nodes." if without_nodes else "There is no report."
    text = f"{summary['match']} of {total} pools booted the expected image" if total > 1 else ""
    text = text or f"The pool {'booted' if summary['match'] else 'is not proven to have booted'} the expected image"
    return f"{text}; {without_nodes} without nodes." if without_nodes else f"{text}."


def _place(row: Row) -> tuple[t.Any, ...]:
    return (_ORDER.index(row.verdict), natural(row.cluster), natural(row.pool), natural(row.host))


def _printable(row: Row) -> Row:
    return Row(**{name: for_readers(value) for name, value in vars(row).items()})
