# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the nodes where that is permitted, else read what is said of them. Nothing is ever created for it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..._model.findings import FindingId
from ..._model.objects.node import NodeState
from ..._model.objects.resources import OPERATOR_NAMESPACE
from ..._model.proof.verdict import CommandResult
from ..permissions import Right, missing_rights
from .pod_exec import PodExec
from .reported_state import Claims
from .transport import Word

_NEEDED = (
    Right("list", "pods", OPERATOR_NAMESPACE),
    Right("get", "pods/exec", OPERATOR_NAMESPACE),
    Right("create", "pods/exec", OPERATOR_NAMESPACE),
)
"""What asking takes. Clusters before 4.22 ask for one of the last two only, depending on the protocol (node.md 4.2)."""


@dataclass
class Auto:
    """Takes ``pod_exec`` if the account may use it, else ``api``, and warns that this proves nothing."""

    pod_exec: PodExec
    claims: Claims
    warn: t.Callable[[str], None]
    name: str = field(default="pod_exec", init=False)
    """The way that was taken, known once there are answers."""

    def ask(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, Word], None, None]:
        """Yield every node with its answer, or with what is said of it.

        :raises OperationError: the daemons' pods cannot be listed
        """
        if self.name == self.claims.name:
            return self.claims.ask(nodes)
        lacking = missing_rights(self.pod_exec.session, _NEEDED)
        if lacking:
            return self._read_instead(nodes, f"the account may not {', '.join(map(str, lacking))}")
        return self._ask_until_answered(nodes)

    def _ask_until_answered(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, Word], None, None]:
        """Ask; where no node answers at all and one says that asking is forbidden, it is so for all.

        A refusal beside an answer is that node's own, whichever comes first.
        """
        held: list[tuple[NodeState, CommandResult]] = []
        answers = self.pod_exec.ask(nodes)
        for node, answer in answers:
            held.append((node, answer))
            if answer.exit_status is not None:
                yield from held
                yield from answers
                return
        forbidden = next((a.failure_message for dummy, a in held if a.failure == FindingId.NODE_EXEC_FORBIDDEN), "")
        yield from self._read_instead(nodes, forbidden) if forbidden else held

    def _read_instead(self, nodes: t.Sequence[NodeState], why: str) -> t.Generator[tuple[NodeState, Word], None, None]:
        self.name = self.claims.name
        self.warn(
            f"The nodes were not asked: {why}. What the operator's objects say of them (transport api) can show a "
            "mismatch and never prove a match. Grant the right, or choose transport api and let only a mismatch fail."
        )
        return self.claims.ask(nodes)
