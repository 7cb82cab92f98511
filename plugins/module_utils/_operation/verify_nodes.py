# SPDX-License-Identifier: GPL-3.0-or-later
"""Query nodes for their booted image and compare it with the expected one. Nothing is changed in the cluster."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.cluster_identity import read_account, read_cluster
from .._cluster.session import Session
from .._cluster.transports.registry import create_transport
from .._cluster.transports.transport import Access, NodeReply, ReportedState, Transport
from .._errors import OperationError
from .._model.findings import Finding, FindingId
from .._model.objects.machineconfignode import MachineConfigNode
from .._model.objects.machineconfigpool import Pool
from .._model.objects.node import NodeState
from .._model.objects.pool_membership import nodes_in_pool, nodes_in_two_pools, pool_of
from .._model.objects.resources import (
    MACHINE_CONFIG_NODE,
    MACHINE_CONFIG_POOL,
    NODE,
    Object,
    ObjectRef,
    labels_of,
    metadata_of,
)
from .._model.objects.timestamp import timestamp_now
from .._model.proof.deviation import Allowed
from .._model.proof.expectation import NO_EXPECTATION
from .._model.proof.verdict import Expected, NodeVerdict, Verdict, evaluate, evaluate_reported_state, without_pool
from .._result import node_result
from .expected_image import expected_by_option, expected_of_pool
from .read_pool import pool_not_found
from .select_nodes import Selection, select_nodes
from .verification_result import verification_result


@dataclass(frozen=True)
class VerificationRequest:
    """The options of the user.

    :ivar node_timeout: seconds for one node, all attempts included
    :ivar host_root: the path at which the root file system of a node is mounted
    :ivar transport: the name of the transport
    :ivar allowed_deviations: patterns of package names, and ids of findings
    """

    pool: str
    selection: Selection
    expected_image: str
    concurrency: int
    node_timeout: float
    host_root: str
    fail_on: frozenset[Verdict]
    transport: str = "auto"
    allowed_deviations: t.Sequence[str] = ()


@dataclass(frozen=True)
class Candidate:
    """A node to verify.

    :ivar pool: the pool that updates it
    :ivar expected: the image that it should have booted
    :ivar reported: its MachineConfigNode, if the cluster has one
    """

    node: NodeState
    pool: str
    expected: Expected
    allowed: Allowed
    reported: MachineConfigNode | None


def verify_nodes(session: Session, request: VerificationRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    """Return a verdict for every node.

    :param warn: receives warnings for the user
    :raises OperationError: a verdict is one of ``fail_on`` (the error has all verdicts), or no node can be queried
    """
    what = _what(request)
    candidates = _candidates(session, request, what)
    access = Access(
        session=session,
        concurrency=request.concurrency,
        node_timeout=request.node_timeout,
        host_root=request.host_root,
        warn=warn,
    )
    transport = create_transport(request.transport, access)
    verified_at = timestamp_now()
    candidates, verdicts = _verified(session, transport, candidates)
    return verification_result(
        what,
        verdicts,
        request.fail_on,
        {"api_url": session.api_url, **read_cluster(session)},
        account=read_account(session),
        transport=transport.name,
        nodes=[node_result(c.node, c.pool, c.expected, v, verified_at) for c, v in zip(candidates, verdicts)],
    )


def _what(request: VerificationRequest) -> str:
    if request.pool:
        return f"verify MachineConfigPool {request.pool}"
    if request.selection.names:
        return f"verify Node {', '.join(request.selection.names)}"
    return f"verify the nodes of {request.selection.label_selector}"


def _candidates(session: Session, request: VerificationRequest, what: str) -> list[Candidate]:
    pools = [Pool.from_api(p) for p in session.list(MACHINE_CONFIG_POOL).items]
    nodes = session.list(NODE).items
    chosen = _chosen(request, pools, nodes, what)
    allowed = _allowed(request, what)
    by_node = {metadata_of(n)["name"]: pool_of(labels_of(n), pools) for n in chosen}
    expected: dict[str, Expected] = {}
    for name in sorted(set(by_node.values())):
        if request.expected_image:
            expected[name] = expected_by_option(request.expected_image, what)
        else:
            expected[name] = _expected(session, name, pools, what)
    reported = _read_machine_config_nodes(session)
    states = [NodeState.from_api(n) for n in chosen]
    return [Candidate(s, by_node[s.name], expected[by_node[s.name]], allowed, reported.get(s.name)) for s in states]


def _expected(session: Session, name: str, pools: list[Pool], what: str) -> Expected:
    pool = next((p for p in pools if p.name == name), None)
    return expected_of_pool(session, pool, what) if pool else NO_EXPECTATION


def _allowed(request: VerificationRequest, what: str) -> Allowed:
    try:
        return Allowed.of(request.allowed_deviations)
    except ValueError as error:
        remedy = "Use patterns of package names, and the finding ids that the module documentation lists"
        raise OperationError(what, f"allowed_deviations: {error}", remedy) from None


def _chosen(request: VerificationRequest, pools: list[Pool], nodes: list[Object], what: str) -> list[Object]:
    if not request.pool:
        return select_nodes(nodes, request.selection, what)
    pool = next((p for p in pools if p.name == request.pool), None)
    if pool is None:
        raise pool_not_found(request.pool, what)
    stuck = nodes_in_two_pools(pool, nodes, pools)
    inside = nodes_in_pool(request.pool, nodes, pools) + [n for n in nodes if metadata_of(n)["name"] in stuck]
    if not inside:
        raise OperationError(what, "no node is in it", "Add nodes to the pool first (machineconfigpool_nodes)")
    if not request.selection.given:
        return inside
    chosen = select_nodes(nodes, request.selection, what)
    names = {metadata_of(n)["name"] for n in inside}
    outside = [metadata_of(n)["name"] for n in chosen if metadata_of(n)["name"] not in names]
    if outside:
        raise OperationError(what, f"Node {', '.join(outside)} is not in it", "Leave pool out, or name its own nodes")
    return chosen


def _verified(
    session: Session, transport: Transport, candidates: t.Sequence[Candidate]
) -> tuple[list[Candidate], list[NodeVerdict]]:
    """Verify all nodes, and once more those that rebooted meanwhile. Return their last states and their verdicts."""
    verdicts = _verdicts(transport, candidates)
    now = _read_nodes(session)
    last = [replace(c, node=now.get(c.node.name, c.node)) for c in candidates]
    rebooted = [after for before, after in zip(candidates, last) if after.node.boot_id != before.node.boot_id]
    if rebooted:
        verdicts.update(_verdicts(transport, rebooted))
        now = _read_nodes(session)
    names = {c.node.name for c in rebooted}
    return last, [_final(c, verdicts[c.node.name], now.get(c.node.name), c.node.name in names) for c in last]


def _read_nodes(session: Session) -> dict[str, NodeState]:
    return {metadata_of(n)["name"]: NodeState.from_api(n) for n in session.list(NODE).items}


def _verdicts(transport: Transport, candidates: t.Sequence[Candidate]) -> dict[str, NodeVerdict]:
    """Return a verdict for each node. Each reply is evaluated when it arrives, because replies can be large."""
    by_name = {c.node.name: c for c in candidates}
    with contextlib.closing(transport.query([c.node for c in candidates])) as replies:
        return {node.name: _verdict(by_name[node.name], reply) for node, reply in replies}


def _verdict(candidate: Candidate, reply: NodeReply) -> NodeVerdict:
    node, expected, reported = candidate.node, candidate.expected, candidate.reported
    if isinstance(reply, ReportedState):
        verdict = evaluate_reported_state(replace(node, current_image=reply.image), expected, reported)
    else:
        verdict = evaluate(node, expected, reply, candidate.allowed, reported)
    return without_pool(verdict) if expected is NO_EXPECTATION else verdict


def _final(candidate: Candidate, verdict: NodeVerdict, after: NodeState | None, had_rebooted: bool) -> NodeVerdict:
    """Return the verdict, or unknown if the node was removed, or rebooted again, while it was verified."""
    name = candidate.node.name
    rebooted_again = after is not None and after.boot_id != candidate.node.boot_id
    explains_unknown = had_rebooted and verdict.verdict is Verdict.UNKNOWN
    if after is not None and not rebooted_again and not explains_unknown:
        return verdict
    finding = Finding(
        FindingId.NODE_REBOOTED_DURING_VERIFICATION,
        ObjectRef(NODE.name, name),
        f"Node {name} rebooted while it was verified",
    )
    if after is None:
        finding = Finding(
            FindingId.NODE_DELETED, ObjectRef(NODE.name, name), f"Node {name} was deleted while it was verified"
        )
    return replace(verdict, verdict=Verdict.UNKNOWN, findings=(finding, *verdict.findings))


def _read_machine_config_nodes(session: Session) -> dict[str, MachineConfigNode]:
    """Return the MachineConfigNodes by name. They are optional, so an error means none."""
    try:
        objects = session.pages(MACHINE_CONFIG_NODE.path(), {}).items
    except (ApiError, Unreachable):
        return {}
    return {node.name: node for node in map(MachineConfigNode.from_api, objects)}
