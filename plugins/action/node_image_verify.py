# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove which image nodes have booted: by the module of the same name, or on the host itself over its connection."""

from __future__ import annotations

import re
import shlex
import typing as t
from datetime import datetime, timezone

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from ..module_utils._cluster.exec import MAX_STDOUT
from ..module_utils._cluster.transports.transport import STATUS
from ..module_utils._errors import OperationError
from ..module_utils._model.findings import FindingId, legible
from ..module_utils._model.printable import all_printable
from ..module_utils._model.proof.deviation import Allowed
from ..module_utils._model.proof.verdict import CommandResult, Expected, Verdict
from ..module_utils._operation.expected_image import expected_by_inventory, expected_by_option
from ..module_utils._operation.verify_answer import TRANSPORT, Asked, verify_answer
from ..module_utils._options import CONNECTION
from ..modules.node_image_verify import OPTIONS
from ..plugin_utils._api_action import ApiAction

_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_OF_THE_INVENTORY = (
    "image_mode_node", "image_mode_pool", "image_mode_cluster", "image_mode_expected", "image_mode_read_at",
    "image_mode_cached",
)  # fmt: skip
"""Variables of a host that the inventory imagemode.openshift.nodes has read of the cluster."""
_BOOT_ID_SAID = re.compile(r"[0-9A-Za-z-]{1,64}")
_HIGHEST_STATUS = 255
_TIMED_OUT = (124, 143)
"""How the timeout of coreutils, and that of busybox, says that it ended the command."""


class ActionModule(ApiAction):
    """Runs the module, or for transport ``connection`` the command itself, over Ansible's connection to the host.

    With transport ``connection`` the node needs no Python, and no request is sent to the API.
    """

    MODULE = "imagemode.openshift.node_image_verify"

    def run_task(self, task_vars: dict[str, t.Any]) -> dict[str, t.Any]:
        """Return the verdicts."""
        if self._task.args.get("transport") != TRANSPORT:
            return super().run_task(task_vars)
        spec = {name: dict(option) for name, option in {**CONNECTION, **OPTIONS}.items()}
        dummy, options = self.validate_argument_spec(argument_spec=spec)
        known = {name: self._templar.template(task_vars[name]) for name in _OF_THE_INVENTORY if name in task_vars}
        self._refuse_what_is_not_for_one_host(options, known)
        return _printable(self._verify(options, known, str(task_vars.get("inventory_hostname", ""))))

    def _refuse_what_is_not_for_one_host(self, options: t.Mapping[str, t.Any], known: t.Mapping[str, t.Any]) -> None:
        if self._task.async_val:
            raise AnsibleActionFail("Could not verify Node: transport connection cannot be async. Leave async out.")
        if not options["expected_image"] and known.get("image_mode_expected") is None:
            raise AnsibleActionFail(
                "Could not verify Node: transport connection does not ask the cluster what is expected, and the "
                "inventory does not say it. Give expected_image."
            )
        if options["label_selector"] or len(options["nodes"] or []) > 1:
            raise AnsibleActionFail(
                "Could not verify Node: transport connection asks the host that the task runs on. "
                "Leave label_selector out, and give nodes only to say the node's name."
            )

    def _verify(self, options: t.Mapping[str, t.Any], known: t.Mapping[str, t.Any], host: str) -> dict[str, t.Any]:
        name = str(options["nodes"][0] if options["nodes"] else known.get("image_mode_node") or host)
        expected, cached_at = _expected(options, known, f"verify Node {name}")
        try:
            allowed = Allowed.of(options["allowed_deviations"])
        except ValueError as error:
            raise OperationError(f"verify Node {name}", f"allowed_deviations: {error}", "Correct the entry") from None
        verified_at = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        boot_id, answer = self._ask(name, options["host_root"] or "", options["node_timeout"])
        asked = Asked(
            name=name,
            pool=str(options["pool"] or known.get("image_mode_pool") or ""),
            boot_id=boot_id,
            verified_at=verified_at,
            expected=expected,
            allowed=allowed,
            fail_on=frozenset(map(Verdict, options["fail_on"])),
            cached_at=cached_at,
            cluster=known.get("image_mode_cluster"),
        )
        return verify_answer(asked, answer)

    def _ask(self, name: str, host_root: str, timeout: int) -> tuple[str, CommandResult]:
        """Return the id of the node's boot, empty when it does not say, and its answer."""
        command = ["timeout", str(timeout), *(["chroot", host_root] if host_root else []), *STATUS]
        try:
            boot = self._run(_BOOT_ID)
            ended = self._run(shlex.join(command))
        except AnsibleConnectionFailure as failure:
            message = legible(f"no connection to Node {name} ({failure})")
            return "", CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=message)
        return _boot_id(boot), _answer(ended, f"Node {name} did not answer within {timeout} s")

    def _run(self, command: str) -> dict[str, t.Any]:
        # Only where a password may have to be typed is a terminal worth it: it mixes stderr into the answer.
        ended: dict[str, t.Any] = self._low_level_execute_command(command, sudoable=self._connection.become is not None)
        return ended


def _boot_id(ended: t.Mapping[str, t.Any]) -> str:
    said = ended.get("stdout")
    if ended.get("rc") != 0 or not isinstance(said, str):
        return ""
    boot_id = said.strip()
    return boot_id if _BOOT_ID_SAID.fullmatch(boot_id) else ""


def _answer(ended: t.Mapping[str, t.Any], no_answer: str) -> CommandResult:
    """Read what a connection plugin brought back: whatever the node made of it is an answer, and none is an error."""
    exit_status, stdout, stderr = ended.get("rc"), ended.get("stdout"), ended.get("stderr")
    stderr = stderr if isinstance(stderr, str) else ""
    if isinstance(exit_status, bool) or not isinstance(exit_status, int) or not isinstance(stdout, str):
        return CommandResult(
            failure=FindingId.NODE_EXEC_FAILED, failure_message="the command's end cannot be read", stderr=stderr
        )
    if exit_status in _TIMED_OUT:
        return CommandResult(failure=FindingId.NODE_NO_RESPONSE, failure_message=no_answer, stderr=stderr)
    if abs(exit_status) > _HIGHEST_STATUS:
        return CommandResult(
            failure=FindingId.NODE_EXEC_FAILED, failure_message="the command's exit status is none", stderr=stderr
        )
    if len(stdout) > MAX_STDOUT:
        message = f"the command wrote more than {MAX_STDOUT >> 20} MiB"
        return CommandResult(failure=FindingId.NODE_OUTPUT_UNREADABLE, failure_message=message)
    return CommandResult(exit_status, stdout, stderr)


def _printable(result: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return t.cast("dict[str, t.Any]", all_printable(result))


def _expected(options: t.Mapping[str, t.Any], known: t.Mapping[str, t.Any], what: str) -> tuple[Expected, str]:
    """Return what the caller expects, else what the inventory read, and when it did if it only remembers that."""
    if options["expected_image"]:
        return expected_by_option(str(options["expected_image"]), what), ""
    cached_at = str(known.get("image_mode_read_at") or "an unknown time") if known.get("image_mode_cached") else ""
    return expected_by_inventory(known["image_mode_expected"], what), cached_at
