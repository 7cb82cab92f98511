# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the nodes of a pool have reached its image, one window at a time."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from .._cluster.session import Session
from .._cluster.watch import Subject
from .._errors import Refused
from .._model import machineosconfig as config_model
from .._model.capabilities import capabilities_of, desired_version
from .._model.machineosbuild import POOL_LABEL, MachineOSBuild
from .._model.machineosconfig import MachineOSConfig
from .._model.node import NodeState
from .._model.pool import Pool, in_two_pools, members
from .._model.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    metadata_of,
)
from .._model.rollout import Rollout, in_pools, judge_rollout, not_in_pool
from .._result import findings_result, read_cluster, result
from .read_members import no_such_pool
from .window import Limits, Window

NODE_NEWS = 10.0
"""Seconds between two reports of node changes: many nodes moving are one piece of news."""


@dataclass(frozen=True)
class Ask:
    """What the user asks for; without *nodes* all members of the pool, whoever they are in the end."""

    pool: str
    nodes: t.Sequence[str]
    limits: Limits
    cursor: str
    check_mode: bool


def await_rollout(session: Session, ask: Ask) -> dict[str, t.Any]:
    """Follow the rollout for one window and return how far it is; ``finished`` says whether the wait is over.

    :raises Refused: something holds it that cannot clear by itself, the time is over, or nobody is in the pool
    """
    what = f"await the rollout of MachineConfigPool {ask.pool}"
    window = Window(session, _subjects(ask.pool), ask.limits, ask.cursor)
    release = desired_version(session.peek(CLUSTER_VERSION, "version") or {})
    rollout: Rollout | None = None
    seen: list[NodeState] = []
    known_findings: set[tuple[str, str]] | None = None
    news_at = time.monotonic() + NODE_NEWS if window.told else 0.0
    stale = True
    looked_at = 0.0
    for changed in window.moments():
        stale = stale or changed
        # Some findings come with time alone.
        if not stale and time.monotonic() - looked_at < NODE_NEWS:
            continue
        looked_at = time.monotonic()
        rollout, seen = _look(window, ask, release, what)
        findings = {(f.id, str(f.object)) for f in rollout.findings}
        if rollout.done or ask.check_mode or any(f.fatal for f in rollout.findings):
            window.told = rollout.line
            break
        is_new = known_findings is not None and bool(findings - known_findings)
        known_findings = findings if known_findings is None else known_findings | findings
        line = window.line(rollout.line)
        stale = line != window.told
        if is_new or (stale and (window.outage or time.monotonic() >= news_at)):
            window.told = line
            break
    return _conclude(session, window, ask, rollout, seen, what)


def _subjects(pool: str) -> list[Subject]:
    return [
        Subject(MACHINE_CONFIG_POOL),
        Subject(NODE),
        Subject(MACHINE_OS_CONFIG),
        Subject(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}={pool}"),
    ]


def _look(window: Window, ask: Ask, release: str, what: str) -> tuple[Rollout, list[NodeState]]:
    pools = [Pool.from_api(p) for p in window.objects(MACHINE_CONFIG_POOL)]
    pool = next((p for p in pools if p.name == ask.pool), None)
    if pool is None:
        if ask.check_mode:
            return Rollout({}, (), f"pool {ask.pool}: does not exist yet"), []
        raise no_such_pool(ask.pool, what)
    nodes = window.objects(NODE)
    inside = [NodeState.from_api(n) for n in members(ask.pool, nodes, pools)]
    outsiders = {name: in_pools(name, both) for name, both in in_two_pools(pool, nodes, pools).items()}
    if ask.nodes:
        _need_nodes(ask, [metadata_of(n)["name"] for n in nodes], what)
        inside = [n for n in inside if n.name in ask.nodes]
        strangers = sorted(set(ask.nodes) - {n.name for n in inside})
        outsiders = {name: outsiders.get(name) or not_in_pool(ask.pool, name) for name in strangers}
    elif not inside and not outsiders and not ask.check_mode:
        raise Refused(what, "no node is in it", "Bring nodes into the pool first (machineconfigpool_nodes)")
    config = config_model.that_serves(ask.pool, window.objects(MACHINE_OS_CONFIG))
    rollout = judge_rollout(
        pool,
        MachineOSConfig.from_api(config) if config else None,
        [MachineOSBuild.from_api(b) for b in window.objects(MACHINE_OS_BUILD)],
        inside,
        outsiders,
        capabilities_of(release),
        window.elapsed,
    )
    return rollout, inside


def _need_nodes(ask: Ask, existing: t.Collection[str], what: str) -> None:
    unknown = sorted(set(ask.nodes) - set(existing))
    if unknown:
        raise Refused(what, f"there is no Node {', '.join(unknown)}", "Check the names (oc get nodes)")


def _conclude(
    session: Session, window: Window, ask: Ask, rollout: Rollout | None, nodes: list[NodeState], what: str
) -> dict[str, t.Any]:
    fatal = [f for f in rollout.findings if f.fatal] if rollout and not ask.check_mode else []
    finished = ask.check_mode or bool(rollout and rollout.done)
    done = result(
        session,
        read_cluster(session) if finished or fatal or window.timed_out else None,
        finished=finished,
        rollout=rollout.counts if rollout else {"total": 0, "done": 0, "updating": 0, "waiting": 0},
        nodes=[_node_result(n, rollout) for n in nodes] if rollout else [],
        findings=findings_result(rollout.findings if rollout else ()),
        progress=window.told,
        elapsed=int(window.elapsed),
        cursor=window.cursor(),
    )
    if fatal:
        raise Refused(what, fatal[0].message, fatal[0].remedy, done)
    if not finished and window.timed_out:
        raise _timed_out(ask, window, rollout, what).having(done)
    return done


def _timed_out(ask: Ask, window: Window, rollout: Rollout | None, what: str) -> Refused:
    state = window.outage or (rollout.line if rollout else "") or window.told or "nothing is known of it"
    if rollout and rollout.findings:
        finding = rollout.findings[0]
        reason = f"not done after {ask.limits.timeout:g} s ({state}): {finding.message}"
        return Refused(what, reason, finding.remedy)
    return Refused(what, f"not done after {ask.limits.timeout:g} s ({state})", "Raise timeout")


def _node_result(node: NodeState, rollout: Rollout) -> dict[str, t.Any]:
    return {
        "name": node.name,
        "phase": rollout.phases[node.name].value,
        "state": node.state or None,
        "current_image": node.current_image or None,
        "desired_image": node.desired_image or None,
        "ready": node.ready,
    }
