# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify the node of one host over Ansible's connection to it. No request is sent to the API.

So only the inventory can say to which cluster the node belongs, and which image it should have booted.
"""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass, replace

from .._cluster.transports.transport import Transport
from .._model.findings import Finding
from .._model.objects.node import NodeState
from .._model.objects.timestamp import timestamp_now
from .._model.proof.deviation import Allowed
from .._model.proof.expectation import NO_EXPECTATION
from .._model.proof.verdict import (
    CommandResult,
    Expected,
    NodeVerdict,
    Verdict,
    evaluate,
    with_outdated_expectation,
    without_pool,
)
from .._result import node_result
from .verification_result import Verification, verification_result


@dataclass(frozen=True)
class HostVerificationRequest:
    """The node of a host, and the user's options.

    :ivar pool: the pool of the node, for the result only
    :ivar doubt: why the expectation may be outdated
    :ivar cluster: the cluster of the node, as the inventory names it
    """

    name: str
    pool: str
    expected: Expected
    allowed: Allowed
    fail_on: frozenset[Verdict]
    doubt: Finding | None = None
    cluster: t.Mapping[str, t.Any] | None = None


def verify_host(transport: Transport, request: HostVerificationRequest) -> dict[str, t.Any]:
    """Return the verdict on one node, in the shape of a verification of several nodes.

    :raises OperationError: the verdict is one of ``fail_on``; the error has the result
    """
    verified_at = timestamp_now()
    with contextlib.closing(transport.query([unread_node(request.name)])) as replies:
        ((node, reply),) = replies
    verdict = _verdict(request, node, t.cast(CommandResult, reply))
    return verification_result(
        Verification(f"verify Node {request.name}", [verdict], request.fail_on, allowed=request.allowed),
        request.cluster or {},
        account=None,
        transport=transport.name,
        containerfile=None,
        nodes=[node_result(node, request.pool, request.expected, verdict, verified_at)],
    )


def _verdict(request: HostVerificationRequest, node: NodeState, reply: CommandResult) -> NodeVerdict:
    if request.expected is NO_EXPECTATION:
        return without_pool(evaluate(node, request.expected, reply, request.allowed))
    if request.doubt:
        stale = replace(request.expected, current=False)
        return with_outdated_expectation(evaluate(node, stale, reply, request.allowed), request.doubt)
    return evaluate(node, request.expected, reply, request.allowed)


def unread_node(name: str) -> NodeState:
    """Return a node that was not read from the API, so that no finding follows from its state."""
    return NodeState.from_api(
        {"metadata": {"name": name}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    )
