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
from ..plugin_utils._run_result import (
    Run,
    Steps,
    full_result,
    is_forecast,
    minimal_entry,
    published_entry,
    summary_lines,
)
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.validation import PUBLISHED, Caller
from ..plugin_utils._variables.values import as_list
from ..plugin_utils._wording import wording_of

T = t.TypeVar("T")

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "playbook": {"type": "str", "choices": ["apply", "verify", "verify_hosts"], "required": True},
}

REGISTERED: t.Mapping[str, str] = {
    "validate_variables_result": "Validate variables",
    "check_request_result": "Check the request",
    "registry_access_result": "Manage registry secrets",
    "build_image_result": "Build the image",
    "roll_out_result": "Roll out the image",
    "verify_nodes_result": "Verify booted images",
}
"""Variables with the results of the steps, in their order, and the names of their tasks."""
_VERIFICATION = ("validate_variables_result", "verify_nodes_result")
STEPS: t.Mapping[str, t.Sequence[str]] = {
    "apply": tuple(REGISTERED),
    "verify": _VERIFICATION,
    "verify_hosts": _VERIFICATION,
}
"""Steps of each playbook."""

_FAIL_ON = ("mismatch", "unknown")

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
        host = str(task_vars.get("inventory_hostname", ""))
        entry = minimal_entry(host, str(self.optional_variable("image_mode_pool", task_vars, "")), published)
        return _published([entry], [f"Result: {published}"], published)

    def _publish(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        results = {name: _plain(task_vars.get(name)) for name in REGISTERED}
        missing = [REGISTERED[name] for name in STEPS[options["playbook"]] if not _has_run(results[name])]
        validation, request, secrets, build, rollout, verification = results.values()
        steps = Steps(validation, request, secrets, build, rollout, verification, tuple(missing))
        run = Run(
            host=str(task_vars.get("inventory_hostname", "")),
            pool=str(self.optional_variable("image_mode_pool", task_vars, "")),
            fail_on=tuple(_entries(self.optional_variable("verify_nodes_fail_on", task_vars, _FAIL_ON))),
            seconds=max(0, int(time.time()) - int(steps.validation.get("started_at") or time.time())),
            steps=steps,
        )
        self._wording = wording_of(Caller(options["playbook"]), "verify_nodes")
        entries: list[dict[str, t.Any]] = []
        lines: list[str] = []
        failures = [steps.failure] if steps.failure else []
        for verified in run.verified():
            outcome = _attempt(partial(self._publish_one, run, verified, task_vars))
            if isinstance(outcome, str):
                why = steps.failure or outcome
                outcome = _Published(minimal_entry(run.host, run.pool, why), (f"Result: {why}",), (outcome,))
            entries.append(outcome.entry)
            lines += outcome.lines
            failures += [text for text in outcome.failures if text and text not in failures]
        # A step that failed has failed the play already.
        return _published(entries, lines, "" if steps.failed else " ".join(failures))

    def _publish_one(self, run: Run, verified: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]) -> _Published:
        """Write the reports of one verification and return what is published of it."""
        full = full_result(run, self._wording.result(verified))
        written = _attempt(partial(self._write_reports, full, task_vars)) if _is_reportable(run, full) else ([], "")
        reports, failure = ([], written) if isinstance(written, str) else written
        lines = summary_lines(run, full, reports, bool(self._task.check_mode))
        return _Published(published_entry(run, full, reports, failure), lines, (full["failure"] or "", failure))

    def _write_reports(
        self, full: t.Mapping[str, t.Any], task_vars: dict[str, t.Any]
    ) -> tuple[list[dict[str, t.Any]], str]:
        """Return the reports, and why they were not written."""
        folder = self.optional_variable("image_mode_report_dir", task_vars, "")
        if not folder:
            return [], ""
        formats = _entries(self.optional_variable("image_mode_report_formats", task_vars, []))
        task = self._task.copy()
        task.action = _REPORT
        task.args = {"result": full, "dir": str(folder), **({"formats": formats} if formats else {})}
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
    stats = {"data": {PUBLISHED: entries}, "per_host": False, "aggregate": True}
    return {"changed": False, "ansible_stats": stats, "summary": all_printable(lines), "failure": failure}


def _plain(result: t.Any) -> dict[str, t.Any]:
    """Return a registered result; from ansible-core 2.19 on, its texts carry tags."""
    return t.cast("dict[str, t.Any]", json.loads(json.dumps(result or {}, default=str)))


def _has_run(result: t.Mapping[str, t.Any]) -> bool:
    return bool(result) and not result.get("skipped")


def _is_reportable(run: Run, full: t.Mapping[str, t.Any]) -> bool:
    """Return whether a report of this run replaces no other: its name is made from the address of the cluster.

    Where a play runs over nodes, the address comes from the inventory, or is not known to anybody.
    """
    if run.steps.validation.get("failed") or is_forecast(full):
        return False
    return bool((full["cluster"] or {}).get("api_url") or full["nodes"])


def _entries(value: t.Any) -> list[str]:
    try:
        return as_list(value)
    except Problem:
        return []
