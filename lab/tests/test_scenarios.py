# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalogue of scenarios, and what its command says where there is nothing to play on."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab.cli import main
from lab.errors import LabError
from lab.scenarios.catalogue import SCENARIOS, play
from lab.scenarios.scenario import Scenario, WaitCase
from lab.scenarios.stage import Stage, build_conditions


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))


def lab(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("scenario", *arguments))


def test_every_case_of_a_wait_has_a_scenario() -> None:
    assert {case for scenario in SCENARIOS.values() for case in scenario.cases} == set(WaitCase)


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_a_scenario_says_in_a_sentence_what_happens_and_how_it_is_undone(scenario: Scenario) -> None:
    assert scenario.sentence.endswith(".")
    assert (scenario.undo is None) == bool(scenario.undone_by)


def test_the_list_has_a_line_a_scenario_and_needs_no_lab() -> None:
    result = lab("--list")

    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == list(SCENARIOS)


def test_a_scenario_of_another_api_is_rejected_with_the_command_that_starts_such_a_lab(tmp_path: Path) -> None:
    class Labs:
        name, api = "lab", "v1"

    stage = Stage(Labs(), None, "layered")  # type: ignore[arg-type]
    with pytest.raises(LabError, match="lab up --api v1alpha1"):
        play(SCENARIOS["v1alpha1-build-fails"], stage)


def test_an_unknown_scenario_is_one_line_that_says_where_the_names_are() -> None:
    result = lab("no-such")

    assert result.exit_code == 1
    assert result.output == "lab: Could not play scenario no-such: no such scenario. See 'lab scenario --list'.\n"


def test_a_scenario_where_no_lab_runs_names_the_command_that_starts_one() -> None:
    result = lab("build-fails")

    assert result.exit_code == 1
    assert "lab up" in result.output


def test_a_false_condition_of_a_build_reads_as_the_operator_writes_it() -> None:
    conditions = {item["type"]: item for item in build_conditions("Succeeded")}

    assert {kind for kind, item in conditions.items() if item["status"] == "True"} == {"Succeeded"}
    assert (conditions["Succeeded"]["reason"], conditions["Succeeded"]["message"]) == ("Ready", "Build Ready")
    assert (conditions["Failed"]["reason"], conditions["Failed"]["message"]) == ("Failed", "Build Failed")
