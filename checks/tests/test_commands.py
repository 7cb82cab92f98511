# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from checks.commands import Setting
from checks.outcome import Count
from checks.tree import Tree


@pytest.fixture
def setting(tmp_path):
    tree = Tree(tmp_path)
    tree.collection.mkdir(parents=True)
    return Setting(tree)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ("def test_a(): pass\ndef test_b(): pass\n", Count(passed=2)),
        ("def test_a(): pass\ndef test_b(): assert False\n", Count(passed=1, failed=1)),
        ("import pytest\ndef test_a(): pass\ndef test_b(): pytest.skip('x')\n", Count(passed=1, failed=1)),
        ("import pytest\n@pytest.fixture\ndef f(): raise OSError\ndef test_a(f): pass\n", Count(failed=1)),
        ("import nothing_of_that_name\n", Count(failed=1)),
        ("", Count(failed=1)),
    ],
    ids=["passed", "failed", "skipped", "fixture broken", "not importable", "no test"],
)
def test_what_pytest_did_not_show_counts_as_failed(setting, body, count):
    (setting.tree.collection / "test_it.py").write_text(body, encoding="utf-8")
    assert setting.pytest("test_it.py") == count


def test_a_tool_is_one_check_that_its_exit_status_decides(setting):
    assert setting.run("true") == Count(passed=1)
    assert setting.run("false") == Count(failed=1)


def test_a_command_sees_nothing_of_the_users_own_cluster_and_ansible(setting, monkeypatch):
    for name in ("KUBECONFIG", "K8S_AUTH_API_KEY", "ANSIBLE_CONFIG", "PYTHONPATH"):
        monkeypatch.setenv(name, "theirs")
    assert "theirs" not in setting.environment({}).values()


def test_pyenvs_shims_are_not_on_the_search_path(setting, monkeypatch):
    monkeypatch.setenv("PATH", "/somewhere/shims:/usr/bin")
    assert "/somewhere/shims" not in setting.environment({})["PATH"].split(":")
    assert "/usr/bin" in setting.environment({})["PATH"].split(":")
