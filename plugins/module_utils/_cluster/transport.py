# SPDX-License-Identifier: GPL-3.0-or-later
"""What every way of asking nodes has in common: many nodes in, an answer for each out, as they come."""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass

from .._model.node import NodeState
from .._model.verdict import Answer

STATUS = ("rpm-ostree", "status", "--json")
"""The one command that is ever run on a node; it changes nothing."""


@dataclass(frozen=True)
class Claim:
    """What is said of a node that was not asked itself.

    :ivar image: the image that it is said to have booted, empty when nothing is said
    """

    image: str


Word = t.Union[Answer, Claim]
"""What a transport brings back about a node."""


class Transport(t.Protocol):
    """A way to ask nodes what they have booted."""

    @property
    def name(self) -> str:
        """How users call it."""

    def ask(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, Word], None, None]:
        """Yield every node exactly once with its answer, in the order in which the answers come.

        To be closed by whoever has seen enough: what was made for it is removed then.

        :raises Refused: nobody could be asked
        """


def side_by_side(
    nodes: t.Sequence[NodeState], concurrency: int, ask_one: t.Callable[[NodeState], Answer]
) -> t.Generator[tuple[NodeState, Answer], None, None]:
    """Ask so many nodes at once; an answer that was handed on is kept no longer, for a thousand of them are large.

    Nobody else is asked once the caller has seen enough; those who are being asked are not waited for.
    """
    workers = ThreadPoolExecutor(max(1, min(concurrency, len(nodes))), thread_name_prefix="ask")
    try:
        waiting = {workers.submit(ask_one, node): node for node in nodes}
        for done in as_completed(list(waiting)):
            yield waiting.pop(done), done.result()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)
