# SPDX-License-Identifier: GPL-3.0-or-later
"""Explain why the operator starts no build.

The operator writes the reason to its log only, so the known causes are checked:

* A Secret does not exist. No object reports it. See docs/operator-behavior.md ("Build Job and attempts", "Secrets").
* The pool is degraded, up to 4.19 for any reason, later for any other than a failed build. See
  docs/operator-behavior.md ("Pools and rendering").
* The operator reports a problem on its ClusterOperator. OpenShift 4.16 and 4.17 name a MachineOSConfig that they reject
  there, and start no build of any pool. See docs/operator-behavior.md ("Builds in single pods").
* Nodes joined the pool before it was rendered (4.20 and later). The status of a pool names a configuration only when
  all its nodes have it, and no build starts before. See docs/operator-behavior.md ("Pools and rendering").
"""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, replace

from ..findings import REBUILD_POD_BUILD, Finding, FindingId
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
    true_condition_text,
)
from ..observation import Need, Outcome, ReadObject, Snapshot
from .pending_build import BuildProgress, PendingBuild

FIRST_CHECK = 15.0
"""Seconds without a build after which the causes are checked. A build appears after 5 s, its Job after 12 s."""
CHECK_INTERVAL = 60.0
"""Seconds between two checks."""

_POOL_PROBLEMS = ("RenderDegraded", "NodeDegraded", "PinnedImageSetsDegraded", "PoolSynchronizerDegraded")
"""Conditions of a pool that keep every release from starting a build. See docs/operator-behavior.md ("Build Job and
attempts")."""
_ANY_PROBLEM = (*_POOL_PROBLEMS, "Degraded")
_REJECTED = re.compile(r"invalid MachineOSConfig \S+:")
"""Text of the operator about a MachineOSConfig that it rejects."""


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
    causes = tuple(_with_remedy(finding, progress) for finding in _causes(snapshot, config))
    return NotStartedCheck(progress.pending, causes, pending_seconds), needs


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
    problem = true_condition_text(operator or {}, "Degraded")
    if problem:
        ref = ObjectRef(CLUSTER_OPERATOR.name, "machine-config")
        message = f"ClusterOperator machine-config is degraded: {problem}"
        is_rejection = config.is_v1alpha1 and _REJECTED.search(problem)
        degraded = FindingId.BUILD_MACHINEOSCONFIG_REJECTED if is_rejection else FindingId.BUILD_OPERATOR_DEGRADED
        found.append(Finding(degraded, ref, message))
    ref = ObjectRef(MACHINE_CONFIG_POOL.name, config.pool)
    problem = true_condition_text(pool or {}, *(_ANY_PROBLEM if release.needs_healthy_pool else _POOL_PROBLEMS))
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


def _with_remedy(finding: Finding, progress: BuildProgress) -> Finding:
    """Return a cause with its remedy. A build that exists without its pod does not start when the cause is gone."""
    begin = _REMEDIES.get(finding.id, "") if progress.build is not None else ""
    return replace(finding, own_remedy=f"{begin}. {REBUILD_POD_BUILD}") if begin else finding


_REMEDIES: t.Mapping[FindingId, str] = {
    FindingId.BUILD_SECRET_MISSING: f"Create the Secret in {OPERATOR_NAMESPACE} (registry_secret)",
    FindingId.BUILD_MACHINEOSCONFIG_REJECTED: "Correct what the message names",
}
"""Beginning of the remedies for a build that exists without its pod."""


def _needs(config: MachineOSConfig) -> tuple[ReadObject, ...]:
    return (
        _pool(config),
        _OPERATOR,
        *(_secret(name) for name in config.secrets),
        _VERSION,
    )


def _causes(snapshot: Snapshot, config: MachineOSConfig) -> tuple[Finding, ...]:
    def read(need: ReadObject) -> Object | None:
        result = snapshot.result(need)
        return result.obj if result else None

    missing = []
    for name in config.secrets:
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


def _missing_secret(config: MachineOSConfig, name: str) -> Finding:
    message = f"Secret {name} does not exist, but MachineOSConfig {config.name} refers to it"
    return Finding(FindingId.BUILD_SECRET_MISSING, ObjectRef(SECRET.name, name, OPERATOR_NAMESPACE), message)


def _has_unsettled_nodes(pool: Object | None) -> bool:
    status = (pool or {}).get("status") or {}
    return bool(status.get("machineCount")) and not (status.get("configuration") or {}).get("name")
