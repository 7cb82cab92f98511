# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JUnit XML, which CI systems show: a node is a test case, a mismatch a failure, an unknown an error."""

from __future__ import annotations

import typing as t
from xml.etree import ElementTree as ET

from .document import NONE, Document, cluster_label, for_readers

_ELEMENT_OF = {"mismatch": "failure", "unknown": "error"}


def as_junit(doc: Document) -> bytes:
    """Return the document as JUnit XML.

    A run that asked nobody has one test case, the pool: no test at all would be shown as success.
    """
    doc = for_readers(doc)
    name = f"{cluster_label(doc)}: {doc['pool'] or 'nodes'}"
    cases = [_node_case(doc, node) for node in doc["nodes"]]
    if not cases or doc["failure"] or doc["findings"]:
        cases.insert(0, _run_case(doc))
    counts = {
        "tests": str(len(cases)),
        "failures": _count(cases, "failure"),
        "errors": _count(cases, "error"),
        "skipped": _count(cases, "skipped"),
        "time": "0",
    }
    root = ET.Element("testsuites", {"name": "imagemode.openshift", **counts})
    began = (doc["verified_at"] or doc["written_at"]).rstrip("Z")  # the format knows no time zone
    suite = ET.SubElement(root, "testsuite", {"name": name, "timestamp": began, "hostname": doc["host"], **counts})
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
    yield "check_mode", str(doc["check_mode"]).lower()
    for expected in sorted({str(node["expected"].get("pull_spec") or "unknown") for node in doc["nodes"]}):
        yield "expected", expected


def _node_case(doc: Document, node: t.Mapping[str, t.Any]) -> ET.Element:
    case = _case(doc, node["name"], node["pool"] or "nodes")
    booted = node["booted"] or {}
    told = [
        f"expected: {node['expected'].get('pull_spec') or 'unknown'}",
        f"booted: {booted.get('pull_spec') or booted.get('digest') or 'unknown'}",
        *map(_told, node["findings"]),
    ]
    first = node["findings"][0] if node["findings"] else {"id": node["verdict"], "message": node["verdict"]}
    _conclude(case, _ELEMENT_OF.get(node["verdict"]), first["id"], first["message"], told)
    return case


def _run_case(doc: Document) -> ET.Element:
    """Return the case of the run as a whole: that somebody was asked, and what was found of pool, build and cluster."""
    case = _case(doc, f"MachineConfigPool {doc['pool']}" if doc["pool"] else "the run", doc["pool"] or "nodes")
    told = [*filter(None, [doc["failure"]]), *map(_told, doc["findings"])]
    first = doc["findings"][0] if doc["findings"] else {"id": doc["verdict"], "message": "no node was asked"}
    if doc["verdict"] == NONE and not doc["failure"]:
        _conclude(case, "skipped", "", "no node is in the pool", told)
    elif doc["failure"] or not doc["nodes"]:
        _conclude(case, "error", first["id"], doc["failure"] or first["message"], told)
    else:
        _conclude(case, None, "", "", told)
    return case


def _case(doc: Document, name: str, pool: str) -> ET.Element:
    # Readers split the class at its last dot: package and class.
    group = cluster_label(doc).replace(".", "-")
    return ET.Element("testcase", {"name": name, "classname": f"{group}.{pool.replace('.', '-')}", "time": "0"})


def _conclude(case: ET.Element, outcome: str | None, kind: str, message: str, told: t.Sequence[str]) -> None:
    """Give a case its outcome; what was told of a case that passed is its output."""
    if outcome is None:
        ET.SubElement(case, "system-out").text = "\n".join(told)
        return
    attributes = {"message": message, **({"type": kind} if kind else {})}
    ET.SubElement(case, outcome, attributes).text = "\n".join(told)


def _told(finding: t.Mapping[str, t.Any]) -> str:
    lines = [f"{finding['severity']} {finding['id']}: {finding['message']}", f"  remedy: {finding['remedy']}"]
    if finding["evidence"]:
        lines.append(f"  evidence: {finding['evidence']}")
    return "\n".join(lines)


def _count(cases: t.Iterable[ET.Element], outcome: str) -> str:
    return str(sum(case.find(outcome) is not None for case in cases))
