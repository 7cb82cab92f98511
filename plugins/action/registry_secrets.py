# SPDX-License-Identifier: GPL-3.0-or-later
"""Create or update registry Secrets, with credentials of the machine that runs Ansible."""

from __future__ import annotations

import os
import typing as t

from ..plugin_utils._controller_files import reader
from ..plugin_utils._step import StepAction, StepFailed
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.secrets import read_secrets


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
        for secret in secrets:
            self.call("registry_secret", secret, changes=f"Secret {secret['name']}")
        return {"secrets": [secret["name"] for secret in secrets]}
