# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what one node answered over a connection of Ansible's. Nothing here talks to a cluster.

So nothing is known of the cluster but what the inventory says: which it is, and what it expects.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._model.objects.node import NodeState
from .._model.proof.deviation import Allowed
from .._model.proof.expectation import NO_EXPECTATION
from .._model.proof.verdict import (
    CommandResult,
    Expected,
    NodeVerdict,
    Verdict,
    evaluate,
    with_cached_expectation,
    without_pool,
)
from .._result import node_result, result
from .conclude import concluded, refusal

TRANSPORT = "connection"


@dataclass(frozen=True)
class Asked:
    """Which node was asked, and what the user wants of it.

    :ivar pool: the pool that it is said to be in, for the result only
    :ivar verified_at: when, as RFC 3339
    :ivar cached_at: when what is expected was read, if that comes from a cache
    :ivar cluster: which the inventory says that it is of
    """

    name: str
    pool: str
    boot_id: str
    verified_at: str
    expected: Expected
    allowed: Allowed
    fail_on: frozenset[Verdict]
    cached_at: str = ""
    cluster: t.Mapping[str, t.Any] | None = None


def verify_answer(asked: Asked, answer: CommandResult) -> dict[str, t.Any]:
    """Return the verdict on one node, in the shape of a verification of many.

    :raises OperationError: the verdict is one of ``fail_on``; it is in its result
    """
    what = f"verify Node {asked.name}"
    node = unread(asked.name, asked.boot_id)
    judged = _judged(asked, node, answer)
    done = result(
        None,
        asked.cluster,
        account=None,
        transport=TRANSPORT,
        **concluded([judged]),
        nodes=[node_result(node, asked.pool, asked.expected, judged, asked.verified_at)],
    )
    refused = refusal(what, [judged], asked.fail_on)
    if refused:
        raise refused.having(done)
    return done


def _judged(asked: Asked, node: NodeState, answer: CommandResult) -> NodeVerdict:
    if asked.expected is NO_EXPECTATION:
        return without_pool(evaluate(node, asked.expected, answer, asked.allowed))
    if asked.cached_at:
        stale = replace(asked.expected, current=False)
        return with_cached_expectation(evaluate(node, stale, answer, asked.allowed), asked.cached_at)
    return evaluate(node, asked.expected, answer, asked.allowed)


def unread(name: str, boot_id: str) -> NodeState:
    """A node of which the API was not asked: nothing is held against it."""
    return NodeState.from_api(
        {
            "metadata": {"name": name},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"bootID": boot_id}},
        }
    )
