# SPDX-License-Identifier: GPL-3.0-or-later
"""Each test once for each release that a lab can be, each in a lab of that release."""

from __future__ import annotations

import pytest
from lab.cache import lab_folder
from lab.facts import Facts
from lab.release import RELEASES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let the fixture ``lab`` be of one release after the other, or of the one that the chosen lab is."""
    if "lab" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--lab")
    releases = [Facts.load(lab_folder(chosen)).release.rpartition(".")[0]] if chosen else sorted(RELEASES, reverse=True)
    side_by_side = [pytest.param(release, marks=pytest.mark.xdist_group(release)) for release in releases]
    metafunc.parametrize("lab", side_by_side, indirect=True, scope="session")
