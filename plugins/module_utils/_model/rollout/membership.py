# SPDX-License-Identifier: GPL-3.0-or-later
"""Plan the label changes that move nodes into or out of a custom pool, and detect nodes that would not move."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..objects.machineconfigpool import BUILT_IN, CONTROL_PLANE, ROLE_LABEL, WORKER, Pool
from ..objects.node import is_control_plane
from ..objects.pool_membership import Membership, membership_of
from ..objects.resources import Object, labels_of, metadata_of


class CannotMove(Exception):
    """The label would not move the node, or the operator would no longer update it."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason = reason
        self.remedy = remedy
        super().__init__(reason)


@dataclass(frozen=True)
class Move:
    """The label change of one node. The patch is empty if the node needs no change."""

    node: str
    before: t.Mapping[str, str | None]
    patch: t.Mapping[str, str | None]

    @property
    def after(self) -> dict[str, str | None]:
        """The labels of the pool's selector after the change."""
        return {**self.before, **self.patch}


def labels_after(labels: t.Mapping[str, str], patch: t.Mapping[str, str | None]) -> dict[str, str]:
    """Return the labels of a node after a move."""
    return {key: value for key, value in {**labels, **patch}.items() if value is not None}


def plan_moves(pool: Pool, pools: t.Collection[Pool], nodes: t.Iterable[Object], joining: bool) -> list[Move]:
    """Return the label change of each node.

    :raises CannotMove: the pool selects by expressions, a node would not move, or the operator would not update it
    """
    wanted = pool.membership_labels()
    if wanted is None:
        raise CannotMove("its node selector has expressions", "Set labels on the nodes that match the selector")
    return [_plan(pool, pools, node, wanted, joining) for node in nodes]


def _plan(pool: Pool, pools: t.Collection[Pool], node: Object, wanted: t.Mapping[str, str], joining: bool) -> Move:
    name, now = metadata_of(node)["name"], labels_of(node)
    before = {key: now.get(key) for key in wanted}
    if not joining:
        return Move(name, before, _leaving(pools, name, now, wanted))
    if is_control_plane(node):
        reason = f"Node {name} is a control-plane node and cannot join a custom pool"
        raise CannotMove(reason, "Give worker nodes only")
    _check_new_pool(pool, pools, name, {**now, **wanted})
    return Move(name, before, {key: value for key, value in wanted.items() if now.get(key) != value})


def _leaving(
    pools: t.Collection[Pool], name: str, now: t.Mapping[str, str], wanted: t.Mapping[str, str]
) -> dict[str, str | None]:
    """Remove the pool's labels, except those by which a built-in pool selects the node: it returns to that pool."""
    roles = {key for p in pools if p.name in BUILT_IN for key in p.node_selector.get("matchLabels") or {}}
    present = {key for key, value in wanted.items() if now.get(key) == value}
    if present == set(wanted) and present <= roles:
        reason = f"the pool selects node {name} by a role that the node must keep"
        raise CannotMove(reason, "Change the selector of the pool (machineconfigpool with node_selector)")
    ours = present - roles
    by_role = {key for key in ours if key.startswith(ROLE_LABEL)}
    leaving = by_role or ours  # a role belongs to the pool; another label of its selector may have other uses
    after = {key: value for key, value in now.items() if key not in leaving}
    if leaving and membership_of(after, pools) == Membership(""):
        raise CannotMove(f"Node {name} would be in no pool", f"Label it {ROLE_LABEL}{WORKER} first")
    return dict.fromkeys(sorted(leaving))


def _check_new_pool(pool: Pool, pools: t.Collection[Pool], name: str, after: t.Mapping[str, str]) -> None:
    new = membership_of(after, pools)
    if new.conflict:
        others = ", ".join(p for p in new.conflict if p != pool.name)
        reason = (
            f"Node {name} is in MachineConfigPool {others}, and the operator does not update a node in two custom pools"
        )
        raise CannotMove(reason, "Remove the node from the other pool first")
    if new.pool != pool.name:
        reason = f"Node {name} would still be in MachineConfigPool {new.pool or '(none)'}"
        raise CannotMove(reason, f"Compare the node selectors of the pools, including {CONTROL_PLANE} and {WORKER}")
