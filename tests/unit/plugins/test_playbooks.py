# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that every play of the playbooks follows, so that settings of the user cannot change what a run proves."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

PLAYBOOKS = sorted((Path(__file__).resolve().parents[3] / "playbooks").glob("*.yml"))
PLAYS = [
    pytest.param(play, id=f"{path.stem}-{number}")
    for path in PLAYBOOKS
    for number, play in enumerate(yaml.safe_load(path.read_text(encoding="utf-8")))
]


def test_there_are_playbooks():
    assert [path.stem for path in PLAYBOOKS] == ["apply", "verify", "verify_hosts"]


@pytest.mark.parametrize("play", PLAYS)
def test_play_pins_its_strategy(play):
    # run_once runs for each host with the strategy free, so the result would depend on which host ends first.
    assert play["strategy"] == "linear"
