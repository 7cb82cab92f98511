# SPDX-License-Identifier: GPL-3.0-or-later
"""Why is there no build? The operator says it in its log only, so what is known to keep it from starting is looked for.

A missing Secret keeps the Job from being made, without a word on any object (observed.md 3e); a pool that is degraded
keeps builds from being made (operator.md 6, row 2); what the operator itself finds wrong stands on its ClusterOperator.
A pool whose first nodes came in before it was rendered can wait for an image that is never built: its status names a
configuration only when all its nodes have it (operator.md 3.3), and from 4.20 on no build starts before.
"""

from __future__ import annotations

import typing as t

from ..findings import Finding, FindingId
from ..objects.machineosconfig import MachineOSConfig
from ..objects.release import Release
from ..objects.resources import CLUSTER_OPERATOR, MACHINE_CONFIG_POOL, OPERATOR_NAMESPACE, SECRET, Object, ObjectRef

LOOKED_FOR_AFTER = 15.0
"""Seconds without a build after which is asked why: a build is there after 5, its Job after 12 (observed.md 2)."""
LOOKED_FOR_EVERY = 60.0

_POOL_TROUBLES = ("RenderDegraded", "NodeDegraded", "Degraded")


def why_no_build(
    config: MachineOSConfig,
    pool: Object | None,
    operator: Object | None,
    missing_secrets: t.Collection[str],
    release: Release,
) -> tuple[Finding, ...]:
    """Return what keeps the operator from building, as far as it is seen.

    :param pool: the MachineConfigPool as served; None when it is not known
    :param operator: ClusterOperator machine-config; None when it is not known
    :param missing_secrets: those of the MachineOSConfig's Secrets that are known not to exist
    """
    found = []
    for name in sorted(missing_secrets):
        message = f"Secret {name} does not exist, and MachineOSConfig {config.name} names it"
        found.append(Finding(FindingId.BUILD_SECRET_MISSING, ObjectRef(SECRET.name, name, OPERATOR_NAMESPACE), message))
    trouble = _condition(operator, ("Degraded",))
    if trouble:
        ref = ObjectRef(CLUSTER_OPERATOR.name, "machine-config")
        found.append(
            Finding(FindingId.BUILD_OPERATOR_DEGRADED, ref, f"ClusterOperator machine-config is degraded: {trouble}")
        )
    trouble = _condition(pool, _POOL_TROUBLES)
    if trouble:
        ref = ObjectRef(MACHINE_CONFIG_POOL.name, config.pool)
        found.append(
            Finding(FindingId.BUILD_POOL_DEGRADED, ref, f"MachineConfigPool {config.pool} is degraded: {trouble}")
        )
    if release.needs_settled_pool and _has_unsettled_nodes(pool):
        ref = ObjectRef(MACHINE_CONFIG_POOL.name, config.pool)
        message = f"MachineConfigPool {config.pool} has nodes, and they never all had its configuration"
        found.append(
            Finding(FindingId.BUILD_POOL_NOT_UPDATED, ref, f"{message}, and the operator starts no build for it")
        )
    return tuple(found)


def _has_unsettled_nodes(pool: Object | None) -> bool:
    status = (pool or {}).get("status") or {}
    return bool(status.get("machineCount")) and not (status.get("configuration") or {}).get("name")


def _condition(obj: Object | None, types: t.Sequence[str]) -> str:
    """Return what the first of the conditions that is True says, or an empty text."""
    conditions = {c.get("type"): c for c in ((obj or {}).get("status") or {}).get("conditions") or []}
    for name in types:
        condition = conditions.get(name) or {}
        if condition.get("status") == "True":
            return " ".join(str(condition.get("message") or condition.get("reason") or name).split())
    return ""
