# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the objects that a rollout wait depends on from everything that is watched."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..build.progress import BuildProgress
from ..findings import Finding
from ..objects.machineconfigpool import Pool
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.node import NodeState
from ..objects.pool_membership import Membership, membership_of
from ..objects.readers import BUDGETS, BUILDS, CONFIGS, MACHINE_CONFIG_NODES, NODES, PODS, POOLS
from ..objects.release import Release
from ..objects.resources import POD, POD_DISRUPTION_BUDGET
from ..objects.subject import Subject
from ..observation import Snapshot, WaitError
from .drain_blockers import DrainSnapshot
from .outside_nodes import outside_node


@dataclass(frozen=True)
class RolloutWaitOptions:
    """What the user requested."""

    pool: str
    nodes: tuple[str, ...] = ()
    """Names of the awaited nodes. Empty for all nodes of the pool, including those that join later."""
    check_mode: bool = False
    """Whether the rollout is only evaluated, without a wait."""


@dataclass(frozen=True)
class RolloutSnapshot:
    """The objects of one rollout at one moment."""

    pool: Pool
    config: MachineOSConfig | None
    """The MachineOSConfig of the pool. None if it has none."""
    builds: t.Sequence[MachineOSBuild]
    nodes: t.Sequence[NodeState]
    """The awaited nodes that belong to the pool, sorted by name."""
    other_nodes: t.Sequence[NodeState] = ()
    """The nodes of the pool that are not awaited."""
    outside_nodes: t.Mapping[str, Finding] = field(default_factory=dict)
    """Awaited nodes that do not belong to the pool: name -> why."""
    build: BuildProgress | None = None
    """Progress of the current build. None for a pool without a MachineOSConfig."""
    drains: DrainSnapshot = field(default_factory=DrainSnapshot)
    release: Release = field(default_factory=lambda: Release.from_version(""))
    watched: float = 0.0
    """Seconds since the wait started, without outages."""


def select(snapshot: Snapshot, options: RolloutWaitOptions, pool: Pool) -> RolloutSnapshot | WaitError:
    """Return the objects of a rollout, or why there is nothing to wait for.

    In check mode a pool without nodes is no error: a task before this one may be about to add them.
    """
    nodes = {node.name: node for node in snapshot.all(NODES)}
    unknown = sorted(set(options.nodes) - nodes.keys())
    if unknown:
        return WaitError(f"Node {', '.join(unknown)} does not exist", "Check the names (oc get nodes)")
    memberships = {name: membership_of(node.labels, snapshot.all(POOLS)) for name, node in nodes.items()}
    inside = [nodes[name] for name in sorted(nodes) if memberships[name].pool == options.pool]
    awaited = (
        set(options.nodes) if options.nodes else {n for n, m in memberships.items() if _is_selected(m, options.pool)}
    )
    if not awaited and not options.check_mode:
        return WaitError("no node is in it", "Add nodes to the pool first (machineconfigpool_nodes)")
    outside = sorted(name for name in awaited if memberships[name].pool != options.pool)
    return RolloutSnapshot(
        pool=pool,
        config=next((c for c in snapshot.all(CONFIGS) if c.pool == options.pool), None),
        builds=snapshot.all(BUILDS),
        nodes=[node for node in inside if node.name in awaited],
        other_nodes=[node for node in inside if node.name not in awaited],
        outside_nodes={name: outside_node(name, options.pool, memberships[name]) for name in outside},
        drains=_select_drains(snapshot, inside),
        watched=snapshot.watched,
    )


def _is_selected(membership: Membership, pool: str) -> bool:
    return membership.pool == pool or pool in membership.conflict


def drain_subjects(nodes: t.Iterable[str]) -> tuple[Subject, ...]:
    """Return what is watched for draining nodes: their pods and MachineConfigNodes, and all budgets."""
    subjects = [
        subject
        for node in nodes
        for subject in (
            PODS.subject(field_selector=f"spec.nodeName={node}", part=node, optional=True),
            MACHINE_CONFIG_NODES.subject(field_selector=f"metadata.name={node}", part=node, optional=True),
        )
    ]
    return (BUDGETS.subject(optional=True), *subjects) if subjects else ()


def _select_drains(snapshot: Snapshot, nodes: t.Iterable[NodeState]) -> DrainSnapshot:
    required = [
        s.key for s in drain_subjects(n.name for n in nodes if n.draining) if s.kind in (POD, POD_DISRUPTION_BUDGET)
    ]
    return DrainSnapshot(
        pods=snapshot.all(PODS),
        budgets=snapshot.all(BUDGETS),
        machine_config_nodes={m.name: m for m in snapshot.all(MACHINE_CONFIG_NODES)},
        unreadable=next((snapshot.unreadable[key] for key in required if key in snapshot.unreadable), ""),
    )
