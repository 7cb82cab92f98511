# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to be written on a node so that it joins or leaves a custom pool, and which nodes would not move by it?"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..objects.machineconfigpool import BUILT_IN, CONTROL_PLANE, ROLE_LABEL, WORKER, AmbiguousMembership, Pool, pool_of
from ..objects.node import is_control_plane
from ..objects.resources import Object, labels_of, metadata_of


class CannotMove(Exception):
    """A label would not move a node, or would leave it stuck."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(reason)


@dataclass(frozen=True)
class Move:
    """One node's labels before and after; an empty patch when there is nothing to write."""

    node: str
    before: t.Mapping[str, str | None]
    patch: t.Mapping[str, str | None]

    @property
    def after(self) -> dict[str, str | None]:
        """The labels of the pool's selector as they will be."""
        return {**self.before, **self.patch}


def plan_moves(pool: Pool, pools: t.Collection[Pool], nodes: t.Iterable[Object], joining: bool) -> list[Move]:
    """Return what to write on each node.

    :raises CannotMove: the pool does not select by plain labels, or a node would not move or would be stuck
    """
    wanted = pool.membership_labels()
    if wanted is None:
        reason = "its selector is not one of plain labels"
        raise CannotMove(reason, "Label the nodes by hand as the selector wants")
    return [_plan(pool, pools, node, wanted, joining) for node in nodes]


def _plan(pool: Pool, pools: t.Collection[Pool], node: Object, wanted: t.Mapping[str, str], joining: bool) -> Move:
    name, now = metadata_of(node)["name"], labels_of(node)
    before = {key: now.get(key) for key in wanted}
    if not joining:
        return Move(name, before, _leaving(pools, name, now, wanted))
    if is_control_plane(node):
        reason = f"Node {name} is of the control plane, which the label would not move"
        raise CannotMove(reason, "Name worker nodes only")
    _refuse_second_pool(pool, pools, name, {**now, **wanted})
    return Move(name, before, {key: value for key, value in wanted.items() if now.get(key) != value})


def _leaving(
    pools: t.Collection[Pool], name: str, now: t.Mapping[str, str], wanted: t.Mapping[str, str]
) -> dict[str, str | None]:
    """Take the pool's labels away, but none by which a built-in pool holds the node: it is to fall back there."""
    roles = {key for p in pools if p.name in BUILT_IN for key in p.node_selector.get("matchLabels") or {}}
    held = {key for key, value in wanted.items() if now.get(key) == value}
    if held == set(wanted) and held <= roles:
        reason = f"Node {name} is in it by its role, which it has to keep"
        raise CannotMove(reason, "Change the selector of the pool (machineconfigpool with node_selector)")
    ours = held - roles
    by_role = {key for key in ours if key.startswith(ROLE_LABEL)}
    leaving = by_role or ours  # a role is the pool's own; another label of its selector may serve others too
    after = {key: value for key, value in now.items() if key not in leaving}
    if leaving and not pool_of(after, pools):
        raise CannotMove(f"Node {name} would be in no pool at all", f"Give it the role of {WORKER} first")
    return dict.fromkeys(sorted(leaving))


def _refuse_second_pool(pool: Pool, pools: t.Collection[Pool], name: str, after: t.Mapping[str, str]) -> None:
    try:
        becomes = pool_of(after, pools)
    except AmbiguousMembership as both:
        others = ", ".join(p for p in both.pools if p != pool.name)
        reason = f"Node {name} is in MachineConfigPool {others}, and the operator stops at a node of two custom pools"
        raise CannotMove(reason, "Take the node out of the other pool first") from None
    if becomes != pool.name:
        reason = f"Node {name} would be in MachineConfigPool {becomes or '(none)'} all the same"
        raise CannotMove(reason, f"Compare the selectors of the pools ({CONTROL_PLANE} and {WORKER} among them)")
