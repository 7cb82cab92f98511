# SPDX-License-Identifier: GPL-3.0-or-later
"""Find nodes that report another image than their pool has, without an update or a blocker that explains it.

The operator's objects can refute a match and never prove one. Only a verification queries the nodes.
"""

from __future__ import annotations

import typing as t

from ..findings import Finding, FindingId
from ..objects.node import NodeState
from ..objects.resources import NODE, ObjectRef
from ..proof.verdict import Expected, evaluate_reported_state
from ..rollout.node_phase import Target

_OTHER_IMAGE_BOOTED = "expected target osimageurl"
"""Words of a machine-config-daemon that finds another image booted than it has recorded.

Source: docs/operator-behavior.md ("Node annotations and states").
"""


def differing_nodes(nodes: t.Iterable[NodeState], target: Target, is_explained: bool) -> tuple[Finding, ...]:
    """Return a finding for each node that reports another image.

    :param is_explained: whether an update, a pause or a blocker explains why nodes have not reached the target
    """
    found = (_of_daemon(node) or (None if is_explained else _of_annotation(node, target)) for node in nodes)
    return tuple(finding for finding in found if finding)


def _of_daemon(node: NodeState) -> Finding | None:
    """Return a finding if the daemon reports that another image is booted than the one that it applied."""
    reason = " ".join(node.reason.split())
    if not node.degraded or _OTHER_IMAGE_BOOTED not in reason.lower():
        return None
    ref = ObjectRef(NODE.name, node.name)
    message = f"the machine-config-daemon of node {node.name} reports another booted image: {reason}"
    return Finding(FindingId.NODE_REPORTED_IMAGE_DIFFERS, ref, message, node.reason)


def _of_annotation(node: NodeState, target: Target) -> Finding | None:
    if not node.settled or not target.image:
        return None
    expected = Expected.of_pull_spec(target.image, "machineosconfig")
    found = evaluate_reported_state(node, expected).findings
    return next((finding for finding in found if finding.id is FindingId.NODE_REPORTED_IMAGE_DIFFERS), None)
