# SPDX-License-Identifier: GPL-3.0-or-later
"""Find what blocks a rollout: the pool itself, a node, or nodes that reach maxUnavailable.

The public table of findings decides which of them end a wait: those that cannot clear by themselves.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..findings import REBUILD_POD_BUILD, Finding, FindingId
from ..node_failure import PULL_FAILURES, cause_in_log, failure_of
from ..objects.machineconfigpool import Pool
from ..objects.node import NodeState
from ..objects.resources import MACHINE_CONFIG_POOL, NODE, ObjectRef
from .drain_blockers import Blocker
from .history import NodeHistory, seconds_since
from .node_phase import Phase

LONGEST_REBOOT = 600.0
"""Seconds without Ready after which an updating node is reported."""
PULL_RETRIED = 60.0
"""Seconds after which the daemon has retried a failed pull, so that the error has no cause that was fixed before."""
_LONGEST_REASON = 200
"""Characters of the daemon's reason in a message or a progress line."""
_REMEDIES_V1ALPHA1: t.Mapping[FindingId, str] = {
    FindingId.NODE_IMAGE_PULL_DENIED: "Correct the credentials for the registry in the Secret that "
    "current_image_pull_secret names; the daemon reads it at each try and then continues automatically",
    FindingId.NODE_IMAGE_NOT_FOUND: f"{REBUILD_POD_BUILD}. Exclude images that nodes use from the cleanup of the "
    "registry",
}
"""Remedies that differ where the nodes pull with a Secret of the MachineOSConfig, and the operator builds in single
pods."""


def pool_blockers(pool: Pool) -> list[Finding]:
    """Return what blocks the pool as a whole."""
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, pool.name)
    found = []
    if pool.paused:
        found.append(Finding(FindingId.POOL_PAUSED, ref, f"MachineConfigPool {pool.name} is paused"))
    if pool.render_error:
        found.append(Finding(FindingId.POOL_RENDER_DEGRADED, ref, pool.render_error, pool.render_error))
    return found


def node_blockers(node: NodeState, phase: Phase, history: NodeHistory, now: float) -> list[Blocker]:
    """Return what blocks a node, except its drain."""
    found = [_degraded(node, history, now)] if node.degraded else []
    if phase is Phase.DONE:
        return found
    if not node.settled:
        return found + _not_returned(node, history, now)
    if not node.ready:
        found.append(_blocker(node, FindingId.NODE_NOT_READY, f"Node {node.name} is not Ready", "not Ready"))
    if node.unschedulable and not (node.draining or node.uncordoning):
        found.append(_blocker(node, FindingId.NODE_UNSCHEDULABLE, f"Node {node.name} is cordoned", "cordoned"))
    return found


def remedied(finding: Finding, is_v1alpha1: bool) -> Finding:
    """Return a finding about a node with the remedy for the API version of the cluster."""
    remedy = _REMEDIES_V1ALPHA1.get(finding.id, "") if is_v1alpha1 else ""
    return replace(finding, own_remedy=remedy) if remedy else finding


def max_unavailable_reached(
    pool: Pool, nodes: t.Collection[NodeState], phases: t.Mapping[str, Phase], awaited: t.Collection[str]
) -> list[Finding]:
    """Return a finding if blocked nodes reach maxUnavailable, so that no other node can start.

    :param nodes: all nodes of the pool
    :param phases: the phase of each of them
    :param awaited: the names of the nodes that the wait is for
    """
    unavailable = [node for node in nodes if _is_stuck(node, phases[node.name])]
    limit = pool.most_unavailable(len(nodes))
    next_nodes = set(awaited) - {node.name for node in unavailable}
    if len(unavailable) < limit or all(phases[name] is not Phase.WAITING for name in next_nodes):
        return []
    why = "; ".join(f"{node.name} {_why_unavailable(node)}" for node in unavailable)
    message = f"MachineConfigPool {pool.name} cannot update another node: maxUnavailable ({limit}) is used up by {why}"
    return [
        Finding(FindingId.POOL_MAX_UNAVAILABLE_REACHED, ObjectRef(MACHINE_CONFIG_POOL.name, pool.name), message, why)
    ]


def _is_stuck(node: NodeState, phase: Phase) -> bool:
    """Whether a node counts as unavailable without an update in progress.

    Source: docs/operator-behavior.md ("Rollout order and maxUnavailable").
    """
    if phase is Phase.DONE:
        return False
    return node.degraded or (node.settled and (not node.ready or node.unschedulable))


def _why_unavailable(node: NodeState) -> str:
    if node.degraded:
        return f"degraded ({node.reason[:_LONGEST_REASON]})" if node.reason else "degraded"
    return "cordoned" if node.ready else "not Ready"


def _not_returned(node: NodeState, history: NodeHistory, now: float) -> list[Blocker]:
    if seconds_since(history.not_ready_since, now) < LONGEST_REBOOT:
        return []
    duration = f"for more than {LONGEST_REBOOT / 60:g} minutes"
    message = f"Node {node.name} has not been Ready {duration}"
    return [_blocker(node, FindingId.NODE_NOT_RETURNED, message, f"not Ready {duration}")]


def _degraded(node: NodeState, history: NodeHistory, now: float) -> Blocker:
    failure = history.failure or failure_of(node.reason)
    if failure.finding in PULL_FAILURES and seconds_since(history.pull_failed_since, now) >= PULL_RETRIED:
        message = f"Node {node.name} cannot pull the image: {failure.error}"
        return _blocker(node, failure.finding, message, failure.error, node.reason)
    if failure.finding is FindingId.NODE_CAUSE_IN_LOG:
        return _blocker(
            node, failure.finding, cause_in_log(node.name), "the first error is in the daemon's log", node.reason
        )
    message = f"Node {node.name} is degraded: {failure.error or node.state}"
    is_revert = failure.finding is FindingId.NODE_REVERT_NOT_SUPPORTED
    finding = failure.finding if is_revert else FindingId.NODE_DEGRADED
    return _blocker(node, finding, message, failure.error, node.reason)


def _blocker(node: NodeState, finding_id: FindingId, message: str, summary: str, evidence: str = "") -> Blocker:
    finding = Finding(finding_id, ObjectRef(NODE.name, node.name), message, evidence)
    return Blocker(node.name, finding, summary[:_LONGEST_REASON])
