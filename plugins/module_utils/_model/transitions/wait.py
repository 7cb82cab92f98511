# SPDX-License-Identifier: GPL-3.0-or-later
"""Watch the pools of a cluster without end, and find their transitions.

The contract is that of all waits (``observation.py``). This one never succeeds and never fails. Its state contains the
transitions that were not taken yet, because one decision can require several observations.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace
from functools import partial

from ..findings import Finding, FindingId, Severity
from ..objects.machineconfigpool import Pool
from ..objects.node import NodeState
from ..objects.pool_membership import Membership, membership_of
from ..objects.readers import BUILDS, CONFIGS, NODES, POOLS
from ..observation import Need, Observation, Outcome, Snapshot, Wait
from ..rollout.blockers import pool_blockers
from ..rollout.node_phase import Phase, Target
from ..rollout.outside_nodes import place_of
from ..rollout.snapshot import RolloutSnapshot, RolloutWaitOptions, select
from ..rollout.target import pool_target
from ..rollout.wait import RolloutObservation, RolloutWaitState, observe_rollout, pace
from .differences import differing_nodes
from .ended_build import ended_build
from .facts import ConfigFacts, PoolFacts
from .record import DELETED, PoolRecord
from .transition import Transition

SETTLE = 30.0
"""Seconds for which a problem has to last before it is reported, unless the user sets another number."""

Needs = tuple[Need[t.Any], ...]


@dataclass(frozen=True)
class PoolsWaitOptions:
    """What the user requested."""

    pools: tuple[str, ...] = ()
    """Names of the pools. Empty for all pools, including those that are created later."""
    settle: float = SETTLE


@dataclass(frozen=True)
class PoolState:
    """What is remembered of one pool."""

    record: PoolRecord | None = None
    """None until a pool that existed before the start was observed completely."""
    rollout: RolloutWaitState = field(default_factory=RolloutWaitState)


@dataclass(frozen=True)
class PoolsWaitState:
    """What is remembered from one observation to the next."""

    pools: t.Mapping[str, PoolState] = field(default_factory=dict)
    started: bool = False
    """Whether there was an observation. A pool that appears later is new."""
    transitions: tuple[Transition, ...] = ()
    """The transitions that were not taken yet, in order."""


def pools_wait(options: PoolsWaitOptions) -> Wait[PoolsWaitState, Observation]:
    """Return the wait for transitions of pools."""
    return Wait(
        "watch MachineConfigPools",
        (POOLS.subject(), NODES.subject(), CONFIGS.subject(), BUILDS.subject()),
        PoolsWaitState(),
        partial(observe, options),
    )


def observe(
    options: PoolsWaitOptions, snapshot: Snapshot, state: PoolsWaitState, now: float
) -> tuple[PoolsWaitState, Observation]:
    """Return the next state, with new transitions, and what has to be read to find more.

    :param now: seconds since the epoch
    """
    nodes = _Nodes.of(snapshot)
    pools = {pool.name: pool for pool in snapshot.all(POOLS) if not options.pools or pool.name in options.pools}
    states: dict[str, PoolState] = {}
    found: list[Transition] = []
    needs: list[Need[t.Any]] = []
    for name, pool in pools.items():
        before = state.pools.get(name) or PoolState(PoolRecord() if state.started else None)
        part = nodes.part_of(name, snapshot)
        observed = _observe_pool(options, pool, part, before.rollout, now)
        facts, more = observed.facts(part, before.record, nodes)
        record = before.record or PoolRecord.first(facts)
        record, transitions = record.after(facts, snapshot.watched, options.settle)
        states[name] = PoolState(record, observed.state)
        found += transitions
        needs += [*observed.observation.needs, *more]
    found += _deleted(state, pools.keys(), nodes)
    after = PoolsWaitState(states, True, (*state.transitions, *found))
    return after, Observation(Outcome.WAITING, "", "", needs=tuple(dict.fromkeys(needs)), pace=pace(len(nodes.all)))


def _deleted(state: PoolsWaitState, pools: t.Collection[str], nodes: _Nodes) -> t.Iterator[Transition]:
    """Yield the transitions of pools that were deleted: their nodes left."""
    for name in state.pools.keys() - pools:
        record = state.pools[name].record or PoolRecord()
        yield from record.after(PoolFacts(name, places=nodes.places(record.nodes)), 0.0, 0.0)[1]


@dataclass(frozen=True)
class _Nodes:
    """All nodes, with the pools that they belong to."""

    all: t.Sequence[NodeState]
    memberships: t.Mapping[str, Membership]

    @classmethod
    def of(cls, snapshot: Snapshot) -> _Nodes:
        pools = snapshot.all(POOLS)
        found = snapshot.all(NODES)
        return cls(found, {node.name: membership_of(node.labels, pools) for node in found})

    def part_of(self, pool: str, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with the nodes and builds of one pool, and with nodes that two pools select."""
        own = [node for node in self.all if self._is_of(node.name, pool)]
        builds = [build for build in snapshot.all(BUILDS) if build.pool == pool]
        return replace(snapshot, objects={**snapshot.objects, NODES.kind.name: own, BUILDS.kind.name: builds})

    def _is_of(self, node: str, pool: str) -> bool:
        membership = self.memberships[node]
        return membership.pool == pool or pool in membership.conflict

    def places(self, names: t.Iterable[str]) -> dict[str, str]:
        """Return where nodes are, for a sentence about nodes that left a pool."""
        return {name: self._place(name) for name in names}

    def _place(self, name: str) -> str:
        membership = self.memberships.get(name)
        if membership is None:
            return DELETED
        if membership.conflict:
            return f"MachineConfigPools {' and '.join(membership.conflict)} select it"
        return place_of(membership)


@dataclass(frozen=True)
class _ObservedPool:
    """A pool, with the observation of its rollout."""

    objects: RolloutSnapshot
    state: RolloutWaitState
    observation: RolloutObservation

    def facts(self, snapshot: Snapshot, record: PoolRecord | None, nodes: _Nodes) -> tuple[PoolFacts, Needs]:
        """Return the facts about the pool, and what has to be read to know more."""
        pool, config, build = self.objects.pool, self.objects.config, self.observation.build
        target = pool_target(pool, config, build).target
        ended, needs = ended_build(snapshot, config, build, record) if config and build else (None, ())
        is_rolling = target is not None and not all(map(partial(_has, target), self.objects.nodes))
        blockers = self._blockers(is_rolling)
        own = {node.name: _applied(node) for node in self.objects.nodes}
        facts = PoolFacts(
            pool=pool.name,
            nodes=own,
            places=nodes.places(record.nodes.keys() - own.keys()) if record else {},
            config=ConfigFacts(config.name, config.uid, config.generation) if config else None,
            build=ended,
            is_rolling=is_rolling,
            is_done=self.observation.rollout.done,
            blockers=blockers,
            differences=self._differences(target, bool(blockers)),
        )
        return facts, needs

    def _blockers(self, is_rolling: bool) -> tuple[Finding, ...]:
        """Return what blocks the rollout.

        Without a rollout a pause, or a node that is cordoned, blocks nothing. A configuration that cannot be rendered
        keeps every rollout from starting.
        """
        if is_rolling or self.objects.outside_nodes:
            found = self.observation.rollout.findings
            return tuple(f for f in found if f.severity is not Severity.WARNING and not f.id.startswith("build."))
        return tuple(f for f in pool_blockers(self.objects.pool) if f.id is FindingId.POOL_RENDER_DEGRADED)

    def _differences(self, target: Target | None, is_blocked: bool) -> tuple[Finding, ...]:
        if target is None:
            return ()
        is_updating = Phase.UPDATING in self.observation.rollout.phases.values()
        return differing_nodes(self.objects.nodes, target, is_updating or is_blocked or self.objects.pool.paused)


def _observe_pool(
    options: PoolsWaitOptions, pool: Pool, snapshot: Snapshot, state: RolloutWaitState, now: float
) -> _ObservedPool:
    # In check mode a pool without nodes is no error.
    objects = t.cast(RolloutSnapshot, select(snapshot, RolloutWaitOptions(pool.name, check_mode=True), pool))
    after, observation = observe_rollout(RolloutWaitOptions(pool.name), objects, snapshot, state, now)
    return _ObservedPool(objects, after, observation)


def _has(target: Target, node: NodeState) -> bool:
    """Whether a node has the target, whatever else is true of it."""
    return node.settled and (node.current_config, node.current_image) == (target.rendered_config, target.image)


def _applied(node: NodeState) -> str:
    return f"{node.current_config} {node.current_image}".rstrip()
