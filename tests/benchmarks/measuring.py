# SPDX-License-Identifier: GPL-3.0-or-later
"""What a program cost with all that it started: seconds, seconds of processor, memory; and when it said something."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

_SAMPLE = 0.2
"""Seconds between two looks at the memory."""


@dataclass(frozen=True)
class Cost:
    """Seconds that passed, seconds that processors worked, and the most memory that was held at once, in MB.

    Memory that processes share is counted in part for each (PSS), so that the sum is what they hold together.
    """

    seconds: float
    processor: float
    memory: float

    def __str__(self) -> str:
        return f"{self.seconds:>7.1f} s {self.processor:>6.1f} s of processor {self.memory:>5.0f} MB"


def cost_of(command: t.Sequence[str], environment: t.Mapping[str, str], folder: Path) -> Cost:
    """Run a program to its end and return what it cost.

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
"""With what ansible-playbook says that a task has failed, from one release to the next."""


def when_told(command: t.Sequence[str], environment: t.Mapping[str, str], words: t.Sequence[str]) -> tuple[float, str]:
    """Run a program to its end and return when it first printed one of the words, since the epoch, and all it printed.

    :raises RuntimeError: it printed none of them
    """
    told_at, said = 0.0, ""
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        for line in process.stdout or ():
            said += line
            if not told_at and any(word in line for word in words):
                told_at = time.time()
    if not told_at:
        raise RuntimeError(f"{command[0]} never said {' or '.join(words)}:\n{said[-4000:]}")
    return told_at, said


class _Peak:
    """Looks again and again at what a process and its descendants hold."""

    def __init__(self, process: int) -> None:
        self.bytes = 0
        self._process = process
        self._over = threading.Event()
        self._looking = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Peak:
        self._looking.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._over.set()
        self._looking.join()

    def _look(self) -> None:
        while not self._over.wait(_SAMPLE):
            self.bytes = max(self.bytes, sum(map(_held, _family(self._process))))


def _family(first: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = stat.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue  # it has ended
        parents[int(stat.parent.name)] = int(text.rpartition(")")[2].split()[1])
    family = {first}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _held(process: int) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
