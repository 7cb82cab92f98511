# SPDX-License-Identifier: GPL-3.0-or-later
"""The only process of a lab outside its namespaces. It starts and ends them.

When the keeper ends, kill -9 included, the kernel kills ``unshare``, then the first process of the namespace, and with
it every process in the namespace.
The keeper ends the lab on SIGTERM, when the process that started it ends before the lab is up, and when the process of
``--with-pid`` ends.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

LOCK_FILE = "keeper.lock"
LIFELINE_READY = b"ready"
GRACE = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="lab.keeper")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--with-pid", type=int)
    options = parser.parse_args()
    # Held until the end, inherited by nobody: who cannot get it knows that the lab runs, and reads whom to signal.
    lock = (options.folder / LOCK_FILE).open("r+")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    sys.exit(_keep(options.folder, options.with_pid))


@dataclass(frozen=True)
class _Watched:
    """The events that end the lab."""

    signals: int
    starter: int
    namespace: int
    companion: int | None


def _keep(folder: Path, companion: int | None) -> int:
    _adopt_orphans()
    signals = _signal_pipe()
    # The write end stays here alone, so that the first process inside can see whether we live.
    lifeline, _held = os.pipe()
    namespace = subprocess.Popen(
        [
            "setpriv",
            "--pdeathsig=KILL",
            "unshare",
            "--pid",
            "--mount",
            "--fork",
            "--kill-child=SIGKILL",
            "--mount-proc",
            sys.executable,
            "-m",
            "lab.first_process",
            str(folder),
            str(lifeline),
        ],
        stdin=subprocess.DEVNULL,
        pass_fds=[lifeline],
    )
    os.close(lifeline)
    try:
        companion_fd = os.pidfd_open(companion) if companion is not None else None
    except ProcessLookupError:
        print(f"keeper: process {companion}, with which the lab ends, has ended", flush=True)
        _end_at_once(namespace)
        return 0
    watched = _Watched(signals, sys.stdin.fileno(), os.pidfd_open(namespace.pid), companion_fd)
    why = _wait(watched)
    print(f"keeper: ending the lab: {why}", flush=True)
    if why == "the start failed":
        _end_at_once(namespace)
    else:
        _end(folder, namespace)
    return 0


def _wait(watched: _Watched) -> str:
    poll = select.poll()
    for fd in (watched.signals, watched.starter, watched.namespace, watched.companion):
        if fd is not None:
            poll.register(fd, select.POLLIN)
    while True:
        for fd, _event in poll.poll():
            if fd == watched.namespace:
                return "its first process has ended"
            if fd == watched.signals:
                return "received a signal"
            if fd == watched.companion:
                return "the process of --with-pid has ended"
            if fd == watched.starter:
                if os.read(fd, len(LIFELINE_READY)) != LIFELINE_READY:
                    return "the start failed"
                poll.unregister(fd)


def _signal_pipe() -> int:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return reader


def _end(folder: Path, namespace: subprocess.Popen[bytes]) -> None:
    from lab.facts import Facts
    from lab.supervision import Supervisor

    deadline = time.monotonic() + GRACE
    if namespace.poll() is None:
        try:
            Supervisor.of(Facts.load(folder)).shut_down()
            namespace.wait(max(0.0, deadline - time.monotonic()))
        except (OSError, subprocess.TimeoutExpired) as error:
            print(f"keeper: the supervisor did not end: {error}", flush=True)
    _end_at_once(namespace)
    Facts.load(folder).with_ready(False).save()


def _end_at_once(namespace: subprocess.Popen[bytes]) -> None:
    namespace.kill()
    namespace.wait()
    # What was its child is now ours (see _adopt_orphans), and ends only after everything in the namespace has.
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


def _adopt_orphans() -> None:
    """Become the parent of the first process inside when ``unshare``, between us and it, has ended."""
    set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "could not adopt orphans")


if __name__ == "__main__":
    main()
