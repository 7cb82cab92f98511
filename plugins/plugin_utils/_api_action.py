# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module that sends requests to an API server, and report within seconds if the API server cannot be reached.

A module prints nothing before it ends, and it retries for a minute. So the first call of the module ends as soon as its
first connection fails. Then a warning is printed, and a second call retries.
"""

from __future__ import annotations

import os
import typing as t

from ansible import constants
from ansible.utils.display import Display
from ansible.utils.unsafe_proxy import wrap_var

from ..module_utils._errors import NOT_REACHED, REPORT_FIRST_CONTACT, TRACEBACK, as_line
from ._connection_files import absolute_arguments, absolute_environment
from ._error_boundary import ErrorBoundaryAction

display = Display()


class ApiAction(ErrorBoundaryAction):
    """Runs the module of the same name."""

    MODULE: str
    """The module's full name."""

    _supports_async = True

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Run the task and return its result. Subclasses override it."""
        if self._task.async_val and not self._connection.has_native_async:
            return self.run_module(task_vars, wrap_async=True)
        result = self.run_module(task_vars, module_args={**self._task.args, REPORT_FIRST_CONTACT: True})
        if NOT_REACHED not in result:
            return result
        host = as_line(str(task_vars.get("inventory_hostname", "")))
        # A warning would be printed only when the task ends, since ansible-core 2.19.
        line = f"[WARNING]: [{host}] {as_line(str(result[NOT_REACHED]))}"
        display.display(line, color=constants.COLOR_WARN, stderr=True)
        return self.run_module(task_vars)

    def run_module(self, task_vars: dict[str, t.Any], **arguments: t.Any) -> dict[str, t.Any]:
        """Run the module once and return its result."""
        if self._connection.transport == "local":
            given = arguments.get("module_args") or self._task.args
            arguments["module_args"] = absolute_arguments(given, str(self._loader.get_basedir()))
            self._set_absolute_environment()
        result = self._execute_module(module_name=self.MODULE, task_vars=task_vars, **arguments)
        traceback = result.pop(TRACEBACK, "")
        if traceback and not isinstance(result.get("exception"), str):  # up to ansible-core 2.18 a text, which is shown
            display.vvv(str(traceback))
        return t.cast("dict[str, t.Any]", result)

    def _set_absolute_environment(self) -> None:
        """Let the module see absolute paths in the environment. The environment of the task has precedence."""
        paths = absolute_environment(os.environ)
        if paths and paths not in (self._task.environment or []):
            self._task.environment = [wrap_var(paths), *(self._task.environment or [])]
