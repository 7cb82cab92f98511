# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scenario is: a name, a sentence, what it does, and how it is undone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from lab.scenarios.stage import Stage


class Subject(Enum):
    """What a scenario happens to, and so which option of the command it heeds."""

    LAB = "lab"
    POOL = "pool"
    NODE = "node"


@dataclass(frozen=True)
class Scenario:
    """One thing that can be made to happen.

    ``sentence`` is shown by ``--list``. ``play`` and ``undo`` return what they did, in a sentence; ``undo`` is None
    where nothing has to be or can be taken back, and ``undone_by`` says what a user does then.
    ``cases`` are the numbers of those it sets the stage for, among the eighteen cases that README lists.
    ``scripted`` tells that it writes what no program of the lab would have written.
    """

    name: str
    subject: Subject
    sentence: str
    play: Callable[[Stage], str]
    undo: Callable[[Stage], str] | None = None
    undone_by: str = ""
    cases: tuple[int, ...] = ()
    scripted: bool = False
