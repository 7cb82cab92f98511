# SPDX-License-Identifier: GPL-3.0-or-later
"""A step of a playbook: one task that calls several modules of this collection, one after the other."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.utils.display import Display

from ..module_utils._errors import OperationError, as_line, run_action
from ..module_utils._options import CONNECTION
from ._error_boundary import ErrorBoundaryAction
from ._variables.problem import Problem
from ._variables.specification import Variable, specification
from ._variables.validation import Caller
from ._variables.values import as_list, is_empty
from ._wording import Wording, wording_of

COLLECTION = "imagemode.openshift"
VALIDATED = "validate_variables_result"
"""Variable with the result of validate_variables, which a playbook registers and a role does not."""

_TYPES: t.Mapping[str, str] = {"path": "str", "list": "raw", "secrets": "raw"}
"""Type in the specification -> type of the option, where they differ. A survey sends a list as a text."""


class StepFailed(Exception):
    """A module failed; the result of the step is its result."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        self.result = result
        super().__init__(str(result.get("msg", "")))


class StepAction(ErrorBoundaryAction):
    """Calls modules with the connection options of the task, and returns one result.

    A subclass has its modules called in :meth:`work`. What they change, their diffs and their warnings are collected.
    """

    ROLE: str
    """The role whose options the task takes, by their names without the prefix of the role."""

    WHAT: str
    """What the step does, for messages: a verb and an object."""

    RESULTS: t.ClassVar[tuple[str, ...]] = ()
    """Options that take the result of an earlier step."""

    _supports_async = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        self._task_vars = task_vars
        self._changes: list[str] = []
        self._diffs: list[t.Any] = []
        self._warnings: list[str] = []
        result = self._outcome(self._options())
        wording = self._wording()
        if wording:
            # From ansible-core 2.19 on, it holds the message of the module, which Ansible would show beside the other.
            summary = set() if isinstance(result.get("exception"), str) else {"exception"}
            result = wording.result({name: value for name, value in result.items() if name not in summary})
        collected = {"changed": bool(self._changes), "changes": self._changes}
        if self._diffs:
            collected["diff"] = self._diffs
        if self._warnings:
            collected["warnings"] = [wording.text(text) for text in self._warnings] if wording else self._warnings
        return {**result, **collected}

    def _wording(self) -> Wording | None:
        """Return how the user of the playbook or of the role names options, or None for a task of its own."""
        if self._task_vars.get("ansible_role_name") != f"{COLLECTION}.{self.ROLE}":
            return None
        return self._wording_of_variables()

    def _wording_of_variables(self) -> Wording:
        """Return the names of the variables of the playbook, or without a playbook those of the role."""
        validated = self._task_vars.get(VALIDATED) or {}
        playbook = validated.get("playbook") if isinstance(validated, t.Mapping) else ""
        return wording_of(Caller(playbook=playbook), self.ROLE) if playbook else wording_of(Caller(role=self.ROLE))

    def _outcome(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return the result of :meth:`work`, or of its failure, so that what was collected is never lost."""
        try:
            return run_action(lambda: self.work(options), Display().vvv, StepFailed, AnsibleError)
        except StepFailed as failure:
            return {**failure.result, "failed": True}
        except AnsibleError as error:
            if not self._changes and not self._warnings:
                raise
            return {"failed": True, "msg": as_line(str(error))}

    def work(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Call the modules and return the result of the step.

        :raises StepFailed: one of them failed
        """
        raise NotImplementedError

    def call(
        self, module: str, arguments: t.Mapping[str, t.Any], changes: str = "", check_mode: bool = False
    ) -> dict[str, t.Any]:
        """Call a module of this collection, with its action plugin if it has one, and return its result.

        :param arguments: its options; one that is None is left out
        :param changes: what it changes, if it changes anything
        :param check_mode: run it in check mode even if the task does not
        :raises StepFailed: it failed
        """
        name = f"{COLLECTION}.{module}"
        task = self._task.copy()
        task.action = name
        task.args = {**self._connection_options(), **{k: v for k, v in arguments.items() if v is not None}}
        if check_mode:
            task.check_mode = True
        result: dict[str, t.Any] = self.action_of(task).run(task_vars=self._task_vars)
        self._collect(result, "" if check_mode else changes)
        if result.get("failed"):
            raise StepFailed(result)
        return result

    def _collect(self, result: dict[str, t.Any], changes: str) -> None:
        texts = [_text_of(warning) for warning in result.pop("warnings", None) or ()]
        self._warnings += [text for text in texts if text not in self._warnings]
        diff = result.pop("diff", None)
        if not changes or not result.pop("changed", False):
            return
        self._changes.append(changes)
        if diff:
            self._diffs.append(with_header(diff, changes))

    def _connection_options(self) -> dict[str, t.Any]:
        names = {alias for name, option in CONNECTION.items() for alias in (name, *(option.get("aliases") or ()))}
        return {name: value for name, value in self._task.args.items() if name in names}

    def _options(self) -> dict[str, t.Any]:
        own = {v.roles[self.ROLE]: v for v in specification().of_role(self.ROLE)}
        self._task.args = {n: v for n, v in self._task.args.items() if n not in own or not is_empty(v)}
        spec = {**{n: dict(o) for n, o in CONNECTION.items()}, **{n: _option(v) for n, v in own.items()}}
        spec.update({name: {"type": "dict"} for name in self.RESULTS})
        dummy, options = self.validate_argument_spec(argument_spec=spec)
        results = {name: options[name] for name in self.RESULTS}
        return results | {n: self._list(n, options[n]) if v.type == "list" else options[n] for n, v in own.items()}

    def _list(self, name: str, value: t.Any) -> list[str]:
        try:
            return as_list(value)
        except Problem as problem:
            reason, remedy = f"{name}: {problem.reason}", problem.remedy
        raise OperationError(self.WHAT, reason, remedy)


def with_header(diff: t.Any, what: str) -> t.Any:
    """Return a diff that Ansible shows with the name of the object, because a step can have several diffs."""
    return {**diff, "before_header": what, "after_header": what} if isinstance(diff, dict) else diff


def _option(variable: Variable) -> dict[str, t.Any]:
    option: dict[str, t.Any] = {"type": _TYPES.get(variable.type, variable.type)}
    if variable.is_required_by_role:
        return {**option, "required": True}
    if variable.choices and variable.type != "list":
        option["choices"] = list(variable.choices)
    return {**option, "default": variable.default}


def _text_of(warning: t.Any) -> str:
    """Return the text of a module's warning. From ansible-core 2.19 on, it is an object around the text."""
    return as_line(str(getattr(getattr(warning, "event", None), "msg", warning)))
