# SPDX-License-Identifier: GPL-3.0-or-later
"""Every scenario by name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from lab.errors import LabError
from lab.scenarios.builds import BUILD_SCENARIOS
from lab.scenarios.later_releases import LATER_SCENARIOS
from lab.scenarios.machine_config_operator import OPERATOR_SCENARIOS
from lab.scenarios.node_answers import ANSWER_SCENARIOS
from lab.scenarios.rollouts import ROLLOUT_SCENARIOS
from lab.scenarios.scenario import Scenario
from lab.scenarios.stage import Stage
from lab.scenarios.v1alpha1_builds import V1ALPHA1_SCENARIOS

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        *BUILD_SCENARIOS,
        *ROLLOUT_SCENARIOS,
        *ANSWER_SCENARIOS,
        *OPERATOR_SCENARIOS,
        *LATER_SCENARIOS,
        *V1ALPHA1_SCENARIOS,
    )
}


def scenario_of(name: str) -> Scenario:
    """Return a scenario by its name. Raises LabError for an unknown name."""
    if name not in SCENARIOS:
        raise LabError(f"Could not play scenario {name}: no such scenario. See 'lab scenario --list'.")
    return SCENARIOS[name]


def play(scenario: Scenario, stage: Stage) -> str:
    """Play a scenario, and return what was done and how to undo it. Raises LabError for one of another API."""
    _check_api(scenario, stage)
    done = scenario.play(stage)
    if scenario.undo is not None:
        return f"{_with_full_stop(done)}\nUndo: lab scenario {scenario.name} --undo, with the same options"
    return f"{_with_full_stop(done)}\nUndone by: {scenario.undone_by}"


def undo(scenario: Scenario, stage: Stage) -> str:
    """Undo a scenario, and return what was done. Raises LabError for a scenario without an undo or of another API."""
    _check_api(scenario, stage)
    if scenario.undo is None:
        raise LabError(f"Could not undo scenario {scenario.name}: it is undone by {scenario.undone_by}.")
    return _with_full_stop(scenario.undo(stage))


@contextlib.contextmanager
def in_scenario(name: str, *stages: Stage) -> Iterator[None]:
    """Play a scenario on each stage, and undo it on each when the context ends.

    Raises LabError for a scenario without an undo.
    """
    scenario = scenario_of(name)
    if scenario.undo is None:
        raise LabError(f"Could not play scenario {name} for a time: it has no undo. Call 'play' instead.")
    with contextlib.ExitStack() as undone:
        for stage in stages:
            scenario.play(stage)
            undone.callback(scenario.undo, stage)
        yield


def _check_api(scenario: Scenario, stage: Stage) -> None:
    if stage.facts.api not in scenario.apis:
        raise LabError(
            f"Could not play scenario {scenario.name}: lab {stage.facts.name} serves {stage.facts.api}. "
            f"Start a lab with 'lab up --api {scenario.apis[0]}'."
        )


def _with_full_stop(sentence: str) -> str:
    return sentence if sentence.endswith("?") else f"{sentence}."


def listing() -> list[str]:
    """Return one line for each scenario: its name, subject, versions of the API and sentence."""
    return [
        f"{scenario.name:<25} {scenario.subject.value:<5} {'/'.join(scenario.apis):<11} {scenario.sentence}"
        f"{' (scripted)' * scenario.scripted}"
        for scenario in SCENARIOS.values()
    ]
