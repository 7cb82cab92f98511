# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run of a program cost: seconds, memory of the whole process tree, requests to the API server."""

from __future__ import annotations

import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

import psutil

if t.TYPE_CHECKING:
    from audit_log import ApiRequest, AuditLog

_SAMPLE = 0.1


@dataclass(frozen=True)
class Cost:
    """What a run cost."""

    seconds: float
    peak_mb: float
    requests: list[ApiRequest]
    output: str

    @property
    def writes(self) -> int:
        """How many of the requests asked for a change; starting a command in a pod changes nothing."""
        return sum(request.is_write and request.subresource != "exec" for request in self.requests)


def measure(
    command: t.Sequence[str], environment: t.Mapping[str, str], folder: Path, audit: AuditLog, user: str
) -> Cost:
    """Run a command and return its cost.

    :param user: whose requests are counted
    :raises RuntimeError: the command failed
    """
    with audit.recording() as recording:
        began = time.monotonic()
        process = psutil.Popen(
            list(command),
            env=dict(environment),
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        peak = _Peak(process)
        output, dummy = process.communicate()
        seconds = time.monotonic() - began
        peak.stop()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}:\n{output[-4000:]}")
    return Cost(seconds, peak.megabytes, recording.by(user=user), output)


class _Peak:
    """Samples the memory that a process and its children have to themselves (PSS: shared pages count in part)."""

    def __init__(self, process: psutil.Process) -> None:
        self.megabytes = 0.0
        self._process = process
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(_SAMPLE):
            self.megabytes = max(self.megabytes, sum(map(_pss, _family(self._process))) / 1e6)


def _family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _pss(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
