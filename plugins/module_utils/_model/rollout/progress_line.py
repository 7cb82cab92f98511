# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the progress line of a rollout: ``pool layered: 3/8 nodes updated, worker-4 draining (...)``."""

from __future__ import annotations

import typing as t

from ..objects.node import NodeState
from ..text import listed
from .drain_blockers import Blocker
from .node_phase import Phase, count_phases

_MOST_NAMES = 3
"""Number of nodes that a progress line names."""


def progress_line(
    pool: str, phases: t.Mapping[str, Phase], nodes: t.Iterable[NodeState], blockers: t.Iterable[Blocker]
) -> str:
    """Return the line for a pool whose target is known: its counts, then the nodes that update or are blocked."""
    by_node: dict[str, list[Blocker]] = {}
    for blocker in blockers:
        by_node.setdefault(blocker.node, []).append(blocker)
    active = [node for node in nodes if phases[node.name] is Phase.UPDATING or node.name in by_node]
    active.sort(key=lambda node: _urgency(by_node.get(node.name, [])))
    named = [_node_text(node, phases[node.name], by_node.get(node.name, [])) for node in active[:_MOST_NAMES]]
    more = f" and {len(active) - _MOST_NAMES} more" if len(active) > _MOST_NAMES else ""
    return ", ".join([counts_text(pool, phases), *named]) + more


def counts_text(pool: str, phases: t.Mapping[str, Phase]) -> str:
    """Return the beginning of the line, up to the counts."""
    counts = count_phases(phases.values())
    return f"pool {pool}: {counts['done']}/{counts['total']} nodes updated"


def left_text(names: t.Collection[str]) -> str:
    """Return the part of the line about nodes that left the pool."""
    return f"{listed(sorted(names), _MOST_NAMES)} left the pool"


def stage_of(node: NodeState) -> str:
    """Return the step of its update that a node is at."""
    if node.draining:
        return "draining"
    if not node.ready:
        return "rebooting"
    if node.uncordoning or node.settled:
        return "returning"
    return "applying the image"


def _urgency(blockers: t.Sequence[Blocker]) -> int:
    """Return the sort key of a node: fatal blockers first, then other blockers."""
    if any(blocker.finding.fatal for blocker in blockers):
        return 0
    return 1 if blockers else 2


def _node_text(node: NodeState, phase: Phase, blockers: t.Sequence[Blocker]) -> str:
    state = stage_of(node) if phase is Phase.UPDATING else phase.value
    if node.degraded:
        state = "degraded"
    reasons = [blocker.summary for blocker in sorted(blockers, key=lambda b: not b.finding.fatal) if blocker.summary]
    if not reasons:
        return f"{node.name} {state}"
    more = f" and {len(reasons) - 1} more" if len(reasons) > 1 else ""
    return f"{node.name} {state} ({reasons[0]}{more})"
