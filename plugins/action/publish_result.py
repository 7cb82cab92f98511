# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish the result of a playbook as the statistic image_mode_result, and write its reports."""

from __future__ import annotations

import json
import time
import typing as t

from ..module_utils._model.text import all_printable
from ..plugin_utils._error_boundary import ErrorBoundaryAction
from ..plugin_utils._run_result import Run, Steps, full_result, published_entry, summary_lines
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.values import as_list

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "pool": {"type": "str"},
    "fail_on": {"type": "raw", "default": ["mismatch", "unknown"]},
    "report_dir": {"type": "str"},
    "report_formats": {"type": "raw", "default": ["html", "json", "junit"]},
}

REGISTERED = (
    "validate_variables_result", "registry_access_result", "build_image_result", "roll_out_result",
    "verify_nodes_result",
)  # fmt: skip
"""Variables with the results of the steps, in their order."""

_REPORT = "imagemode.openshift.evidence_report"


class ActionModule(ErrorBoundaryAction):
    """Never fails because of the run or a report, since Ansible drops the statistics of a failed task.

    The task after it, show_summary, fails where this one would.
    """

    _supports_async = False
    _requires_connection = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        steps = Steps(*(_plain(task_vars.get(name)) for name in REGISTERED))
        run = Run(
            host=str(task_vars.get("inventory_hostname", "")),
            pool=options["pool"] or "",
            fail_on=tuple(_entries(options["fail_on"])),
            seconds=max(0, int(time.time()) - int(steps.validation.get("started_at") or time.time())),
            steps=steps,
        )
        entries, lines, failures = [], [], [] if not steps.failure else [steps.failure]
        for verified in run.verified():
            full = full_result(run, verified)
            reports, failure = self._write_reports(options, full, task_vars) if _is_valid(steps) else ([], "")
            entry = published_entry(run, full, reports)
            failures += [text for text in (full["failure"], failure) if text and text not in failures]
            entries.append({**entry, "failure": entry["failure"] or failure or None})
            lines += summary_lines(run, full, reports, bool(self._task.check_mode))
        stats = {"data": {"image_mode_result": all_printable(entries)}, "per_host": False, "aggregate": True}
        return {
            "changed": False,
            "ansible_stats": stats,
            "summary": all_printable(lines),
            # A step that failed has failed the play already.
            "failure": "" if steps.failure else " ".join(failures),
        }

    def _write_reports(
        self, options: t.Mapping[str, t.Any], full: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]
    ) -> tuple[list[dict[str, t.Any]], str]:
        """Return the reports, and why they were not written."""
        if not options["report_dir"]:
            return [], ""
        formats = _entries(options["report_formats"])
        task = self._task.copy()
        task.action = _REPORT
        task.args = {"result": full, "dir": options["report_dir"], **({"formats": formats} if formats else {})}
        action = self._shared_loader_obj.action_loader.get(
            _REPORT,
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
        written = action.run(task_vars=task_vars)
        return list(written.get("reports") or ()), str(written.get("msg", "")) if written.get("failed") else ""


def _plain(result: t.Any) -> dict[str, t.Any]:
    """Return a registered result; from ansible-core 2.19 on, its texts carry tags."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(result or {}, default=str)))


def _is_valid(steps: Steps) -> bool:
    return not steps.validation.get("failed")


def _entries(value: t.Any) -> list[str]:
    try:
        return as_list(value)
    except Problem:
        return []
