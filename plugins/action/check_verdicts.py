# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the verdicts of a verification, and fail if a node is not verified. It runs where Ansible runs."""

from __future__ import annotations

import json
import typing as t

from ansible.utils.display import Display

from ..plugin_utils._error_boundary import ErrorBoundaryAction
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.validation import Caller
from ..plugin_utils._variables.values import as_list
from ..plugin_utils._verdicts import node_lines, why_not_verified
from ..plugin_utils._wording import wording_of

display = Display()

_ROLE = "verify_nodes"

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "registered": {"type": "str", "default": "verify_nodes_result"},
    "fail_on": {"type": "raw", "default": ["mismatch", "unknown"]},
}


class ActionModule(ErrorBoundaryAction):
    """Reads the variable by its name, so that the result of thousands of nodes is no option of a task."""

    _supports_async = False
    _requires_connection = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        result = json.loads(json.dumps(task_vars.get(options["registered"]) or {}, default=str))
        if result.get("skipped"):
            return {"changed": False, "skipped": True}
        try:
            fail_on = as_list(options["fail_on"])
        except Problem as problem:
            return _failed(f"Could not check verdicts: fail_on: {problem.reason}. {problem.remedy}.")
        for line in node_lines(result.get("nodes") or ()):
            display.display(f"  {line}")
        failure = why_not_verified(result, fail_on)
        if task_vars.get("ansible_role_name") == f"imagemode.openshift.{_ROLE}":
            failure = wording_of(Caller(role=_ROLE)).text(failure)
        return _failed(failure) if failure else {"changed": False}


def _failed(message: str) -> dict[str, t.Any]:
    return {"failed": True, "changed": False, "msg": message}
