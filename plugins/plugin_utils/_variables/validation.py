# SPDX-License-Identifier: GPL-3.0-or-later
"""Check all variables of a playbook, or all options of a role, before the first request to the cluster."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .containerfile import containerfile_text
from .files import Reader
from .problem import Problem, joined, nearest
from .secrets import read_secrets
from .specification import PREFIX, Specification, Variable
from .values import check_value, is_empty

PUBLISHED = "image_mode_result"
"""The statistic that the playbooks publish."""

_POOL_CREATED_HERE = ("image_mode_node_selector", "image_mode_max_unavailable")


@dataclass(frozen=True)
class Caller:
    """What is validated: a playbook, or one role on its own."""

    playbook: str = ""
    role: str = ""

    def variables(self, spec: Specification) -> tuple[Variable, ...]:
        """Return what it reads."""
        return spec.of_playbook(self.playbook) if self.playbook else spec.of_role(self.role)

    def name_of(self, variable: Variable) -> str:
        """Return the name that its user knows."""
        return variable.name if self.playbook else variable.option(self.role)

    def needs(self, variable: Variable) -> bool:
        """Return whether it cannot run without the variable."""
        return self.playbook in variable.required if self.playbook else variable.is_required_by_role

    def __str__(self) -> str:
        return f"playbook {self.playbook}" if self.playbook else f"role {self.role}"


@dataclass(frozen=True)
class Given:
    """The variables of a host and what they refer to on this machine.

    ``values`` are by the names that the caller's user knows. ``names`` are all names of variables of the host.
    """

    values: t.Mapping[str, t.Any]
    names: t.Collection[str]
    read: Reader
    environment: t.Mapping[str, str] = field(default_factory=dict)


def first_problem(spec: Specification, caller: Caller, given: Given) -> str:
    """Return why the variables cannot be used, in one line, or an empty text."""
    return (
        (_unknown(spec, caller, given) if caller.playbook else "")
        or _missing(spec, caller, given)
        or _wrong_value(spec, caller, given)
        or _contradiction(spec, caller, given)
    )


def _unknown(spec: Specification, caller: Caller, given: Given) -> str:
    # A host can have the variables of all playbooks, and a job those that an earlier job of a workflow published.
    variables = {variable.name for variable in spec.variables}
    known = {*variables, *spec.node_variables, PUBLISHED}
    unknown = sorted(name for name in given.names if name.startswith(PREFIX) and name not in known)
    if not unknown:
        return ""
    likely = nearest(unknown[0], variables)
    remedy = f"Did you mean {likely}?" if likely else "Correct the name, or remove the variable."
    return f"Could not start {caller}: {joined(unknown)} not read by any playbook. {remedy}"


def _missing(spec: Specification, caller: Caller, given: Given) -> str:
    missing = [v for v in caller.variables(spec) if caller.needs(v) and is_empty(given.values.get(caller.name_of(v)))]
    if _is_pool_optional(caller, given):
        missing = [v for v in missing if v.name != "image_mode_pool"]
    if not missing:
        return ""
    names = joined([caller.name_of(v) for v in missing])
    if caller.playbook:
        what = "it" if len(missing) == 1 else "them"
        remedy = f"Set {what} in a file (-e @FILE), in the inventory or in the survey"
        return f"Could not start {caller}: {names} not set. {remedy}."
    return f"Could not start {caller}: {names} not set. Set it, or {', '.join(v.name for v in missing)}."


def _is_pool_optional(caller: Caller, given: Given) -> bool:
    """Return whether the inventory names the pool of each host."""
    return caller.role == "verify_nodes" and given.values.get("verify_nodes_transport") == "connection"


def _wrong_value(spec: Specification, caller: Caller, given: Given) -> str:
    for variable in caller.variables(spec):
        name = caller.name_of(variable)
        value = given.values.get(name)
        if is_empty(value):
            continue
        try:
            check_value(variable, value)
            if variable.check == "secrets":
                read_secrets(value, name, given.read, given.environment)
        except Problem as problem:
            return _line(name, problem)
    return ""


def _contradiction(spec: Specification, caller: Caller, given: Given) -> str:
    by_name = {v.name: caller.name_of(v) for v in caller.variables(spec)}
    if "image_mode_containerfile" not in by_name:
        return ""
    text, path = by_name["image_mode_containerfile"], by_name["image_mode_containerfile_path"]
    try:
        containerfile_text(_text(given, text), _text(given, path), (text, path), given.read)
    except Problem as problem:
        return _line(path if _text(given, path) else text, problem)
    only_created = [by_name[n] for n in _POOL_CREATED_HERE if given.values.get(by_name[n]) not in (None, "", {})]
    create = by_name["image_mode_create_pool"]
    if only_created and not _is_true(given.values.get(create)):
        reason = f"it is for a pool that is created here, and {create} is not true"
        return _line(only_created[0], Problem(reason, f"Set {create}, or remove {only_created[0]}"))
    return ""


def _text(given: Given, name: str) -> str:
    value = given.values.get(name)
    return "" if is_empty(value) else str(value)


def _is_true(value: t.Any) -> bool:
    return value is True or str(value).strip().lower() in ("true", "yes", "on", "1", "y", "t")


def _line(name: str, problem: Problem) -> str:
    return f"Could not use variable {name}: {problem.reason}. {problem.remedy.rstrip('.')}."
