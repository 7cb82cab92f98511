# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the values of a run, and print them beside their goals: ``python tests/benchmarks/results.py FILE``."""

from __future__ import annotations

import json
import os
import sys
import typing as t
from pathlib import Path

import yaml

VARIABLE = "BENCH_RESULTS"
"""The environment variable that names the file of the values."""
GOALS = Path(__file__).with_name("goals.yml")


def record(measure: str, value: float) -> None:
    """Append a value to the file of this run, if there is one.

    :param measure: an id of goals.yml
    """
    file = os.environ.get(VARIABLE)
    if file:
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"id": measure, "value": value}) + "\n")


def table(goals: t.Sequence[t.Mapping[str, t.Any]], values: t.Mapping[str, float]) -> str:
    """Return a line for each goal: the measure, the goal, and the value of this run with its verdict."""
    width = max(len(str(goal["measure"])) for goal in goals)
    lines = [f"{'measure':<{width}}  {'goal':>12}  this run"]
    for goal in goals:
        value = values.get(goal["id"])
        lines.append(f"{goal['measure']:<{width}}  {_limit(goal):>12}  {_reached(goal, value)}")
    return "\n".join(lines)


def _limit(goal: t.Mapping[str, t.Any]) -> str:
    sign, limit = ("<=", goal["at_most"]) if "at_most" in goal else (">=", goal["at_least"])
    return f"{sign} {limit:g} {goal.get('unit', '')}".strip()


def _reached(goal: t.Mapping[str, t.Any], value: float | None) -> str:
    if value is None:
        return f"not measured ({goal['measured_by']})" if "measured_by" in goal else "not measured"
    reached = value <= goal["at_most"] if "at_most" in goal else value >= goal["at_least"]
    return f"{value:.4g} {goal.get('unit', '')}".strip() + ("" if reached else "  MISSED")


def main() -> int:
    """Print the table, and return 1 when a recorded value has no goal."""
    goals = yaml.safe_load(GOALS.read_text(encoding="utf-8"))
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
    values = {line["id"]: line["value"] for line in map(json.loads, lines)}
    print(table(goals, values))
    unknown = sorted(set(values) - {goal["id"] for goal in goals})
    for measure in unknown:
        print(f"{measure} = {values[measure]:.4g} is in no goal of {GOALS.name}")
    return 1 if unknown else 0


if __name__ == "__main__":
    sys.exit(main())
