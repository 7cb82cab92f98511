# SPDX-License-Identifier: GPL-3.0-or-later
"""Create or update registry Secrets, with credentials of the machine that runs Ansible."""

from __future__ import annotations

import os
import typing as t

from ..plugin_utils._controller_files import reader
from ..plugin_utils._step import StepAction, StepFailed
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.secrets import read_secrets
from ..plugin_utils._variables.values import is_empty


class ActionModule(StepAction):
    """Reads the credentials here, so that no task and no variable holds them."""

    ROLE = "registry_access"
    WHAT = "manage registry secrets"

    def work(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        try:
            secrets = read_secrets(options["secrets"], "secrets", reader(self._loader), dict(os.environ))
        except Problem as problem:
            message = f"Could not read registry secrets: {problem.reason}. {problem.remedy}."
            raise StepFailed({"msg": message}) from None
        if secrets:
            self._check_nodes()
        for secret in secrets:
            self.call("registry_secret", secret, changes=f"Secret {secret['name']}")
        return {"secrets": [secret["name"] for secret in secrets]}

    def _check_nodes(self) -> None:
        """Check the nodes of playbook apply, so that no Secret is written for nodes that could not join the pool."""
        pool, nodes = (self._variable(name) for name in ("image_mode_pool", "image_mode_nodes"))
        names = self._list("image_mode_nodes", nodes)
        if names and not is_empty(pool):
            self.call("machineconfigpool_nodes", {"pool": str(pool), "nodes": names}, check_mode=True)

    def _variable(self, name: str) -> t.Any:
        return self._templar.template(self._task_vars[name]) if name in self._task_vars else None
