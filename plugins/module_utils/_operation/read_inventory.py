# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the nodes of clusters for an inventory. Each kind is listed once per cluster; clusters are read in parallel."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from .._cluster.cluster_identity import read_cluster
from .._cluster.connection import connect
from .._cluster.daemon_pods import daemon_pods
from .._cluster.session import Session
from .._errors import OperationError, attempt
from .._model.build.orphaned_config import orphan_warnings
from .._model.inventory import ClusterRequest, Variables, environment_for, node_variables, own_name
from .._model.objects.machineconfigpool import Pool
from .._model.objects.machineosconfig import MachineOSConfig, that_serves
from .._model.objects.pool_membership import pool_of
from .._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    Object,
    labels_of,
)
from .._model.objects.timestamp import timestamp_now
from .._model.proof.expectation import NO_EXPECTATION, expected_of_config
from .._model.proof.verdict import Expected
from .._options import CONNECTION
from .expected_image import expected_of_rendered_config

_MAX_PARALLEL = 10
_ALIASES = {name: t.cast("list[str]", option.get("aliases", [])) for name, option in CONNECTION.items()}


@dataclass(frozen=True)
class Wanted:
    """Data to read besides nodes and pools."""

    expected_images: bool = True
    daemon_pods: bool = False


def read_clusters(
    requested: t.Sequence[ClusterRequest],
    wanted: Wanted,
    environment: t.Mapping[str, str],
    report: t.Callable[[str], None] | None = None,
) -> list[Variables | OperationError]:
    """Return the data or the error of each cluster, in the order of *requested*.

    :param report: receives a line for the user if a cluster cannot be reached at first and is tried again
    """
    # Not in parallel, because the client writes certificates to files that all threads share.
    sessions = [attempt(partial(_opened, cluster, environment, report)) for cluster in requested]
    with ThreadPoolExecutor(max_workers=_MAX_PARALLEL) as threads:
        readings = threads.map(partial(_reading, wanted=wanted, report=report), requested, sessions)
        return [_about(a, r) if isinstance(r, OperationError) else r for a, r in zip(requested, readings)]


def _opened(
    requested: ClusterRequest, environment: t.Mapping[str, str], report: t.Callable[[str], None] | None
) -> Session:
    connection = connect(requested.options, environment_for(requested, environment, _ALIASES))
    return Session(connection, on_first_failure=report)


def _reading(
    requested: ClusterRequest,
    session: Session | OperationError,
    wanted: Wanted,
    report: t.Callable[[str], None] | None,
) -> Variables | OperationError:
    if isinstance(session, OperationError):
        return session
    return attempt(partial(read_nodes, session, requested, wanted, report))


def _about(requested: ClusterRequest, error: OperationError) -> OperationError:
    """Return the error with the user's name for the cluster, if there is one."""
    if not requested.name:
        return error
    named = OperationError(f"read cluster {requested.name}", f"could not {error.what}: {error.reason}", error.remedy)
    named.traceback = error.traceback
    return named


def read_nodes(
    session: Session,
    requested: ClusterRequest,
    wanted: Wanted,
    report: t.Callable[[str], None] | None = None,
) -> Variables:
    """Return name and identity of a cluster, the time of the read, and the variables of each node.

    :param report: receives warnings for the user
    :raises OperationError: a right is missing, or the cluster cannot be reached
    """
    read_at = timestamp_now()
    pools = [Pool.from_api(p) for p in session.list(MACHINE_CONFIG_POOL).items]
    placed = [(node, pool_of(labels_of(node), pools)) for node in session.list(NODE).items]
    with_nodes = [pool for pool in pools if any(pool.name == name for dummy, name in placed)]
    configs = session.list(MACHINE_OS_CONFIG).items if wanted.expected_images else []
    if report is not None:
        for warning in orphan_warnings(configs, pools):
            report(warning)
    expected = _expected(session, with_nodes, configs) if wanted.expected_images else {}
    default = NO_EXPECTATION if wanted.expected_images else None
    pods = daemon_pods(session).running if wanted.daemon_pods else {}
    cluster = {"api_url": session.api_url, **read_cluster(session)}
    return {
        "name": own_name(requested, cluster),
        "cluster": cluster,
        "read_at": read_at,
        "nodes": [
            node_variables(node, pool, expected.get(pool, default), pods.get(node["metadata"]["name"]))
            for node, pool in placed
        ],
    }


def _expected(session: Session, pools: t.Sequence[Pool], configs: t.Sequence[Object]) -> dict[str, Expected]:
    builds = session.list(MACHINE_OS_BUILD).items
    return {pool.name: _expected_of(session, pool, that_serves(pool.name, configs), builds) for pool in pools}


def _expected_of(session: Session, pool: Pool, config: Object | None, builds: t.Sequence[Object]) -> Expected:
    return (
        expected_of_rendered_config(session, pool)
        if config is None
        else expected_of_config(MachineOSConfig.from_api(config), builds, pool)
    )
