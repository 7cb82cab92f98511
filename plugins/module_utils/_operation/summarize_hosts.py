# SPDX-License-Identifier: GPL-3.0-or-later
"""Put together what the hosts of a play answered, each of which is a node: none is left out, and silence is unknown."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._cluster.transports.host_connection import HostConnection
from .._errors import OperationError
from .._model.findings import Finding, FindingId, legible
from .._model.objects.resources import NODE, ObjectRef
from .._model.proof.expectation import NO_EXPECTATION
from .._model.proof.verdict import Expected, NodeVerdict, Verdict, summarize, worst
from .._result import node_result, result
from .expected_image import expected_by_inventory
from .verify_host import unread_node

_WHO = ("api_url", "id")
"""What tells clusters apart."""


@dataclass(frozen=True)
class HostAnswer:
    """What one host of the play has answered, and what the inventory says of it.

    :ivar result: what ``node_image_verify`` returned, empty when it did not run
    :ivar known: its variables ``image_mode_node``, ``_pool``, ``_cluster`` and ``_expected``, as far as it has them
    """

    host: str
    result: t.Mapping[str, t.Any]
    known: t.Mapping[str, t.Any]


def summarize_hosts(answers: t.Sequence[HostAnswer], now: str) -> dict[str, t.Any]:
    """Return the verdicts on all hosts in the shape of a verification by one task, and the same cluster by cluster.

    Of one cluster the nodes have their own names. Of several, or where two hosts are one node, they have those of the
    hosts, which tell them apart.

    :param now: as RFC 3339, which stands as the time for a node that was never asked
    """
    by_cluster: dict[tuple[t.Any, ...], list[_Node]] = {}
    for answer in answers:
        by_cluster.setdefault(_who(answer), []).append(_Node(answer, _node(answer, now)))
    everybody = [node for group in by_cluster.values() for node in group]
    whole = _shaped(everybody, several=len(by_cluster) > 1)
    clusters = [_shaped(group) for group in by_cluster.values()]
    return {**whole, "clusters": [{k: v for k, v in cluster.items() if k != "changed"} for cluster in clusters]}


@dataclass(frozen=True)
class _Node:
    answer: HostAnswer
    result: dict[str, t.Any]


def _shaped(group: list[_Node], several: bool = False) -> dict[str, t.Any]:
    if several or len({node.result["name"] for node in group}) < len(group):
        nodes = [{**node.result, "name": node.answer.host} for node in group]
    else:
        nodes = [node.result for node in group]
    verdicts = [Verdict(node["verdict"]) for node in nodes]
    whole = worst(verdicts)
    return result(
        None,
        None if several else _cluster(group[0].answer),
        account=None,
        transport=HostConnection.name,
        verdict=whole.value if whole else "none",
        summary=summarize(verdicts),
        nodes=sorted(nodes, key=lambda node: str(node["name"])),
    )


def _node(answer: HostAnswer, now: str) -> dict[str, t.Any]:
    answered = answer.result.get("nodes") or []
    if len(answered) == 1:
        return dict(answered[0])
    name = str(answer.known.get("image_mode_node") or answer.host)
    why = " ".join(str(answer.result.get("msg") or "it failed, was lost or was left out before").split())
    message = legible(f"host {answer.host} did not get as far as asking Node {name}: {why}").rstrip(".")
    judged = NodeVerdict(
        name, Verdict.UNKNOWN, (Finding(FindingId.NODE_HOST_FAILED, ObjectRef(NODE.name, name), message),)
    )
    pool = str(answer.known.get("image_mode_pool") or "")
    return node_result(unread_node(name), pool, _expected(answer), judged, now)


def _expected(answer: HostAnswer) -> Expected:
    try:
        return expected_by_inventory(answer.known.get("image_mode_expected"), "")
    except OperationError:
        return NO_EXPECTATION


def _cluster(answer: HostAnswer) -> t.Mapping[str, t.Any] | None:
    return answer.result.get("cluster") or answer.known.get("image_mode_cluster")


def _who(answer: HostAnswer) -> tuple[t.Any, ...]:
    cluster = _cluster(answer) or {}
    return tuple(cluster.get(part) for part in _WHO)
