# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario by name."""

from __future__ import annotations

from collections.abc import Mapping

from lab.errors import LabError
from lab.scenarios.builds import BUILD_SCENARIOS
from lab.scenarios.later_releases import LATER_SCENARIOS
from lab.scenarios.machine_config_operator import OPERATOR_SCENARIOS
from lab.scenarios.node_answers import ANSWER_SCENARIOS
from lab.scenarios.rollouts import ROLLOUT_SCENARIOS
from lab.scenarios.scenario import Scenario
from lab.scenarios.stage import Stage

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        *BUILD_SCENARIOS,
        *ROLLOUT_SCENARIOS,
        *ANSWER_SCENARIOS,
        *OPERATOR_SCENARIOS,
        *LATER_SCENARIOS,
    )
}


def scenario_of(name: str) -> Scenario:
    """A scenario by its name. Raises LabError that says how to see the names."""
    if name not in SCENARIOS:
        raise LabError(f"Could not play scenario {name}: no such scenario. See 'lab scenario --list'.")
    return SCENARIOS[name]


def play(scenario: Scenario, stage: Stage) -> str:
    """Play a scenario, and return what was done and how it ends."""
    done = scenario.play(stage)
    if scenario.undo is not None:
        return f"{_ended(done)}\nUndo: lab scenario {scenario.name} --undo, with the same options"
    return f"{_ended(done)}\nUndone by: {scenario.undone_by}"


def undo(scenario: Scenario, stage: Stage) -> str:
    """Take a scenario back, and return what was done. Raises LabError where that is nobody's to do."""
    if scenario.undo is None:
        raise LabError(f"Could not undo scenario {scenario.name}: it is undone by {scenario.undone_by}.")
    return _ended(scenario.undo(stage))


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith("?") else f"{sentence}."


def listing() -> list[str]:
    """A line a scenario: name, what it happens to, and the sentence."""
    return [
        f"{scenario.name:<25} {scenario.subject.value:<5} {scenario.sentence}{_marks(scenario)}"
        for scenario in SCENARIOS.values()
    ]


def _marks(scenario: Scenario) -> str:
    marks = [f"case {', '.join(map(str, scenario.cases))}"] if scenario.cases else []
    marks += ["scripted"] if scenario.scripted else []
    return f" ({'; '.join(marks)})" if marks else ""
