# SPDX-License-Identifier: GPL-3.0-or-later
"""The cost of a program and its children: seconds, processor seconds, memory; and the time of a line it prints."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

_SAMPLE = 0.2
"""Seconds between two samples of the memory."""


@dataclass(frozen=True)
class Cost:
    """Elapsed seconds, processor seconds, and peak memory in MB.

    The memory is the sum of the proportional set sizes, so that shared pages count once.
    """

    seconds: float
    processor: float
    memory: float

    def __str__(self) -> str:
        return f"{self.seconds:>7.1f} s {self.processor:>6.1f} s of processor {self.memory:>5.0f} MB"


def cost_of(command: t.Sequence[str], environment: t.Mapping[str, str], folder: Path) -> Cost:
    """Run a program to its end and return its cost.

    :raises RuntimeError: it failed
    """
    began = time.monotonic()
    with (folder / "output").open("w+", encoding="utf-8") as output:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        with _Peak(process.pid) as peak:
            dummy, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - began
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"{command[0]} ended with {process.returncode}:\n{output.read()[-4000:]}")
    return Cost(seconds, used.ru_utime + used.ru_stime, peak.bytes / 1e6)


FAILED = ("fatal: [", "[ERROR]: Task failed")
"""The texts with which the releases of ansible-playbook report a failed task."""


def first_line_with(
    command: t.Sequence[str], environment: t.Mapping[str, str], texts: t.Sequence[str]
) -> tuple[float, str]:
    """Run a program to its end and return when it first printed one of the texts, and its output.

    The time is in seconds since the epoch.

    :raises RuntimeError: it printed none of the texts
    """
    printed_at, output = 0.0, ""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            output += line
            if not printed_at and any(text in line for text in texts):
                printed_at = time.time()
    if not printed_at:
        raise RuntimeError(f"{command[0]} did not print {' or '.join(texts)}:\n{output[-4000:]}")
    return printed_at, output


class _Peak:
    """Samples the memory of a process and its descendants."""

    def __init__(self, process: int) -> None:
        self.bytes = 0
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(_SAMPLE):
            self.bytes = max(self.bytes, sum(map(_memory, _family(self._process))))


def _family(first: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # the process has ended
        parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
    family = {first}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _memory(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
