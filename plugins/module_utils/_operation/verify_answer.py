# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what one node answered over a connection of Ansible's. Nothing here talks to a cluster.

So nothing is known of the cluster: the caller says what is expected, and the result names no cluster.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.deviation import Allowed
from .._model.node import NodeState
from .._model.verdict import Answer, Verdict, judge
from .._result import node_result, result_of
from .conclude import concluded, refusal
from .expected_image import expected_by_option

TRANSPORT = "connection"


@dataclass(frozen=True)
class Asked:
    """Which node was asked, and what the user wants of it.

    :ivar pool: the pool that it is said to be in, for the result only
    :ivar asked_at: when, as RFC 3339
    """

    name: str
    pool: str
    boot_id: str
    asked_at: str
    expected_image: str
    allowed: Allowed
    fail_on: frozenset[Verdict]


def verify_answer(asked: Asked, answer: Answer) -> dict[str, t.Any]:
    """Return the verdict on one node, in the shape of a verification of many.

    :raises Refused: the verdict is one of ``fail_on`` (it is in its result), or the expected image names no digest
    """
    what = f"verify Node {asked.name}"
    expected = expected_by_option(asked.expected_image, what)
    node = _unread(asked.name, asked.boot_id)
    judged = judge(node, expected, answer, asked.allowed)
    done = result_of(
        None,
        asked_by=None,
        transport=TRANSPORT,
        **concluded([judged]),
        nodes=[node_result(node, asked.pool, expected, judged, asked.asked_at)],
    )
    refused = refusal(what, [judged], asked.fail_on)
    if refused:
        raise refused.having(done)
    return done


def _unread(name: str, boot_id: str) -> NodeState:
    """A node of which the API was not asked: nothing is held against it."""
    return NodeState.from_api(
        {
            "metadata": {"name": name},
            "status": {"conditions": [{"type": "Ready", "status": "True"}], "nodeInfo": {"bootID": boot_id}},
        }
    )
