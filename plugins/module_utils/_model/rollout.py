# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a rollout done, and what holds it?

Judged node by node by the operator's own predicate, never by the pool's conditions, which are Updated before a rollout
begins and stay stale after a failed build (operator.md 3.4).
"""

from __future__ import annotations

import hashlib
import typing as t
from dataclasses import dataclass

from .build_progress import Outcome, build_progress
from .capabilities import Capabilities
from .findings import Finding
from .machineosbuild import BuildState, MachineOSBuild
from .machineosconfig import MachineOSConfig
from .node import NodeState, Phase, Target, count_phases
from .pool import Pool
from .resources import MACHINE_CONFIG_POOL, MACHINE_OS_BUILD, NODE, ObjectRef

TELLING = 60.0
"""Seconds within which the node controller has told the first node, if it is going to: it takes about ten."""
_OLDER_BUILD = "pool.older_build_selected"
_REASON = 200
"""Characters of a daemon's reason that a progress line shows."""
_NAMED_IN_LINE = 3
"""How many nodes a progress line names."""


@dataclass(frozen=True)
class Rollout:
    """How far the nodes of a pool are."""

    phases: t.Mapping[str, Phase]
    findings: tuple[Finding, ...]
    line: str
    mark: str = ""
    """Stands for where every node is: it changes when one has moved."""

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


@dataclass(frozen=True)
class PoolImage:
    """What a pool's nodes have to reach, or why that is not known yet."""

    target: Target | None
    findings: tuple[Finding, ...]
    line: str


def pool_image(pool: Pool, config: MachineOSConfig | None, builds: t.Collection[MachineOSBuild]) -> PoolImage:
    """Return the target of a pool: the image of the build that answers, or none for a pool that is not layered."""
    if config is None:
        target = Target(pool.rendered_config, "") if pool.rendered_config else None
        return PoolImage(target, (), "" if target else f"pool {pool.name} is not rendered yet")
    progress = build_progress(config, builds, pool.rendered_config)
    if progress.outcome is not Outcome.SUCCEEDED:
        return PoolImage(None, progress.findings, progress.line)
    return PoolImage(Target(pool.rendered_config, config.current_image_pull_spec), (), "")


def judge_rollout(
    pool: Pool,
    config: MachineOSConfig | None,
    builds: t.Collection[MachineOSBuild],
    nodes: t.Collection[NodeState],
    outsiders: t.Mapping[str, Finding],
    capabilities: Capabilities,
    waited: float = 0.0,
) -> Rollout:
    """Judge the nodes that are waited for.

    :param nodes: the nodes that are waited for and are in the pool
    :param outsiders: nodes that are waited for and are not in the pool, and why not
    :param waited: seconds since the wait began
    """
    image = pool_image(pool, config, builds)
    phases = dict.fromkeys(outsiders, Phase.WAITING)
    phases.update({n.name: image.target.phase_of(n) if image.target else Phase.WAITING for n in nodes})
    findings = list(image.findings)
    waiting = any(phase is not Phase.DONE for phase in phases.values())
    if waiting:
        findings += _pool_findings(pool)
        findings += [f for n in nodes for f in _node_findings(n, phases[n.name])]
        findings += outsiders.values()
    nobody_is_told = all(phase is not Phase.UPDATING for phase in phases.values())
    if waiting and nobody_is_told and waited >= TELLING and not capabilities.follows_annotation and not pool.paused:
        findings += _older_build(pool, config, builds) if config and image.target else []
    return Rollout(phases, tuple(findings), _line(pool, phases, nodes, image), _mark(phases, nodes, image))


def _pool_findings(pool: Pool) -> list[Finding]:
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, pool.name)
    found = []
    if pool.paused:
        found.append(Finding("pool.paused", ref, f"MachineConfigPool {pool.name} is paused"))
    if pool.render_error:
        found.append(Finding("pool.render_degraded", ref, pool.render_error, pool.render_error))
    return found


def _node_findings(node: NodeState, phase: Phase) -> list[Finding]:
    ref = ObjectRef(NODE.name, node.name)
    found = []
    if node.degraded:
        found.append(Finding("node.degraded", ref, f"Node {node.name}: {node.reason or node.state}", node.reason))
    if phase is Phase.DONE or not node.settled:  # a node on its way is away for a while
        return found
    if not node.ready:
        found.append(Finding("node.not_ready", ref, f"Node {node.name} is not Ready"))
    if node.unschedulable and not node.draining:
        found.append(Finding("node.unschedulable", ref, f"Node {node.name} is cordoned"))
    return found


def not_in_pool(pool: str, name: str) -> Finding:
    """Return the finding about a node that is waited for and belongs elsewhere."""
    return Finding("node.not_in_pool", ObjectRef(NODE.name, name), f"Node {name} is not in MachineConfigPool {pool}")


def in_pools(name: str, pools: t.Iterable[str]) -> Finding:
    """Return the finding about a node that two custom pools select."""
    message = f"Node {name} is in the MachineConfigPools {' and '.join(pools)}, and the operator touches it for none"
    return Finding("node.in_two_pools", ObjectRef(NODE.name, name), message)


def _older_build(pool: Pool, config: MachineOSConfig, builds: t.Collection[MachineOSBuild]) -> list[Finding]:
    """Find the build that the node controller takes instead of the one that answers (observed.md 3b)."""
    fitting = sorted(
        (
            b
            for b in builds
            if b.config == config.name and b.rendered_config == pool.rendered_config and b.state is BuildState.SUCCEEDED
        ),
        key=lambda b: b.name,
    )
    if not fitting or fitting[0].digested_image_push_spec == config.current_image_pull_spec:
        return []
    older = fitting[0].name
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
    return "applying the image" if not node.settled else "returning"
