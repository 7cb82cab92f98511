# SPDX-License-Identifier: GPL-3.0-or-later
"""Combine the verification results of the hosts of a play on the controller."""

from __future__ import annotations

import json
import typing as t

from ansible.errors import AnsibleActionFail

from ..module_utils._model.objects.timestamp import timestamp_now
from ..module_utils._model.text import all_printable
from ..module_utils._operation.summarize_hosts import HostResult, summarize_hosts
from ..plugin_utils._error_boundary import ErrorBoundaryAction

OPTIONS: t.Mapping[str, t.Mapping[str, t.Any]] = {
    "registered": {"type": "str", "required": True},
    "hosts": {"type": "list", "elements": "str"},
}

_KNOWN = (
    "image_mode_node", "image_mode_pool", "image_mode_pool_size", "image_mode_cluster", "image_mode_expected"
)  # fmt: skip


class ActionModule(ErrorBoundaryAction):
    """Includes every host of the play, so that a failed or unreachable host is not forgotten."""

    _supports_async = False
    _requires_connection = False

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        dummy, options = self.validate_argument_spec(argument_spec={name: dict(spec) for name, spec in OPTIONS.items()})
        hosts = options["hosts"] if options["hosts"] is not None else task_vars.get("ansible_play_hosts_all")
        if options["hosts"] is None and _later_hosts(task_vars, options["registered"]):
            return {"changed": False, "skipped": True, "skip_reason": "hosts of later batches are not verified yet"}
        if not hosts:
            raise AnsibleActionFail("Could not summarize verdicts: the play has no hosts. Set hosts.")
        results = [_host_result(host, task_vars["hostvars"], options["registered"]) for host in sorted(map(str, hosts))]
        summary = summarize_hosts(results, timestamp_now())
        return t.cast("dict[str, t.Any]", all_printable(summary))


def _later_hosts(task_vars: t.Mapping[str, t.Any], registered: str) -> list[str]:
    """Return the hosts of later batches of a play with serial, which have no result yet."""
    batch = set(task_vars.get("ansible_play_batch") or ())
    later = [host for host in task_vars.get("ansible_play_hosts") or () if host not in batch]
    return [host for host in later if registered not in task_vars["hostvars"][host]]


def _host_result(host: str, variables: t.Mapping[str, t.Any], registered: str) -> HostResult:
    if host not in variables:
        raise AnsibleActionFail(f"Could not summarize verdicts: host {host} does not exist. Correct hosts.")
    own = variables[host]
    # ansible-core 2.19 and later tags strings; the result needs plain ones.
    plain = json.loads(json.dumps([own.get(registered) or {}, {n: own[n] for n in _KNOWN if n in own}], default=str))
    return HostResult(host, *plain)
