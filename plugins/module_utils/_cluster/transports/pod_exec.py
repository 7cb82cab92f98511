# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask nodes in the pods of their machine-config-daemons: nothing is created, and each answer has its exit status."""

from __future__ import annotations

import random
import time
import typing as t
from dataclasses import dataclass

from ..._model.findings import FindingId
from ..._model.objects.node import NodeState
from ..._model.objects.resources import OPERATOR_NAMESPACE
from ..._model.proof.verdict import CommandResult
from ..daemon_pods import CONTAINER, daemon_pods
from ..exec import ExecRefused, ExecTimedOut, ExecTooLong, run_in_container
from ..session import Session
from .transport import STATUS, side_by_side

_ATTEMPTS = 3
_DENIED = (401, 403)


@dataclass(frozen=True)
class PodExec:
    """Runs the command through the API server, a connection and a deadline of its own for each node.

    :param host_root: where the node's root file system is mounted in the daemon's pod
    :param node_timeout: seconds that one node has to answer, all attempts together
    """

    session: Session
    concurrency: int
    node_timeout: float
    host_root: str
    name: t.ClassVar[str] = "pod_exec"

    def ask(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, CommandResult], None, None]:
        """Yield every node with its answer.

        :raises OperationError: the daemons' pods cannot be listed
        """
        pods = daemon_pods(self.session)
        return side_by_side(nodes, self.concurrency, lambda node: self._ask_one(node, pods.get(node.name)))

    def _ask_one(self, node: NodeState, pod: str | None) -> CommandResult:
        """Ask one node, again when the connection breaks; a definite answer is never asked for again."""
        if pod is None:
            finding = FindingId.NODE_NO_DAEMON_POD if node.ready else FindingId.NODE_NOT_READY
            why = "has no running machine-config-daemon pod" if node.ready else "is not Ready"
            return CommandResult(failure=finding, failure_message=f"Node {node.name} {why}")
        deadline = time.monotonic() + self.node_timeout
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._attempt(node, pod, max(0.1, deadline - time.monotonic()))
            if answer.failure != FindingId.NODE_EXEC_FAILED or attempt == _ATTEMPTS:
                break
            pause = random.uniform(0.2, 1.0)
            if time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
        return answer

    def _attempt(self, node: NodeState, pod: str, timeout: float) -> CommandResult:
        command = ["chroot", self.host_root, *STATUS]
        try:
            output = run_in_container(self.session.connection, OPERATOR_NAMESPACE, pod, CONTAINER, command, timeout)
        except ExecTimedOut:
            message = f"Node {node.name} did not answer within {self.node_timeout:g} s"
            return CommandResult(failure=FindingId.NODE_NO_RESPONSE, failure_message=message)
        except ExecTooLong as error:
            return CommandResult(failure=FindingId.NODE_OUTPUT_UNREADABLE, failure_message=str(error))
        except ExecRefused as refused:
            finding = FindingId.NODE_EXEC_FORBIDDEN if refused.status in _DENIED else FindingId.NODE_EXEC_FAILED
            return CommandResult(failure=finding, failure_message=str(refused))
        if output.exit_status is None:
            return CommandResult(
                failure=FindingId.NODE_EXEC_FAILED, failure_message=output.message, stderr=output.stderr
            )
        return CommandResult(output.exit_status, output.stdout, output.stderr)
