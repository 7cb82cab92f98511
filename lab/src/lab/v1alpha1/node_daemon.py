# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine-config-daemons of this generation: ``python -m lab.v1alpha1.node_daemon FOLDER``.

As ``lab.node_daemon``, but for four things: the pool's pull secret is used besides the global one, a layered update
always drains and reboots, an image is pulled in five attempts whose cause is only in the log of the daemon's pod, and
a node with an image does not go back to none.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path

from lab.build import OPERATOR_NAMESPACE
from lab.container_log import append, log_folder
from lab.facts import Facts
from lab.kube_rest import Api
from lab.node_annotations import NodeView, Target
from lab.node_daemon import Machine, NodeDaemon, Sources, UpdateFailed
from lab.oci_registry import Credentials
from lab.v1alpha1.node_rules import (
    overlaid,
    pull_secret_of,
    rebase_attempt,
    rebase_failure,
    rejection,
    secret_credentials,
)
from lab.v1alpha1.objects import CONFIGS, NODES, PODS, SECRETS

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds between the attempts to pull an image: a tenth of the daemon's."""
_DAEMON = "machine-config-daemon"


class PoolSources(Sources):
    """The images of nodes, pulled with the secret of their pool as well."""

    def credentials(self, node: str) -> Credentials:
        """Return the credentials that a node has now: the global pull secret overlaid by its pool's."""
        everywhere = super().credentials(node)
        secret = pull_secret_of(self._api.get(f"{NODES}/{node}"), self._api.get(CONFIGS)["items"])
        if not secret:
            return everywhere
        found = self._api.find(SECRETS, secret)
        return everywhere if found is None else overlaid(everywhere, secret_credentials(found))


class LayeredMachine(Machine):
    """One node with the daemon of this generation."""

    def __init__(self, api: Api, sources: Sources, facts: Facts, view: NodeView) -> None:
        super().__init__(api, sources, facts.nodes_dir, view)
        self._pods_dir = facts.folder / "pods"

    def _check_target(self, view: NodeView, target: Target) -> None:
        if reason := rejection(view, target):
            raise UpdateFailed(reason)

    def _needs_reboot(self, target: Target) -> bool:
        return bool(target.image) or super()._needs_reboot(target)

    def _rebase(self, image: str) -> None:
        for wait in (*WAITS, 0.0):
            try:
                super()._rebase(image)
            except UpdateFailed as failed:
                self._log(rebase_attempt(image, str(failed)))
                self._seen.wait(lambda view: False, wait)
            else:
                return
        raise UpdateFailed(rebase_failure(image))

    def _log(self, line: str) -> None:
        pods = self._api.get(PODS, labelSelector=f"k8s-app={_DAEMON}", fieldSelector=f"spec.nodeName={self._name}")
        for pod in pods["items"]:
            append(self._folder_of(pod["metadata"]["name"], pod["metadata"]["uid"]), line)

    def _folder_of(self, pod: str, uid: str) -> Path:
        return log_folder(self._pods_dir, OPERATOR_NAMESPACE, pod, uid, _DAEMON)


def main() -> None:
    """Run the daemons of the lab whose folder is the first argument."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    facts = Facts.load(sys.argv[1])
    api = Api(facts.kubeconfigs.node_daemon)
    sources = PoolSources(api, facts.folder)
    NodeDaemon(api, facts.nodes_dir, lambda view: LayeredMachine(api, sources, facts, view)).serve()


if __name__ == "__main__":
    main()
