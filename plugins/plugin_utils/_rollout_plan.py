# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide how a rollout starts: which nodes are waited for, and whether the pool is unpaused."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..module_utils._errors import OperationError
from ..module_utils._model.objects.machineconfigpool import NOT_FOUND_REMEDY


@dataclass(frozen=True)
class RolloutPlan:
    """What is done before the wait."""

    awaited: tuple[str, ...]
    """Nodes of the pool, those that are going to join it included. Without any there is nothing to wait for."""
    unpause: bool


def plan_rollout(
    pool: str, current: t.Mapping[str, t.Any], nodes: t.Sequence[str], allow_node_reboots: bool, check_mode: bool
) -> RolloutPlan:
    """Return the plan.

    :param current: the result of machineconfigpool_wait in check mode
    :param nodes: nodes that are added to the pool
    :raises OperationError: the pool does not exist, or is paused and stays so
    """
    state = current.get("pool")
    what = f"roll out to MachineConfigPool {pool}"
    if state is None:
        if not check_mode:
            raise OperationError(what, "it does not exist", NOT_FOUND_REMEDY)
        return RolloutPlan(tuple(sorted(nodes)), unpause=False)
    present = {str(node["name"]): node["phase"] for node in current.get("nodes") or ()}
    awaited = tuple(sorted({*present, *nodes}))
    if not state["paused"] or not awaited:
        return RolloutPlan(awaited, unpause=False)
    waiting = [name for name in awaited if present.get(name) != "done"]
    if waiting and not state["paused_by_us"]:
        raise OperationError(
            what,
            "it is paused, and not by this collection alone",
            "Find the other manager of spec.paused with "
            f"oc get machineconfigpool {pool} -o yaml --show-managed-fields, and unpause it with oc",
        )
    if waiting and not allow_node_reboots:
        raise OperationError(
            what,
            f"it is paused, and to unpause it reboots its nodes ({', '.join(awaited)})",
            "Set allow_node_reboots=true to unpause it",
        )
    # A run that was killed after the last node arrived leaves a paused pool without a waiting node.
    return RolloutPlan(awaited, unpause=bool(state["paused_by_us"] and allow_node_reboots))
