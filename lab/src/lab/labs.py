# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a lab from outside: whether it runs, its keeper, and its components."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.cache import labs_folder
from lab.components import TASKS
from lab.errors import LabError
from lab.facts import FACTS_FILE, Facts
from lab.keeper import GRACE, LOCK_FILE
from lab.processes import lab_processes, proportional_memory
from lab.supervision import State, Supervisor


@dataclass(frozen=True)
class ComponentStatus:
    """The state of a component. ``pid`` is the process on the host, 0 while the component does not run."""

    name: str
    state: State
    restarts: int
    pid: int
    log: Path


@dataclass(frozen=True)
class LabStatus:
    """The state of a lab. ``memory`` is in bytes and counts shared pages once."""

    facts: Facts
    running: bool
    components: tuple[ComponentStatus, ...]
    memory: int

    @property
    def ready(self) -> bool:
        """Whether the lab has started completely and every component runs."""
        return self.running and self.facts.ready and all(item.state in _WELL for item in self.components)

    def document(self) -> dict[str, Any]:
        """Return the facts of the lab and the state of its components as plain data."""
        return {
            **self.facts.document(),
            "running": self.running,
            "ready": self.ready,
            "memory": self.memory,
            "components": [
                {
                    "name": item.name,
                    "state": item.state.value,
                    "restarts": item.restarts,
                    "pid": item.pid,
                    "log": str(item.log),
                }
                for item in self.components
            ],
        }


_WELL = (State.RUNNING, State.STARTING)


def keeper_pid(folder: Path) -> int | None:
    """Return the pid of the keeper of the lab in ``folder``, or None while the lab is down.

    The keeper holds the lock until it ends. A pid beside a held lock is therefore that of the keeper.
    """
    try:
        with (folder / LOCK_FILE).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or 0) or None
    except FileNotFoundError:
        pass
    return None


def known_labs() -> list[str]:
    """Return the names of all labs with a folder."""
    folder = labs_folder()
    return sorted(path.parent.name for path in folder.glob(f"*/{FACTS_FILE}")) if folder.is_dir() else []


def running_facts(folder: Path) -> Facts:
    """Return the facts of the lab in ``folder``. Raises LabError while the lab is down."""
    if keeper_pid(folder) is None:
        raise LabError(f"Could not use lab {folder.name}: it is down. Start it with 'lab up --name {folder.name}'.")
    return Facts.load(folder)


def read_status(folder: Path) -> LabStatus:
    """Return the current state of the lab in ``folder``. Raises LabError without such a lab."""
    try:
        facts = Facts.load(folder)
    except FileNotFoundError:
        raise LabError(
            f"Could not find lab {folder.name}: no folder {folder}. Start it with 'lab up --name {folder.name}'."
        ) from None
    if keeper_pid(folder) is None:
        return LabStatus(facts, False, (), 0)
    processes = lab_processes(folder)
    outer = {process.inner_pid: process.pid for process in processes}
    try:
        states = Supervisor.of(facts).states()
    except OSError:
        states = {}
    components = tuple(
        ComponentStatus(
            item.name, item.state, item.restarts, outer.get(item.inner_pid, 0), facts.logs / f"{item.name}.log"
        )
        for item in sorted(states.values(), key=lambda item: item.name)
        if item.tier != TASKS
    )
    memory = sum(proportional_memory(process.pid) for process in processes)
    return LabStatus(facts, bool(states), components, memory)


def stop(folder: Path) -> bool:
    """Stop the lab in ``folder``, by force if that takes too long. Return False if it was down."""
    keeper = keeper_pid(folder)
    if keeper is None:
        return False
    _signal(keeper, signal.SIGTERM)
    deadline = time.monotonic() + GRACE + 5
    while keeper_pid(folder) == keeper:
        if time.monotonic() > deadline:
            _signal(keeper, signal.SIGKILL)
        time.sleep(0.1)
    return True


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
