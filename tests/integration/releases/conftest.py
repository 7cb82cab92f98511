# SPDX-License-Identifier: GPL-3.0-or-later
"""Run each test on each release of the lab."""

from __future__ import annotations

import pytest
from lab.cache import lab_folder
from lab.facts import Facts
from lab.release import RELEASES


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the fixture ``lab`` with the releases, or with the release of the chosen lab."""
    if "lab" not in metafunc.fixturenames:
        return
    chosen = metafunc.config.getoption("--lab")
    releases = [Facts.load(lab_folder(chosen)).release.rpartition(".")[0]] if chosen else sorted(RELEASES, reverse=True)
    metafunc.parametrize("lab", releases, indirect=True, scope="session")
