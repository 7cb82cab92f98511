# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of a Containerfile that keep every builder from starting.

Later releases parse the text before they create a Job and do not report what is wrong (docs/operator-behavior.md,
"Build logs"). This is no parser of Containerfiles: only the first word of each instruction and the ends of
here-documents are checked. A text without a fault here may still be invalid.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..text import truncate_middle
from .containerfile import MAX_SIZE, instructions

INSTRUCTIONS = frozenset(
    (
        "ADD",
        "ARG",
        "CMD",
        "COPY",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "FROM",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "RUN",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
        "WORKDIR",
    )
)
"""Instructions that builders know."""
_MAX_FAULTS = 20
"""Unknown instructions that are named."""
_MAX_WORD = 60


@dataclass(frozen=True)
class ContainerfileFault:
    """One fault of a Containerfile."""

    line: int
    """Line where the instruction begins. The first line is 1. 0 if the fault has no line."""
    text: str
    """What is wrong, to follow the line."""


def containerfile_faults(content: str) -> tuple[ContainerfileFault, ...]:
    """Return the faults in the order of their lines. A fault without a line is the last one.

    A text that is too long for a Containerfile is not checked and has none.
    """
    if len(content) > MAX_SIZE:
        return ()
    faults: list[ContainerfileFault] = []
    has_from = False
    for instruction in instructions(content):
        has_from = has_from or instruction.keyword == "FROM"
        if instruction.keyword not in INSTRUCTIONS and len(faults) < _MAX_FAULTS:
            word = truncate_middle(instruction.text.split(None, 1)[0], _MAX_WORD)
            faults.append(ContainerfileFault(instruction.line, f"unknown instruction {word}"))
        if instruction.unterminated:
            name = truncate_middle(instruction.unterminated, _MAX_WORD)
            faults.append(ContainerfileFault(instruction.line, f"here-document {name} has no end"))
            break  # the following lines belong to it
    if not has_from:
        faults.append(ContainerfileFault(0, "no FROM instruction"))
    return tuple(faults)
