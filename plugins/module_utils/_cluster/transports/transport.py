# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of asking nodes has in common: many nodes in, an answer for each out, as they come."""

from __future__ import annotations

import typing as t
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from queue import SimpleQueue

from ..._errors import OperationError
from ..._model.fault import name_of
from ..._model.findings import FindingId
from ..._model.objects.node import NodeState
from ..._model.proof.verdict import CommandResult

STATUS = ("rpm-ostree", "status", "--json")
"""The one command that is ever run on a node; it changes nothing."""


@dataclass(frozen=True)
class Claim:
    """What is said of a node that was not asked itself.

    :ivar image: the image that it is said to have booted, empty when nothing is said
    """

    image: str


Word = t.Union[CommandResult, Claim]
"""What a transport brings back about a node."""


class Transport(t.Protocol):
    """A way to ask nodes what they have booted."""

    @property
    def name(self) -> str:
        """How users call it."""

    def ask(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, Word], None, None]:
        """Yield every node exactly once with its answer, in the order in which the answers come.

        To be closed by whoever has seen enough: what was made for it is removed then.

        :raises OperationError: nobody could be asked
        """


def side_by_side(
    nodes: t.Sequence[NodeState], concurrency: int, ask_one: t.Callable[[NodeState], CommandResult]
) -> t.Generator[tuple[NodeState, CommandResult], None, None]:
    """Ask so many nodes at once; there are never more answers than that which nobody has taken, for they can be large.

    Whatever goes wrong with one node is that node's answer. No other node is asked once the caller has seen enough;
    those that are being asked are not waited for.
    """
    at_once = max(1, min(concurrency, len(nodes)))
    workers = ThreadPoolExecutor(at_once, thread_name_prefix="ask")
    left = iter(nodes)
    answered: SimpleQueue[Future[CommandResult]] = SimpleQueue()
    asked: dict[Future[CommandResult], NodeState] = {}

    def ask_next(count: int) -> None:
        for node in islice(left, count):
            asking = workers.submit(_answer_of, node, ask_one)
            asked[asking] = node
            asking.add_done_callback(answered.put)

    try:
        ask_next(at_once)
        while asked:
            done = answered.get()
            node = asked.pop(done)
            ask_next(1)
            yield node, done.result()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _answer_of(node: NodeState, ask_one: t.Callable[[NodeState], CommandResult]) -> CommandResult:
    try:
        return ask_one(node)
    except OperationError as refused:
        return CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=str(refused))
    except Exception as error:  # noqa: BLE001 - one node must not end the verification of all
        return CommandResult(
            failure=FindingId.NODE_UNEXPECTED_ERROR, failure_message=f"asking failed with {name_of(error)}"
        )
