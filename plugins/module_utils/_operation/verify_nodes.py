# SPDX-License-Identifier: GPL-3.0-or-later
"""VerificationRequest every node what it booted and evaluate the output; nothing is created, nothing is changed."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from .._cluster.cluster_identity import read_account, read_cluster
from .._cluster.session import Session
from .._cluster.transports.oc_debug import OcDebug
from .._cluster.transports.pod_exec import PodExec
from .._cluster.transports.reported_state import Claims
from .._cluster.transports.selection import Auto
from .._cluster.transports.transport import Claim, Transport, Word
from .._errors import OperationError
from .._model.findings import Finding, FindingId
from .._model.objects.machineconfignode import MachineConfigNode
from .._model.objects.machineconfigpool import Pool
from .._model.objects.node import NodeState
from .._model.objects.pool_membership import nodes_in_pool, nodes_in_two_pools, pool_of
from .._model.objects.resources import MACHINE_CONFIG_POOL, NODE, Object, ObjectRef, labels_of, metadata_of
from .._model.proof.deviation import Allowed
from .._model.proof.expectation import NO_EXPECTATION
from .._model.proof.verdict import Expected, NodeVerdict, Verdict, evaluate, evaluate_reported_state, without_pool
from .._result import node_result, result
from .conclude import concluded, refusal
from .expected_image import expected_by_option, expected_of_pool
from .read_machine_config_nodes import read_machine_config_nodes
from .read_pool import pool_not_found
from .select_nodes import Selection, select_nodes


@dataclass(frozen=True)
class VerificationRequest:
    """What the user asks for."""

    pool: str
    selection: Selection
    expected_image: str
    concurrency: int
    node_timeout: float
    """Seconds that one node has to answer."""
    host_root: str
    """Where the node's root file system is mounted in the daemon's pod."""
    fail_on: frozenset[Verdict]
    transport: str = "auto"
    """How the nodes are asked, as users call it."""
    allowed_deviations: t.Sequence[str] = ()
    """Patterns of package names, and ids of findings."""


@dataclass(frozen=True)
class Candidate:
    """A node to request, the pool that drives it, and what it should have booted."""

    node: NodeState
    pool: str
    expected: Expected
    allowed: Allowed
    claim: MachineConfigNode | None
    """What its MachineConfigNode says, where the cluster has one."""


def verify_nodes(session: Session, request: VerificationRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    """Return a verdict for every node.

    :param warn: is told what the user should know even though nothing failed
    :raises OperationError: a verdict is one of ``fail_on`` (all verdicts are in its result), or there is nobody to ask
    """
    what = _what(request)
    candidates = _candidates(session, request, what)
    transport = _transport(session, request, warn)
    verified_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    candidates, judged = _judged(session, transport, candidates)
    done = result(
        session.api_url,
        read_cluster(session),
        account=read_account(session),
        transport=transport.name,
        **concluded(judged),
        nodes=[node_result(c.node, c.pool, c.expected, j, verified_at) for c, j in zip(candidates, judged)],
    )
    refused = refusal(what, judged, request.fail_on)
    if refused:
        raise refused.having(done)
    return done


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
    claims = read_machine_config_nodes(session)
    states = [NodeState.from_api(n) for n in chosen]
    return [Candidate(s, by_node[s.name], expected[by_node[s.name]], allowed, claims.get(s.name)) for s in states]


def _expected(session: Session, name: str, pools: list[Pool], what: str) -> Expected:
    pool = next((p for p in pools if p.name == name), None)
    return expected_of_pool(session, pool, what) if pool else NO_EXPECTATION


def _allowed(request: VerificationRequest, what: str) -> Allowed:
    try:
        return Allowed.of(request.allowed_deviations)
    except ValueError as error:
        remedy = "Give patterns of package names, and ids of findings as the documentation of the module lists them"
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
        raise OperationError(what, "no node is in it", "Bring nodes into the pool first (machineconfigpool_nodes)")
    if not request.selection.given:
        return inside
    chosen = select_nodes(nodes, request.selection, what)
    names = {metadata_of(n)["name"] for n in inside}
    strangers = [metadata_of(n)["name"] for n in chosen if metadata_of(n)["name"] not in names]
    if strangers:
        raise OperationError(what, f"Node {', '.join(strangers)} is not in it", "Leave pool out, or name its own nodes")
    return chosen


def _transport(session: Session, request: VerificationRequest, warn: t.Callable[[str], None]) -> Transport:
    if request.transport == Claims.name:
        return Claims(session)
    if request.transport == OcDebug.name:
        return OcDebug(session, request.concurrency, request.node_timeout)
    pod_exec = PodExec(session, request.concurrency, request.node_timeout, request.host_root)
    return pod_exec if request.transport == PodExec.name else Auto(pod_exec, Claims(session), warn)


def _judged(
    session: Session, transport: Transport, candidates: t.Sequence[Candidate]
) -> tuple[list[Candidate], list[NodeVerdict]]:
    """Verify all nodes, and those that rebooted meanwhile once more; return their last known states and verdicts."""
    judgements = _judgements(transport, candidates)
    now = _nodes_now(session)
    last = [replace(c, node=now.get(c.node.name, c.node)) for c in candidates]
    rebooted = [after for before, after in zip(candidates, last) if after.node.boot_id != before.node.boot_id]
    if rebooted:
        judgements.update(_judgements(transport, rebooted))
        now = _nodes_now(session)
    moved = {c.node.name for c in rebooted}
    return last, [_seen_again(c, judgements[c.node.name], now.get(c.node.name), c.node.name in moved) for c in last]


def _nodes_now(session: Session) -> dict[str, NodeState]:
    return {metadata_of(n)["name"]: NodeState.from_api(n) for n in session.list(NODE).items}


def _judgements(transport: Transport, candidates: t.Sequence[Candidate]) -> dict[str, NodeVerdict]:
    """Judge each answer as it comes, so that the large ones are not kept."""
    asked = {c.node.name: c for c in candidates}
    with contextlib.closing(transport.ask([c.node for c in candidates])) as words:
        return {node.name: _judge(asked[node.name], word) for node, word in words}


def _judge(candidate: Candidate, word: Word) -> NodeVerdict:
    node, expected, claim = candidate.node, candidate.expected, candidate.claim
    if isinstance(word, Claim):
        judged = evaluate_reported_state(replace(node, current_image=word.image), expected, claim)
    else:
        judged = evaluate(node, expected, word, candidate.allowed, claim)
    return without_pool(judged) if expected is NO_EXPECTATION else judged


def _seen_again(candidate: Candidate, judged: NodeVerdict, after: NodeState | None, had_rebooted: bool) -> NodeVerdict:
    """Take back the verdict on a node that is gone or rebooted once more; say why one that rebooted is unknown."""
    name = candidate.node.name
    again = after is not None and after.boot_id != candidate.node.boot_id
    if after is not None and not again and not (had_rebooted and judged.verdict is Verdict.UNKNOWN):
        return judged
    finding = Finding(
        FindingId.NODE_REBOOTED_DURING_VERIFICATION,
        ObjectRef(NODE.name, name),
        f"Node {name} rebooted while it was asked",
    )
    if after is None:
        finding = Finding(
            FindingId.NODE_DELETED, ObjectRef(NODE.name, name), f"Node {name} left the cluster while it was asked"
        )
    return replace(judged, verdict=Verdict.UNKNOWN, findings=(finding, *judged.findings))
