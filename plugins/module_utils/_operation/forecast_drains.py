# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what can block drains, without a list of all pods of the cluster."""

from __future__ import annotations

import typing as t
from collections import Counter

from .._cluster.session import Session
from .._errors import OperationError
from .._model.objects.budget import PodDisruptionBudget
from .._model.objects.pod import Pod
from .._model.objects.resources import (
    OPERATOR_NAMESPACE,
    POD,
    POD_DISRUPTION_BUDGET,
    VIRTUAL_MACHINE_INSTANCE,
)
from .._model.objects.virtualmachine import VirtualMachine
from .._model.rollout.drain_blockers import DrainSnapshot

MOST_NAMESPACES = 50
"""Namespaces whose pods are read."""
_OPERATOR = "k8s-app=machine-config-operator"


def read_drains(session: Session) -> DrainSnapshot:
    """Return the budgets, and the pods of the namespaces in which a budget may block an eviction.

    If the account cannot read them, the snapshot says so.
    """
    try:
        budgets = [PodDisruptionBudget.from_api(obj) for obj in session.list(POD_DISRUPTION_BUDGET).items]
        namespaces = _namespaces(budgets)
        pods = [Pod.from_api(obj) for name in namespaces[:MOST_NAMESPACES] for obj in session.list(POD, name).items]
    except OperationError as error:
        return DrainSnapshot(unreadable=error.reason)
    left = len(namespaces) - MOST_NAMESPACES
    return DrainSnapshot(
        pods,
        budgets,
        unreadable=f"{left} more namespaces were not read" if left > 0 else "",
        virtual_machines=_read_machines(session, pods),
    )


def _read_machines(session: Session, pods: t.Iterable[Pod]) -> list[VirtualMachine]:
    """Return the virtual machines of the namespaces of their pods. They are optional, so an error means none."""
    namespaces = sorted({pod.namespace for pod in pods if pod.virtual_machine})
    try:
        return [
            VirtualMachine.from_api(obj)
            for name in namespaces
            for obj in session.list(VIRTUAL_MACHINE_INSTANCE, name).items
        ]
    except OperationError:
        return []


def read_operator_node(session: Session) -> str:
    """Return the node that runs the operator, or an empty text if that is not known."""
    try:
        pods = session.list(POD, OPERATOR_NAMESPACE, label_selector=_OPERATOR).items
    except OperationError:
        return ""
    return Pod.from_api(pods[0]).node if len(pods) == 1 else ""


def _namespaces(budgets: t.Sequence[PodDisruptionBudget]) -> list[str]:
    """Return the namespaces in which an eviction can be denied: by a budget, or because two select one pod."""
    count = Counter(budget.namespace for budget in budgets)
    blocking = {b.namespace for b in budgets if not b.is_current or b.disruptions_allowed <= 0}
    return sorted(blocking | {namespace for namespace, number in count.items() if number > 1})
