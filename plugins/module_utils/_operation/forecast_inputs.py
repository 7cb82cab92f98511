# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what a forecast is made from, and plan the changes of pool and labels, before anything is written."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects import machineconfigpool, machineosconfig
from .._model.objects.machineconfigpool import BUILT_IN, Pool, WantedPool
from .._model.objects.machineosconfig import WantedConfig
from .._model.objects.pool_membership import nodes_in_pool, nodes_in_two_pools, nodes_that_change_pool
from .._model.objects.resources import MACHINE_CONFIG_POOL, MACHINE_OS_CONFIG, NODE, Object, labels_of, metadata_of
from .._model.preflight.one_config import reject_second_config
from .._model.preflight.required_options import reject_missing_options
from .._model.registry.push_spec import why_pool_would_hang
from .._model.rollout.membership import Move
from .check_secrets import PlannedSecrets
from .check_v1alpha1 import reject_values
from .label_nodes import check_custom_pool, plan_labels
from .read_pool import PoolNodes, pool_not_found
from .rejections import raise_rejection
from .select_nodes import Selection


@dataclass(frozen=True)
class ForecastRequest:
    """The options of a run of playbook apply."""

    config: WantedConfig
    pool: WantedPool
    create_pool: bool
    nodes: t.Sequence[str]
    """Nodes that join the pool."""
    new_secrets: t.Sequence[str]
    """Secrets that the same run creates."""
    allow_node_reboots: bool
    delete_superseded: bool
    details: bool
    """Whether to read what a forecast shows, not only what an early error needs."""

    @property
    def what(self) -> str:
        """Verb, kind and name for errors."""
        return f"apply the image of MachineConfigPool {self.pool.name}"


@dataclass(frozen=True)
class PlannedPool:
    """The pool as the run leaves it."""

    change: str
    """``created``, ``changed``, or empty if nothing changes."""
    before: Pool | None
    after: Pool
    present: tuple[str, ...]
    """Names of the nodes that are in the pool now, sorted."""
    nodes: list[Object]
    """The nodes of the pool after the run, sorted by name."""
    moves: list[Move]
    is_only_node: bool
    """Whether the cluster has a single node."""
    pools: t.Sequence[Pool] = ()
    """All pools of the cluster after the run."""


@dataclass(frozen=True)
class PlannedConfig:
    """The MachineOSConfig as the run finds and leaves it."""

    change: str
    """``created``, ``changed``, or empty if nothing changes."""
    current: Object | None
    secrets: PlannedSecrets
    """The Secrets that the change refers to."""
    spec_hash: str = ""
    """Hash of the spec of a MachineOSConfig that changes."""
    listed: t.Sequence[Object] = ()
    """All MachineOSConfigs of the cluster."""
    wanted: WantedConfig | None = None
    """The options in fields of the served version, with defaults if the MachineOSConfig is created."""
    build_change: str = ""
    """``change``, or empty if the change starts no build."""

    @property
    def is_v1alpha1(self) -> bool:
        """Whether the API server serves v1alpha1."""
        return self.wanted is not None and self.wanted.is_v1alpha1

    @property
    def containerfile(self) -> str:
        """The Containerfile after the run."""
        if self.wanted is not None and self.wanted.containerfile is not None:
            return self.wanted.containerfile
        return machineosconfig.containerfile_of(self.current) if self.current else ""


def plan_config(session: Session, request: ForecastRequest) -> PlannedConfig:
    """Return what happens to the MachineOSConfig. One request.

    :raises OperationError: it cannot be created
    """
    listed = session.list(MACHINE_OS_CONFIG).items
    of_pool = machineosconfig.all_that_serve(request.config.pool, listed)
    wanted = request.config.for_version(session.serves_v1alpha1)
    current = of_pool[0] if of_pool else None
    if wanted.is_v1alpha1:
        names = [str(metadata_of(config)["name"]) for config in of_pool]
        raise_rejection(request.what, reject_second_config(wanted.pool, names) or reject_values(wanted, current))
    if current is not None:
        return _changed_config(current, wanted, listed)
    wanted = wanted.for_creation()
    raise_rejection(request.what, reject_missing_options(wanted))
    too_long = why_pool_would_hang(wanted.pool)
    if too_long:
        raise OperationError(request.what, too_long, "Use a pool with a shorter name")
    secrets = PlannedSecrets.of_new(wanted)
    return PlannedConfig("created", None, secrets, listed=listed, wanted=wanted, build_change="created")


def _changed_config(current: Object, wanted: WantedConfig, listed: t.Sequence[Object]) -> PlannedConfig:
    patch = machineosconfig.spec_patch(current, wanted)
    after = machineosconfig.patched(current, patch)
    if not patch:
        return PlannedConfig("", current, PlannedSecrets.of(after, ()), listed=listed, wanted=wanted)
    return PlannedConfig(
        change="changed",
        current=current,
        secrets=PlannedSecrets.of(after, machineosconfig.secrets_to_check(current, patch)),
        spec_hash=after.spec_hash,
        listed=listed,
        wanted=wanted,
        build_change="changed" if machineosconfig.starts_build(patch) else "",
    )


def plan_pool(session: Session, request: ForecastRequest) -> PlannedPool:
    """Return what happens to the pool and to the labels of nodes. Two requests.

    :raises OperationError: the pool does not exist and is not created, or nodes cannot join it
    """
    served = session.list(MACHINE_CONFIG_POOL).items
    nodes = session.list(NODE).items
    obj = next((pool for pool in served if metadata_of(pool)["name"] == request.pool.name), None)
    before = Pool.from_api(obj) if obj else None
    others = [pool for pool in map(Pool.from_api, served) if pool.name != request.pool.name]
    if before is None:
        after = _created(request, nodes, others)
        change = "created"
    else:
        after = _changed(request, before, nodes, others)
        change = "" if after == before else "changed"
    pools = [*others, after]
    present = [*others, before] if before else others
    is_unpaused = before is not None and before.paused and before.paused_by_us and request.allow_node_reboots
    moves = _moves(request, PoolNodes(after, pools, [], nodes))
    labelled = _labelled(nodes, moves)
    inside = nodes_in_pool(after.name, labelled, pools)
    if is_unpaused and inside:
        after, change = replace(after, paused=False), change or "changed"
    return PlannedPool(
        change=change,
        before=before,
        after=after,
        present=tuple(str(metadata_of(n)["name"]) for n in nodes_in_pool(after.name, nodes, present)),
        nodes=inside,
        moves=moves,
        is_only_node=len(nodes) == 1,
        pools=pools,
    )


def _created(request: ForecastRequest, nodes: t.Sequence[Object], others: t.Sequence[Pool]) -> Pool:
    if not request.create_pool:
        raise pool_not_found(request.pool.name, request.what)
    new = Pool.from_api(machineconfigpool.new_object(request.pool))
    stuck = nodes_in_two_pools(new, nodes, [*others, new])
    if stuck:
        reason = f"its selector also matches nodes of another custom pool: {', '.join(sorted(stuck))}"
        raise OperationError(request.what, reason, "Choose another node_selector")
    return new


def _changed(request: ForecastRequest, pool: Pool, nodes: t.Sequence[Object], others: t.Sequence[Pool]) -> Pool:
    if not request.create_pool:
        return pool
    wanted, after = request.pool, pool
    if wanted.max_unavailable is not None:
        after = replace(after, max_unavailable=wanted.max_unavailable)
    if not machineconfigpool.selector_changes(pool, wanted):
        return after
    if pool.name in BUILT_IN:
        raise OperationError(
            request.what, "the selector of a built-in pool cannot be changed", "Leave node_selector out"
        )
    after = replace(after, node_selector={"matchLabels": dict(wanted.node_selector or {})})
    moving = nodes_that_change_pool(after, nodes, [*others, pool])
    if moving:
        reason = f"the new node_selector would move nodes ({', '.join(moving)}), which then drain and reboot"
        raise OperationError(request.what, reason, "Move the nodes first, then change the selector")
    return after


def _moves(request: ForecastRequest, found: PoolNodes) -> list[Move]:
    if not request.nodes:
        return []
    what = f"add nodes to MachineConfigPool {request.pool.name}"
    check_custom_pool(request.pool.name, what)
    return [move for move in plan_labels(found, Selection(request.nodes), True, what) if move.patch]


def _labelled(nodes: t.Sequence[Object], moves: t.Sequence[Move]) -> list[Object]:
    """Return the nodes with the labels that the run sets."""
    patches = {move.node: {key: value for key, value in move.patch.items() if value is not None} for move in moves}
    return [_with_labels(node, patches.get(metadata_of(node)["name"], {})) for node in nodes]


def _with_labels(node: Object, labels: t.Mapping[str, str]) -> Object:
    if not labels:
        return node
    return {**node, "metadata": {**metadata_of(node), "labels": {**labels_of(node), **labels}}}
