# SPDX-License-Identifier: GPL-3.0-or-later
"""Document of a report, the source of the JSON, the JUnit XML and the HTML page.

It contains the result and its context: account, time, and release of the collection. Its structure is published as a
JSON schema, ``roles/evidence_report/files/evidence-1.schema.json``.
"""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass
from urllib.parse import urlsplit

from ...module_utils._model.json_text import read_json
from ...module_utils._model.objects.timestamp import timestamp_at
from ...module_utils._model.objects.values import text_in
from ...module_utils._model.proof.verdict import Verdict, summarize, worst
from ...module_utils._model.text import all_printable
from ...module_utils._model.timeline import MOST_NODES, TIMES, time_in

SCHEMA_VERSION = "1.0"
"""Version of the structure. The first number changes with incompatible changes."""
SCHEMA = "https://github.com/imagemode/openshift/raw/main/roles/evidence_report/files/evidence-1.schema.json"
"""Id of the published schema. It is never downloaded."""

Document = t.Mapping[str, t.Any]

NONE = "none"
"""Verdict on a pool without nodes."""

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._]+")
_PREFIX = "image-mode-"
_MAX_NAME = 80
_HASH = 8
"""Hexadecimal digits of the hash in file names."""
_MAX_NODES = 1_000_000
_MAX_STATE = 40
_MAX_NODE_NAME = 253
"""Characters of the name of a node. The API allows no more."""
_PORTS = {"https": 443, "http": 80}

# Defaults for values that a result does not contain.
_CLUSTER: Document = {"api_url": None, "id": None, "name": None, "version": None}
_BUILD: Document = {
    "name": None, "uid": None, "state": None, "digested_image_push_spec": None, "started": None, "finished": None,
    "seeded": False, "attempts": [], "log_paths": [], "failure": None,
}  # fmt: skip
_NODE: Document = {"pool": "", "boot_id": None, "verified_at": None}
_EXPECTED: Document = {"pull_spec": None, "digest": None, "source": "", "current": True, "read_at": None}
_BOOTED: Document = {"pull_spec": None, "digest": None, "version": None, "evidence_source": None}
_FINDING: Document = {"severity": "error", "message": "", "evidence": "", "remedy": ""}
_OBJECT: Document = {"kind": "", "namespace": "", "name": ""}
_CONTAINERFILE: Document = {
    "machineosconfig": "", "sha256": None, "text": None, "exact": False, "proven": False, "why_not": None,
}  # fmt: skip

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NOT_PROVEN = "no node is proven to have booted an image that was built from it"


class InvalidResult(ValueError):
    """The value is not the result of a verification."""


@dataclass(frozen=True)
class ReportContext:
    """Context of a report."""

    written_at: str
    """Time by the controller's clock, such as ``2026-11-24T09:30:00Z``."""
    host: str
    """Inventory host of the task, which represents a pool of a cluster."""
    check_mode: bool
    collection_version: str | None


def document(result: t.Mapping[str, t.Any], context: ReportContext) -> dict[str, t.Any]:
    """Return the document for the result of ``node_image_verify``, or for an entry of ``image_mode_result``.

    Verdict and summary are computed from the nodes, so that they cannot contradict them.

    :raises InvalidResult: the value is something else
    """
    nodes = [_node(node) for node in _list(result, "nodes")]
    left_out = _count(result, "left_out")
    verdicts = [Verdict(node["verdict"]) for node in nodes]
    pools = {node["pool"] for node in nodes}
    return {
        "$schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "written_at": context.written_at,
        "written_by": {"collection": "imagemode.openshift", "version": context.collection_version},
        "check_mode": context.check_mode,
        "host": context.host,
        "cluster": _filled(_CLUSTER, result.get("cluster")),
        "pool": result.get("pool") or (pools.pop() if len(pools) == 1 else None) or None,
        "account": result.get("account"),
        "transport": result.get("transport"),
        "verified_at": min((node["verified_at"] for node in nodes if node["verified_at"]), default=None),
        "verdict": _verdict(result, verdicts, left_out),
        "failure": result.get("failure"),
        "summary": summarize(verdicts, left_out),
        "pool_total": _count(result, "pool_total") if result.get("pool_total") is not None else None,
        "left_out": left_out,
        "machineosconfig": result.get("machineosconfig"),
        "containerfile": _containerfile(result.get("containerfile"), verdicts),
        "build": _filled(_BUILD, result["build"]) if result.get("build") else None,
        "rollout": result.get("rollout"),
        "timeline": _timeline(result.get("timeline")),
        "nodes": nodes,
        "findings": [_finding(finding) for finding in _list(result, "findings")],
    }


def as_json(doc: Document) -> bytes:
    """Return the document as JSON in ASCII, because output of a node can contain characters that no encoding has."""
    return (json.dumps(doc, indent=2, ensure_ascii=True) + "\n").encode("ascii")


def file_name(doc: Document) -> str:
    """Return the common name of the files of a report, without extension.

    It contains the id of the cluster, or the address of its API server, or the inventory host if no API server was
    used. A hash of the address follows, because a cluster reports its id itself and could report another cluster's id.
    """
    cluster = doc["cluster"]
    named = cluster["id"] or str(cluster["api_url"] or "").partition("://")[2] or f"host-{doc['host']}"
    return f"{_PREFIX}{_as_file_name(named)}{_suffix(doc)}"


def earlier_name(doc: Document, names: t.Iterable[str]) -> str:
    """Return the name under which an earlier run reported the same pool, or an empty text.

    A run that fails early knows the address of the API server and not the id of the cluster. Its report replaces the
    one that is named after the id, so that no older result stays beside it.

    :param names: names of existing reports, without extension
    """
    if doc["cluster"]["id"]:
        return ""
    return next((n for n in sorted(names) if n.startswith(_PREFIX) and n.endswith(_suffix(doc))), "")


def _suffix(doc: Document) -> str:
    """Return the part of a name that follows from the address of the API server and from the pool."""
    return f"-{_hash(owner_of(doc))}-{_pool_as_file_name(doc['pool'] or 'nodes')}"


def owner_of(doc: Document) -> str:
    """Return the owner of a report: the normalized address of the API server, or the inventory host."""
    api_url = doc["cluster"].get("api_url")
    return _normalized(str(api_url)) if api_url else f"host {doc.get('host')}"


def is_report_of(owner: str, content: bytes) -> bool:
    """Return whether *content* is the JSON of a report of *owner*."""
    try:
        doc = read_json(content)
    except ValueError:
        return False
    is_report = isinstance(doc, dict) and doc.get("$schema") == SCHEMA and isinstance(doc.get("cluster"), dict)
    return is_report and owner_of(doc) == owner


def _normalized(api_url: str) -> str:
    """Return an address with scheme and host in lower case, with a port, and without a trailing slash."""
    try:
        parts = urlsplit(api_url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return api_url
    return f"{parts.scheme}://{parts.hostname or ''}:{port}{parts.path.rstrip('/')}"


def cluster_label(doc: Document) -> str:
    """Return the most readable known name of the cluster."""
    cluster = doc["cluster"]
    return str(cluster["name"] or cluster["id"] or cluster["api_url"] or doc["host"])


def for_readers(value: t.Any) -> t.Any:
    """Return a copy for HTML and XML, with characters that are not printable replaced by their escapes."""
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
        raise InvalidResult(f"its {name} is not a list")
    return given


def _node(node: t.Any) -> dict[str, t.Any]:
    if not isinstance(node, dict) or not node.get("name"):
        raise InvalidResult("one of its nodes has no name")
    if node.get("verdict") not in [verdict.value for verdict in Verdict]:
        raise InvalidResult(f"node {node['name']} has no verdict")
    return {
        **_filled(_NODE, node),
        "expected": _filled(_EXPECTED, node.get("expected")),
        "booted": _filled(_BOOTED, node["booted"]) if node.get("booted") else None,
        "findings": [_finding(finding) for finding in _list(node, "findings")],
    }


def _containerfile(given: t.Any, verdicts: t.Collection[Verdict]) -> dict[str, t.Any] | None:
    """Return the Containerfile. It is not proven if no node matches, whatever the result contains."""
    if not given:
        return None
    content = _filled(_CONTAINERFILE, given)
    if content["sha256"] is not None and not _SHA256.fullmatch(str(content["sha256"])):
        raise InvalidResult("the sha256 of its containerfile is no SHA-256")
    is_proven = content["proven"] is True and bool(content["sha256"]) and Verdict.MATCH in verdicts
    return {**content, "proven": is_proven, "why_not": None if is_proven else content["why_not"] or _NOT_PROVEN}


def _timeline(given: t.Any) -> dict[str, t.Any] | None:
    """Return the times of nodes, or None if no update of a node was observed. A text that is no time counts as none."""
    if given is None:
        return None
    if not isinstance(given, dict):
        raise InvalidResult("its timeline is not an object")
    nodes = [_node_times(node) for node in _list(given, "nodes")]
    left_out = _count(given, "left_out") + max(0, len(nodes) - MOST_NODES)
    return {"nodes": nodes[:MOST_NODES], "left_out": left_out} if nodes else None


def _node_times(node: t.Any) -> dict[str, t.Any]:
    if not isinstance(node, dict) or not node.get("name"):
        raise InvalidResult("a node of its timeline has no name")
    seconds = {name: time_in(node, name) for name in TIMES}
    times = {name: None if time is None else timestamp_at(time) for name, time in seconds.items()}
    given = _list(node, "observed")
    observed = [name for name in TIMES if name in given]
    return {
        "name": str(node["name"])[:_MAX_NODE_NAME],
        "state": text_in(node, "state")[:_MAX_STATE],
        **times,
        "observed": observed,
    }


def _finding(finding: t.Any) -> dict[str, t.Any]:
    if not isinstance(finding, dict) or not finding.get("id"):
        raise InvalidResult("one of its findings has no id")
    return {**_filled(_FINDING, finding), "object": _filled(_OBJECT, finding.get("object"))}


def _filled(defaults: Document, given: t.Any) -> dict[str, t.Any]:
    if given is not None and not isinstance(given, dict):
        raise InvalidResult(f"expected an object with {', '.join(defaults)}, got {given!r:.40}")
    return {**defaults, **(given or {})}


def _count(result: t.Mapping[str, t.Any], name: str) -> int:
    given = result.get(name) or 0
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= _MAX_NODES:
        raise InvalidResult(f"its {name} is not a number of nodes")
    return given


def _verdict(result: t.Mapping[str, t.Any], verdicts: t.Sequence[Verdict], left_out: int) -> str:
    whole = worst(verdicts, left_out)
    if whole:
        return whole.value
    given = result.get("verdict")
    if given not in (NONE, *(verdict.value for verdict in Verdict)):
        raise InvalidResult("it has no verdict")
    # No node was queried, so nothing is proven, whatever the result contains.
    return NONE if given == NONE else Verdict.UNKNOWN.value


def _pool_as_file_name(pool: str) -> str:
    """Return a pool's name for a file. A changed name gets a hash, so that two pools never share a file."""
    name = _as_file_name(pool)
    return name if name == pool else f"{name}-{_hash(str(pool))}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_HASH]


def _as_file_name(text: str) -> str:
    return _NOT_IN_NAMES.sub("-", str(text)).strip("-.")[:_MAX_NAME] or "unnamed"
