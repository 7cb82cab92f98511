# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate a rollout: which nodes are done, what blocks the others, how much time remains.

Each node is evaluated by the operator's own predicate. The conditions of the pool are not used: they are Updated before
a rollout starts, and stay outdated after a failed build. Source: docs/operator-behavior.md ("Pools and rendering").
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field

from ..findings import Finding, FindingId, Severity
from ..objects.machineosbuild import MachineOSBuild
from ..objects.node import NodeState
from ..objects.resources import MACHINE_CONFIG_POOL, ObjectRef
from .blockers import max_unavailable_reached, node_blockers, pool_blockers
from .drain_blockers import Blocker, drain_blockers
from .history import RolloutHistory
from .node_phase import Phase, count_phases, phases_of
from .older_build import ASSIGNMENT_TIME, older_build
from .progress_line import counts_text, progress_line, stage_of
from .remaining import remaining_seconds
from .snapshot import RolloutSnapshot
from .target import PoolTarget, pool_target


@dataclass(frozen=True)
class Rollout:
    """State of a rollout."""

    phases: t.Mapping[str, Phase]
    """Phase of each awaited node, by name."""
    findings: tuple[Finding, ...]
    line: str
    """The state in one line for the user."""
    mark: str = ""
    """Changes exactly when a node or the build made progress."""
    history: RolloutHistory = field(default_factory=RolloutHistory)
    """The history after this evaluation."""
    remaining: float | None = None
    """Estimated seconds until the last node is done. None if that is unknown."""
    build: MachineOSBuild | None = None
    """The build of the image that the nodes have to reach. None for a pool without a MachineOSConfig."""

    @property
    def depends_on_release(self) -> bool:
        """Whether a finding applies to some releases only."""
        return any(finding.id is FindingId.POOL_OLDER_BUILD_SELECTED for finding in self.findings)

    @property
    def done(self) -> bool:
        """Whether every awaited node has reached the target."""
        return bool(self.phases) and all(phase is Phase.DONE for phase in self.phases.values())

    @property
    def counts(self) -> dict[str, int]:
        """The counts ``total``, ``done``, ``updating`` and ``waiting``."""
        return count_phases(self.phases.values())


def evaluate(snapshot: RolloutSnapshot, history: RolloutHistory, now: float) -> Rollout:
    """Return the state of a rollout.

    :param history: the history before this evaluation
    :param now: seconds since the epoch
    """
    target = pool_target(snapshot.pool, snapshot.config, snapshot.build)
    phases = dict.fromkeys(snapshot.outside_nodes, Phase.WAITING)
    phases.update(phases_of(snapshot.nodes, target.target))
    history = history.after(snapshot.nodes, phases, now)
    blockers = _blockers(snapshot, phases, history, now)
    findings = [*target.findings]
    if any(phase is not Phase.DONE for phase in phases.values()):
        findings += _findings(snapshot, target, phases, blockers)
    return Rollout(
        phases,
        tuple(findings),
        _line(snapshot, target, phases, blockers),
        _mark(phases, snapshot.nodes, target),
        history,
        _remaining(snapshot, target, phases, history, findings, now),
        target.build,
    )


def _blockers(
    snapshot: RolloutSnapshot, phases: t.Mapping[str, Phase], history: RolloutHistory, now: float
) -> list[Blocker]:
    found: list[Blocker] = []
    for node in snapshot.nodes:
        found += node_blockers(node, phases[node.name], history.of(node.name), now)
        if node.draining:
            found += drain_blockers(node.name, snapshot.drains, now)
    return found


def _findings(
    snapshot: RolloutSnapshot, target: PoolTarget, phases: t.Mapping[str, Phase], blockers: t.Iterable[Blocker]
) -> list[Finding]:
    """Return the findings about a rollout that is not done."""
    pool_nodes = [*snapshot.nodes, *snapshot.other_nodes]
    all_phases = {**phases_of(snapshot.other_nodes, target.target), **phases}
    return [
        *snapshot.outside_nodes.values(),
        *pool_blockers(snapshot.pool),
        *(blocker.finding for blocker in blockers),
        *_unreadable_drains(snapshot),
        *max_unavailable_reached(snapshot.pool, pool_nodes, all_phases, phases),
        *(_older_build(snapshot, phases) if target.target else ()),
    ]


def _unreadable_drains(snapshot: RolloutSnapshot) -> list[Finding]:
    if not snapshot.drains.unreadable or not any(node.draining for node in snapshot.nodes):
        return []
    message = f"pods or PodDisruptionBudgets that block a drain cannot be read ({snapshot.drains.unreadable})"
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, snapshot.pool.name)
    return [Finding(FindingId.CLUSTER_DRAINS_NOT_READABLE, ref, message)]


def _older_build(snapshot: RolloutSnapshot, phases: t.Mapping[str, Phase]) -> tuple[Finding, ...]:
    """Return the finding if the node controller has started no node, although it had time to."""
    is_started = any(phase is Phase.UPDATING for phase in phases.values())
    if is_started or snapshot.pool.paused or snapshot.watched < ASSIGNMENT_TIME:
        return ()
    if snapshot.config is None or snapshot.release.follows_current_build:
        return ()
    return older_build(snapshot.config, snapshot.builds, snapshot.pool.rendered_config)


def _line(
    snapshot: RolloutSnapshot, target: PoolTarget, phases: t.Mapping[str, Phase], blockers: t.Iterable[Blocker]
) -> str:
    if target.line:
        return f"{counts_text(snapshot.pool.name, phases)}, {target.line}"
    is_done = all(phase is Phase.DONE for phase in phases.values())
    line = progress_line(snapshot.pool.name, phases, snapshot.nodes, () if is_done else blockers)
    return f"{line}, paused" if snapshot.pool.paused and not is_done else line


def _mark(phases: t.Mapping[str, Phase], nodes: t.Iterable[NodeState], target: PoolTarget) -> str:
    stages = {node.name: stage_of(node) for node in nodes if phases[node.name] is Phase.UPDATING}
    steps = [(name, phase.value, stages.get(name, "")) for name, phase in sorted(phases.items())]
    return hashlib.sha256(repr((steps, target)).encode()).hexdigest()[:16]


def _remaining(
    snapshot: RolloutSnapshot,
    target: PoolTarget,
    phases: t.Mapping[str, Phase],
    history: RolloutHistory,
    findings: t.Iterable[Finding],
    now: float,
) -> float | None:
    """Return the estimate, or None if the rollout is done, blocked, or has no target yet."""
    is_done = all(phase is Phase.DONE for phase in phases.values())
    if is_done or target.target is None or any(f.severity is not Severity.WARNING for f in findings):
        return None
    waiting = sum(phase is Phase.WAITING for phase in phases.values())
    limit = snapshot.pool.most_unavailable(len(snapshot.nodes) + len(snapshot.other_nodes))
    return remaining_seconds(history, waiting, limit, now)
