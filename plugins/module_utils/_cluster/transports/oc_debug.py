# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the command with ``oc debug``: a privileged pod on each node, in a namespace that exists only for the run.

``oc`` mixes the two output streams of the command and replaces every exit status by 1, so the output has a frame
(:mod:`.oc_debug_frame`). An ``oc`` that hangs, or writes without end, is killed, and its pod is deleted with the
namespace. ``oc`` gets the credentials in memory, and only the variables of the environment that it needs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import threading
import typing as t
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..._errors import OperationError
from ..._model.findings import FindingId
from ..._model.objects.node import NodeState
from ..._model.proof.verdict import CommandResult
from ..._model.text import legible
from ..exec import MAX_STDERR, MAX_STDOUT
from ..kubeconfig import kubeconfig_in_memory
from ..scratch_folder import scratch_folder
from ..session import Session
from .debug_namespace import debug_namespace
from .oc_debug_frame import framing_script, new_mark, read_frame
from .transport import STATUS, Access, no_response, query_in_parallel, with_retries

PROGRAM = "oc"

_PIPES_CLOSED = 5.0
"""Seconds within which the pipes of a killed program are closed."""
_PIECE = 65536
"""Bytes per read of a pipe."""
_INHERITED = frozenset(("PATH", "TMPDIR", "LANG", "LC_ALL", "SSL_CERT_FILE", "SSL_CERT_DIR"))
"""Variables that ``oc`` gets, in upper or lower case. Others can contain credentials of other programs. The proxy is in
the kubeconfig, so that all requests use the same one."""
_SPARE = 120.0
"""Seconds that a run may take in addition to the time of its nodes."""


@dataclass
class OcDebug:
    """Runs ``oc debug`` for several nodes at the same time.

    :param node_timeout: seconds for one node, including the pull of the pod's image and all attempts
    """

    session: Session
    concurrency: int
    node_timeout: float
    name: t.ClassVar[str] = "oc_debug"
    _running: set[asyncio.subprocess.Process] = field(default_factory=set, init=False, repr=False)
    _is_closed: threading.Event = field(default_factory=threading.Event, init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @classmethod
    def create(cls, access: Access) -> OcDebug:
        """Return a transport with these settings."""
        return cls(access.required_session(), access.concurrency, access.node_timeout)

    def query(self, nodes: t.Sequence[NodeState]) -> t.Generator[tuple[NodeState, CommandResult], None, None]:
        """Yield every node with its reply.

        :raises OperationError: ``oc`` is not installed, or the namespace cannot be created
        """
        program = shutil.which(PROGRAM)
        if program is None:
            raise OperationError(
                "query nodes with oc debug",
                "the program oc is not in PATH",
                "Install the OpenShift client, or set transport to pod_exec",
            )
        rounds = -(-len(nodes) // max(1, self.concurrency))
        self._is_closed.clear()
        lifetime = rounds * self.node_timeout + _SPARE
        with contextlib.ExitStack() as held:
            held.enter_context(_terminated_as_interrupted())
            home = held.enter_context(scratch_folder())
            kubeconfig = held.enter_context(kubeconfig_in_memory(self.session.connection))
            namespace = held.enter_context(debug_namespace(self.session, lifetime))
            held.callback(self._end_all)
            run = _Run(program, home, kubeconfig, namespace)
            yield from query_in_parallel(nodes, self.concurrency, lambda node: self._query_one(run, node))

    def _query_one(self, run: _Run, node: NodeState) -> CommandResult:
        if not node.ready:
            return CommandResult(failure=FindingId.NODE_NOT_READY, failure_message=f"Node {node.name} is not Ready")
        return with_retries(partial(self._attempt, run, node), self.node_timeout, wait=self._is_closed.wait)

    def _attempt(self, run: _Run, node: NodeState, timeout: float) -> CommandResult:
        mark = new_mark()
        command = run.command(node.name, framing_script(STATUS, mark))
        try:
            stdout, stderr = asyncio.run(self._run_program(run, command, timeout))
        except _TooLong as error:
            return CommandResult(failure=FindingId.NODE_OUTPUT_UNREADABLE, failure_message=str(error))
        except asyncio.TimeoutError:
            return no_response(node, self.node_timeout)
        content = read_frame(stdout, mark)
        if content is None:
            lines = stderr.strip().splitlines() or ["it ended before the output was complete"]
            message = legible(f"oc debug: {lines[-1]}")
            return CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=message, stderr=stderr)
        return CommandResult(content.exit_status, content.stdout, content.stderr)

    async def _run_program(self, run: _Run, command: t.Sequence[str], timeout: float) -> tuple[str, str]:
        """Run a program to its end, and return its standard output and its standard error.

        :raises asyncio.TimeoutError: it did not end in time, and was killed
        :raises _TooLong: it wrote too much, and was killed
        """
        with self._lock:
            if self._is_closed.is_set():
                return "", "the run was interrupted"
            process = await asyncio.create_subprocess_exec(
                *command,
                env=run.environment,
                pass_fds=(run.kubeconfig,),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                # A session of its own: an interrupt reaches this process first, so that the namespace is deleted last.
                start_new_session=True,
            )
            self._running.add(process)
        try:
            return await asyncio.wait_for(_output(process), timeout)
        except asyncio.TimeoutError:
            _kill(process)
            with contextlib.suppress(asyncio.TimeoutError):  # read to the end, so that the pipes are closed
                await asyncio.wait_for(_drain(process), _PIPES_CLOSED)
            raise
        finally:
            _kill(process)
            self._running.discard(process)

    def _end_all(self) -> None:
        with self._lock:
            self._is_closed.set()
            for process in list(self._running):
                _kill(process)


@dataclass(frozen=True)
class _Run:
    """The settings that all processes of one run share."""

    program: str
    home: Path
    kubeconfig: int
    """The number of the open file."""
    namespace: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a program.

        With a home directory of its own, ``oc`` discovers the API once per run, and leaves no files behind.
        """
        inherited = {name: value for name, value in os.environ.items() if name.upper() in _INHERITED}
        return {**inherited, "KUBECONFIG": f"/proc/self/fd/{self.kubeconfig}", "HOME": str(self.home)}

    def command(self, node: str, script: str) -> list[str]:
        target = [f"node/{node}", f"--to-namespace={self.namespace}"]
        return [self.program, "debug", "--quiet", *target, "--", "chroot", "/host", "/bin/sh", "-c", script]


class _TooLong(Exception):
    """A program wrote more than the limit."""


async def _output(process: asyncio.subprocess.Process) -> tuple[str, str]:
    """Return the standard output and the standard error of a program.

    :raises _TooLong: it wrote too much, and was killed
    """
    stdout, stderr = await asyncio.gather(
        _read(process, process.stdout, MAX_STDOUT + MAX_STDERR), _read(process, process.stderr, MAX_STDERR)
    )
    await process.wait()
    if stdout is None or stderr is None:
        raise _TooLong(f"oc debug wrote more than {MAX_STDOUT >> 20} MiB, or too much to stderr")
    return stdout.decode("utf-8", "replace"), stderr.decode("utf-8", "replace")


async def _read(
    process: asyncio.subprocess.Process, pipe: asyncio.StreamReader | None, limit: int = 0
) -> bytearray | None:
    """Read a pipe to its end. Return its content, or None if that is larger than *limit*."""
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


async def _drain(process: asyncio.subprocess.Process) -> None:
    await asyncio.gather(_read(process, process.stdout), _read(process, process.stderr))
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextlib.contextmanager
def _terminated_as_interrupted() -> t.Iterator[None]:
    """Turn signals that end the process into KeyboardInterrupt, so that the namespace is deleted."""
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
