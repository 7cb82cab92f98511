# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the tests of the tarball, which is what users get."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.commands import Setting
from checks.environment import VENV
from checks.tarball import build
from checks.tree import NEWEST_TREE, Tree


def pytest_addoption(parser):
    parser.addoption("--programs", type=Path, default=VENV / "bin", help="folder of the programs of Ansible")
    parser.addoption("--tree", type=Path, default=NEWEST_TREE.root, help="folder that contains ansible_collections")


@pytest.fixture(scope="session")
def setting(pytestconfig):
    return Setting(Tree(pytestconfig.getoption("tree")), pytestconfig.getoption("programs").parent)


@pytest.fixture(scope="session")
def tarball(setting, tmp_path_factory):
    return build(setting, tmp_path_factory.mktemp("tarball"))
