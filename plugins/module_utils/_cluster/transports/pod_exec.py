# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command in the pods of the machine-config-daemon. Nothing is created, and the exit status is known."""

from __future__ import annotations

import time
import typing as t
from dataclasses import dataclass

from ..._model.findings import FindingId
from ..._model.objects.node import NodeState
from ..._model.objects.resources import OPERATOR_NAMESPACE
from ..._model.proof.verdict import CommandResult
from ..api_error import DENIED
from ..daemon_pods import CONTAINER, DaemonPods, daemon_pods
from ..exec import ExecFailed, ExecTimedOut, ExecTooLong, run_in_container
from ..session import Session
from .transport import LEAST_TIME, STATUS, Access, no_response, query_in_parallel, with_retries

_INTERVAL = 1.0
"""Seconds between two looks for a pod that is being replaced."""


@dataclass(frozen=True)
class PodExec:
    """Runs the command through the API server, with a connection and a deadline of its own for each node.

    :param host_root: the path at which the node's root file system is mounted in the pod
    :param node_timeout: seconds for one node, all attempts included
    """

    session: Session
    concurrency: int
    node_timeout: float
    host_root: str
    name: t.ClassVar[str] = "pod_exec"

    @classmethod
    def create(cls, access: Access) -> PodExec:
        """Return a transport with these settings."""
        return cls(access.required_session(), access.concurrency, access.node_timeout, access.host_root)

    def query(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, CommandResult], None, None]:
        """Yield every node with its reply.

        :raises OperationError: the pods of the machine-config-daemon cannot be listed
        """
        pods = daemon_pods(self.session)
        return query_in_parallel(nodes, self.concurrency, lambda node: self._query_one(node, pods))

    def _query_one(self, node: NodeState, pods: DaemonPods) -> CommandResult:
        pod = pods.running.get(node.name, "")
        if not pod and node.name not in pods.replaced:
            return _without_pod(node)
        return with_retries(_Attempts(self, node, pod).attempt, self.node_timeout, wait=time.sleep)

    def run_in_pod(self, node: NodeState, pod: str, timeout: float) -> CommandResult:
        """Run the command in the daemon pod of a node.

        :param timeout: seconds
        """
        command = ["chroot", self.host_root, *STATUS]
        try:
            output = run_in_container(self.session.connection, OPERATOR_NAMESPACE, pod, CONTAINER, command, timeout)
        except ExecTimedOut:
            return no_response(node, self.node_timeout)
        except ExecTooLong as error:
            return CommandResult(failure=FindingId.NODE_OUTPUT_UNREADABLE, failure_message=str(error))
        except ExecFailed as error:
            finding = FindingId.NODE_EXEC_FORBIDDEN if error.status in DENIED else FindingId.NODE_EXEC_FAILED
            return CommandResult(failure=finding, failure_message=str(error))
        if output.exit_status is None:
            message = output.message
            return CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=message, stderr=output.stderr)
        return CommandResult(output.exit_status, output.stdout, output.stderr)


class _Attempts:
    """The attempts of a command on one node. The operator can replace the pod between two of them.

    Source: docs/operator-behavior.md ("Running commands on nodes").

    :param pod: the pod for the first attempt; empty if the pod is being replaced
    """

    def __init__(self, transport: PodExec, node: NodeState, pod: str) -> None:
        self._transport = transport
        self._node = node
        self._pod = pod

    def attempt(self, timeout: float) -> CommandResult:
        """Run the command. Each further attempt looks for the pod again, and waits until it runs."""
        deadline = time.monotonic() + timeout
        pod = self._pod or self._running_pod(deadline)
        self._pod = ""
        if not pod:
            return _without_pod(self._node)
        return self._transport.run_in_pod(self._node, pod, max(LEAST_TIME, deadline - time.monotonic()))

    def _running_pod(self, deadline: float) -> str:
        """Return the name of the pod, or an empty text if none runs before the deadline."""
        while True:
            pod = daemon_pods(self._transport.session, self._node.name).running.get(self._node.name, "")
            if pod or time.monotonic() + _INTERVAL >= deadline:
                return pod
            time.sleep(_INTERVAL)


def _without_pod(node: NodeState) -> CommandResult:
    finding = FindingId.NODE_NO_DAEMON_POD if node.ready else FindingId.NODE_NOT_READY
    why = "has no running machine-config-daemon pod" if node.ready else "is not Ready"
    return CommandResult(failure=finding, failure_message=f"Node {node.name} {why}")
