# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the summary of a playbook as its last lines, and fail if the run failed. It runs where Ansible runs."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ..module_utils._errors import as_line
from ..plugin_utils._error_boundary import ErrorBoundaryAction

display = Display()

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "summary": {"type": "list", "elements": "str", "required": True},
    "failure": {"type": "str", "default": ""},
}


class ActionModule(ErrorBoundaryAction):
    """Prints with Ansible's own display, which every callback plugin shows.

    An entry is one line: texts of the cluster cannot add lines to the output.
    """

    _supports_async = False
    _requires_connection = False

    def run_task(self, dummy_task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        for line in options["summary"]:
            display.display(f"  {as_line(line)}")
        if options["failure"]:
            return {"failed": True, "changed": False, "msg": as_line(options["failure"])}
        return {"changed": False}
