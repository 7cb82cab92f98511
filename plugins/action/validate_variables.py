# SPDX-License-Identifier: GPL-3.0-or-later
"""Validate the variables of a playbook or a role. It runs where Ansible runs and sends no request to the cluster."""

from __future__ import annotations

import os
import time
import typing as t

from ansible.errors import AnsibleActionFail

from ..module_utils._errors import as_line
from ..plugin_utils._controller_files import reader
from ..plugin_utils._error_boundary import ErrorBoundaryAction
from ..plugin_utils._inventory_sources import inventory_problem
from ..plugin_utils._variables.batches import is_size_ignored
from ..plugin_utils._variables.specification import PREFIX, specification
from ..plugin_utils._variables.tags import selects_nothing
from ..plugin_utils._variables.validation import Caller, Given, first_problem
from ..plugin_utils._variables.values import is_empty

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "playbook": {"type": "str", "choices": ["apply", "verify", "verify_hosts"]},
    "role": {
        "type": "str",
        "choices": ["registry_access", "build_image", "roll_out", "verify_nodes", "evidence_report"],
    },
}

_SERIAL = "image_mode_serial"


class ActionModule(ErrorBoundaryAction):
    """Reads the variables of the host by the names in the specification."""

    _supports_async = False
    _requires_connection = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(
            argument_spec={name: dict(spec) for name, spec in OPTIONS.items()},
            mutually_exclusive=[tuple(OPTIONS)],
            required_one_of=[tuple(OPTIONS)],
        )
        started_at = int(time.time())
        problem = self._problem(Caller(options["playbook"] or "", options["role"] or ""), task_vars)
        if problem:
            return {"failed": True, "changed": False, "msg": as_line(problem)}
        return {"changed": False, "started_at": started_at, "playbook": options["playbook"]}

    def _problem(self, caller: Caller, task_vars: t.Mapping[str, t.Any]) -> str:
        if caller.playbook:
            problem = self._wrong_tags(caller, task_vars) or _wrong_host(caller, task_vars)
            if problem:
                return problem
        spec = specification()
        names = [caller.name_of(variable) for variable in caller.variables(spec)]
        try:
            values = {name: self._value(name, task_vars) for name in names if name in task_vars}
        except AnsibleActionFail as failure:
            return str(failure)
        known = [str(name) for name in task_vars if str(name).startswith(PREFIX)]
        given = Given(values, known, reader(self._loader), dict(os.environ))
        return (
            first_problem(spec, caller, given)
            or _ignored_serial(values, task_vars)
            or self._missing_hosts(caller, values, task_vars)
        )

    def _missing_hosts(self, caller: Caller, values: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> str:
        """Return why nodes may be missing from a play over nodes, or an empty text."""
        if caller.playbook != "verify_hosts":
            return ""
        problem = inventory_problem(self._loader, str(values["image_mode_hosts"]), task_vars)
        return f"Could not start {caller}: {problem}" if problem else ""

    def _value(self, name: str, task_vars: t.Mapping[str, t.Any]) -> t.Any:
        try:
            return self._templar.template(task_vars[name])
        except Exception as error:  # noqa: BLE001 - a template can raise anything
            reason = as_line(str(error)).rstrip(".")
            message = f"Could not use variable {name}: its template fails ({reason}). Correct the template."
        raise AnsibleActionFail(message)

    def _wrong_tags(self, caller: Caller, task_vars: t.Mapping[str, t.Any]) -> str:
        requested = [str(tag) for tag in task_vars.get("ansible_run_tags") or ["all"]]
        skipped = [str(tag) for tag in task_vars.get("ansible_skip_tags") or ()]
        if not selects_nothing(self._task.tags, requested, skipped):
            return ""
        if not selects_nothing(self._task.tags, requested):
            what, option = f"--skip-tags {','.join(skipped)} skips all of its tasks", "--skip-tags"
        else:
            what, option = f"--tags {','.join(requested)} selects none of its tasks", "--tags"
        return f"Could not start {caller}: {what}. Leave {option} out."


def _wrong_host(caller: Caller, task_vars: t.Mapping[str, t.Any]) -> str:
    if caller.playbook == "verify_hosts" or "image_mode_node" not in task_vars:
        return ""
    host = task_vars.get("inventory_hostname")
    return (
        f"Could not start {caller}: host {host} is a node, and this playbook needs hosts that are pools of a cluster. "
        "Remove image_mode_hosts, or run imagemode.openshift.verify_hosts."
    )


def _ignored_serial(values: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]) -> str:
    """Return that variables of the inventory do not divide the hosts of a play into batches, or an empty text."""
    size, hosts = values.get(_SERIAL), task_vars.get("ansible_play_hosts_all") or ()
    if is_empty(size) or not is_size_ignored(size, task_vars.get("ansible_play_batch") or (), hosts):
        return ""
    return (
        f"Could not use variable {_SERIAL}: Ansible divides the hosts of a play before it reads the variables of "
        f"a host, so all of them would be handled at the same time. Give it with -e {_SERIAL}={size} or in the survey."
    )
