# SPDX-License-Identifier: GPL-3.0-or-later
"""Check playbook apply against the cluster before anything is written. In check mode, forecast what it would do."""

from __future__ import annotations

import typing as t

from ..plugin_utils._controller_files import reader
from ..plugin_utils._step import StepAction, StepFailed
from ..plugin_utils._variables.containerfile import containerfile_text
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.secrets import secret_names
from ..plugin_utils._variables.specification import specification
from ..plugin_utils._variables.values import is_empty
from ..plugin_utils._wording import Wording


class ActionModule(StepAction):
    """Reads the variables of the roles itself, so that the playbook does not repeat them."""

    ROLE = "build_image"
    WHAT = "check the request"

    def work(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        try:
            text = containerfile_text(
                options["containerfile"],
                options["containerfile_path"],
                ("containerfile", "containerfile_path"),
                reader(self._loader),
            )
            new_secrets = secret_names(self._variable("registry_access_secrets"))
        except Problem as problem:
            raise StepFailed({"msg": f"Could not {self.WHAT}: {problem.reason}. {problem.remedy}."}) from None
        request = {
            "pool": options["pool"],
            "create_pool": options["create_pool"],
            "node_selector": options["node_selector"] or None,
            "max_unavailable": options["max_unavailable"] or None,
            "nodes": options["nodes"],
            "containerfile": text,
            "rendered_image_push_spec": options["rendered_image_push_spec"],
            "rendered_image_push_secret": options["rendered_image_push_secret"],
            "base_image_pull_secret": options["base_image_pull_secret"] or None,
            "current_image_pull_secret": options["current_image_pull_secret"] or None,
            "new_secrets": new_secrets,
            "allow_node_reboots": options["allow_node_reboots"],
            "delete_superseded": options["delete_superseded"],
            "details": bool(self._task.check_mode),
        }
        return self.call("rollout_forecast", request)

    def _wording(self) -> Wording:
        """Return the names of the variables, because this task has no options: it reads the variables itself."""
        return self._wording_of_variables()

    def _options(self) -> dict[str, t.Any]:
        variables = specification().of_role(self.ROLE)
        given = {v.roles[self.ROLE]: self._variable(v.option(self.ROLE)) for v in variables}
        self._task.args = {**self._task.args, **{name: value for name, value in given.items() if not is_empty(value)}}
        return super()._options()

    def _variable(self, name: str) -> t.Any:
        return self._templar.template(self._task_vars.get(name))
