# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the summary of a playbook as its last lines, and fail if the run failed. It runs where Ansible runs.

It is the first task that knows the results of all hosts, so it adds those without a report to the index of the reports.
"""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ..module_utils._errors import OperationError, as_line
from ..module_utils._model.text import listed
from ..plugin_utils._error_boundary import ErrorBoundaryAction
from ..plugin_utils._run_result import entries_not_started, entries_without_report, last_with_a_result

display = Display()

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "summary": {"type": "list", "elements": "str", "required": True},
    "failure": {"type": "str", "default": ""},
}


_REPORT = "imagemode.openshift.evidence_report"
_NO_RESULT = str(
    OperationError(
        "show the summary",
        "the task that publishes the result did not run",
        "Run the playbook without options that select tasks",
    )
)


class ActionModule(ErrorBoundaryAction):
    """Prints with Ansible's own display, which every callback plugin shows.

    An entry is one line: texts of the cluster cannot add lines to the output.
    """

    _supports_async = False
    _requires_connection = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        if not options["summary"]:
            return {"failed": True, "changed": False, "msg": _NO_RESULT}
        for line in options["summary"]:
            display.display(f"  {as_line(line)}")
        hostvars, hosts = task_vars.get("hostvars") or {}, task_vars.get("ansible_play_hosts_all") or ()
        # Ansible removes a host from the batch as soon as one of its tasks has failed.
        not_started = entries_not_started(hostvars, task_vars.get("ansible_play_batch") or (), hosts)
        if not_started and task_vars["inventory_hostname"] == last_with_a_result(hostvars, hosts):
            names = listed([str(entry["host"]) for entry in not_started])
            display.display(f"  {as_line(f'Not started: {names}, because each host of the batch failed')}")
        failures = [text for text in (options["failure"], self._add_to_index(not_started, task_vars)) if text]
        if failures:
            return {"failed": True, "changed": False, "msg": as_line(" ".join(failures))}
        return {"changed": False}

    def _add_to_index(self, not_started: t.Sequence[t.Mapping[str, t.Any]], task_vars: dict[str, t.Any]) -> str:
        """Add the hosts without a report to the index, and return why that failed, or an empty text."""
        folder = self.optional_variable("image_mode_report_dir", task_vars, "")
        if not folder:
            return ""
        hosts = task_vars.get("ansible_play_hosts_all") or ()
        failed_runs = [*entries_without_report(task_vars.get("hostvars") or {}, hosts), *not_started]
        if not failed_runs:
            return ""
        task = self._task.copy()
        task.action = _REPORT
        task.args = {"dir": str(folder), "failed_runs": failed_runs}
        written = self.action_of(task).run(task_vars=task_vars)
        return str(written.get("msg", "")) if written.get("failed") else ""
