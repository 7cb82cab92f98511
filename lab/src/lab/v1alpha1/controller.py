# SPDX-License-Identifier: GPL-3.0-or-later
"""The node controller of this generation, scripted: ``python -m lab.v1alpha1.controller FOLDER``.

It gives nodes their target and writes the status of pools. Draining is the work of the real drain controller.
"""

from __future__ import annotations

import logging
import sys

from lab.api_time import now
from lab.build import OPERATOR_NAMESPACE
from lab.facts import Facts
from lab.kube_rest import Api
from lab.v1alpha1.events import Event, record
from lab.v1alpha1.objects import BUILDS, CONFIGS, NODES, POOLS, Object, build_name, config_for, name_of, rendered_of
from lab.v1alpha1.pool_status import pool_status
from lab.v1alpha1.pool_update import (
    BuildFailed,
    Layering,
    desired_annotations,
    hold_reason,
    members,
    next_nodes,
    pool_names,
    relevant,
    taints,
    target,
    target_event,
)
from lab.v1alpha1.watching import follow_in_thread
from lab.v1alpha1.work_queue import RetryLater, WorkQueue

log = logging.getLogger(__name__)

DELAY = 5.0
"""Seconds after which a change of a pool, a node or a build is worked on."""
_TRIES = 15
_PAUSE = 60.0


class NodeController:
    """The controller, keyed by pool. It does not watch MachineOSConfigs."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._pools: dict[str, Object] = {}
        self._nodes: dict[str, Object] = {}
        self._builds: dict[str, Object] = {}
        self._queue = WorkQueue[str](self._sync, _TRIES, _PAUSE)

    def serve(self) -> None:
        """Watch and work, for ever."""
        follow_in_thread(self._api, POOLS, self._pool_set, self._pool_gone)
        follow_in_thread(self._api, NODES, self._node_set, self._node_gone)
        follow_in_thread(self._api, BUILDS, self._build_set, self._build_gone)
        self._queue.serve()

    def _pool_set(self, pool: Object) -> None:
        self._pools[name_of(pool)] = pool
        self._queue.add(name_of(pool), DELAY)

    def _pool_gone(self, pool: Object) -> None:
        self._pools.pop(name_of(pool), None)

    def _node_set(self, node: Object) -> None:
        before, self._nodes[name_of(node)] = self._nodes.get(name_of(node)), node
        if before is not None and relevant(before) == relevant(node):
            return
        self._enqueue(*(known for known in (before, node) if known is not None))

    def _node_gone(self, node: Object) -> None:
        self._nodes.pop(name_of(node), None)
        self._enqueue(node)

    def _build_set(self, build: Object) -> None:
        before, self._builds[name_of(build)] = self._builds.get(name_of(build)), build
        if before is not None and before.get("status") == build.get("status"):
            return
        for pool in list(self._pools.values()):
            if name_of(build) == build_name(name_of(pool), rendered_of(pool)):
                self._queue.add(name_of(pool), DELAY)

    def _build_gone(self, build: Object) -> None:
        # Not an event: a pool whose build was deleted shows nothing until something else happens.
        self._builds.pop(name_of(build), None)

    def _enqueue(self, *nodes: Object) -> None:
        pools = list(self._pools.values())
        for name in {name for node in nodes for name in pool_names(node, pools)}:
            self._queue.add(name, DELAY)

    def _sync(self, name: str) -> None:
        pool = self._api.find(POOLS, name)
        if pool is None or not rendered_of(pool):
            return
        pools, nodes = self._api.get(POOLS)["items"], self._api.get(NODES)["items"]
        layering = self._layering(pool)
        ours = members(name, nodes, pools)
        if not pool["spec"].get("paused") and self._may_go_on(name, layering):
            self._update(pool, ours, layering)
            pool, nodes = self._api.get(f"{POOLS}/{name}"), self._api.get(NODES)["items"]
            ours = members(name, nodes, pools)
        self._write_status(pool, ours, layering)

    def _may_go_on(self, name: str, layering: Layering) -> bool:
        try:
            reason = hold_reason(layering)
        except BuildFailed as failed:
            raise RetryLater(f"Layered pool {name} encountered an error: {failed}") from failed
        if reason:
            log.info("pool %s: %s", name, reason)
        return not reason

    def _layering(self, pool: Object) -> Layering:
        config = config_for(name_of(pool), self._api.get(CONFIGS)["items"])
        if config is None:
            return Layering(None, None)
        return Layering(config, self._api.find(BUILDS, build_name(name_of(pool), rendered_of(pool))))

    def _update(self, pool: Object, nodes: list[Object], layering: Layering) -> None:
        for node in nodes:
            wanted = taints(pool, node, layering)
            if wanted is not None:
                version = {"resourceVersion": node["metadata"]["resourceVersion"]}
                self._api.patch(f"{NODES}/{name_of(node)}", {"metadata": version, "spec": {"taints": wanted}})
        chosen = next_nodes(pool, nodes, layering)
        for node in chosen:
            patch = {"metadata": {"annotations": desired_annotations(target(pool, layering))}}
            self._api.patch(f"{NODES}/{name_of(node)}", patch)
            log.info("pool %s: node %s to %s", name_of(pool), name_of(node), target(pool, layering))
        if chosen:
            event = Event(*target_event(pool, chosen, layering))
            record(self._api, pool, event, OPERATOR_NAMESPACE, "machineconfigcontroller-nodecontroller")

    def _write_status(self, pool: Object, nodes: list[Object], layering: Layering) -> None:
        before = pool.get("status", {})
        status = pool_status(pool, nodes, layering, now())
        if all(before.get(key) == value for key, value in status.items()):
            return
        version = {"resourceVersion": pool["metadata"]["resourceVersion"]}
        self._api.patch(f"{POOLS}/{name_of(pool)}/status", {"metadata": version, "status": status})


def main() -> None:
    """Run the node controller of the lab whose folder is the first argument."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    NodeController(Api(Facts.load(sys.argv[1]).kubeconfigs.machine_config_controller)).serve()


if __name__ == "__main__":
    main()
