# SPDX-License-Identifier: GPL-3.0-or-later
"""Report as an HTML page, which can be filtered by verdict and printed.

The page contains no script and loads nothing. Its content security policy allows one style sheet by its hash. Jinja2
escapes every value.
"""

from __future__ import annotations

import base64
import hashlib
import re
import typing as t
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from .document import NONE, Document, cluster_label, for_readers
from .timeline import view_of

_HERE = Path(__file__).parent
WORST_FIRST = ("mismatch", "unknown", "match")
"""Order of nodes by verdict. Mismatches are first, because they are certain and need an action."""
_VERDICTS = ("match", "mismatch", "unknown")
_SOURCES = {
    "option": "option expected_image",
    "machineosconfig": "MachineOSConfig of the pool",
    "machineconfig": "rendered MachineConfig of the pool",
    "forbidden": "not known: the account cannot read the rendered MachineConfig of the pool",
    "none": "none: the node is in no pool",
}
_TRANSPORTS = {
    "pod_exec": "each node, in the pod of the machine-config-daemon",
    "oc_debug": "each node, in a debug pod",
    "connection": "each node, over its own connection",
    "api": "only the state that the operator reports, which is not a proof",
}
_NUMBER = re.compile(r"([0-9]+)")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{64})")
_SHORT = len("sha256:") + 12


@dataclass(frozen=True)
class Share:
    """Number of nodes with a verdict, and its part of the bar in thousandths of the length."""

    verdict: str
    count: int
    start: float
    length: float


@dataclass(frozen=True)
class Expectation:
    """Expected image of nodes."""

    pull_spec: str
    digest: str
    source: str
    current: bool
    read_at: str
    """Time at which it was first read, or empty."""
    pools: str
    """Pools of these nodes, if nodes have different expected images."""


@dataclass(frozen=True)
class Piece:
    """Part of a text: a digest or other text."""

    text: str
    digest: bool


def as_html(doc: Document) -> bytes:
    """Return the document as an HTML page."""
    doc = for_readers(doc)
    return render(
        "page.html.j2",
        doc=doc,
        cluster=cluster_label(doc),
        transport=_TRANSPORTS.get(doc["transport"], doc["transport"]),
        headline=headline(doc),
        shares=shares(doc["summary"]),
        # Nodes that were left out are counted in the shares, but are not in the table.
        listed_counts={v: sum(node["verdict"] == v for node in doc["nodes"]) for v in _VERDICTS},
        nodes=sorted(doc["nodes"], key=lambda node: (WORST_FIRST.index(node["verdict"]), natural(node["name"]))),
        expectations=_expectations(doc),
        timeline=view_of(doc),
        many_pools=len({node["pool"] for node in doc["nodes"]}) > 1,
    )


def render(template: str, **values: t.Any) -> bytes:
    """Return a page with the style sheet of all pages. Every value is escaped."""
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, origin=_origin, pieces=_pieces)
    page = environment.get_template(template).render(
        style=Markup(style),  # noqa: S704  a file of this collection, not a value
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        **values,
    )
    return page.encode("utf-8")


def headline(doc: Document) -> str:
    """Return one sentence about the result."""
    count = doc["summary"]
    total = count["total"]
    if doc["verdict"] == NONE:
        return "The pool has no nodes."
    if not total:
        return "No node was verified, so nothing is proven."
    if count["match"] == total:
        return "The node booted the expected image." if total == 1 else f"All {total} nodes booted the expected image."
    parts = [f"{count['match']} of {total} nodes booted the expected image"]
    if count["mismatch"]:
        parts.append(f"{count['mismatch']} booted a different image")
    if count["unknown"] > doc["left_out"]:
        parts.append(f"{count['unknown'] - doc['left_out']} could not be verified")
    if doc["left_out"]:
        parts.append(f"{doc['left_out']} {'was' if doc['left_out'] == 1 else 'were'} left out")
    return f"{', '.join(parts[:-1])}, and {parts[-1]}." if len(parts) > 2 else f"{'; '.join(parts)}."


def shares(summary: t.Mapping[str, int]) -> list[Share]:
    """Return the parts of the bar for the numbers of each verdict."""
    parts: list[Share] = []
    start = 0.0
    for verdict in _VERDICTS:
        length = 1000 * summary[verdict] / max(1, summary["total"])
        parts.append(Share(verdict, summary[verdict], round(start, 2), round(length, 2)))
        start += length
    return parts


def _expectations(doc: Document) -> list[Expectation]:
    pools: dict[tuple[str, str, str, bool], set[str]] = {}
    times: dict[tuple[str, str, str, bool], set[str]] = {}
    for node in doc["nodes"]:
        expected = node["expected"]
        source = _SOURCES.get(expected["source"], expected["source"])
        key = (expected["pull_spec"] or "", expected["digest"] or "", source, expected["current"])
        pools.setdefault(key, set()).add(node["pool"] or "no pool")
        times.setdefault(key, set()).add(str(expected["read_at"] or ""))
    several = len(pools) > 1
    return [
        Expectation(*key, min(filter(None, times[key]), default=""), ", ".join(sorted(names)) if several else "")
        for key, names in pools.items()
    ]


def natural(name: str) -> list[tuple[bool, int, str]]:
    """Return a sort key that sorts worker-2 before worker-10."""
    parts = ((_NUMBER.fullmatch(part), part) for part in _NUMBER.split(name))
    # Compare the number of digits first, because Python does not convert very long numbers.
    return [(bool(number), len(part.lstrip("0")) if number else 0, part) for number, part in parts]


def _moment(time: str | None) -> str:
    """Return a readable time."""
    return (time or "").replace("T", " ").replace("Z", " UTC") or "unknown"


def _origin(booted: t.Mapping[str, t.Any]) -> str:
    """Return the pull spec without the digest that the page shows beside it."""
    return str(booted["pull_spec"]).removesuffix(f"@{booted['digest']}")


def _pieces(text: str, known: t.Collection[str | None]) -> list[Piece]:
    """Split a text at its digests, and shorten digests that the page shows in full beside it."""
    return [
        Piece(f"{piece[:_SHORT]}…" if piece in known else piece, bool(_DIGEST.fullmatch(piece)))
        for piece in _DIGEST.split(text)
        if piece
    ]
