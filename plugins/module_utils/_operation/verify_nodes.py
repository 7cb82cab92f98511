# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask every node what it booted and judge the answers; nothing is created, nothing is changed."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from .._cluster.pod_exec import PodExec
from .._cluster.session import Session
from .._cluster.transport import Transport
from .._errors import Refused
from .._model.findings import Finding
from .._model.node import NodeState
from .._model.pool import AmbiguousMembership, Pool, members, pool_of
from .._model.resources import MACHINE_CONFIG_POOL, NODE, Object, ObjectRef, labels_of, metadata_of
from .._model.verdict import Expected, NodeVerdict, Verdict, judge, summarize, worst
from .._result import node_result, read_account, read_cluster, result
from .expected_image import expected_by_option, expected_of_pool
from .read_members import no_such_pool
from .select_nodes import Selection, select_nodes


@dataclass(frozen=True)
class Ask:
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


@dataclass(frozen=True)
class Candidate:
    """A node to ask, the pool that drives it, and what it should have booted."""

    node: NodeState
    pool: str
    expected: Expected


def verify_nodes(session: Session, ask: Ask) -> dict[str, t.Any]:
    """Return a verdict for every node.

    :raises Refused: a verdict is one of ``fail_on`` (all verdicts are in its result), or there is nobody to ask
    """
    what = _what(ask)
    candidates = _candidates(session, ask, what)
    transport = _transport(session, ask)
    asked_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    judgements = _judgements(transport, candidates)
    boots = {metadata_of(n)["name"]: NodeState.from_api(n).boot_id for n in session.list(NODE).items}
    judged = [_seen_again(c, judgements[c.node.name], boots.get(c.node.name)) for c in candidates]
    verdicts = [j.verdict for j in judged]
    whole = worst(verdicts)
    done = result(
        session,
        read_cluster(session),
        asked_by=read_account(session),
        verdict=whole.value if whole else "none",
        summary=summarize(verdicts),
        nodes=[node_result(c.node, c.pool, c.expected, j, asked_at) for c, j in zip(candidates, judged)],
    )
    bad = [j for j in judged if j.verdict in ask.fail_on]
    if bad:
        raise _refusal(what, bad, len(judged)).having(done)
    return done


def _what(ask: Ask) -> str:
    if ask.pool:
        return f"verify MachineConfigPool {ask.pool}"
    if ask.selection.names:
        return f"verify Node {', '.join(ask.selection.names)}"
    return f"verify the nodes of {ask.selection.label_selector}"


def _candidates(session: Session, ask: Ask, what: str) -> list[Candidate]:
    pools = [Pool.from_api(p) for p in session.list(MACHINE_CONFIG_POOL).items]
    nodes = session.list(NODE).items
    chosen = _chosen(ask, pools, nodes, what)
    by_node = {metadata_of(n)["name"]: _pool_name(n, pools) for n in chosen}
    expected: dict[str, Expected] = {}
    for name in sorted(set(by_node.values())):
        if ask.expected_image:
            expected[name] = expected_by_option(ask.expected_image, what)
        else:
            expected[name] = expected_of_pool(session, next((p for p in pools if p.name == name), None), what)
    states = [NodeState.from_api(n) for n in chosen]
    return [Candidate(s, by_node[s.name], expected[by_node[s.name]]) for s in states]


def _chosen(ask: Ask, pools: list[Pool], nodes: list[Object], what: str) -> list[Object]:
    if not ask.pool:
        return select_nodes(nodes, ask.selection, what)
    if ask.pool not in {p.name for p in pools}:
        raise no_such_pool(ask.pool, what)
    inside = members(ask.pool, nodes, pools)
    if not inside:
        raise Refused(what, "no node is in it", "Bring nodes into the pool first (machineconfigpool_nodes)")
    if not ask.selection.given:
        return inside
    chosen = select_nodes(nodes, ask.selection, what)
    names = {metadata_of(n)["name"] for n in inside}
    strangers = [metadata_of(n)["name"] for n in chosen if metadata_of(n)["name"] not in names]
    if strangers:
        raise Refused(what, f"Node {', '.join(strangers)} is not in it", "Leave pool out, or name its own nodes")
    return chosen


def _pool_name(node: Object, pools: list[Pool]) -> str:
    try:
        return pool_of(labels_of(node), pools)
    except AmbiguousMembership:
        return ""


def _transport(session: Session, ask: Ask) -> Transport:
    return PodExec(session, ask.concurrency, ask.node_timeout, ask.host_root)


def _judgements(transport: Transport, candidates: t.Sequence[Candidate]) -> dict[str, NodeVerdict]:
    """Judge each answer as it comes, so that the large ones are not kept."""
    expected = {c.node.name: c.expected for c in candidates}
    answers = transport.ask([c.node for c in candidates])
    return {node.name: judge(node, expected[node.name], answer) for node, answer in answers}


def _seen_again(candidate: Candidate, judged: NodeVerdict, boot_id_after: str | None) -> NodeVerdict:
    if boot_id_after == candidate.node.boot_id:
        return judged
    ref = ObjectRef(NODE.name, candidate.node.name)
    gone = boot_id_after is None
    message = f"Node {candidate.node.name} {'is gone' if gone else 'rebooted while it was asked'}"
    finding = Finding("node.rebooted_meanwhile", ref, message)
    return replace(judged, verdict=Verdict.UNKNOWN, findings=(finding, *judged.findings))


def _refusal(what: str, bad: list[NodeVerdict], total: int) -> Refused:
    worst_first = sorted(bad, key=lambda j: j.verdict is not Verdict.MISMATCH)
    first = worst_first[0]
    finding = first.findings[0]
    reason = f"{len(bad)} of {total} nodes not proven; {first.name}: {first.verdict.value}, {finding.message}"
    return Refused(what, reason, finding.remedy)
