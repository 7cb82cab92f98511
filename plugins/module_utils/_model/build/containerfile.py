# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instruction of a Containerfile stands on which line, and which of them is a step that a builder names?

The operator appends the user's text to stages of its own (operator.md 2.5), so what the builder calls step 2 of stage 3
is a line of the user's only by way of how many stages and instructions there are. Where that leaves a doubt, no line is
named.
"""

from __future__ import annotations

import re
import typing as t
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

from ..json_text import read_json

LONGEST = 64 << 10
"""Characters of a Containerfile that is read; the API takes 4096 at most."""
_DIRECTIVE = re.compile(r"^#\s*escape\s*=\s*(\S)\s*$", re.IGNORECASE)
_DOCUMENT = re.compile(r"<<-?\s*[\"']?([A-Za-z_][A-Za-z0-9_]*)[\"']?")
_MAY_HOLD_DOCUMENT = frozenset(("RUN", "COPY", "ADD"))
_CHANGED_WHEN_SHOWN = frozenset(("FROM",))
"""What builders show otherwise than it was written: the image of a stage of their own is shown by its id."""

TEMPLATE_STEPS = frozenset(("RUN ostree container commit", "RUN update-ca-trust"))
"""Instructions of the operator's own stages that a user may well write too."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, its lines put together."""

    line: int
    """The line on which it begins; the first is 1."""
    text: str

    @property
    def keyword(self) -> str:
        """The instruction's name in capitals."""
        return self.text.split(None, 1)[0].upper()

    @cached_property
    def plain(self) -> str:
        """The spelling in which it is compared."""
        return plain(self.text)


@dataclass(frozen=True)
class Step:
    """A step as a builder names it."""

    text: str
    stage: int = 0
    """Which stage of how many; 0 where it is not known."""
    stages: int = 0
    number: int = 0
    """Which step of the stage of how many; 0 where it is not known."""
    steps: int = 0


def instructions(content: str) -> list[Instruction]:
    """Return the instructions in their order; none of a text that is too long to be a Containerfile."""
    found: list[Instruction] = []
    lines = content.splitlines() if len(content) <= LONGEST else []
    ends = _places_of(lines)
    escape = _escape(lines)
    place = 0
    while place < len(lines):
        text = lines[place].strip()
        if not text or text.startswith("#"):
            place += 1
            continue
        began = place + 1
        whole, place = _joined(lines, place, escape)
        found.append(Instruction(began, whole))
        place = _behind_documents(ends, place, found[-1])
    return found


def locate(content: str, step: Step) -> Instruction | None:
    """Return the instruction of the user's Containerfile that a step is, or None where there is a doubt."""
    return locate_in(instructions(content), step)


def locate_in(written: t.Sequence[Instruction], step: Step) -> Instruction | None:
    """Return which of the user's instructions a step is, or None where there is a doubt."""
    shown = plain(step.text)
    placed = _by_place(written, step)
    if placed is not None:
        return placed if _may_be(placed, shown) else None
    if step.stages:
        return None
    if shown in TEMPLATE_STEPS:
        return None
    alike = [i for i in written if i.keyword not in _CHANGED_WHEN_SHOWN and _may_be(i, shown)]
    return alike[0] if len(alike) == 1 else None


def _escape(lines: t.Sequence[str]) -> str:
    directive = _DIRECTIVE.match(lines[0]) if lines else None
    return directive.group(1) if directive else "\\"


def _joined(lines: t.Sequence[str], place: int, escape: str) -> tuple[str, int]:
    """Return an instruction with its continued lines, and the line behind it. Comments in between do not end it."""
    parts: list[str] = []
    while place < len(lines):
        line = lines[place]
        place += 1
        if parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        text = line.rstrip()
        if not text.endswith(escape):
            parts.append(text)
            break
        parts.append(text[: -len(escape)])
    return "".join(parts).strip(), place


def _places_of(lines: t.Sequence[str]) -> t.Mapping[str, t.Sequence[int]]:
    """Return on which lines each text stands."""
    places: dict[str, list[int]] = {}
    for n, line in enumerate(lines):
        places.setdefault(line.strip(), []).append(n)
    return places


def _behind_documents(ends: t.Mapping[str, t.Sequence[int]], place: int, instruction: Instruction) -> int:
    """Return the line behind the here-documents of an instruction, which hold no instructions."""
    if instruction.keyword not in _MAY_HOLD_DOCUMENT:
        return place
    for word in _DOCUMENT.findall(instruction.text):
        places = ends.get(word, ())
        following = bisect_left(places, place)
        if following == len(places):
            return place
        place = places[following] + 1
    return place


def _by_place(written: t.Sequence[Instruction], step: Step) -> Instruction | None:
    """Return the instruction at the step's place: the user's stages are the last ones.

    What stands before the user's first FROM belongs to the operator's last stage.
    """
    if not step.stages or not step.steps:
        return None
    stages = _stages(written)
    own = step.stage - (step.stages - (len(stages) - 1))
    if not 0 <= own < len(stages):
        return None
    stage = stages[own]
    place = step.number - 1 if own else step.number - 1 - (step.steps - len(stage))
    if (own and len(stage) != step.steps) or not 0 <= place < len(stage):
        return None
    return stage[place]


def _stages(written: t.Sequence[Instruction]) -> list[list[Instruction]]:
    """Return what stands before the first FROM, which may be nothing, and then each stage."""
    stages: list[list[Instruction]] = [[]]
    for instruction in written:
        if instruction.keyword == "FROM":
            stages.append([])
        stages[-1].append(instruction)
    return stages


def _may_be(instruction: Instruction, shown: str) -> bool:
    """Whether an instruction may be shown like that, in its plain spelling."""
    if instruction.keyword in _CHANGED_WHEN_SHOWN:
        return shown.split(None, 1)[:1] == [instruction.keyword]
    return instruction.plain == shown


def plain(text: str) -> str:
    """Return an instruction in the spelling in which two of the same are equal."""
    keyword, dummy, rest = text.strip().partition(" ")
    return " ".join([keyword.upper(), *_exec_form(rest).split()])


def _exec_form(arguments: str) -> str:
    """Return the words of ``["program", "argument"]`` as builders show them; anything else as it is."""
    try:
        words = read_json(arguments)
    except ValueError:
        return arguments
    return " ".join(words) if isinstance(words, list) and all(isinstance(w, str) for w in words) else arguments
