# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine-config-operator of this generation, scripted: ``python -m lab.v1alpha1.operator FOLDER``.

Only what image mode shows of it: it validates each MachineOSConfig and says so in its ClusterOperator, mounts the pull
secrets into the daemons, and runs the builder for as long as there is a MachineOSConfig.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from lab.api_time import now
from lab.facts import Facts
from lab.kube_rest import Api, ApiError
from lab.v1alpha1.events import record
from lab.v1alpha1.objects import (
    BUILDER,
    CLUSTER_OPERATORS,
    CONFIGS,
    DAEMON_SETS,
    DEPLOYMENTS,
    POOLS,
    SECRETS,
    Object,
    name_of,
)
from lab.v1alpha1.operator_checks import (
    OPERATOR,
    builder_deployment,
    daemon_mounts,
    daemon_template_change,
    daemons_are_replaced,
    degraded_event,
    first_failure,
    operator_conditions,
)
from lab.v1alpha1.watching import follow_in_thread
from lab.v1alpha1.work_queue import RetryLater, WorkQueue

log = logging.getLogger(__name__)

_DAEMONS = f"{DAEMON_SETS}/machine-config-daemon"
_SYNC = "sync"
_DELAY = 0.2
_PAUSE = 0.5


class Operator:
    """One sync for everything, at each change of what it reads."""

    def __init__(self, api: Api, release: str, image: str) -> None:
        self._api = api
        self._release = release
        self._image = image
        self._queue = WorkQueue[str](self._sync, tries=1, pause=_PAUSE)

    def serve(self) -> None:
        """Watch and sync, for ever."""
        for path in (CONFIGS, POOLS, SECRETS):
            follow_in_thread(self._api, path, self._changed, self._changed)
        self._queue.serve()

    def _changed(self, _thing: Object) -> None:
        self._queue.add(_SYNC, _DELAY)

    def _sync(self, _key: str) -> None:
        configs = self._api.get(CONFIGS)["items"]
        failure = first_failure(configs, self._names(POOLS), self._names(SECRETS))
        self._report(failure)
        if failure:
            log.warning("%s", failure)
            return
        self._mount(configs)
        self._run_builder(bool(configs))

    def _names(self, path: str) -> set[str]:
        return {name_of(item) for item in self._api.get(path)["items"]}

    def _report(self, failure: str) -> None:
        present = self._operator()
        before = present.get("status", {}).get("conditions") or []
        conditions = operator_conditions(self._release, failure, before, now())
        if conditions != before:
            versions = [{"name": "operator", "version": self._release}]
            status = {"conditions": conditions, "versions": versions}
            self._api.patch(f"{CLUSTER_OPERATORS}/{OPERATOR}/status", {"status": status})
        if event := degraded_event(conditions, before):
            record(self._api, present, event, "default", "machine-config-operator")

    def _operator(self) -> dict[str, Any]:
        found = self._api.find(CLUSTER_OPERATORS, OPERATOR)
        if found is not None:
            return found
        body = {"apiVersion": "config.openshift.io/v1", "kind": "ClusterOperator", "metadata": {"name": OPERATOR}}
        return self._api.create(CLUSTER_OPERATORS, {**body, "spec": {}})

    def _mount(self, configs: list[dict[str, Any]]) -> None:
        daemon_set = self._api.get(_DAEMONS)
        change = daemon_template_change(daemon_set, daemon_mounts(configs))
        if change is not None:
            log.info("the pull secrets of the pools changed: every machine-config-daemon is replaced")
            daemon_set = self._api.patch(_DAEMONS, change)
        if not daemons_are_replaced(daemon_set):
            raise RetryLater("waiting for the machine-config-daemons")

    def _run_builder(self, wanted: bool) -> None:
        try:
            if wanted:
                self._api.create(DEPLOYMENTS, builder_deployment(self._image))
            else:
                self._api.delete(f"{DEPLOYMENTS}/{BUILDER}?propagationPolicy=Background")
        except ApiError as error:
            if error.status not in (404, 409):
                raise


def main() -> None:
    """Run the operator of the lab whose folder is the first argument."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    facts = Facts.load(sys.argv[1])
    Operator(Api(facts.kubeconfigs.machine_config_operator), facts.release, facts.base_image).serve()


if __name__ == "__main__":
    main()
