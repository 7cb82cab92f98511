# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as one page that a person reads, filters by verdict and prints.

It holds no script and loads nothing: its policy allows one style sheet, named by its hash. Every value passes through
Jinja2's escaping.
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

_HERE = Path(__file__).parent
_WORST_FIRST = ("mismatch", "unknown", "match")
"""What a reader has to act on comes first; a mismatch is certain."""
_SOURCES = {
    "option": "named by the caller",
    "machineosconfig": "named by the pool's MachineOSConfig",
    "machineconfig": "named by the pool's rendered MachineConfig",
    "forbidden": "not known: the account may not read the pool's rendered MachineConfig",
    "none": "of no pool, so nobody names one",
}
_WAYS = {
    "pod_exec": "each node, in the pod of its machine-config-daemon",
    "oc_debug": "each node, in a debug pod",
    "connection": "each node, over its own connection",
    "api": "only the operator's objects: a claim about the nodes, no proof",
}
_NUMBER = re.compile(r"([0-9]+)")
_DIGEST = re.compile(r"(sha256:[0-9a-f]{64})")
_SHORT = len("sha256:") + 12


@dataclass(frozen=True)
class Share:
    """How many nodes got a verdict, and which part of the bar that is, in thousandths of its length."""

    verdict: str
    count: int
    start: float
    length: float


@dataclass(frozen=True)
class Expectation:
    """An image that nodes were held to."""

    pull_spec: str
    digest: str
    source: str
    current: bool
    pools: str
    """The pools of these nodes, when the nodes were held to more than one image."""


@dataclass(frozen=True)
class Piece:
    """A piece of a sentence; digests are set apart from words."""

    text: str
    digest: bool


def as_html(doc: Document) -> bytes:
    """Return the document as an HTML page."""
    doc = for_readers(doc)
    style = (_HERE / "page.css").read_text(encoding="utf-8")
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(moment=_moment, origin=_origin, pieces=_pieces)
    page = environment.get_template("page.html.j2").render(
        doc=doc,
        style=Markup(style),  # noqa: S704  a file of ours, no value
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        cluster=cluster_label(doc),
        way=_WAYS.get(doc["transport"], doc["transport"]),
        headline=_headline(doc),
        shares=_shares(doc),
        nodes=sorted(doc["nodes"], key=lambda node: (_WORST_FIRST.index(node["verdict"]), _natural(node["name"]))),
        expectations=_expectations(doc),
        many_pools=len({node["pool"] for node in doc["nodes"]}) > 1,
    )
    return page.encode("utf-8")


def _headline(doc: Document) -> str:
    """Say in one sentence what is proven."""
    count = doc["summary"]
    total = count["total"]
    if doc["verdict"] == NONE:
        return "No node is in the pool, so there was nobody to ask."
    if not total:
        return "No node was asked, so nothing is proven."
    if count["match"] == total:
        return "The node booted the expected image." if total == 1 else f"All {total} nodes booted the expected image."
    parts = [f"{count['match']} of {total} nodes booted the expected image"]
    if count["mismatch"]:
        parts.append(f"{count['mismatch']} booted another one")
    if count["unknown"]:
        parts.append(f"of {count['unknown']} nothing is proven")
    return f"{', '.join(parts[:-1])}, and {parts[-1]}." if len(parts) > 2 else f"{'; '.join(parts)}."


def _shares(doc: Document) -> list[Share]:
    shares: list[Share] = []
    start = 0.0
    for verdict in ("match", "mismatch", "unknown"):
        count = doc["summary"][verdict]
        length = 1000 * count / max(1, doc["summary"]["total"])
        shares.append(Share(verdict, count, round(start, 2), round(length, 2)))
        start += length
    return shares


def _expectations(doc: Document) -> list[Expectation]:
    pools: dict[tuple[str, str, str, bool], set[str]] = {}
    for node in doc["nodes"]:
        expected = node["expected"]
        source = _SOURCES.get(expected["source"], expected["source"])
        key = (expected["pull_spec"] or "", expected["digest"] or "", source, expected["current"])
        pools.setdefault(key, set()).add(node["pool"] or "no pool")
    several = len(pools) > 1
    return [Expectation(*key, pools=", ".join(sorted(names)) if several else "") for key, names in pools.items()]


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Return what sorts worker-2 before worker-10."""
    parts = ((_NUMBER.fullmatch(part), part) for part in _NUMBER.split(name))
    # By the number of digits first: Python refuses to convert very long numbers.
    return [(bool(number), len(part.lstrip("0")) if number else 0, part) for number, part in parts]


def _moment(time: str | None) -> str:
    """Return a time as people read it."""
    return (time or "").replace("T", " ").replace("Z", " UTC") or "unknown"


def _origin(booted: t.Mapping[str, t.Any]) -> str:
    """Return what was booted without its digest, where that is the one beside it."""
    return str(booted["pull_spec"]).removesuffix(f"@{booted['digest']}")


def _pieces(text: str, known: t.Collection[str | None]) -> list[Piece]:
    """Cut a sentence at its digests, and shorten the known ones: those that stand in full beside it."""
    return [
        Piece(f"{piece[:_SHORT]}…" if piece in known else piece, bool(_DIGEST.fullmatch(piece)))
        for piece in _DIGEST.split(text)
        if piece
    ]
