# SPDX-License-Identifier: GPL-3.0-or-later
"""Instructions of a Containerfile with their lines, and the instruction that a step of the builder refers to.

The operator appends the user's text to stages of its own (docs/operator-behavior.md, "Build logs"). The line of "step 2
of stage 3" therefore follows from the numbers of stages and instructions. If it is not certain, no line is reported.
"""

from __future__ import annotations

import re
import typing as t
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property

from ..json_text import read_json

MAX_SIZE = 64 << 10
"""Maximum characters of a Containerfile that is parsed. The API accepts 4096."""
_DIRECTIVE = re.compile(r"^#\s*(syntax|escape|check)\s*=\s*(\S+)", re.IGNORECASE)
_WORD = re.compile(r"""(?:[^\s"'\\]|\\.|"(?:[^"\\]|\\.)*"|'[^']*'|["'\\])+""")
"""A word of the shell, with its quotes."""
_DOCUMENT = re.compile(r"""\d*<<(-?)(["']?)([^<"']+)\2""")
"""A word that begins a here-document. A word in quotes, a here-string and a shift of bits do not match."""
_WITH_DOCUMENTS = frozenset(("RUN", "COPY", "ADD"))
_BYTE_ORDER_MARK = "\ufeff"
_WITHOUT_TABS = "\n"
"""Marks a line without its tabs in an index of lines. No line contains it."""
_REWRITTEN = frozenset(("FROM",))
"""Instructions that the builder logs in another form: it replaces a stage by the id of its image."""

TEMPLATE_STEPS = frozenset(("RUN ostree container commit", "RUN update-ca-trust"))
"""Instructions of the operator's own stages that a user may write too."""


@dataclass(frozen=True)
class Instruction:
    """One instruction, with its continuation lines joined."""

    line: int
    """Line where the instruction begins. The first line is 1."""
    text: str
    unterminated: str = ""
    """Name of a here-document of the instruction that has no end, or empty."""

    @property
    def keyword(self) -> str:
        """Name of the instruction in capital letters."""
        return self.text.split(None, 1)[0].upper()

    @cached_property
    def normalized(self) -> str:
        """Form for comparisons."""
        return normalized(self.text)


@dataclass(frozen=True)
class Step:
    """A step in the log of the builder."""

    text: str
    stage: int = 0
    """Number of the stage, from 1; 0 if unknown."""
    stages: int = 0
    """Number of stages; 0 if unknown."""
    number: int = 0
    """Number of the step in the stage, from 1; 0 if unknown."""
    steps: int = 0
    """Number of steps in the stage; 0 if unknown."""


def instructions(content: str) -> list[Instruction]:
    """Return the instructions in order. A text that is too long for a Containerfile has none."""
    found: list[Instruction] = []
    lines = content.lstrip(_BYTE_ORDER_MARK).split("\n") if len(content) <= MAX_SIZE else []
    ends = _lines_by_text(lines)
    escape = _escape(lines)
    index = 0
    while index < len(lines):
        text = lines[index].strip()
        if not text or text.startswith("#"):
            index += 1
            continue
        first = index + 1
        whole, index = _joined(lines, index, escape)
        index, unterminated = _after_documents(ends, index, whole)
        found.append(Instruction(first, whole, unterminated))
    return found


def locate(content: str, step: Step) -> Instruction | None:
    """Return the instruction of the user's Containerfile that a step refers to, or None if it is not certain."""
    return locate_in(instructions(content), step)


def locate_in(user: t.Sequence[Instruction], step: Step) -> Instruction | None:
    """Return the instruction among the *user*'s that a step refers to, or None if it is not certain."""
    logged = normalized(step.text)
    numbered = _by_number(user, step)
    if numbered is not None:
        return numbered if _may_be(numbered, logged) else None
    if step.stages:
        return None
    if logged in TEMPLATE_STEPS:
        return None
    matching = [i for i in user if i.keyword not in _REWRITTEN and _may_be(i, logged)]
    return matching[0] if len(matching) == 1 else None


def _escape(lines: t.Sequence[str]) -> str:
    """Return the escape character. Only directives may precede the line that sets it."""
    for line in lines:
        directive = _DIRECTIVE.match(line.strip())
        if directive is None:
            break
        if directive.group(1).lower() == "escape":
            return directive.group(2)
    return "\\"


def _joined(lines: t.Sequence[str], index: int, escape: str) -> tuple[str, int]:
    """Return an instruction with its continuation lines, and the index of the next line. Comments do not end it."""
    parts: list[str] = []
    while index < len(lines):
        line = lines[index]
        index += 1
        if parts and (not line.strip() or line.lstrip().startswith("#")):
            continue
        text = line.rstrip()
        if not text.endswith(escape):
            parts.append(text)
            break
        parts.append(text[: -len(escape)])
    return "".join(parts).strip(), index


def _lines_by_text(lines: t.Sequence[str]) -> t.Mapping[str, t.Sequence[int]]:
    """Return text -> indexes of the lines with this text."""
    indexes: dict[str, list[int]] = {}
    for n, line in enumerate(lines):
        indexes.setdefault(line.rstrip("\r"), []).append(n)
        if line.startswith("\t"):
            indexes.setdefault(_WITHOUT_TABS + line.rstrip("\r").lstrip("\t"), []).append(n)
    return indexes


def _after_documents(ends: t.Mapping[str, t.Sequence[int]], index: int, text: str) -> tuple[int, str]:
    """Return the index of the line after the here-documents of an instruction, which contain no instructions.

    The name of a here-document without an end is returned too. It takes no line away.
    """
    words = text.split(None, 1)
    if len(words) < 2 or words[0].upper() not in _WITH_DOCUMENTS:
        return index, ""
    for without_tabs, name in _documents(words[1]):
        following = [n for n in (_first_from(ends.get(end, ()), index) for end in (name, *without_tabs)) if n >= 0]
        if not following:
            return index, name
        index = min(following) + 1
    return index, ""


def _documents(arguments: str) -> t.Iterator[tuple[tuple[str, ...], str]]:
    """Return the here-documents of an instruction: other ends of it than its name, and the name."""
    for word in _WORD.finditer(arguments):
        found = _DOCUMENT.fullmatch(word.group())
        if found:
            name = found.group(3)
            yield ((_WITHOUT_TABS + name,) if found.group(1) else ()), name


def _first_from(indexes: t.Sequence[int], index: int) -> int:
    """Return the first of the sorted *indexes* that is not below *index*, or -1."""
    following = bisect_left(indexes, index)
    return indexes[following] if following < len(indexes) else -1


def _by_number(user: t.Sequence[Instruction], step: Step) -> Instruction | None:
    """Return the instruction with the number of the step. The user's stages are the last ones.

    Instructions before the user's first FROM belong to the operator's last stage.
    """
    if not step.stages or not step.steps:
        return None
    stages = _stages(user)
    own = step.stage - (step.stages - (len(stages) - 1))
    if not 0 <= own < len(stages):
        return None
    stage = stages[own]
    index = step.number - 1 if own else step.number - 1 - (step.steps - len(stage))
    if (own and len(stage) != step.steps) or not 0 <= index < len(stage):
        return None
    return stage[index]


def _stages(user: t.Sequence[Instruction]) -> list[list[Instruction]]:
    """Return the instructions before the first FROM, perhaps none, then those of each stage."""
    stages: list[list[Instruction]] = [[]]
    for instruction in user:
        if instruction.keyword == "FROM":
            stages.append([])
        stages[-1].append(instruction)
    return stages


def _may_be(instruction: Instruction, logged: str) -> bool:
    """Whether the builder may log the instruction as *logged*, a normalized text."""
    if instruction.keyword in _REWRITTEN:
        return logged.split(None, 1)[:1] == [instruction.keyword]
    return instruction.normalized == logged or is_announced_as(instruction.normalized, logged)


def is_announced_as(text: str, logged: str) -> bool:
    """Whether *logged* is an instruction with the beginnings of its here-documents in parentheses after it."""
    return "<<" in text and logged.startswith(f"{text} (") and logged.endswith(")")


def normalized(text: str) -> str:
    """Return the form of an instruction in which equal instructions are equal texts."""
    keyword, dummy, rest = text.strip().partition(" ")
    return " ".join([keyword.upper(), *_exec_form(rest).split()])


def _exec_form(arguments: str) -> str:
    """Return the words of ``["program", "argument"]`` as the builder logs them. Other text is unchanged."""
    try:
        words = read_json(arguments)
    except ValueError:
        return arguments
    return " ".join(words) if isinstance(words, list) and all(isinstance(w, str) for w in words) else arguments
