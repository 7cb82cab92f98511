# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line where no lab runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lab import build as building
from lab import preflight
from lab.cli import main
from lab.errors import LabError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_CACHE", str(tmp_path))


def lab(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_root_is_asked_for_before_anything_is_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    result = lab("up")

    assert result.exit_code == 1
    assert "the lab needs root" in result.output
    assert list(tmp_path.iterdir()) == []


def test_a_missing_buildah_is_one_line_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setenv("PATH", "/nonexistent")

    result = lab("up")

    assert result.exit_code == 1
    assert result.output == "lab: Could not find program buildah. Install it with: apt-get install -y buildah\n"
    assert list(tmp_path.iterdir()) == []


def test_a_missing_static_shell_is_said_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    class Missing:
        def find(self) -> Path:
            raise LabError("Could not find a static bash.")

    def built(*_: object) -> None:
        pytest.fail("something was built")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "_PROGRAMS", {})
    monkeypatch.setattr(preflight, "BASH", Missing())
    monkeypatch.setattr(building, "build", built)

    result = lab("up")

    assert result.exit_code == 1
    assert "static bash" in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--name", "other"),
        ("run", "--name", "other", "--", "true"),
        ("node", "--name", "other", "worker-0", "--reset"),
    ],
)
def test_a_lab_that_is_not_there_is_named_with_the_command_that_starts_it(arguments: tuple[str, ...]) -> None:
    result = lab(*arguments)

    assert result.exit_code == 1
    assert "lab up --name other" in result.output


def test_down_says_that_nothing_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)

    result = lab("down")

    assert result.exit_code == 0
    assert result.output == "lab lab was not running\n"


@pytest.mark.parametrize("options", [(), ("--reset", "--exec", "fail")])
def test_scripting_a_node_needs_one_thing_to_do(options: tuple[str, ...]) -> None:
    result = lab("node", "worker-0", *options)

    assert result.exit_code == 1
    assert "Could not script Node worker-0" in result.output


def test_logs_name_what_there_is(tmp_path: Path) -> None:
    logs = tmp_path / "labs" / "lab" / "logs"
    logs.mkdir(parents=True)
    (logs / "etcd.log").write_text("hello\n")

    assert lab("logs", "etcd").output == "hello\n"
    missing = lab("logs", "etcdd")
    assert missing.exit_code == 1
    assert "There are: etcd" in missing.output


def test_a_release_and_an_api_that_it_does_not_serve_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "require_programs", lambda: None)

    result = lab("up", "--release", "4.19", "--api", "v1alpha1")

    assert result.exit_code == 1
    assert "Could not use API v1alpha1 with release 4.19: it serves v1." in result.output
