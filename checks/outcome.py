# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step came to, and how all of it is told at the end."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass


@dataclass(frozen=True)
class Count:
    """How many tests passed and failed; a linter counts as one."""

    passed: int = 0
    failed: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed)

    @property
    def ok(self) -> bool:
        """Whether something ran and nothing failed; a step in which nothing ran has shown nothing."""
        return self.passed > 0 and self.failed == 0

    @classmethod
    def of(cls, passed: bool) -> Count:
        """Count one check."""
        return cls(passed=1) if passed else cls(failed=1)


@dataclass(frozen=True)
class Outcome:
    """One step: its count, and how long it took in seconds."""

    step: str
    count: Count
    seconds: float


def total(outcomes: t.Iterable[Outcome]) -> Count:
    """Add up the steps; a step in which nothing ran counts as one failure."""
    summed = Count()
    for outcome in outcomes:
        summed += outcome.count if outcome.count.ok or outcome.count.failed else Count(failed=1)
    return summed


def table(outcomes: t.Sequence[Outcome]) -> str:
    """Return one line a step and, alone on the last line, how many passed and failed."""
    lines = [f"{'step':<12} {'ran':>5} {'failed':>7} {'seconds':>8}"]
    for outcome in outcomes:
        count = outcome.count
        ran = count.passed + count.failed
        verdict = "ok" if count.ok else "FAILED"
        lines.append(f"{outcome.step:<12} {ran:>5} {count.failed:>7} {outcome.seconds:>8.1f}  {verdict}")
    whole = total(outcomes)
    return "\n".join([*lines, "", f"{whole.passed} passed, {whole.failed} failed"])
