# SPDX-License-Identifier: GPL-3.0-or-later
"""Show how a wait goes on. A module cannot speak before it ends, so it is called again, a window at a time."""

from __future__ import annotations

import time
import typing as t

from ansible.utils.display import Display

from ..module_utils._errors import as_line
from ..module_utils._wait.outage import AWAY
from ._api_action import ApiAction

display = Display()

LINES = "lines"


SIGN_OF_LIFE = 60.0
"""Seconds within which a line is not printed again when it has not changed."""
LINE_INTERVAL = 30
"""Seconds between two lines, so that a short wait prints few. An end, an outage and a new finding print at once."""


class WaitAction(ApiAction):
    """Calls the module of the same name until it has finished, and prints a line whenever it has something to say."""

    _supports_async = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Call the module until the wait ends, and return its last result."""
        arguments = dict(self._task.args)
        speaks = arguments.get("progress", LINES) == LINES
        teller = Teller(str(task_vars.get("inventory_hostname", "")))
        began = time.monotonic()
        warnings: list[t.Any] = []
        window = arguments.get("window")
        while True:
            answer = self.run_module(task_vars, module_args=arguments)
            # Of many calls one result is left, so it carries the warnings of all of them.
            warnings += [warning for warning in answer.pop("warnings", None) or () if warning not in warnings]
            if speaks:
                teller.tell(answer)
            cursor = answer.pop("cursor", None)
            if answer.get("failed") or answer.get("finished") or not cursor:
                return {**answer, "warnings": warnings} if warnings else answer
            arguments["cursor"] = cursor
            _set_window(arguments, window, teller.held_for)
            # Not from the answer: what Ansible masks in it must not make the wait longer.
            arguments["waited"] = int(time.monotonic() - began)


class Teller:
    """Prints how a wait goes on: what is new, and nothing twice within a minute.

    :param clock: the time, in seconds
    """

    def __init__(self, host: str, clock: t.Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._clock = clock
        self._line = ""
        self._told_at = 0.0
        self._told_elapsed: int | None = None
        self.held_for = 0
        """Seconds until the line that was held back is due; 0 if none was."""
        self._findings: set[str] = set()
        self._stages: dict[str, str] = {}

    def tell(self, answer: t.Mapping[str, t.Any]) -> None:
        """Print what an answer of the module says that the one before did not; with -v, down to nodes and findings."""
        line, now = answer.get("progress") or "", self._clock()
        self.held_for = self._hold(line, answer)
        if line and not answer.get("failed") and not self.held_for and self._is_due(line, now):
            display.display(progress_line(self._host, answer))
            self._line, self._told_at = line, now
            self._told_elapsed = _number(answer.get("elapsed"))
        for detail in self._details(answer):
            display.v(as_line(detail), host=self._host)

    def _hold(self, line: str, answer: t.Mapping[str, t.Any]) -> int:
        """Return for how many seconds a changed line is held back."""
        is_new_finding = any(_detail(finding) not in self._findings for finding in answer.get("findings") or [])
        if self._told_elapsed is None or line == self._line or answer.get("finished") or is_new_finding:
            return 0
        if line.startswith(AWAY) or self._line.startswith(AWAY):
            return 0
        passed = _number(answer.get("elapsed")) - self._told_elapsed
        return LINE_INTERVAL - passed if 0 <= passed < LINE_INTERVAL else 0

    def _is_due(self, line: str, now: float) -> bool:
        """Return whether to print a line: one that is new, or a sign of life; an outage is told once."""
        return line != self._line or (not line.startswith(AWAY) and now - self._told_at >= SIGN_OF_LIFE)

    def _details(self, answer: t.Mapping[str, t.Any]) -> t.Iterator[str]:
        for node in answer.get("nodes") or []:
            stage = f"{node['phase']} ({node.get('state')})"
            if self._stages.get(node["name"]) != stage:
                yield f"Node {node['name']}: {stage}"
                self._stages[node["name"]] = stage
        for finding in answer.get("findings") or []:
            detail = _detail(finding)
            if detail not in self._findings:
                yield detail
                self._findings.add(detail)


def _detail(finding: t.Mapping[str, t.Any]) -> str:
    return f"{finding['id']} ({finding['severity']}): {finding['message']}. {finding['remedy']}."


def _set_window(arguments: dict[str, t.Any], window: t.Any, held_for: int) -> None:
    """Let the next call of the module end when a line that was held back is due."""
    if held_for:
        arguments["window"] = held_for
    elif window is None:
        arguments.pop("window", None)
    else:
        arguments["window"] = window


def progress_line(host: str, answer: t.Mapping[str, t.Any]) -> str:
    """Return one line for people: who, for how long, where it stands, and what is left if that is known."""
    left = _number((answer.get("rollout") or {}).get("remaining_seconds"))
    rest = f", about {_roughly(left)} left" if left else ""
    return f"  [{host}] {duration(_number(answer.get('elapsed')))}  {as_line(str(answer['progress']))}{rest}"


def _number(value: t.Any) -> int:
    """Return a number of an answer; 0 where Ansible has masked it, since it has the digits of a secret value."""
    return int(value) if isinstance(value, (int, float)) else 0


def _roughly(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02d}m"


def duration(seconds: int) -> str:
    """Return seconds as people write them: 45s, 2m10s, 1h03m."""
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
