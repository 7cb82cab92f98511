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
    parser.addoption("--interpreter", type=Path, help="Python that runs modules, by default that of the programs")


@pytest.fixture(scope="session")
def setting(pytestconfig):
    return Setting(Tree(pytestconfig.getoption("tree")), pytestconfig.getoption("programs").parent)


@pytest.fixture(scope="session")
def tarball(setting, tmp_path_factory):
    return build(setting, tmp_path_factory.mktemp("tarball"))


@pytest.fixture(scope="session")
def installed(setting, tarball, tmp_path_factory):
    """Install the tarball offline beside kubernetes.core into an empty tree, as a user does."""
    tree = Tree(tmp_path_factory.mktemp("installed"))
    for source in (setting.tree.kubernetes_core, tarball):
        install = ("ansible-galaxy", "collection", "install", "--offline", "--collections-path", tree.root, source)
        ended = Setting(tree, setting.venv).output(*install, folder=tree.root, variables={"HOME": str(tree.root)})
        assert ended.returncode == 0, ended.stdout
    return tree


@pytest.fixture(scope="session")
def run_installed(setting, installed, tmp_path_factory):
    """Return a function that runs a program of Ansible with the installed collection."""
    home = tmp_path_factory.mktemp("home")

    def run(*command, **variables):
        own = {"HOME": str(home), **variables}
        return Setting(installed, setting.venv).output(*command, folder=home, variables=own)

    return run
