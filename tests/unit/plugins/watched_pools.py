# SPDX-License-Identifier: GPL-3.0-or-later
"""The pools of a cluster that the event source watches, as the loop of the waits drives it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import (
    FinishedLogs,
    FinishLogs,
    LogProgress,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.readers import (
    BUILDS,
    CONFIGS,
    NODES,
    POOLS,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    ListResult,
    Need,
    Observation,
    ReadList,
    ReadObject,
    ReadResult,
    Snapshot,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.transition import Transition
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.wait import (
    PoolsWaitOptions,
    PoolsWaitState,
    observe,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import all_pools, cluster_version

KINDS = {"pools": POOLS, "nodes": NODES, "configs": CONFIGS, "builds": BUILDS}


@dataclass
class Cluster:
    """The objects of a cluster."""

    nodes: t.Sequence[dict] = ()
    configs: t.Sequence[dict] = ()
    builds: t.Sequence[dict] = ()
    pools: t.Sequence[dict] = field(default_factory=all_pools)

    def having(self, **objects: t.Sequence[dict]) -> Cluster:
        """Return the cluster with other objects."""
        return replace(self, **objects)

    def parsed(self) -> dict[str, list[t.Any]]:
        """Return the objects as a watch delivers them: reduced and parsed, by the name of their kind."""
        return {
            reader.kind.name: [reader.parse(reader.reduced(obj)) for obj in getattr(self, name)]
            for name, reader in KINDS.items()
        }

    def read(self, need: Need[t.Any]) -> t.Any:
        """Return the result of a need."""
        if isinstance(need, FinishLogs):
            return FinishedLogs(LogProgress(need.run.identity), ())
        if isinstance(need, ReadList):
            return ListResult()
        assert isinstance(need, ReadObject)
        if need.kind.name == "ClusterVersion":
            return ReadResult(cluster_version())
        objects = [*self.builds, *self.configs, *self.pools]
        return ReadResult(
            next((o for o in objects if (o["kind"], o["metadata"]["name"]) == (need.kind.name, need.name)), None)
        )


class WatchedPools:
    """Watches a cluster, with the time as an argument."""

    def __init__(self, *pools: str, settle: float = 30.0) -> None:
        self.options = PoolsWaitOptions(pools, settle)
        self.state = PoolsWaitState()
        self.last: Observation | None = None

    def observe(self, cluster: Cluster, now: float = 0.0, server: Cluster | None = None) -> list[Transition]:
        """Observe, fetch what is needed and observe again. Return the new transitions.

        :param cluster: what the watches have delivered
        :param server: what a direct read returns; the same by default
        """
        results: dict[Need[t.Any], t.Any] = {}
        objects = cluster.parsed()
        while True:
            snapshot = Snapshot(objects, results, watched=now, resumed=not self.last)
            self.state, self.last = observe(self.options, snapshot, self.state, now)
            missing = [need for need in self.last.needs if need.once and need not in results]
            if not missing:
                break
            results.update({need: (server or cluster).read(need) for need in missing})
        found = list(self.state.transitions)
        self.state = replace(self.state, transitions=())
        return found

    def types(self, cluster: Cluster, now: float = 0.0) -> list[str]:
        """Observe, and return the new transitions as ``TYPE OBJECT``."""
        return [f"{found.type.value} {found.object.name}" for found in self.observe(cluster, now)]
