# SPDX-License-Identifier: GPL-3.0-or-later
"""Publish the result of a playbook as the statistic image_mode_result, and write its reports."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass
from functools import partial

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ..module_utils._errors import OperationError, as_line, attempt, one_line
from ..module_utils._model.text import all_printable, printable
from ..plugin_utils._error_boundary import ErrorBoundaryAction
from ..plugin_utils._run_result import Run, Steps, full_result, minimal_entry, published_entry, summary_lines
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.values import as_list

T = t.TypeVar("T")

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


@dataclass(frozen=True)
class _Published:
    """What is published of one verification."""

    entry: dict[str, t.Any]
    lines: t.Sequence[str]
    """The summary."""
    failures: tuple[str, ...]


class ActionModule(ErrorBoundaryAction):
    """Never fails, since Ansible drops the statistics of a failed task.

    The task after it, show_summary, fails where this one would. A result that cannot be read is published as an entry
    with nothing but the failure.
    """

    _supports_async = False
    _requires_connection = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        published = _attempt(lambda: self._publish(task_vars))
        if not isinstance(published, str):
            return published
        host, pool = str(task_vars.get("inventory_hostname", "")), str(self._task.args.get("pool") or "")
        entry = minimal_entry(host, pool, published)
        return _published([entry], [f"Result: {published}"], published)

    def _publish(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        steps = Steps(*(_plain(task_vars.get(name)) for name in REGISTERED))
        run = Run(
            host=str(task_vars.get("inventory_hostname", "")),
            pool=options["pool"] or "",
            fail_on=tuple(_entries(options["fail_on"])),
            seconds=max(0, int(time.time()) - int(steps.validation.get("started_at") or time.time())),
            steps=steps,
        )
        entries: list[dict[str, t.Any]] = []
        lines: list[str] = []
        failures = [steps.failure] if steps.failure else []
        for verified in run.verified():
            outcome = _attempt(partial(self._publish_one, run, verified, options, task_vars))
            if isinstance(outcome, str):
                why = steps.failure or outcome
                outcome = _Published(minimal_entry(run.host, run.pool, why), (f"Result: {why}",), (outcome,))
            entries.append(outcome.entry)
            lines += outcome.lines
            failures += [text for text in outcome.failures if text and text not in failures]
        # A step that failed has failed the play already.
        return _published(entries, lines, "" if steps.failure else " ".join(failures))

    def _publish_one(
        self, run: Run, verified: t.Mapping[str, t.Any], options: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]
    ) -> _Published:
        """Write the reports of one verification and return what is published of it."""
        full = full_result(run, verified)
        write = partial(self._write_reports, options, full, task_vars)
        written = _attempt(write) if _is_valid(run.steps) else ([], "")
        reports, failure = ([], written) if isinstance(written, str) else written
        lines = summary_lines(run, full, reports, bool(self._task.check_mode))
        return _Published(published_entry(run, full, reports, failure), lines, (full["failure"] or "", failure))

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
        action = self.action_of(task)
        written = action.run(task_vars=task_vars)
        return list(written.get("reports") or ()), str(written.get("msg", "")) if written.get("failed") else ""


def _attempt(work: t.Callable[[], T]) -> T | str:
    """Return the result of *work*, or the one line that says why it has none."""
    try:
        outcome = attempt(work, AnsibleError)
    except AnsibleError as error:
        return as_line(f"Could not publish the result: {one_line(str(error))}. Correct the variables of the playbook.")
    if not isinstance(outcome, OperationError):
        return outcome
    if outcome.traceback:
        Display().vvv(printable(outcome.traceback))
    return str(outcome)


def _published(entries: list[dict[str, t.Any]], lines: list[str], failure: str) -> dict[str, t.Any]:
    """Return the result of the task."""
    stats = {"data": {"image_mode_result": entries}, "per_host": False, "aggregate": True}
    return {"changed": False, "ansible_stats": stats, "summary": all_printable(lines), "failure": failure}


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
