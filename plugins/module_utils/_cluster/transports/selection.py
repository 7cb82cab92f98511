# SPDX-License-Identifier: GPL-3.0-or-later
"""Select the transport ``pod_exec`` if the account may use it, else ``api``. Neither creates anything."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._model.findings import FindingId
from ..._model.objects.node import NodeState
from ..._model.objects.resources import OPERATOR_NAMESPACE
from ..._model.proof.verdict import CommandResult
from ..permissions import Right, missing_rights
from .pod_exec import PodExec
from .reported_state import ReportedStates
from .transport import Access, NodeReply

_NEEDED = (
    Right("list", "pods", OPERATOR_NAMESPACE),
    Right("get", "pods/exec", OPERATOR_NAMESPACE),
    Right("create", "pods/exec", OPERATOR_NAMESPACE),
)
"""The permissions for ``pod_exec``. Clusters before 4.22 check only one of the last two, depending on the protocol
(docs/operator-behavior.md, "Running commands on nodes")."""


@dataclass
class AutoSelection:
    """Uses ``pod_exec`` if the account may, else ``api`` with a warning that this proves nothing."""

    pod_exec: PodExec
    reported_states: ReportedStates
    warn: t.Callable[[str], None]
    name: str = field(default=PodExec.name, init=False)
    """The transport that was used, valid after the query."""

    OPTION: t.ClassVar[str] = "auto"

    @classmethod
    def create(cls, access: Access) -> AutoSelection:
        """Return a transport with these settings."""
        return cls(PodExec.create(access), ReportedStates.create(access), access.warn)

    def query(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, NodeReply], None, None]:
        """Yield every node with its reply.

        :raises OperationError: the pods of the machine-config-daemon cannot be listed
        """
        if self.name == self.reported_states.name:
            return self.reported_states.query(nodes)
        missing = missing_rights(self.pod_exec.session, _NEEDED)
        if missing:
            return self._read_instead(nodes, f"the account may not {', '.join(map(str, missing))}")
        return self._query_until_denied(nodes)

    def _query_until_denied(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, NodeReply], None, None]:
        """Query nodes. If no node replies and one query was denied, all were denied.

        Beside a reply of any other node, a denial belongs to one node only.
        """
        kept: list[tuple[NodeState, CommandResult]] = []
        replies = self.pod_exec.query(nodes)
        for node, reply in replies:
            kept.append((node, reply))
            if reply.exit_status is not None:
                yield from kept
                yield from replies
                return
        denied = next((r.failure_message for dummy, r in kept if r.failure == FindingId.NODE_EXEC_FORBIDDEN), "")
        yield from self._read_instead(nodes, denied) if denied else kept

    def _read_instead(
        self, nodes: t.Sequence[NodeState], reason: str
    ) -> t.Generator[tuple[NodeState, NodeReply], None, None]:
        self.name = self.reported_states.name
        self.warn(
            f"The nodes were not queried: {reason}. The state that the operator reports (transport api) can show a "
            "mismatch and never prove a match. Grant the right, or set transport to api and fail_on to mismatch."
        )
        return self.reported_states.query(nodes)
