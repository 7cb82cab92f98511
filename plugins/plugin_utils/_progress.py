# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the progress of a wait. A module prints nothing before it ends, so it is called once for each window."""

from __future__ import annotations

import time
import typing as t

from ansible.utils.display import Display

from ..module_utils._errors import as_line
from ..module_utils._wait.outage import AWAY
from ._api_action import ApiAction

display = Display()

LINES = "lines"


REPEAT_INTERVAL = 60.0
"""Seconds after which an unchanged line is printed again, as a sign that the wait continues."""
LINE_INTERVAL = 30
"""Seconds between two lines, so that a short wait prints few. An end, an outage and a new finding print at once."""


class WaitAction(ApiAction):
    """Calls the module of the same name until the wait is over, and prints its progress lines."""

    _supports_async = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Call the module until the wait ends, and return its last result."""
        arguments = dict(self._task.args)
        prints = arguments.get("progress", LINES) == LINES
        reporter = ProgressReporter(str(task_vars.get("inventory_hostname", "")))
        began = time.monotonic()
        warnings: list[t.Any] = []
        window = arguments.get("window")
        while True:
            result = self.run_module(task_vars, module_args=arguments)
            # One result remains of all calls, so it has the warnings of all of them.
            warnings += [warning for warning in result.pop("warnings", None) or () if warning not in warnings]
            if prints:
                reporter.report(result)
            cursor = result.pop("cursor", None)
            if result.get("failed") or result.get("finished") or not cursor:
                return {**result, "warnings": warnings} if warnings else result
            arguments["cursor"] = cursor
            _set_window(arguments, window, reporter.held_for)
            # Measured here: a number that Ansible masks in the result must not prolong the wait.
            arguments["waited"] = int(time.monotonic() - began)


class ProgressReporter:
    """Prints what is new in the results of a wait, and an unchanged line at most once a minute.

    :param clock: the time, in seconds
    """

    def __init__(self, host: str, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._line = ""
        self._printed_at = 0.0
        self._printed_elapsed: int | None = None
        self.held_for = 0
        """Seconds until the line that was held back is due; 0 if none was."""
        self._findings: set[str] = set()
        self._stages: dict[str, str] = {}

    def report(self, result: t.Mapping[str, t.Any]) -> None:
        """Print what is new in a result. With -v, print new findings and changed nodes as well."""
        line, now = result.get("progress") or "", self._clock()
        self.held_for = self._hold(line, result)
        if line and not result.get("failed") and not self.held_for and self._is_due(line, now):
            display.display(progress_line(self._host, result))
            self._line, self._printed_at = line, now
            self._printed_elapsed = _number(result.get("elapsed"))
        for detail in self._details(result):
            display.v(as_line(detail), host=self._host)

    def _hold(self, line: str, result: t.Mapping[str, t.Any]) -> int:
        """Return for how many seconds a changed line is held back."""
        is_new_finding = any(_detail(finding) not in self._findings for finding in result.get("findings") or [])
        if self._printed_elapsed is None or line == self._line or result.get("finished") or is_new_finding:
            return 0
        if line.startswith(AWAY) or self._line.startswith(AWAY):
            return 0
        passed = _number(result.get("elapsed")) - self._printed_elapsed
        return LINE_INTERVAL - passed if 0 <= passed < LINE_INTERVAL else 0

    def _is_due(self, line: str, now: float) -> bool:
        """Return whether to print a line: if it is new, or once a minute. An outage is printed once."""
        return line != self._line or (not line.startswith(AWAY) and now - self._printed_at >= REPEAT_INTERVAL)

    def _details(self, result: t.Mapping[str, t.Any]) -> t.Iterator[str]:
        for node in result.get("nodes") or []:
            stage = f"{node['phase']} ({node.get('state')})"
            if self._stages.get(node["name"]) != stage:
                yield f"Node {node['name']}: {stage}"
                self._stages[node["name"]] = stage
        for finding in result.get("findings") or []:
            detail = _detail(finding)
            if detail not in self._findings:
                yield detail
                self._findings.add(detail)


def _detail(finding: t.Mapping[str, t.Any]) -> str:
    return f"{finding['id']} ({finding['severity']}): {finding['message']}. {finding['remedy']}."


def _set_window(arguments: dict[str, t.Any], window: t.Any, held_for: int) -> None:
    """Let the next call of the module end when a line that was held back is due."""
    if held_for:
        arguments["window"] = min(held_for, _seconds(window) or held_for)
    elif window is None:
        arguments.pop("window", None)
    else:
        arguments["window"] = window


def _seconds(window: t.Any) -> int | None:
    """Return the seconds of option window, which may be a text, or None if it is no number."""
    try:
        return int(window)
    except (TypeError, ValueError):
        return None


def progress_line(host: str, result: t.Mapping[str, t.Any]) -> str:
    """Return the line to print: host, elapsed time, progress, and the estimated time that remains."""
    left = _number((result.get("rollout") or {}).get("remaining_seconds"))
    rest = f", about {_roughly(left)} left" if left else ""
    return f"  [{host}] {duration(_number(result.get('elapsed')))}  {as_line(str(result['progress']))}{rest}"


def _number(value: t.Any) -> int:
    """Return a number of a result, or 0 if Ansible masked it because it equals a secret value."""
    return int(value) if isinstance(value, (int, float)) else 0


def _roughly(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def duration(seconds: int) -> str:
    """Return a duration as text: 45s, 2m10s, 1h03m."""
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
