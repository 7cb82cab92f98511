# SPDX-License-Identifier: GPL-3.0-or-later
"""What does a report say? One document, from which the JSON, the JUnit XML and the page are made.

It is the result as it was returned, and what a result does not know: who asked, when, and with which release of the
collection. Its shape is published as a JSON Schema, ``roles/evidence_report/files/evidence-1.schema.json``.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...module_utils._model.json_text import read_json
from ...module_utils._model.printable import all_printable
from ...module_utils._model.proof.verdict import Verdict, summarize, worst

SCHEMA_VERSION = "1.0"
"""That of the results that a report repeats. The first number changes when a reader would have to."""
SCHEMA = "https://github.com/imagemode/openshift/raw/main/roles/evidence_report/files/evidence-1.schema.json"
"""The name of the published schema; nothing is ever fetched from there."""

Document = t.Mapping[str, t.Any]

NONE = "none"
"""The verdict on a pool that has no nodes."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._]+")
_MAX_NAME = 80
_HASH = 8
"""Hexadecimal digits of the hash in the names of files."""
_PORTS = {"https": 443, "http": 80}

# What readers can count on, where a result leaves something out.
_CLUSTER: Document = {"api_url": None, "id": None, "name": None, "version": None}
_BUILD: Document = {
    "name": None, "uid": None, "state": None, "digested_image_push_spec": None, "started": None, "finished": None,
    "attempts": [], "log_paths": [], "failure": None,
}  # fmt: skip
_NODE: Document = {"pool": "", "boot_id": None, "verified_at": None}
_EXPECTED: Document = {"pull_spec": None, "digest": None, "source": "", "current": True}
_BOOTED: Document = {"pull_spec": None, "digest": None, "version": None, "evidence_source": None}
_FINDING: Document = {"severity": "error", "message": "", "evidence": "", "remedy": ""}
_OBJECT: Document = {"kind": "", "namespace": "", "name": ""}


class NotAResult(ValueError):
    """What was given is not the result of a verification."""


@dataclass(frozen=True)
class Occasion:
    """On which occasion a report is written."""

    written_at: str
    """By the controller's clock, as ``2026-11-24T09:30:00Z``."""
    host: str
    """The host of the inventory, which stands for a pool of a cluster."""
    check_mode: bool
    collection_version: str | None


def document(result: t.Mapping[str, t.Any], occasion: Occasion) -> dict[str, t.Any]:
    """Return the document for the result of ``node_image_verify``, or for an entry of ``image_mode_result``.

    The verdict and the summary are counted from the nodes, so that they cannot say more than the nodes do.

    :raises NotAResult: it is something else
    """
    nodes = [_node(node) for node in _list(result, "nodes")]
    verdicts = [Verdict(node["verdict"]) for node in nodes]
    pools = {node["pool"] for node in nodes}
    return {
        "$schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "written_at": occasion.written_at,
        "written_by": {"collection": "imagemode.openshift", "version": occasion.collection_version},
        "check_mode": occasion.check_mode,
        "host": occasion.host,
        "cluster": _filled(_CLUSTER, result.get("cluster")),
        "pool": result.get("pool") or (pools.pop() if len(pools) == 1 else None) or None,
        "account": result.get("account"),
        "transport": result.get("transport"),
        "verified_at": min((node["verified_at"] for node in nodes if node["verified_at"]), default=None),
        "verdict": _verdict(result, verdicts),
        "failure": result.get("failure"),
        "summary": summarize(verdicts),
        "machineosconfig": result.get("machineosconfig"),
        "build": _filled(_BUILD, result["build"]) if result.get("build") else None,
        "rollout": result.get("rollout"),
        "nodes": nodes,
        "findings": [_finding(finding) for finding in _list(result, "findings")],
    }


def as_json(doc: Document) -> bytes:
    """Return the document as JSON, in ASCII: what a node answered may hold what no encoding has."""
    return (json.dumps(doc, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def file_name(doc: Document) -> str:
    """Return the name that the files of a report share, without an ending.

    It has the cluster's id, else the address of its API, else the host of the inventory where nothing talked to a
    cluster. A cluster states its id itself, so a hash of the address, which the user gave, follows: no cluster can
    choose the name of another's report.
    """
    cluster = doc["cluster"]
    named = cluster["id"] or str(cluster["api_url"] or "").partition("://")[2] or f"host-{doc['host']}"
    owner = _hash(owner_of(doc))
    return "-".join(("image-mode", _for_a_name(named), owner, _for_a_pool(doc["pool"] or "nodes")))


def owner_of(doc: Document) -> str:
    """Return whose report a document is: the address of the API, as one text, else the host of the inventory."""
    api_url = doc["cluster"].get("api_url")
    return _normalized(str(api_url)) if api_url else f"host {doc.get('host')}"


def is_report_of(owner: str, content: bytes) -> bool:
    """Return whether *content* is the JSON of a report that is *owner*'s."""
    try:
        doc = read_json(content)
    except ValueError:
        return False
    is_report = isinstance(doc, dict) and doc.get("$schema") == SCHEMA and isinstance(doc.get("cluster"), dict)
    return is_report and owner_of(doc) == owner


def _normalized(api_url: str) -> str:
    """Return an address in one spelling: scheme and host in lower case, with a port, without a slash at its end."""
    try:
        parts = urlsplit(api_url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return api_url
    return f"{parts.scheme}://{parts.hostname or ''}:{port}{parts.path.rstrip('/')}"


def cluster_label(doc: Document) -> str:
    """Return the name by which people know the cluster, as far as the account may know it."""
    cluster = doc["cluster"]
    return str(cluster["name"] or cluster["id"] or cluster["api_url"] or doc["host"])


def for_readers(value: t.Any) -> t.Any:
    """Return the same as a page and XML can hold it and a reader sees it: with what is not printable as its escape."""
    return all_printable(_with_plain_line_ends(value))


def _with_plain_line_ends(value: t.Any) -> t.Any:
    if isinstance(value, str):
        return value.replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, t.Mapping):
        return {name: _with_plain_line_ends(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_plain_line_ends(entry) for entry in value]
    return value


def _list(result: t.Mapping[str, t.Any], name: str) -> t.Sequence[t.Any]:
    given = result.get(name) or []
    if not isinstance(given, list):
        raise NotAResult(f"its {name} are no list")
    return given


def _node(node: t.Any) -> dict[str, t.Any]:
    if not isinstance(node, dict) or not node.get("name"):
        raise NotAResult("one of its nodes has no name")
    if node.get("verdict") not in [verdict.value for verdict in Verdict]:
        raise NotAResult(f"node {node['name']} has no verdict")
    return {
        **_filled(_NODE, node),
        "expected": _filled(_EXPECTED, node.get("expected")),
        "booted": _filled(_BOOTED, node["booted"]) if node.get("booted") else None,
        "findings": [_finding(finding) for finding in _list(node, "findings")],
    }


def _finding(finding: t.Any) -> dict[str, t.Any]:
    if not isinstance(finding, dict) or not finding.get("id"):
        raise NotAResult("one of its findings has no id")
    return {**_filled(_FINDING, finding), "object": _filled(_OBJECT, finding.get("object"))}


def _filled(defaults: Document, given: t.Any) -> dict[str, t.Any]:
    if given is not None and not isinstance(given, dict):
        raise NotAResult(f"{', '.join(defaults)} are expected where it says {given!r:.40}")
    return {**defaults, **(given or {})}


def _verdict(result: t.Mapping[str, t.Any], verdicts: t.Sequence[Verdict]) -> str:
    whole = worst(verdicts)
    if whole:
        return whole.value
    given = result.get("verdict")
    if given not in (NONE, *(verdict.value for verdict in Verdict)):
        raise NotAResult("it has no verdict")
    # Nobody was asked, so nothing is proven, whatever it says.
    return NONE if given == NONE else Verdict.UNKNOWN.value


def _for_a_pool(pool: str) -> str:
    """Return a pool's name for a file. One that does not fit gets a hash, so that no two pools share a file."""
    name = _for_a_name(pool)
    return name if name == pool else f"{name}-{_hash(str(pool))}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_HASH]


def _for_a_name(text: str) -> str:
    return _NOT_IN_NAMES.sub("-", str(text)).strip("-.")[:_MAX_NAME] or "unnamed"
