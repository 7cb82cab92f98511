# SPDX-License-Identifier: GPL-3.0-or-later
"""Combine the verification results of the hosts of a play. A host without a result is unknown."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.transports.host_connection import HostConnection
from .._errors import OperationError
from .._model.findings import Finding, FindingId
from .._model.objects.resources import NODE, ObjectRef
from .._model.proof.coverage import Coverage, PoolCoverage
from .._model.proof.expectation import NO_EXPECTATION
from .._model.proof.verdict import Expected, NodeVerdict, Verdict
from .._model.text import legible
from .._result import node_result, result
from .expected_image import expected_by_inventory
from .verification_result import verdict_result
from .verify_host import unread_node

_IDENTITY = ("api_url", "id")
"""Fields that identify a cluster."""
_MAX_DIGITS = 9


@dataclass(frozen=True)
class HostResult:
    """Verification result of one host, and its inventory variables.

    :ivar result: result of ``node_image_verify``, empty if it did not run
    :ivar known: variables ``image_mode_node``, ``_pool``, ``_pool_size``, ``_cluster`` and ``_expected``, if set
    """

    host: str
    result: t.Mapping[str, t.Any]
    known: t.Mapping[str, t.Any]


def summarize_hosts(answers: t.Sequence[HostResult], now: str) -> dict[str, t.Any]:
    """Return one result for all hosts, and the same for each cluster in ``clusters``.

    Nodes of one cluster have their own names. If the hosts belong to several clusters, or two hosts are the same node,
    nodes have the names of the hosts, because these are unique. A node of a pool that is no host counts as unknown, if
    the inventory states how many nodes the pool has.

    :param now: time of the verification for hosts without a result (RFC 3339)
    """
    by_cluster: dict[tuple[t.Any, ...], list[_Node]] = {}
    for answer in answers:
        by_cluster.setdefault(_identity(answer), []).append(_Node(answer, _node(answer, now)))
    all_nodes = [node for group in by_cluster.values() for node in group]
    coverages = [_coverage(group) for group in by_cluster.values()]
    everything = Coverage(tuple(pool for coverage in coverages for pool in coverage.pools))
    whole = _combined(all_nodes, everything, several=len(by_cluster) > 1)
    clusters = [_combined(group, coverage) for group, coverage in zip(by_cluster.values(), coverages)]
    return {**whole, "clusters": [{k: v for k, v in cluster.items() if k != "changed"} for cluster in clusters]}


@dataclass(frozen=True)
class _Node:
    answer: HostResult
    result: dict[str, t.Any]


def _combined(group: list[_Node], coverage: Coverage, several: bool = False) -> dict[str, t.Any]:
    if several or len({node.result["name"] for node in group}) < len(group):
        nodes = [{**node.result, "name": node.answer.host} for node in group]
    else:
        nodes = [node.result for node in group]
    return result(
        None,
        None if several else _cluster(group[0].answer),
        account=None,
        transport=HostConnection.name,
        containerfile=None,
        **verdict_result([Verdict(node["verdict"]) for node in nodes], coverage, _unused(group), nodes),
        nodes=sorted(nodes, key=lambda node: str(node["name"])),
    )


def _unused(group: list[_Node]) -> list[str] | None:
    """Return the entries of ``allowed_deviations`` that allowed nothing on any host, or None if that is not known."""
    listed = [node.answer.result.get("unused_allowed_deviations") for node in group]
    known = [entries for entries in listed if isinstance(entries, list)]
    if not known:
        return None
    return [entry for entry in known[0] if all(entry in entries for entries in known)]


def _coverage(group: list[_Node]) -> Coverage:
    """Return how many nodes of the pools of one cluster are hosts. A pool of unknown size is left out."""
    names: dict[str, set[str]] = {}
    totals: dict[str, int] = {}
    for node in group:
        pool = str(node.answer.known.get("image_mode_pool") or "")
        total = _number(node.answer.known.get("image_mode_pool_size"))
        if pool and total is not None:
            names.setdefault(pool, set()).add(str(node.answer.known.get("image_mode_node") or node.answer.host))
            totals[pool] = max(total, totals.get(pool, 0))
    return Coverage(tuple(PoolCoverage(pool, totals[pool], len(names[pool])) for pool in sorted(totals)))


def _number(value: t.Any) -> int | None:
    """Return a number of nodes, or None. A variable of an inventory in another format can be a text."""
    text = str(value)
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else None


def _node(answer: HostResult, now: str) -> dict[str, t.Any]:
    answered = answer.result.get("nodes") or []
    if len(answered) == 1:
        return dict(answered[0])
    name = str(answer.known.get("image_mode_node") or answer.host)
    reason = " ".join(str(answer.result.get("msg") or "it failed or was unreachable earlier in the play").split())
    message = legible(f"host {answer.host} failed before Node {name} was queried: {reason}").rstrip(".")
    verdict = NodeVerdict(
        name, Verdict.UNKNOWN, (Finding(FindingId.NODE_HOST_FAILED, ObjectRef(NODE.name, name), message),)
    )
    pool = str(answer.known.get("image_mode_pool") or "")
    return node_result(unread_node(name), pool, _expected(answer), verdict, now)


def _expected(answer: HostResult) -> Expected:
    try:
        return expected_by_inventory(answer.known.get("image_mode_expected"), "")
    except OperationError:
        return NO_EXPECTATION


def _cluster(answer: HostResult) -> t.Mapping[str, t.Any] | None:
    return answer.result.get("cluster") or answer.known.get("image_mode_cluster")


def _identity(answer: HostResult) -> tuple[t.Any, ...]:
    cluster = _cluster(answer) or {}
    return tuple(cluster.get(part) for part in _IDENTITY)
