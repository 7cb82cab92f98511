# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tools: with nothing of the user's own Ansible or cluster around them, and pytest with its count read."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import typing as t
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path

from .environment import CACHE, VENV
from .interpreters import folders_without_shims, link_interpreters
from .outcome import Count
from .tree import Tree

# Settings of the user's own: a test must never reach his cluster, nor depend on how he uses Ansible or make.
_FOREIGN = ("ANSIBLE_", "K8S_AUTH_", "MOLECULE_", "PYTEST_")
_FOREIGN_NAMES = frozenset({"KUBECONFIG", "MAKEFLAGS", "MFLAGS", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"})


@dataclass(frozen=True)
class Setting:
    """Where commands run: the tree they see, and the environment whose tools they are."""

    tree: Tree
    venv: Path = VENV

    @property
    def programs(self) -> Path:
        """The folder of the tools."""
        return self.venv / "bin"

    def environment(self, more: t.Mapping[str, str]) -> dict[str, str]:
        """Return the environment variables of a command, *more* among them."""
        interpreters = CACHE / "interpreters"
        link_interpreters(interpreters)
        folders = [
            str(self.programs),
            str(interpreters),
            *folders_without_shims(os.environ.get("PATH", os.defpath)),
        ]
        own = {
            "ANSIBLE_COLLECTIONS_PATH": str(self.tree.root),
            "ANSIBLE_HOME": str(CACHE / "ansible"),
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "HYPOTHESIS_STORAGE_DIRECTORY": str(CACHE / "hypothesis"),
            "LC_ALL": "C.UTF-8",
            "PATH": os.pathsep.join(dict.fromkeys(folders)),
            "PYTHONUNBUFFERED": "1",
        }
        # Some tools colour what goes into a file as well.
        plain = {} if sys.stdout.isatty() else {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}
        return {**_without_foreign(os.environ), **own, **plain, **more}

    def run(
        self, *command: str | Path, folder: Path | None = None, variables: t.Mapping[str, str] | None = None
    ) -> Count:
        """Run one tool, in the copied collection unless told otherwise, and count it as one check."""
        folder = folder or self.tree.collection
        print(f"\n$ {shlex.join(str(part) for part in command)}", flush=True)
        ended = subprocess.run(
            [str(part) for part in command],
            cwd=folder,
            env=self.environment(variables or {}),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if ended.returncode:
            print(f"FAILED (exit {ended.returncode}): {command[0]}", flush=True)
        return Count.of(ended.returncode == 0)

    def output(
        self, *command: str | Path, folder: Path | None = None, variables: t.Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run one tool and return what it printed, both streams in one, without judging it."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=folder or self.tree.collection,
            env=self.environment(variables or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def pytest(
        self, *arguments: str | Path, folder: Path | None = None, variables: t.Mapping[str, str] | None = None
    ) -> Count:
        """Run pytest and count its tests; a skipped test has shown nothing and counts as failed."""
        with tempfile.TemporaryDirectory() as scratch:
            report = Path(scratch) / "report.xml"
            ran = self.run(
                "python", "-m", "pytest", "-o", f"cache_dir={CACHE / 'pytest'}", f"--junit-xml={report}", *arguments,
                folder=folder, variables=variables,
            )  # fmt: skip
            counted = _read_report(report) if report.exists() else Count()
        if not ran.ok and not counted.failed:
            return counted + Count(failed=1)
        return counted


def _read_report(report: Path) -> Count:
    ran = failed = 0
    for suite in ET.parse(report).getroot().iter("testsuite"):
        ran += int(suite.get("tests", 0))
        failed += sum(int(suite.get(kind, 0)) for kind in ("failures", "errors", "skipped"))
    return Count(passed=max(ran - failed, 0), failed=failed)


def _without_foreign(variables: t.Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in variables.items() if name not in _FOREIGN_NAMES and not name.startswith(_FOREIGN)
    }
