# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from checks.commands import Setting
from checks.tree import Tree


@pytest.fixture
def setting(tmp_path):
    tree = Tree(tmp_path)
    tree.collection.mkdir(parents=True)
    return Setting(tree)


def test_exit_status_of_a_tool_decides(setting):
    assert setting.run("true")
    assert not setting.run("false")


def test_command_does_not_get_the_settings_of_the_user(setting, monkeypatch):
    for name in ("KUBECONFIG", "K8S_AUTH_API_KEY", "ANSIBLE_CONFIG", "PYTHONPATH"):
        monkeypatch.setenv(name, "theirs")
    assert "theirs" not in setting.environment().values()


def test_shims_of_pyenv_are_not_on_the_search_path(setting, monkeypatch):
    monkeypatch.setenv("PATH", "/somewhere/shims:/usr/bin")
    assert "/somewhere/shims" not in setting.environment()["PATH"].split(":")
    assert "/usr/bin" in setting.environment()["PATH"].split(":")
