# SPDX-License-Identifier: GPL-3.0-or-later
"""Evaluate a rollout: which nodes are done, what blocks the others, how much time remains.

Each node is evaluated by the operator's own predicate. The conditions of the pool are not used: they are Updated before
a rollout starts, and stay outdated after a failed build. Source: docs/operator-behavior.md ("Pools and rendering").
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field, replace

from ..findings import Finding, FindingId, Severity
from ..objects.machineosbuild import MachineOSBuild
from ..objects.node import NodeState
from ..objects.resources import MACHINE_CONFIG_POOL, ObjectRef
from .blockers import max_unavailable_reached, node_blockers, pool_blockers, remedied
from .drain_blockers import Blocker, drain_blockers
from .history import RolloutHistory
from .node_phase import Phase, count_phases, phases_of
from .older_build import ASSIGNMENT_TIME, older_build
from .progress_line import counts_text, left_text, progress_line, stage_of
from .remaining import remaining_seconds
from .snapshot import RolloutSnapshot
from .target import PoolTarget, pool_target
from .unsucceeded_build import unsucceeded_build


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
        """Whether every awaited node has reached the target, except nodes that left the pool."""
        phases = set(self.phases.values())
        return Phase.DONE in phases and all(phase.is_final for phase in phases)

    @property
    def counts(self) -> dict[str, int]:
        """The counts ``total``, ``done``, ``updating``, ``waiting`` and ``left``."""
        return count_phases(self.phases.values())


def evaluate(snapshot: RolloutSnapshot, history: RolloutHistory, now: float) -> Rollout:
    """Return the state of a rollout.

    :param history: the history before this evaluation
    :param now: seconds since the epoch
    """
    target = pool_target(snapshot.pool, snapshot.config, snapshot.build)
    phases = {
        **dict.fromkeys(snapshot.left_nodes, Phase.LEFT),
        **dict.fromkeys(snapshot.outside_nodes, Phase.WAITING),
    }
    phases.update(phases_of(snapshot.nodes, target.target))
    history = history.after(snapshot.nodes, phases, now)
    history = replace(history, idle=history.idle.after(_idle_image(snapshot, target, phases), snapshot.watched))
    blockers = _blockers(snapshot, phases, history, now)
    findings = [*target.findings, *snapshot.left_nodes.values()]
    if not _is_final(phases):
        findings += _findings(snapshot, target, phases, blockers)
        findings += _older_build(snapshot, target, phases, history)
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
    is_v1alpha1 = snapshot.config is not None and snapshot.config.is_v1alpha1
    return [
        *snapshot.outside_nodes.values(),
        *pool_blockers(snapshot.pool),
        *(remedied(blocker.finding, is_v1alpha1) for blocker in blockers),
        *_unreadable_drains(snapshot),
        *_max_unavailable_reached(snapshot, target, phases),
        *(unsucceeded_build(snapshot.build, phases) if target.target else ()),
    ]


def _pool_phases(snapshot: RolloutSnapshot, target: PoolTarget, phases: t.Mapping[str, Phase]) -> t.Mapping[str, Phase]:
    """Return the phases of all nodes of the pool, those that are not awaited included."""
    return {**phases_of(snapshot.other_nodes, target.target), **phases}


def _max_unavailable_reached(
    snapshot: RolloutSnapshot, target: PoolTarget, phases: t.Mapping[str, Phase]
) -> list[Finding]:
    nodes = [*snapshot.nodes, *snapshot.other_nodes]
    return max_unavailable_reached(snapshot.pool, nodes, _pool_phases(snapshot, target, phases), phases)


def _unreadable_drains(snapshot: RolloutSnapshot) -> list[Finding]:
    if not snapshot.drains.unreadable or not any(node.draining for node in snapshot.nodes):
        return []
    message = f"pods or PodDisruptionBudgets that block a drain cannot be read ({snapshot.drains.unreadable})"
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, snapshot.pool.name)
    return [Finding(FindingId.CLUSTER_DRAINS_NOT_READABLE, ref, message)]


def _idle_image(snapshot: RolloutSnapshot, target: PoolTarget, phases: t.Mapping[str, Phase]) -> str:
    """Return the image that nodes wait for while none is being updated, or an empty text."""
    present = set(_pool_phases(snapshot, target, phases).values())
    is_idle = Phase.WAITING in present and Phase.UPDATING not in present and not snapshot.pool.paused
    return target.target.image if target.target and is_idle else ""


def _older_build(
    snapshot: RolloutSnapshot, target: PoolTarget, phases: t.Mapping[str, Phase], history: RolloutHistory
) -> tuple[Finding, ...]:
    """Return the finding if the node controller has started no node, although it had time to.

    If it is not certain that the release stops at an older build, nodes with the image prove that it does not, and
    nodes that reach maxUnavailable are another reason.
    """
    if history.idle.seconds(snapshot.watched) < ASSIGNMENT_TIME:
        return ()
    if snapshot.config is None or snapshot.release.follows_current_build:
        return ()
    is_certain = snapshot.release.stops_at_older_build
    has_image = Phase.DONE in _pool_phases(snapshot, target, phases).values()
    if not is_certain and (has_image or _max_unavailable_reached(snapshot, target, phases)):
        return ()
    return older_build(snapshot.config, snapshot.builds, snapshot.pool.rendered_config)


def _line(
    snapshot: RolloutSnapshot, target: PoolTarget, phases: t.Mapping[str, Phase], blockers: t.Iterable[Blocker]
) -> str:
    if target.line:
        return f"{counts_text(snapshot.pool.name, phases)}, {target.line}"
    is_done = _is_final(phases)
    line = progress_line(snapshot.pool.name, phases, snapshot.nodes, () if is_done else blockers)
    line = f"{line}, paused" if snapshot.pool.paused and not is_done else line
    return f"{line}, {left_text(snapshot.left_nodes)}" if snapshot.left_nodes else line


def _is_final(phases: t.Mapping[str, Phase]) -> bool:
    return all(phase.is_final for phase in phases.values())


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
    if _is_final(phases) or target.target is None or any(f.severity is not Severity.WARNING for f in findings):
        return None
    waiting = sum(phase is Phase.WAITING for phase in phases.values())
    limit = snapshot.pool.most_unavailable(len(snapshot.nodes) + len(snapshot.other_nodes))
    return remaining_seconds(history, waiting, limit, now)
