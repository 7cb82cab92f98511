# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of all action plugins: an unexpected exception becomes one line, with a traceback at -vvv."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ..module_utils._errors import run_action
from ._variables.values import is_empty


class ErrorBoundaryAction(ActionBase):
    """Runs :meth:`run_task` and turns its exceptions into a failed result."""

    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the result of the task, or of its failure. Ansible handles its own exceptions."""
        super().run(tmp, task_vars)
        return run_action(lambda: self.run_task(task_vars or {}), Display().vvv, AnsibleError)

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the result of the task.

        :raises Exception: any; the boundary reports it
        """
        raise NotImplementedError

    def optional_variable(self, name: str, task_vars: t.Mapping[str, t.Any], default: t.Any) -> t.Any:
        """Return a variable, or *default* if it is not set or its template fails.

        As an option of a task, a template that fails would be a failed task, which publishes and prints nothing.
        """
        try:
            value = self._templar.template(task_vars.get(name))
        except Exception:  # noqa: BLE001 - a template can raise anything, and the validation reports it
            return default
        return default if is_empty(value) else value

    def action_of(self, task: t.Any) -> t.Any:
        """Return the action plugin of an inner task. A module without its own has the plugin of all modules."""
        loader = self._shared_loader_obj.action_loader
        return loader.get(
            task.action if loader.has_plugin(task.action) else "ansible.legacy.normal",
            task=task,
            connection=self._connection,
            play_context=self._play_context,
            loader=self._loader,
            templar=self._templar,
            shared_loader_obj=self._shared_loader_obj,
        )
