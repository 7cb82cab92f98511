# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide how a rollout starts: which nodes are waited for, and whether the pool is unpaused."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..module_utils._errors import OperationError
from ..module_utils._model.objects.machineconfigpool import NOT_FOUND_REMEDY
from ..module_utils._model.preflight.paused_pool import NOT_OURS, reject_paused_pool
from ..module_utils._operation.rejections import raise_rejection


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
    kept = "" if state["paused_by_us"] else NOT_OURS
    rejection = reject_paused_pool(pool, kept, awaited, allow_node_reboots) if waiting else None
    raise_rejection(what, rejection)
    # A run that was killed after the last node arrived leaves a paused pool without a waiting node.
    return RolloutPlan(awaited, unpause=bool(state["paused_by_us"] and allow_node_reboots))
