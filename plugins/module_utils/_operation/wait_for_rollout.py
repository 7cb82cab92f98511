# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the nodes of a pool have reached its image, one window at a time."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects import machineosconfig as config_model
from .._model.objects.budget import PodDisruptionBudget
from .._model.objects.machineconfignode import MachineConfigNode
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosbuild import POOL_LABEL, MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig
from .._model.objects.node import NodeState
from .._model.objects.pod import Pod
from .._model.objects.pool_membership import membership_of, nodes_in_pool, nodes_in_two_pools
from .._model.objects.release import Release, desired_version
from .._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_NODE,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
    POD_DISRUPTION_BUDGET,
    Object,
    labels_of,
    metadata_of,
)
from .._model.objects.subject import Subject
from .._model.observation import Outcome
from .._model.rollout.drain import Drains
from .._model.rollout.history import History
from .._model.rollout.progress import Rollout, in_pools, judge_rollout, news_pace, not_in_pool
from .._wait.confirm_build import is_unchanged
from .._wait.loop import Look, Pace, conclude, follow
from .._wait.pending_build import Lack
from .._wait.window import Limits, Window
from .apply_pool import pool_result
from .read_pool import pool_not_found
from .select_nodes import Selection, select_nodes

DRAINS_WATCHED = 20
"""Draining nodes whose pods are watched, those first that drain for the longest: a drain that is held up stays."""
SLOW = 15.0
"""Seconds after which a drain is worth a look at what it meets: many are over before, and a budget that holds one up is
to be named within half a minute."""
NODE_NEWS = 10.0
"""Seconds between two reports of node changes, at least: many nodes moving are one piece of news."""


@dataclass(frozen=True)
class RolloutWaitRequest:
    """What the user asks for; without *nodes* all members of the pool, whoever they are in the end."""

    pool: str
    nodes: t.Sequence[str]
    limits: Limits
    cursor: str
    check_mode: bool


def wait_for_rollout(
    session: Session,
    request: RolloutWaitRequest,
    clock: t.Callable[[], float] = time.time,
    warn: t.Callable[[str], None] = lambda dummy: None,
) -> dict[str, t.Any]:
    """Follow the rollout for one window and return how far it is; ``finished`` says whether the wait is over.

    :param clock: the time, in seconds since the epoch
    :param warn: told what is wrong with the call and does not end it
    :raises OperationError: something holds it that cannot clear by itself, the time is over, or nobody is in the pool
    """
    what = f"await the rollout of MachineConfigPool {request.pool}"
    window = Window(session, _subjects(request.pool), request.limits, request.cursor, clock)
    if window.unread:
        warn(window.unread)
    window.watch_also(_of_drains(window.memory.get("draining") or []))
    lack = Lack(window)
    rollout = Rollout({}, (), "")
    seen: list[NodeState] = []

    def judge() -> Look:
        nonlocal rollout, seen
        rollout, seen = _judge(session, window, request, what, lack)
        if request.check_mode and rollout.draining(0.0, window.now()):
            window.read_now(_of_drains(rollout.draining(0.0, window.now())[:DRAINS_WATCHED]))
            rollout, seen = _judge(session, window, request, what, lack)
        outcome = Outcome.SUCCEEDED if rollout.done else Outcome.WAITING
        line = rollout.line
        if rollout.done and rollout.build and not request.check_mode and not is_unchanged(session, rollout.build):
            outcome, line = Outcome.WAITING, f"{line}, asking whether build {rollout.build.name} is there still"
        window.memory["history"] = rollout.history.as_json()
        window.memory["awaited"] = len(rollout.phases)
        window.memory["draining"] = rollout.draining(SLOW, window.now())[:DRAINS_WATCHED]
        window.watch_also(_of_drains(window.memory["draining"]))
        return Look(outcome, line, rollout.mark, rollout.findings)

    look = follow(window, judge, _pace(window.memory.get("awaited", 0)), request.check_mode)
    parts = {
        "pool": pool_result(_pool_object(window, request.pool)),
        "rollout": rollout_result(rollout),
        "nodes": [_node_result(n, rollout) for n in seen],
    }
    return conclude(session, window, what, look, request.check_mode, parts)


def _pace(nodes: int) -> Pace:
    """Return how often is looked at many nodes, and told of them: seldom enough that it costs next to nothing."""
    news = news_pace(nodes)
    return Pace(least=max(1.0, news / 10), most=NODE_NEWS, news=max(NODE_NEWS, news))


def _subjects(pool: str) -> list[Subject]:
    return [
        Subject(MACHINE_CONFIG_POOL),
        Subject(NODE),
        Subject(MACHINE_OS_CONFIG),
        Subject(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}"),
    ]


def _pool_object(window: Window, name: str) -> Object | None:
    return next((p for p in window.objects(MACHINE_CONFIG_POOL) if metadata_of(p)["name"] == name), None)


def _of_drains(draining: t.Sequence[str]) -> list[Subject]:
    """Return what is watched of nodes that drain slowly: their pods, all budgets, the controller's words."""
    if not draining:
        return []
    subjects = [Subject(POD_DISRUPTION_BUDGET, optional=True)]
    for node in draining:
        subjects.append(Subject(POD, field_selector=f"spec.nodeName={node}", part=node, optional=True))
        subjects.append(Subject(MACHINE_CONFIG_NODE, field_selector=f"metadata.name={node}", part=node, optional=True))
    return subjects


def _drains(window: Window) -> Drains:
    reports = [MachineConfigNode.from_api(m) for m in window.objects(MACHINE_CONFIG_NODE)]
    needed = (POD.name, POD_DISRUPTION_BUDGET.name)
    return Drains(
        pods=[Pod.from_api(p) for p in window.objects(POD)],
        budgets=[PodDisruptionBudget.from_api(b) for b in window.objects(POD_DISRUPTION_BUDGET)],
        reports={report.name: report for report in reports},
        unseen=next((why for key, why in window.unreadable.items() if key.partition(" ")[0] in needed), ""),
    )


def _judge(
    session: Session, window: Window, request: RolloutWaitRequest, what: str, lack: Lack
) -> tuple[Rollout, list[NodeState]]:
    pools = [Pool.from_api(p) for p in window.objects(MACHINE_CONFIG_POOL)]
    pool = next((p for p in pools if p.name == request.pool), None)
    if pool is None:
        if request.check_mode:
            return Rollout({}, (), f"pool {request.pool}: does not exist yet"), []
        raise pool_not_found(request.pool, what)
    nodes = window.objects(NODE)
    inside = every = [NodeState.from_api(n) for n in nodes_in_pool(request.pool, nodes, pools)]
    stuck = set(nodes_in_two_pools(pool, nodes, pools))
    outsiders = {
        metadata_of(n)["name"]: in_pools(metadata_of(n)["name"], membership_of(labels_of(n), pools).conflict)
        for n in nodes
        if metadata_of(n)["name"] in stuck
    }
    if request.nodes:
        named = {metadata_of(n)["name"] for n in select_nodes(nodes, Selection(names=request.nodes), what)}
        inside = [n for n in every if n.name in named]
        strangers = sorted(named - {n.name for n in inside})
        outsiders = {name: outsiders.get(name) or not_in_pool(request.pool, name) for name in strangers}
    elif not inside and not outsiders and not request.check_mode:
        raise OperationError(what, "no node is in it", "Bring nodes into the pool first (machineconfigpool_nodes)")
    names = {n.name for n in inside}
    config = config_model.that_serves(request.pool, window.objects(MACHINE_OS_CONFIG))
    config_now = MachineOSConfig.from_api(config) if config else None
    builds = [MachineOSBuild.from_api(b) for b in window.objects(MACHINE_OS_BUILD)]
    progress = lack.progress(config_now, builds, pool.rendered_config) if config_now else None

    def judged(release: str) -> Rollout:
        able = Release.from_version(release)
        return judge_rollout(
            pool,
            config_now,
            builds,
            inside,
            outsiders,
            able,
            waited=window.watched,
            now=window.now(),
            history=History.from_json(window.memory.get("history")),
            drains=_drains(window),
            others=[n for n in every if n.name not in names],
            progress=progress,
        )

    rollout = judged(_release(session, window))
    if rollout.rests_on_the_release:  # a cluster that is upgraded meanwhile behaves differently
        rollout = judged(_release(session, window, again=True))
    return rollout, inside


def _release(session: Session, window: Window, again: bool = False) -> str:
    """Return the release that the cluster wants, read once a wait."""
    if again or not window.memory.get("release"):
        window.memory["release"] = desired_version(session.peek(CLUSTER_VERSION, "version") or {})
    return str(window.memory["release"])


def rollout_result(rollout: Rollout) -> dict[str, t.Any]:
    """Return how many nodes are how far, and what is known of the time that is left."""
    left = rollout.remaining
    return {**rollout.counts, "remaining_seconds": None if left is None else round(left)}


def _node_result(node: NodeState, rollout: Rollout) -> dict[str, t.Any]:
    return {
        "name": node.name,
        "phase": rollout.phases[node.name].value,
        "state": node.state or None,
        "current_image": node.current_image or None,
        "desired_image": node.desired_image or None,
        "ready": node.ready,
    }
