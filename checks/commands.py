# SPDX-License-Identifier: GPL-3.0-or-later
"""Run tools without the settings of the user's own Ansible and cluster."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .environment import CACHE, VENV, VERSIONS, ChecksError
from .interpreters import folders_without_shims, link_interpreters
from .tree import Tree

# Settings of the user: a test must not reach the user's cluster, nor depend on settings of Ansible or make.
_FOREIGN = ("ANSIBLE_", "K8S_AUTH_", "MOLECULE_", "PYTEST_")
_FOREIGN_NAMES = frozenset({"KUBECONFIG", "MAKEFLAGS", "MFLAGS", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"})


@dataclass(frozen=True)
class Setting:
    """The collection tree that commands use, and the environment that holds their programs."""

    tree: Tree
    venv: Path = VENV

    @property
    def programs(self) -> Path:
        """Folder of the programs."""
        return self.venv / "bin"

    def environment(self, more: t.Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment variables of a command, including *more*."""
        interpreters = CACHE / "interpreters"
        link_interpreters(interpreters, VERSIONS["supported_python"])
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
        # Some tools colour output that goes to a file as well.
        plain = {} if sys.stdout.isatty() else {"NO_COLOR": "1", "ANSIBLE_NOCOLOR": "1"}
        return {**_without_foreign(os.environ), **own, **plain, **(more or {})}

    def run(
        self, *command: str | Path, folder: Path | None = None, variables: t.Mapping[str, str] | None = None
    ) -> bool:
        """Run a tool, by default in the copied collection, and return whether it succeeded."""
        print(f"\n$ {shlex.join(str(part) for part in command)}", flush=True)
        ended = subprocess.run(
            [str(part) for part in command],
            cwd=folder or self.tree.collection,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if ended.returncode:
            print(f"FAILED (exit {ended.returncode}): {command[0]}", flush=True)
        return ended.returncode == 0

    def output(
        self, *command: str | Path, folder: Path | None = None, variables: t.Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a tool and return its exit status and its output, stdout and stderr in one text."""
        return subprocess.run(
            [str(part) for part in command],
            cwd=folder or self.tree.collection,
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def pytest(self, *arguments: str | Path, folder: Path | None = None) -> bool:
        """Run pytest and return whether it succeeded."""
        return self.run("python", "-m", "pytest", "-o", f"cache_dir={CACHE / 'pytest'}", *arguments, folder=folder)


def main(work: t.Callable[[], bool]) -> t.NoReturn:
    """End the process by the result of *work*; print a check that could not run as one line."""
    try:
        succeeded = work()
    except ChecksError as error:
        sys.exit(str(error))
    sys.exit(0 if succeeded else 1)


def _without_foreign(variables: t.Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in variables.items() if name not in _FOREIGN_NAMES and not name.startswith(_FOREIGN)
    }
