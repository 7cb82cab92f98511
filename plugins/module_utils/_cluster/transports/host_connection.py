# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command on a host over Ansible's own connection to it. The host needs no Python, and no API is used."""

from __future__ import annotations

import math
import re
import shlex
import time
import typing as t
from dataclasses import dataclass, replace
from functools import partial

from ..._errors import OperationError
from ..._model.findings import FindingId
from ..._model.objects.node import NodeState
from ..._model.proof.verdict import CommandResult
from ..._model.text import legible
from ..exec import MAX_STDOUT
from .transport import STATUS, Access, no_response, with_retries

_READ_BOOT_ID = "cat /proc/sys/kernel/random/boot_id"
_BOOT_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_HIGHEST_STATUS = 255
_TIMED_OUT = (124, 143)
"""The exit statuses with which ``timeout`` of coreutils and of busybox report that the command was ended."""


@dataclass(frozen=True)
class HostConnection:
    """Runs the command on one host.

    :param run: runs a command on the host, and returns ``rc``, ``stdout`` and ``stderr``. It raises OSError if the
        connection breaks.
    :param node_timeout: seconds for the command
    :param host_root: the directory to which the command changes its root, empty for none
    """

    run: t.Callable[[str], t.Mapping[str, t.Any]]
    node_timeout: float
    host_root: str
    name: t.ClassVar[str] = "connection"

    @classmethod
    def create(cls, access: Access) -> HostConnection:
        """Return a transport with these settings.

        :raises OperationError: there is no connection to a host
        """
        if access.run_on_host is None:
            reason = "transport connection needs the action plugin, which did not run"
            raise OperationError("verify Node", reason, "Call the module as imagemode.openshift.node_image_verify")
        return cls(access.run_on_host, access.node_timeout, access.host_root)

    def query(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, CommandResult], None, None]:
        """Yield the node of the host with its reply and the ID of its current boot."""
        for node in nodes:
            boot_id, reply = self._query_one(node)
            yield replace(node, boot_id=boot_id), reply

    def _query_one(self, node: NodeState) -> tuple[str, CommandResult]:
        boot_ids: list[str] = []
        reply = with_retries(partial(self._attempt, node, boot_ids), self.node_timeout, wait=time.sleep)
        return (boot_ids[-1] if boot_ids else ""), reply

    def _attempt(self, node: NodeState, boot_ids: list[str], timeout: float) -> CommandResult:
        root = ["chroot", self.host_root] if self.host_root else []
        command = shlex.join(["timeout", str(math.ceil(timeout)), *root, *STATUS])
        try:
            boot_ids.append(_boot_id(self.run(_READ_BOOT_ID)))
            ended = self.run(command)
        except OSError as error:
            message = legible(f"no connection to Node {node.name} ({error})")
            return CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=message)
        if ended.get("rc") in _TIMED_OUT:
            return no_response(node, self.node_timeout)
        return _reply(ended)


def _boot_id(ended: t.Mapping[str, t.Any]) -> str:
    """Return the ID of the boot, or an empty text if the host did not report a valid one."""
    stdout = ended.get("stdout")
    if ended.get("rc") != 0 or not isinstance(stdout, str):
        return ""
    boot_id = stdout.strip()
    return boot_id if _BOOT_ID.fullmatch(boot_id) else ""


def _reply(ended: t.Mapping[str, t.Any]) -> CommandResult:
    """Read the result of a connection plugin. Any content is a valid reply, never an exception."""
    exit_status, stdout, stderr = ended.get("rc"), ended.get("stdout"), ended.get("stderr")
    stderr = stderr if isinstance(stderr, str) else ""
    if isinstance(exit_status, bool) or not isinstance(exit_status, int) or not isinstance(stdout, str):
        return _failed("the result of the command cannot be read", stderr)
    if abs(exit_status) > _HIGHEST_STATUS:
        return _failed("the exit status of the command is not valid", stderr)
    if len(stdout) > MAX_STDOUT:
        message = f"the command wrote more than {MAX_STDOUT >> 20} MiB"
        return CommandResult(failure=FindingId.NODE_OUTPUT_UNREADABLE, failure_message=message)
    return CommandResult(exit_status, stdout, stderr)


def _failed(message: str, stderr: str) -> CommandResult:
    return CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=message, stderr=stderr)
