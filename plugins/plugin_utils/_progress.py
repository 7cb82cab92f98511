# SPDX-License-Identifier: GPL-3.0-or-later
"""Show how a wait goes on. A module cannot speak before it ends, so it is called again, a window at a time."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()

LINES = "lines"


class WaitAction(ActionBase):
    """Calls the module of the same name until it has finished, and prints a line whenever it has something to say."""

    MODULE: str
    """The module's full name."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        arguments = dict(self._task.args)
        speaks = arguments.get("progress", LINES) == LINES
        while True:
            answer = self._execute_module(module_name=self.MODULE, module_args=arguments, task_vars=task_vars)
            if speaks and answer.get("progress") and not answer.get("failed"):
                display.display(progress_line(task_vars.get("inventory_hostname", ""), answer))
            cursor = answer.pop("cursor", None)
            if answer.get("failed") or answer.get("finished") or not cursor:
                return answer
            arguments["cursor"] = cursor


def progress_line(host: str, answer: t.Mapping[str, t.Any]) -> str:
    """Return one line for people: who, for how long, and where it stands."""
    return f"  [{host}] {duration(int(answer.get('elapsed', 0)))}  {answer['progress']}"


def duration(seconds: int) -> str:
    """Return seconds as people write them: 45s, 2m10s, 1h03m."""
    if seconds < 60:
        return f"{seconds}s"
    if seconds < 3600:
        return f"{seconds // 60}m{seconds % 60:02d}s"
    return f"{seconds // 3600}h{seconds % 3600 // 60:02d}m"
