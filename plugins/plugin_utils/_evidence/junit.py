# SPDX-License-Identifier: GPL-3.0-or-later
"""Report as JUnit XML for CI systems. A node is a test case, a mismatch a failure, an unknown verdict an error."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree as ET

from .document import NONE, Document, cluster_label, for_readers

_ELEMENT_OF = {"mismatch": "failure", "unknown": "error"}


def as_junit(doc: Document) -> bytes:
    """Return the document as JUnit XML.

    A run without nodes has one test case, the pool, because CI systems show a file without tests as success.
    """
    doc = for_readers(doc)
    name = f"{cluster_label(doc)}: {doc['pool'] or 'nodes'}"
    cases = [_node_case(doc, node) for node in doc["nodes"]]
    if not cases or doc["failure"] or doc["findings"] or doc["left_out"]:
        cases.insert(0, _run_case(doc))
    counts = {
        "tests": str(len(cases)),
        "failures": _count(cases, "failure"),
        "errors": _count(cases, "error"),
        "skipped": _count(cases, "skipped"),
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": "imagemode.openshift", **counts})
    started = (doc["verified_at"] or doc["written_at"]).rstrip("Z")  # the format has no time zone
    suite = ET.SubElement(root, "testsuite", {"name": name, "timestamp": started, "hostname": doc["host"], **counts})
    properties = ET.SubElement(suite, "properties")
    for label, value in _properties(doc):
        ET.SubElement(properties, "property", {"name": label, "value": value})
    suite.extend(cases)
    ET.indent(root)
    return t.cast(bytes, ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _properties(doc: Document) -> t.Iterator[tuple[str, str]]:
    for key, value in doc["cluster"].items():
        yield f"cluster.{key}", str(value or "unknown")
    yield "pool", str(doc["pool"] or "")
    yield "account", str(doc["account"] or "unknown")
    yield "transport", str(doc["transport"] or "unknown")
    yield "verdict", doc["verdict"]
    yield "pool_total", "unknown" if doc["pool_total"] is None else str(doc["pool_total"])
    yield "left_out", str(doc["left_out"])
    yield "check_mode", str(doc["check_mode"]).lower()
    content = doc["containerfile"]
    if content and content["sha256"]:
        yield "containerfile.sha256", content["sha256"]
        yield "containerfile.proven", str(content["proven"]).lower()
    for expected in sorted({str(node["expected"].get("pull_spec") or "unknown") for node in doc["nodes"]}):
        yield "expected", expected


def _node_case(doc: Document, node: t.Mapping[str, t.Any]) -> ET.Element:
    case = _case(doc, node["name"], node["pool"] or "nodes")
    booted = node["booted"] or {}
    lines = [
        f"expected: {node['expected'].get('pull_spec') or 'unknown'}",
        f"booted: {booted.get('pull_spec') or booted.get('digest') or 'unknown'}",
        *map(_finding_lines, node["findings"]),
    ]
    first = node["findings"][0] if node["findings"] else {"id": node["verdict"], "message": node["verdict"]}
    _set_outcome(case, _ELEMENT_OF.get(node["verdict"]), first["id"], first["message"], lines)
    return case


def _run_case(doc: Document) -> ET.Element:
    """Return the test case of the whole run, with the findings about pool, build and cluster."""
    case = _case(doc, f"MachineConfigPool {doc['pool']}" if doc["pool"] else "the run", doc["pool"] or "nodes")
    lines = [*filter(None, [doc["failure"]]), *map(_finding_lines, doc["findings"])]
    why = f"{doc['left_out']} nodes were left out" if doc["left_out"] else "no node was verified"
    first = doc["findings"][0] if doc["findings"] else {"id": doc["verdict"], "message": why}
    if doc["verdict"] == NONE and not doc["failure"]:
        _set_outcome(case, "skipped", "", "the pool has no nodes", lines)
    elif doc["failure"] or doc["left_out"] or not doc["nodes"]:
        _set_outcome(case, "error", first["id"], doc["failure"] or first["message"], lines)
    else:
        _set_outcome(case, None, "", "", lines)
    return case


def _case(doc: Document, name: str, pool: str) -> ET.Element:
    # CI systems split the class name at its last dot into package and class.
    group = cluster_label(doc).replace(".", "-")
    return ET.Element("testcase", {"name": name, "classname": f"{group}.{pool.replace('.', '-')}", "time": "0"})


def _set_outcome(case: ET.Element, outcome: str | None, kind: str, message: str, lines: t.Sequence[str]) -> None:
    """Set the outcome of a test case. The lines of a passed case become its output."""
    if outcome is None:
        ET.SubElement(case, "system-out").text = "\n".join(lines)
        return
    attributes = {"message": message, **({"type": kind} if kind else {})}
    ET.SubElement(case, outcome, attributes).text = "\n".join(lines)


def _finding_lines(finding: t.Mapping[str, t.Any]) -> str:
    lines = [f"{finding['severity']} {finding['id']}: {finding['message']}", f"  remedy: {finding['remedy']}"]
    if finding["evidence"]:
        lines.append(f"  evidence: {finding['evidence']}")
    return "\n".join(lines)


def _count(cases: t.Iterable[ET.Element], outcome: str) -> str:
    return str(sum(case.find(outcome) is not None for case in cases))
