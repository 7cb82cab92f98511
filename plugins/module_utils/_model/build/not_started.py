# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why the operator starts no build.

The operator writes the reason to its log only, so the known causes are checked:

* A Secret does not exist. No object reports it. See docs/operator-behavior.md ("Build Job and attempts", "Secrets").
* The pool is degraded. See docs/operator-behavior.md ("Pools and rendering").
* The operator reports a problem on its ClusterOperator.
* Nodes joined the pool before it was rendered (4.20 and later). The status of a pool names a configuration only when
  all its nodes have it, and no build starts before. See docs/operator-behavior.md ("Pools and rendering").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ..findings import Finding, FindingId
from ..objects.machineosconfig import MachineOSConfig
from ..objects.release import Release, desired_version
from ..objects.resources import (
    CLUSTER_OPERATOR,
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    OPERATOR_NAMESPACE,
    SECRET,
    Object,
    ObjectRef,
)
from ..observation import Need, Outcome, ReadObject, Snapshot
from .progress import BuildProgress, PendingBuild

FIRST_CHECK = 15.0
"""Seconds without a build after which the causes are checked. A build appears after 5 s, its Job after 12 s."""
CHECK_INTERVAL = 60.0
"""Seconds between two checks."""

_POOL_PROBLEMS = ("RenderDegraded", "NodeDegraded", "Degraded")


@dataclass(frozen=True)
class NotStartedCheck:
    """The last check of why no build was started."""

    pending: PendingBuild | None = None
    """The pending reason that was checked."""
    findings: tuple[Finding, ...] = ()
    checked_at: float = FIRST_CHECK - CHECK_INTERVAL
    """Pending seconds at the last check."""


Check = tuple[NotStartedCheck, tuple[Need[t.Any], ...]]


def check_not_started(
    snapshot: Snapshot,
    config: MachineOSConfig,
    progress: BuildProgress,
    check: NotStartedCheck,
    pending_seconds: float,
) -> Check:
    """Return the causes that prevent a build, and what has to be read to find them.

    :param pending_seconds: for how long the build has been missing for the same reason
    """
    if not progress.not_started or progress.outcome is not Outcome.WAITING or snapshot.outage:
        return NotStartedCheck(), ()
    if check.pending != progress.pending:
        check = NotStartedCheck(progress.pending)
    if pending_seconds - check.checked_at < CHECK_INTERVAL:
        return check, ()
    needs = _needs(config)
    if any(snapshot.result(need) is None for need in needs):
        return check, needs
    return NotStartedCheck(progress.pending, _causes(snapshot, config), pending_seconds), needs


def why_not_started(
    config: MachineOSConfig,
    pool: Object | None,
    operator: Object | None,
    missing_secrets: t.Collection[str],
    release: Release,
) -> tuple[Finding, ...]:
    """Return the causes that prevent the operator from starting a build, as far as they are known.

    :param pool: the MachineConfigPool as served; None if unknown
    :param operator: ClusterOperator machine-config; None if unknown
    :param missing_secrets: Secrets of the MachineOSConfig that certainly do not exist
    """
    found = [_missing_secret(config, name) for name in sorted(missing_secrets)]
    problem = _condition(operator, ("Degraded",))
    if problem:
        ref = ObjectRef(CLUSTER_OPERATOR.name, "machine-config")
        message = f"ClusterOperator machine-config is degraded: {problem}"
        found.append(Finding(FindingId.BUILD_OPERATOR_DEGRADED, ref, message))
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, config.pool)
    problem = _condition(pool, _POOL_PROBLEMS)
    if problem:
        message = f"MachineConfigPool {config.pool} is degraded: {problem}"
        found.append(Finding(FindingId.BUILD_POOL_DEGRADED, ref, message))
    if release.needs_settled_pool and _has_unsettled_nodes(pool):
        message = (
            f"the nodes of MachineConfigPool {config.pool} have never all had its configuration, so the operator "
            "starts no build for it"
        )
        found.append(Finding(FindingId.BUILD_POOL_NOT_UPDATED, ref, message))
    return tuple(found)


def _needs(config: MachineOSConfig) -> tuple[ReadObject, ...]:
    return (
        _pool(config),
        _OPERATOR,
        *(_secret(name) for name in _secrets(config)),
        _VERSION,
    )


def _causes(snapshot: Snapshot, config: MachineOSConfig) -> tuple[Finding, ...]:
    def read(need: ReadObject) -> Object | None:
        result = snapshot.result(need)
        return result.obj if result else None

    missing = []
    for name in _secrets(config):
        result = snapshot.result(_secret(name))
        if result is not None and result.missing:
            missing.append(name)
    release = Release.from_version(desired_version(read(_VERSION) or {}))
    return why_not_started(config, read(_pool(config)), read(_OPERATOR), missing, release)


_OPERATOR = ReadObject(CLUSTER_OPERATOR, "machine-config", retried=False)
_VERSION = ReadObject(CLUSTER_VERSION, "version", retried=False)


def _pool(config: MachineOSConfig) -> ReadObject:
    return ReadObject(MACHINE_CONFIG_POOL, config.pool, by_list=True)


def _secret(name: str) -> ReadObject:
    return ReadObject(SECRET, name, OPERATOR_NAMESPACE)


def _secrets(config: MachineOSConfig) -> list[str]:
    return sorted({config.rendered_image_push_secret, config.base_image_pull_secret} - {""})


def _missing_secret(config: MachineOSConfig, name: str) -> Finding:
    message = f"Secret {name} does not exist, but MachineOSConfig {config.name} refers to it"
    return Finding(FindingId.BUILD_SECRET_MISSING, ObjectRef(SECRET.name, name, OPERATOR_NAMESPACE), message)


def _has_unsettled_nodes(pool: Object | None) -> bool:
    status = (pool or {}).get("status") or {}
    return bool(status.get("machineCount")) and not (status.get("configuration") or {}).get("name")


def _condition(obj: Object | None, types: t.Sequence[str]) -> str:
    """Return the message of the first condition that is True, or an empty text."""
    conditions = {c.get("type"): c for c in ((obj or {}).get("status") or {}).get("conditions") or []}
    for name in types:
        condition = conditions.get(name) or {}
        if condition.get("status") == "True":
            return " ".join(str(condition.get("message") or condition.get("reason") or name).split())
    return ""
