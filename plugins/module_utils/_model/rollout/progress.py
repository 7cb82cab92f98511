# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a rollout done, and what holds it?

Judged node by node by the operator's own predicate, never by the pool's conditions, which are Updated before a rollout
begins and stay stale after a failed build (operator.md 3.4).
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass, field

from ..build.progress import BuildProgress, build_progress
from ..build.superseded import taken_instead
from ..findings import Finding, FindingId, Severity
from ..objects.machineconfigpool import Pool
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.node import NodeState, Phase, Target, count_phases
from ..objects.release import Release
from ..objects.resources import MACHINE_OS_BUILD, NODE, ObjectRef
from ..observation import Outcome
from .blockers import blockers, places_taken
from .drain import Drains
from .history import History

TELLING = 60.0
"""Seconds within which the node controller has told the first node, if it is going to: it takes about ten."""
_OLDER_BUILD = FindingId.POOL_OLDER_BUILD_SELECTED
_REASON = 200
"""Characters of a daemon's reason that a progress line shows."""
_TOLD_IN_LINE = (
    FindingId.NODE_DRAIN_BLOCKED,
    FindingId.NODE_DRAIN_IMPOSSIBLE,
    FindingId.NODE_DRAIN_FAILING,
    FindingId.NODE_POD_NOT_TERMINATING,
    FindingId.NODE_NOT_RETURNED,
    FindingId.NODE_NOT_READY,
    FindingId.NODE_UNSCHEDULABLE,
)
_NAMED_IN_LINE = 3
"""How many nodes a progress line names."""
_NEWS_A_NODE = 0.09
_NEWS_AT_MOST = 45.0


@dataclass(frozen=True)
class Rollout:
    """How far the nodes of a pool are."""

    phases: t.Mapping[str, Phase]
    findings: tuple[Finding, ...]
    line: str
    mark: str = ""
    """Stands for where every node is: it changes when one has moved."""
    history: History = field(default_factory=History)
    """What was seen so far, for the next look."""
    remaining: float | None = None
    """Seconds until the last node arrives, if all go on as those did that have; None when nobody knows."""
    build: MachineOSBuild | None = None
    """The build of the image that the nodes have to reach, where there is one."""

    @property
    def rests_on_the_release(self) -> bool:
        """Whether something was found that only some releases do."""
        return any(f.id == _OLDER_BUILD for f in self.findings)

    @property
    def done(self) -> bool:
        """Whether every node has reached the target."""
        return bool(self.phases) and all(phase is Phase.DONE for phase in self.phases.values())

    @property
    def counts(self) -> dict[str, int]:
        """total, done, updating and waiting."""
        return count_phases(self.phases.values())

    def draining(self, seconds: float, now: float) -> list[str]:
        """Return the nodes that drain for so long or longer, the one that does for the longest first."""
        drains = ((key.partition(" ")[2], at) for key, at in self.history.since.items() if key.startswith("draining "))
        since = {name: at for name, at in drains if now - at >= seconds}
        return sorted(since, key=lambda name: (since[name], name))


@dataclass(frozen=True)
class PoolImage:
    """What a pool's nodes have to reach, or why that is not known yet."""

    target: Target | None
    findings: tuple[Finding, ...]
    line: str
    build: MachineOSBuild | None = None
    """The build of the image, where there is one."""


def pool_image(
    pool: Pool,
    config: MachineOSConfig | None,
    builds: t.Collection[MachineOSBuild],
    progress: BuildProgress | None = None,
) -> PoolImage:
    """Return the target of a pool: the image of the build that answers, or none for a pool that is not layered.

    :param progress: how the build of the image is, to who has seen more of it than this look
    """
    if config is None:
        target = Target(pool.rendered_config, "") if pool.rendered_config else None
        return PoolImage(target, (), "" if target else f"pool {pool.name} is not rendered yet")
    progress = progress or build_progress(config, builds, pool.rendered_config)
    if progress.outcome is not Outcome.SUCCEEDED:
        return PoolImage(None, progress.findings, progress.line)
    return PoolImage(Target(pool.rendered_config, config.current_image_pull_spec), (), "", progress.build)


def judge_rollout(
    pool: Pool,
    config: MachineOSConfig | None,
    builds: t.Collection[MachineOSBuild],
    nodes: t.Collection[NodeState],
    outsiders: t.Mapping[str, Finding],
    release: Release,
    waited: float = 0.0,
    now: float = 0.0,
    history: History | None = None,
    drains: Drains | None = None,
    others: t.Collection[NodeState] = (),
    progress: BuildProgress | None = None,
) -> Rollout:
    """Judge the nodes that are waited for.

    :param nodes: the nodes that are waited for and are in the pool
    :param outsiders: nodes that are waited for and are not in the pool, and why not
    :param waited: seconds since the wait began
    :param now: seconds since the epoch
    :param history: what the looks before have seen
    :param drains: what is known of the nodes that drain
    :param others: nodes that are in the pool and not waited for
    :param progress: as for :func:`pool_image`
    """
    image = pool_image(pool, config, builds, progress)
    phases = dict.fromkeys(outsiders, Phase.WAITING)
    phases.update(_phases(nodes, image.target))
    history = (history or History()).after(nodes, phases, now)
    findings = list(image.findings)
    waiting = any(phase is not Phase.DONE for phase in phases.values())
    if waiting:
        findings += outsiders.values()
        findings += blockers(pool, nodes, phases, history, drains or Drains(), now)
        findings += places_taken(pool, {**_phases(others, image.target), **phases}, [*nodes, *others], phases)
    nobody_is_told = all(phase is not Phase.UPDATING for phase in phases.values())
    if waiting and nobody_is_told and waited >= TELLING and not release.follows_current_build and not pool.paused:
        findings += _older_build(pool, config, builds) if config and image.target else []
    line = _line(pool, phases, nodes, image) + _held(findings)
    total = len(nodes) + len(others)
    known = waiting and image.target is not None and not _is_held(findings)
    left = _remaining(pool, total, phases, history, now) if known else None
    return Rollout(phases, tuple(findings), line, _mark(phases, nodes, image), history, left, image.build)


def _phases(nodes: t.Iterable[NodeState], target: Target | None) -> dict[str, Phase]:
    return {n.name: target.phase_of(n) if target else Phase.WAITING for n in nodes}


def _remaining(pool: Pool, total: int, phases: t.Mapping[str, Phase], history: History, now: float) -> float | None:
    waiting = sum(phase is Phase.WAITING for phase in phases.values())
    return history.remaining(waiting, pool.most_unavailable(total), now)


def _is_held(findings: t.Iterable[Finding]) -> bool:
    """Whether something holds the rollout up for nobody knows how long."""
    return any(f.severity is not Severity.WARNING for f in findings)


def _held(findings: t.Iterable[Finding]) -> str:
    """Return what the line says of blockers that the nodes' own states do not tell."""
    told = sorted((f for f in findings if f.id in _TOLD_IN_LINE), key=lambda f: not f.fatal)
    more = f" and {len(told) - 1} more" if len(told) > 1 else ""
    return f"; {told[0].message}{more}" if told else ""


def news_pace(nodes: int) -> float:
    """Return the seconds between two reports of how many nodes move.

    A report costs a call of the module, about a second of a processor with Ansible's part, however little is new: a
    share of what follows a rollout that takes hours with many nodes. What holds one up is told at once all the same.
    """
    return min(_NEWS_AT_MOST, _NEWS_A_NODE * nodes)


def not_in_pool(pool: str, name: str) -> Finding:
    """Return the finding about a node that is waited for and belongs elsewhere."""
    return Finding(
        FindingId.NODE_NOT_IN_POOL, ObjectRef(NODE.name, name), f"Node {name} is not in MachineConfigPool {pool}"
    )


def in_pools(name: str, pools: t.Iterable[str]) -> Finding:
    """Return the finding about a node that two custom pools select."""
    message = f"Node {name} is in the MachineConfigPools {' and '.join(pools)}, and the operator touches it for none"
    return Finding(FindingId.NODE_IN_TWO_POOLS, ObjectRef(NODE.name, name), message)


def _older_build(pool: Pool, config: MachineOSConfig, builds: t.Collection[MachineOSBuild]) -> list[Finding]:
    """Find the build that the node controller takes instead of the one that answers (observed.md 3b)."""
    instead = taken_instead(config, builds, pool.rendered_config)
    if not instead:
        return []
    older = instead[0].name
    message = (
        f"the node controller takes MachineOSBuild {older} instead of {config.current_build}, so no node is changed"
    )
    return [Finding(_OLDER_BUILD, ObjectRef(MACHINE_OS_BUILD.name, older), message)]


def _line(pool: Pool, phases: t.Mapping[str, Phase], nodes: t.Collection[NodeState], image: PoolImage) -> str:
    counts = count_phases(phases.values())
    line = f"pool {pool.name}: {counts['done']} of {counts['total']} nodes done"
    if image.line:
        return f"{line}; {image.line}"
    updating = [n for n in nodes if phases[n.name] is Phase.UPDATING]
    named = ", ".join(f"{n.name} {_doing(n)}" for n in updating[:_NAMED_IN_LINE])
    more = f" and {len(updating) - _NAMED_IN_LINE} more" if len(updating) > _NAMED_IN_LINE else ""
    held = ", paused" if pool.paused and counts["done"] < counts["total"] else ""
    return line + (f", updating: {named}{more}" if named else "") + held


def _mark(phases: t.Mapping[str, Phase], nodes: t.Collection[NodeState], image: PoolImage) -> str:
    stages = {n.name: _stage(n) for n in nodes if phases[n.name] is Phase.UPDATING}
    where = [(name, phase.value, stages.get(name, "")) for name, phase in sorted(phases.items())]
    return hashlib.sha256(repr((where, image)).encode()).hexdigest()[:16]


def _doing(node: NodeState) -> str:
    if node.degraded:
        return f"degraded ({node.reason[:_REASON]})" if node.reason else "degraded"
    return _stage(node)


def _stage(node: NodeState) -> str:
    if node.draining:
        return "draining"
    if not node.ready:
        return "rebooting"
    if node.uncordoning:
        return "returning"
    return "applying the image" if not node.settled else "returning"
