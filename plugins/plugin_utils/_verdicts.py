# SPDX-License-Identifier: GPL-3.0-or-later
"""Which nodes fail a verification, and how verdicts are shown to people."""

from __future__ import annotations

import typing as t

from ..module_utils._errors import OperationError, as_line
from ..module_utils._model.findings import FindingId, Severity
from ..module_utils._model.proof.verdict import Verdict
from ..module_utils._model.text import listed

Node = t.Mapping[str, t.Any]
"""A node in the result of node_image_verify."""

MAX_NAMES = 10
"""Names of nodes in one message."""
MAX_LINES = 20
"""Nodes that are shown, one line each."""

_WEIGHT = {severity.value: place for place, severity in enumerate(Severity)}
_WORST_FIRST = {Verdict.UNKNOWN.value: 0, Verdict.MISMATCH.value: 1, Verdict.MATCH.value: 2}
_KNOWN = frozenset(verdict.value for verdict in Verdict)


def failing_nodes(nodes: t.Iterable[Node], fail_on: t.Collection[str]) -> list[Node]:
    """Return the nodes that fail the run.

    A text that is no verdict fails too: Ansible replaces a secret of a few letters in verdicts as well.

    :param fail_on: verdicts that fail; without any, nothing does
    """
    if not fail_on:
        return []
    passing = _KNOWN - set(fail_on)
    return [node for node in nodes if node["verdict"] not in passing]


def by_severity(findings: t.Iterable[t.Mapping[str, t.Any]]) -> list[t.Mapping[str, t.Any]]:
    """Return findings, the most severe first; those of one severity keep their order."""
    return sorted(findings, key=lambda finding: _WEIGHT.get(finding["severity"], 0))


def why_not_verified(result: t.Mapping[str, t.Any], fail_on: t.Collection[str]) -> str:
    """Return the one line that says which nodes fail, or an empty text.

    :param result: a result of node_image_verify, node_image_summary or verify_pool
    """
    nodes = list(result.get("nodes") or ())
    failing = failing_nodes(nodes, fail_on)
    if not failing:
        return _why_pool_not_verified(result, fail_on)
    pools = sorted({str(node["pool"]) for node in nodes if node.get("pool")})
    what = f"verify MachineConfigPool {', '.join(pools)}" if pools else "verify the hosts of this play"
    names = [str(node["name"]) for node in failing]
    first = failing[0]
    cause = next(iter(by_severity(first.get("findings") or ())), None)
    reason = (
        f"{len(failing)} of {len(nodes)} nodes are not verified ({listed(names, MAX_NAMES)}); "
        f"{first['name']} {_words(first)}{': ' + cause['message'] if cause else ''}"
    )
    return str(OperationError(what, reason, cause["remedy"] if cause else "Read the findings of the node"))


def _why_pool_not_verified(result: t.Mapping[str, t.Any], fail_on: t.Collection[str]) -> str:
    """Return why a pool is not verified although no verdict on a node fails, or an empty text."""
    failing = {FindingId.POOL_NO_NODES.value} if fail_on and not result.get("allow_empty_pool") else set()
    if Verdict.UNKNOWN.value in fail_on:
        failing.add(FindingId.POOL_NODES_LEFT_OUT.value)
    for finding in result.get("findings") or ():
        if finding["id"] in failing:
            what = f"verify {finding['object']['kind']} {finding['object']['name']}"
            return str(OperationError(what, finding["message"], finding["remedy"]))
    return ""


def node_lines(nodes: t.Iterable[Node]) -> list[str]:
    """Return one line per node, unproven nodes first; of many nodes, the first ones and how many follow."""
    ordered = sorted(nodes, key=lambda node: (_WORST_FIRST.get(node["verdict"], 0), str(node["name"])))
    lines = [_line(node) for node in ordered[:MAX_LINES]]
    rest = ordered[MAX_LINES:]
    if rest:
        verdicts = [str(node["verdict"]) for node in rest]
        counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
        lines.append(f"... and {len(rest)} more nodes ({counts})")
    return lines


def reason_of(node: Node) -> str:
    """Return the messages of the findings of a node, the most severe first."""
    return "; ".join(str(finding["message"]) for finding in by_severity(node.get("findings") or ()))


def _line(node: Node) -> str:
    digest = (node.get("booted") or {}).get("digest") or ""
    booted, found = f"booted {digest}" if digest else "", reason_of(node)
    if node["verdict"] == Verdict.MATCH.value:
        details = f"{booted} ({found})" if booted and found else booted or found
    else:
        details = found or booted
    return as_line(f"{node['name']}: {node['verdict']}{f': {details}' if details else ''}")


def _words(node: Node) -> str:
    if node["verdict"] == Verdict.MISMATCH.value:
        return "does not match"
    return "is unknown" if node["verdict"] == Verdict.UNKNOWN.value else f"has the verdict {node['verdict']}"
