# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the objects that a rollout wait depends on from everything that is watched."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..build.pending_build import BuildProgress
from ..build.run_spec import ANY_RUN, RunSpec
from ..findings import Finding
from ..objects.machineconfigpool import Pool
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.node import NOT_FOUND_REMEDY, NodeState
from ..objects.pool_membership import Membership, membership_of
from ..objects.readers import BUDGETS, BUILDS, CONFIGS, MACHINE_CONFIG_NODES, NODES, PODS, POOLS, VIRTUAL_MACHINES
from ..objects.release import Release
from ..objects.resources import POD, POD_DISRUPTION_BUDGET
from ..objects.subject import Subject
from ..objects.virtualmachine import NODE_LABEL
from ..observation import Snapshot, WaitError
from .drain_blockers import DrainSnapshot
from .outside_nodes import left_node, outside_node, place_of

_LONGEST_LABEL = 63
"""Characters of the value of a label. A node with a longer name cannot be in one."""


@dataclass(frozen=True)
class RolloutWaitOptions:
    """What the user requested."""

    pool: str
    nodes: tuple[str, ...] = ()
    """Names of the awaited nodes. Empty for all nodes of the pool, including those that join later."""
    check_mode: bool = False
    """Whether the rollout is only evaluated, without a wait."""
    run: RunSpec = ANY_RUN
    """The spec that the run wrote, and the image that it built."""


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
    left_nodes: t.Mapping[str, Finding] = field(default_factory=dict)
    """Awaited nodes that left the pool during the wait: name -> where they are now."""
    build: BuildProgress | None = None
    """Progress of the current build. None for a pool without a MachineOSConfig."""
    drains: DrainSnapshot = field(default_factory=DrainSnapshot)
    release: Release = field(default_factory=lambda: Release.from_version(""))
    watched: float = 0.0
    """Seconds since the wait started, without outages."""


def select(
    snapshot: Snapshot, options: RolloutWaitOptions, pool: Pool, before: t.Collection[str] = ()
) -> RolloutSnapshot | WaitError:
    """Return the objects of a rollout, or why there is nothing to wait for.

    In check mode a pool without nodes is no error: a task before this one may be about to add them.

    :param before: names of the awaited nodes that were in the pool before
    """
    nodes = {node.name: node for node in snapshot.all(NODES)}
    unknown = sorted(set(options.nodes) - nodes.keys() - set(before))
    if unknown:
        return WaitError(f"Node {', '.join(unknown)} does not exist", NOT_FOUND_REMEDY)
    memberships = {name: membership_of(node.labels, snapshot.all(POOLS)) for name, node in nodes.items()}
    inside = [nodes[name] for name in sorted(nodes) if memberships[name].pool == options.pool]
    selected = {name for name, membership in memberships.items() if _is_selected(membership, options.pool)}
    left = set(before) - selected
    awaited = (set(options.nodes) or selected) - left
    if not awaited and not left and not options.check_mode:
        return WaitError("no node is in it", "Add nodes to the pool first (machineconfigpool_nodes)")
    outside = sorted(name for name in awaited if memberships[name].pool != options.pool)
    return RolloutSnapshot(
        pool=pool,
        config=next((c for c in snapshot.all(CONFIGS) if c.pool == options.pool), None),
        builds=snapshot.all(BUILDS),
        nodes=[node for node in inside if node.name in awaited],
        other_nodes=[node for node in inside if node.name not in awaited],
        outside_nodes={name: outside_node(name, options.pool, memberships[name]) for name in outside},
        left_nodes={name: left_node(name, options.pool, place_of(memberships.get(name))) for name in sorted(left)},
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


def machine_subjects(nodes: t.Iterable[str], unreadable: t.Iterable[str]) -> tuple[Subject, ...]:
    """Return what is watched for drains that wait for virtual machines: those on the nodes.

    :param unreadable: keys of subjects that are forbidden or not served; after one of the kind no other is requested
    """
    kind = VIRTUAL_MACHINES.kind.name
    if any(key.partition(" ")[0] == kind for key in unreadable):
        return ()
    return tuple(
        VIRTUAL_MACHINES.subject(label_selector=f"{NODE_LABEL}={node}", part=node, optional=True)
        for node in nodes
        if len(node) <= _LONGEST_LABEL
    )


def _select_drains(snapshot: Snapshot, nodes: t.Iterable[NodeState]) -> DrainSnapshot:
    required = [
        s.key for s in drain_subjects(n.name for n in nodes if n.draining) if s.kind in (POD, POD_DISRUPTION_BUDGET)
    ]
    return DrainSnapshot(
        pods=snapshot.all(PODS),
        budgets=snapshot.all(BUDGETS),
        machine_config_nodes={m.name: m for m in snapshot.all(MACHINE_CONFIG_NODES)},
        virtual_machines=snapshot.all(VIRTUAL_MACHINES),
        unreadable=next((snapshot.unreadable[key] for key in required if key in snapshot.unreadable), ""),
    )
