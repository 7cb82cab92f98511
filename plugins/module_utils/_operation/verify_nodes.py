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
from .._model.build.orphaned_config import orphan_warnings
from .._model.build.run_spec import ANY_RUN, RunSpec
from .._model.findings import Finding, FindingId
from .._model.objects.machineconfignode import MachineConfigNode
from .._model.objects.machineconfigpool import Pool
from .._model.objects.node import NodeState
from .._model.objects.pool_membership import nodes_in_pool, nodes_in_two_pools, pool_of
from .._model.objects.resources import (
    MACHINE_CONFIG_NODE,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_CONFIG,
    NODE,
    Object,
    ObjectRef,
    labels_of,
    metadata_of,
)
from .._model.objects.subject import Subject
from .._model.objects.timestamp import timestamp_now
from .._model.proof.coverage import NO_POOL, Coverage, PoolCoverage
from .._model.proof.deviation import Allowed
from .._model.proof.expectation import NO_EXPECTATION, PoolExpectation
from .._model.proof.paused_pool import paused_findings, with_pause
from .._model.proof.verdict import Expected, NodeVerdict, Verdict, evaluate, evaluate_reported_state, without_pool
from .._model.rollout.outside_nodes import left_node
from .._result import containerfile_result, node_result
from .expected_image import expectation_of_pool, expected_by_option, optional_expectation
from .read_pool import pool_not_found
from .select_nodes import Selection, select_nodes
from .verification_result import Verification, verification_result
from .verify_host import unread_node


@dataclass(frozen=True)
class VerificationRequest:
    """The options of the user.

    :ivar node_timeout: seconds for one node, all attempts included
    :ivar host_root: the path at which the root file system of a node is mounted
    :ivar transport: the name of the transport
    :ivar allowed_deviations: patterns of package names, and ids of findings
    :ivar allow_empty_pool: whether a pool without nodes is no failure
    :ivar awaited_nodes: names of nodes that a rollout was awaited for; one that left the pool is unknown
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
    allow_empty_pool: bool = False
    run: RunSpec = ANY_RUN
    """The spec that the run wrote, and the image that was built from it."""
    awaited_nodes: t.Sequence[str] = ()


@dataclass(frozen=True)
class Candidate:
    """A node to verify.

    :ivar pool: the pool that updates it, or None if there is none
    :ivar expected: the image that it should have booted
    :ivar reported: its MachineConfigNode, if the cluster has one
    """

    node: NodeState
    pool: Pool | None
    expected: Expected
    allowed: Allowed
    reported: MachineConfigNode | None

    @property
    def pool_name(self) -> str:
        """Name of the pool, or empty."""
        return self.pool.name if self.pool else ""


@dataclass(frozen=True)
class Targets:
    """What is verified.

    :ivar paused: findings about pools that are paused
    :ivar expectation: image and Containerfile of the pool, or None if the nodes are in several pools
    """

    candidates: list[Candidate]
    coverage: Coverage
    paused: tuple[Finding, ...]
    expectation: PoolExpectation | None


def verify_nodes(session: Session, request: VerificationRequest, warn: t.Callable[[str], None]) -> dict[str, t.Any]:
    """Return a verdict for every node.

    :param warn: receives warnings for the user
    :raises OperationError: a verdict is one of ``fail_on`` (the error has all verdicts), or no node can be queried
    """
    what = _what(request)
    allowed = _allowed(request, what)
    targets = _targets(session, request, allowed, what, warn)
    access = Access(
        session=session,
        concurrency=request.concurrency,
        node_timeout=request.node_timeout,
        host_root=request.host_root,
        warn=warn,
    )
    transport = create_transport(request.transport, access)
    verified_at = timestamp_now()
    candidates, verdicts = _verified(session, transport, targets.candidates)
    left = _left(request, candidates)
    verification = Verification(
        what, [*verdicts, *left], request.fail_on, targets.coverage, allowed, request.allow_empty_pool, targets.paused
    )
    if verification.unused:
        warn(f"allowed_deviations: {', '.join(verification.unused)} allowed no local change of a verified node.")
    return verification_result(
        verification,
        {"api_url": session.api_url, **read_cluster(session)},
        account=read_account(session),
        transport=transport.name,
        containerfile=_containerfile(targets, verdicts),
        nodes=[
            *(node_result(c.node, c.pool_name, c.expected, v, verified_at) for c, v in zip(candidates, verdicts)),
            *(node_result(unread_node(v.name), request.pool, NO_EXPECTATION, v, verified_at) for v in left),
        ],
    )


def _left(request: VerificationRequest, candidates: t.Iterable[Candidate]) -> list[NodeVerdict]:
    """Return a verdict for each awaited node that is no longer in the pool."""
    if not request.pool or request.selection.given:
        return []
    return [
        NodeVerdict(name, Verdict.UNKNOWN, (left_node(name, request.pool),))
        for name in sorted(set(request.awaited_nodes) - {candidate.node.name for candidate in candidates})
    ]


def _what(request: VerificationRequest) -> str:
    if request.pool:
        return f"verify MachineConfigPool {request.pool}"
    if request.selection.names:
        return f"verify Node {', '.join(request.selection.names)}"
    return f"verify the nodes of {request.selection.label_selector}"


def _targets(
    session: Session, request: VerificationRequest, allowed: Allowed, what: str, warn: t.Callable[[str], None]
) -> Targets:
    pools = [Pool.from_api(p) for p in session.list(MACHINE_CONFIG_POOL).items]
    nodes = session.list(NODE).items
    chosen, coverage = _chosen(request, pools, nodes, what)
    by_node = {metadata_of(n)["name"]: pool_of(labels_of(n), pools) for n in chosen}
    by_name = {pool.name: pool for pool in pools}
    of_nodes = [by_name[name] for name in sorted(set(by_node.values())) if name in by_name]
    if request.expected_image:
        by_option = expected_by_option(request.expected_image, what, request.run)
        expectations = _optional_expectations(session, of_nodes, request.run)
        expected = dict.fromkeys(by_node.values(), by_option)
    else:
        expectations = _expectations(session, of_nodes, pools, request.run, warn)
        expected = {name: e.expected for name, e in expectations.items()}
    reported = _read_machine_config_nodes(session)
    states = [(NodeState.from_api(n), by_node[metadata_of(n)["name"]]) for n in chosen]
    candidates = [
        Candidate(s, by_name.get(pool), expected.get(pool, NO_EXPECTATION), allowed, reported.get(s.name))
        for s, pool in states
    ]
    verified = [pool for pool in pools if pool.name == request.pool or pool in of_nodes]
    expectation = expectations.get(of_nodes[0].name) if len(of_nodes) == 1 else None
    return Targets(candidates, coverage, paused_findings(verified), expectation)


def _expectations(
    session: Session, of_nodes: t.Iterable[Pool], pools: list[Pool], run: RunSpec, warn: t.Callable[[str], None]
) -> dict[str, PoolExpectation]:
    """Return the name of each pool -> the image that the cluster expects for its nodes."""
    configs = session.list(MACHINE_OS_CONFIG).items
    for warning in orphan_warnings(configs, pools):
        warn(warning)
    return {pool.name: _expectation_of(session, pool, configs, run) for pool in of_nodes}


def _expectation_of(session: Session, pool: Pool, configs: list[Object], run: RunSpec) -> PoolExpectation:
    read = expectation_of_pool(session, pool, configs, run)
    return replace(read, expected=replace(read.expected, read_at=timestamp_now()))


def _optional_expectations(session: Session, of_nodes: list[Pool], run: RunSpec) -> dict[str, PoolExpectation]:
    """Return the same for the Containerfile only, which is known if all nodes are in one pool."""
    read = optional_expectation(session, of_nodes[0], run) if len(of_nodes) == 1 else None
    return {of_nodes[0].name: read} if read else {}


def _containerfile(targets: Targets, verdicts: t.Iterable[NodeVerdict]) -> dict[str, t.Any] | None:
    """Return the Containerfile of the pool of the nodes, or None if they are in several pools."""
    compared = [candidate.expected for candidate in targets.candidates if candidate.pool]
    if targets.expectation is None or not compared:
        return None
    return containerfile_result(targets.expectation.content_for(compared[0], {v.verdict for v in verdicts}))


def _allowed(request: VerificationRequest, what: str) -> Allowed:
    try:
        return Allowed.of(request.allowed_deviations)
    except ValueError as error:
        remedy = "Use patterns of package names, and the finding ids that the module documentation lists"
        raise OperationError(what, f"allowed_deviations: {error}", remedy) from None


def _chosen(
    request: VerificationRequest, pools: list[Pool], nodes: list[Object], what: str
) -> tuple[list[Object], Coverage]:
    """Return the nodes to verify, and how many nodes of the requested pool they are."""
    if not request.pool:
        return select_nodes(nodes, request.selection, what), NO_POOL
    pool = next((p for p in pools if p.name == request.pool), None)
    if pool is None:
        raise pool_not_found(request.pool, what)
    stuck = nodes_in_two_pools(pool, nodes, pools)
    inside = nodes_in_pool(request.pool, nodes, pools) + [n for n in nodes if metadata_of(n)["name"] in stuck]
    chosen = select_nodes(nodes, request.selection, what) if request.selection.given else inside
    names = {metadata_of(n)["name"] for n in inside}
    outside = [metadata_of(n)["name"] for n in chosen if metadata_of(n)["name"] not in names]
    if outside:
        raise OperationError(what, f"Node {', '.join(outside)} is not in it", "Leave pool out, or name its own nodes")
    return chosen, Coverage((PoolCoverage(request.pool, len(inside), len(chosen)),))


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
    if not candidates:
        return {}
    by_name = {c.node.name: c for c in candidates}
    with contextlib.closing(transport.query([c.node for c in candidates])) as replies:
        return {node.name: _verdict(by_name[node.name], reply) for node, reply in replies}


def _verdict(candidate: Candidate, reply: NodeReply) -> NodeVerdict:
    node, expected, reported = candidate.node, candidate.expected, candidate.reported
    if isinstance(reply, ReportedState):
        verdict = evaluate_reported_state(replace(node, current_image=reply.image), expected, reported)
    else:
        verdict = evaluate(node, expected, reply, candidate.allowed, reported)
    return without_pool(verdict) if expected is NO_EXPECTATION else with_pause(verdict, node, expected, candidate.pool)


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
        objects = session.pages(Subject(MACHINE_CONFIG_NODE)).items
    except (ApiError, Unreachable):
        return {}
    return {node.name: node for node in map(MachineConfigNode.from_api, objects)}
