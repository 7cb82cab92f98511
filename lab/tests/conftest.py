# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab: starts a lab; needs root and what a lab needs")
