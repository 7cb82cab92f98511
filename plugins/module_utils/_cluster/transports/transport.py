# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts that all transports share. A transport queries nodes and yields a reply for each, in any order."""

from __future__ import annotations

import random
import time
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
from ..session import Session

STATUS = ("rpm-ostree", "status", "--json")
"""The only command that is run on a node. It changes nothing."""

_ATTEMPTS = 3
"""Attempts of a command whose connection breaks."""
LEAST_TIME = 0.1
"""Seconds that an attempt has at least."""


@dataclass(frozen=True)
class ReportedState:
    """The state of a node as the operator reports it in the API.

    :ivar image: the booted image, empty if none is reported
    """

    image: str


NodeReply = t.Union[CommandResult, ReportedState]
"""The reply of a transport for one node."""


@dataclass(frozen=True)
class Access:
    """The means and settings with which transports are created.

    :ivar session: a session with the API server, None without one
    :ivar run_on_host: runs a command over Ansible's connection to a host, None without one. It raises OSError if the
        connection breaks.
    :ivar concurrency: nodes that are queried at the same time
    :ivar node_timeout: seconds for one node, all attempts included
    :ivar host_root: the path at which the root file system of the node is mounted, empty for no change of the root
    :ivar warn: receives warnings for the user
    """

    session: Session | None = None
    run_on_host: t.Callable[[str], t.Mapping[str, t.Any]] | None = None
    concurrency: int = 1
    node_timeout: float = 60.0
    host_root: str = ""
    warn: t.Callable[[str], None] = lambda warning: None

    def required_session(self) -> Session:
        """Return the session.

        :raises OperationError: none is available
        """
        if self.session is None:
            raise OperationError("query nodes", "this transport needs a connection to the API", "Set another transport")
        return self.session


class Transport(t.Protocol):
    """Queries nodes for their booted image."""

    @property
    def name(self) -> str:
        """The value of the option ``transport``."""

    @classmethod
    def create(cls, access: Access) -> Transport:
        """Return a transport with these means and settings.

        :raises OperationError: the transport needs other means
        """

    def query(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, NodeReply], None, None]:
        """Yield every node exactly once with its reply, in the order of the replies.

        The caller closes the generator, which removes everything that was created for the query.

        :raises OperationError: no node could be queried
        """


def query_in_parallel(
    nodes: t.Sequence[NodeState], concurrency: int, query: t.Callable[[NodeState], CommandResult]
) -> t.Generator[tuple[NodeState, CommandResult], None, None]:
    """Query several nodes at the same time. No more than *concurrency* replies are kept, because they can be large.

    An exception of one node becomes that node's reply. When the caller closes the generator, no further node is
    queried, and running queries are not waited for.
    """
    at_once = max(1, min(concurrency, len(nodes)))
    workers = ThreadPoolExecutor(at_once, thread_name_prefix="query")
    left = iter(nodes)
    finished: SimpleQueue[Future[CommandResult]] = SimpleQueue()
    running: dict[Future[CommandResult], NodeState] = {}

    def start(count: int) -> None:
        for node in islice(left, count):
            future = workers.submit(_reply_of, node, query)
            running[future] = node
            future.add_done_callback(finished.put)

    try:
        start(at_once)
        while running:
            done = finished.get()
            node = running.pop(done)
            start(1)
            yield node, done.result()
    finally:
        workers.shutdown(wait=False, cancel_futures=True)


def _reply_of(node: NodeState, query: t.Callable[[NodeState], CommandResult]) -> CommandResult:
    try:
        return query(node)
    except OperationError as error:
        return CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=str(error))
    except Exception as error:  # noqa: BLE001 - one node must not end the verification of all
        message = f"the query failed with {name_of(error)}"
        return CommandResult(failure=FindingId.NODE_UNEXPECTED_ERROR, failure_message=message)


def with_retries(
    attempt: t.Callable[[float], CommandResult], timeout: float, wait: t.Callable[[float], bool | None]
) -> CommandResult:
    """Run a command again while its connection breaks. A definite reply is final.

    :param attempt: runs the command within so many seconds
    :param timeout: seconds for all attempts together
    :param wait: waits so many seconds, and returns whether to give up
    """
    deadline = time.monotonic() + timeout
    left = _ATTEMPTS
    while True:
        result = attempt(max(LEAST_TIME, deadline - time.monotonic()))
        left -= 1
        pause = random.uniform(0.2, 1.0)
        is_last = not left or time.monotonic() + pause >= deadline
        if result.failure != FindingId.NODE_EXEC_FAILED or is_last or wait(pause):
            return result


def no_response(node: NodeState, timeout: float) -> CommandResult:
    """Return the reply of a node that did not respond in time."""
    message = f"Node {node.name} did not answer within {timeout:g} s"
    return CommandResult(failure=FindingId.NODE_NO_RESPONSE, failure_message=message)
