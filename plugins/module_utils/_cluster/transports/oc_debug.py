# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask nodes by ``oc debug``: a privileged pod on each, in a namespace that lives as long as the run.

``oc`` mixes what the command writes on its two streams, and turns every exit status into 1, so the answer is framed. An
``oc`` that hangs, or writes without end, is killed, and its pod goes with the namespace. It gets the credentials in
memory and of the environment only what it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import threading
import time
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

from ..._errors import OperationError
from ..._model.findings import FindingId, legible
from ..._model.objects.node import NodeState
from ..._model.proof.verdict import CommandResult
from ..exec import MAX_STDERR, MAX_STDOUT
from ..kubeconfig import kubeconfig_in_memory
from ..scratch_folder import scratch_folder
from ..session import Session
from .debug_namespace import debug_namespace
from .oc_debug_frame import framing_script, new_mark, read_framed
from .transport import STATUS, side_by_side

PROGRAM = "oc"

_ATTEMPTS = 3
_LAST_WORDS = 5.0
"""Seconds within which a killed program's pipes are closed."""
_PIECE = 65536
"""Bytes that are read from a pipe at once."""
_INHERITED = frozenset(("PATH", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"))
"""Variables that ``oc`` gets, in upper or lower case. Others can hold credentials of other programs. The proxy is in
the kubeconfig, so that it is the same for all requests."""
_SPARE = 120.0
"""Seconds that a run may last beyond the time of its nodes."""


@dataclass
class OcDebug:
    """Runs ``oc`` as the documentation says, for many nodes side by side.

    :param node_timeout: seconds that one node has to answer, the pull of the pod's image and all attempts included
    """

    session: Session
    concurrency: int
    node_timeout: float
    name: t.ClassVar[str] = "oc_debug"
    _running: set[asyncio.subprocess.Process] = field(default_factory=set, init=False, repr=False)
    _over: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def ask(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, CommandResult], None, None]:
        """Yield every node with its answer.

        :raises OperationError: there is no ``oc``, or the namespace cannot be created
        """
        program = shutil.which(PROGRAM)
        if program is None:
            raise OperationError(
                "ask nodes by oc debug",
                "there is no program oc in PATH",
                "Install the OpenShift client, or choose transport pod_exec",
            )
        rounds = -(-len(nodes) // max(1, self.concurrency))
        self._over.clear()
        lifetime = rounds * self.node_timeout + _SPARE
        with contextlib.ExitStack() as held:
            held.enter_context(_terminated_as_interrupted())
            home = held.enter_context(scratch_folder())
            kubeconfig = held.enter_context(kubeconfig_in_memory(self.session.connection))
            namespace = held.enter_context(debug_namespace(self.session, lifetime))
            held.callback(self._end_all)
            run = _Run(program, home, kubeconfig, namespace)
            yield from side_by_side(nodes, self.concurrency, lambda node: self._ask_one(run, node))

    def _ask_one(self, run: _Run, node: NodeState) -> CommandResult:
        if not node.ready:
            return CommandResult(failure=FindingId.NODE_NOT_READY, failure_message=f"Node {node.name} is not Ready")
        deadline = time.monotonic() + self.node_timeout
        for attempt in range(1, _ATTEMPTS + 1):
            answer = self._attempt(run, node, max(0.1, deadline - time.monotonic()))
            pause = random.uniform(0.2, 1.0)
            over = attempt == _ATTEMPTS or time.monotonic() + pause >= deadline
            if answer.failure != FindingId.NODE_EXEC_FAILED or over or self._over.wait(pause):
                break
        return answer

    def _attempt(self, run: _Run, node: NodeState, timeout: float) -> CommandResult:
        mark = new_mark()
        command = run.command(node.name, framing_script(STATUS, mark))
        try:
            said, complaint = asyncio.run(self._run_program(run, command, timeout))
        except _TooLong as error:
            return CommandResult(failure=FindingId.NODE_OUTPUT_UNREADABLE, failure_message=str(error))
        except asyncio.TimeoutError:
            message = f"Node {node.name} did not answer within {self.node_timeout:g} s"
            return CommandResult(failure=FindingId.NODE_NO_RESPONSE, failure_message=message)
        framed = read_framed(said, mark)
        if framed is None:
            words = complaint.strip().splitlines() or ["it was cut off"]
            message = legible(f"oc debug: {words[-1]}")
            return CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=message, stderr=complaint)
        return CommandResult(framed.exit_status, framed.stdout, framed.stderr)

    async def _run_program(self, run: _Run, command: t.Sequence[str], timeout: float) -> tuple[str, str]:
        """Run a program to its end and return what it wrote on its two streams.

        :raises asyncio.TimeoutError: it did not end in time, and was killed
        :raises _TooLong: it wrote too much, and was killed
        """
        with self._lock:
            if self._over.is_set():
                return "", "the run was given up"
            process = await asyncio.create_subprocess_exec(
                *command,
                env=run.environment,
                pass_fds=(run.kubeconfig,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                # A session of its own: an interrupt is ours to hear first, so that the namespace goes at the end.
                start_new_session=True,
            )
            self._running.add(process)
        try:
            return await asyncio.wait_for(_output(process), timeout)
        except asyncio.TimeoutError:
            _kill(process)
            with contextlib.suppress(asyncio.TimeoutError):  # read to the end, so that the pipes are closed
                await asyncio.wait_for(_dropped(process), _LAST_WORDS)
            raise
        finally:
            _kill(process)
            self._running.discard(process)

    def _end_all(self) -> None:
        with self._lock:
            self._over.set()
            for process in list(self._running):
                _kill(process)


@dataclass(frozen=True)
class _Run:
    """What the processes of one run have in common."""

    program: str
    home: Path
    kubeconfig: int
    """The number of the open file."""
    namespace: str

    @property
    def environment(self) -> dict[str, str]:
        """What a program finds in its environment.

        With a home of its own ``oc`` asks the API server once what it serves, and leaves nothing behind.
        """
        inherited = {name: value for name, value in os.environ.items() if name.upper() in _INHERITED}
        return {**inherited, "KUBECONFIG": f"/proc/self/fd/{self.kubeconfig}", "HOME": str(self.home)}

    def command(self, node: str, script: str) -> list[str]:
        target = [f"node/{node}", f"--to-namespace={self.namespace}"]
        return [self.program, "debug", "--quiet", *target, "--", "chroot", "/host", "/bin/sh", "-c", script]


class _TooLong(Exception):
    """A program wrote more than is read."""


async def _output(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Return what a program writes on its two streams; one that writes too much is killed.

    :raises _TooLong: it was killed
    """
    said, complaint = await asyncio.gather(
        _read(process, process.stdout, MAX_STDOUT + MAX_STDERR), _read(process, process.stderr, MAX_STDERR)
    )
    await process.wait()
    if said is None or complaint is None:
        raise _TooLong(f"oc debug wrote more than {MAX_STDOUT >> 20} MiB, or complained without end")
    return said.decode("utf-8", "replace"), complaint.decode("utf-8", "replace")


async def _read(
    process: asyncio.subprocess.Process, pipe: asyncio.StreamReader | None, limit: int = 0
) -> bytearray | None:
    """Read a pipe to its end and return what it held, or None when that was more than *limit*: the rest is dropped."""
    kept: bytearray | None = bytearray()
    while pipe is not None:
        piece = await pipe.read(_PIECE)
        if not piece:
            break
        if kept is None or len(kept) + len(piece) > limit:
            kept = None
            _kill(process)
        else:
            kept += piece
    return kept


async def _dropped(process: asyncio.subprocess.Process) -> None:
    await asyncio.gather(_read(process, process.stdout), _read(process, process.stderr))
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _terminated_as_interrupted() -> t.Iterator[None]:
    """Let the signals that end a process raise in it, so that what has to be removed is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: t.Any) -> None:
        raise KeyboardInterrupt

    signals = (signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, stop) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
