# SPDX-License-Identifier: GPL-3.0-or-later
"""Install the programs that a lab and its tests need, where they are missing."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from lab.base_image import BASH, BUSYBOX
from lab.errors import LabError
from lab.go_toolchain import find_go

from .environment import LOCKED, ROOT, ChecksError

# The Go version of go.mod, as a Python package that contains the whole toolchain.
_GO = "requirements/go.txt"


@dataclass(frozen=True)
class Program:
    """A program of the tests, and its package for each package manager."""

    name: str
    find: t.Callable[[], str | Path | None]
    packages: t.Mapping[str, str]

    @property
    def missing(self) -> bool:
        """Whether the machine has no suitable program of this name."""
        try:
            return not self.find()
        except LabError:
            return True


_PROGRAMS = (
    Program("buildah", lambda: shutil.which("buildah"), {"apt-get": "buildah", "dnf": "buildah"}),
    Program("a static bash", BASH.find, {"apt-get": "bash-static"}),
    Program("a static busybox", BUSYBOX.find, {"apt-get": "busybox-static", "dnf": "busybox"}),
)
# Opens the report page. tests/integration/browser.py uses the same names.
_BROWSER = Program(
    "chromium",
    lambda: next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None),
    {"apt-get": "chromium", "dnf": "chromium"},
)
# Serves the tests of the transport `connection`, on loopback.
_SSH = Program(
    "sshd", lambda: shutil.which("sshd", path="/usr/sbin:/sbin"), {"apt-get": "openssh-server", "dnf": "openssh-server"}
)
# ansible-rulebook evaluates its rules in a Java process.
_JAVA = Program(
    "Java 17", lambda: _find_java(17), {"apt-get": "openjdk-17-jre-headless", "dnf": "java-17-openjdk-headless"}
)


def provide_for_a_lab() -> None:
    """Install the programs of a lab and Go.

    :raises ChecksError: an installation failed; the reason names the command
    """
    missing = [program for program in _PROGRAMS if program.missing]
    if missing:
        _install("a lab", missing)
    try:
        find_go()
    except LabError:
        _print(f"Go is missing or too old to build a lab; installing {_GO} into the Python environment")
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, *LOCKED, "--requirement", str(ROOT / _GO))


def provide_a_browser() -> None:
    """Install a browser if none is installed.

    :raises ChecksError: it could not be installed; the reason names the command
    """
    if _BROWSER.missing:
        _install("the tests of the report page", [_BROWSER])


def provide_an_ssh_server() -> None:
    """Install sshd if it is not installed. The tests run their own instance on loopback.

    :raises ChecksError: it could not be installed; the reason names the command
    """
    if _SSH.missing:
        _install("the tests over ssh", [_SSH])


def provide_java() -> None:
    """Install Java if it is missing, or too old for ansible-rulebook.

    :raises ChecksError: it could not be installed; the reason names the command
    """
    if _JAVA.missing:
        _install("the tests of the rulebooks", [_JAVA])


def _find_java(oldest: int) -> str | None:
    """Return the Java of PATH, or None if it is older than a major version."""
    java = shutil.which("java")
    if java is None:
        return None
    shown = subprocess.run((java, "-version"), capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', shown)
    return java if version and int(version.group(1)) >= oldest else None


def _install(purpose: str, programs: t.Sequence[Program]) -> None:
    installer = next((name for name in ("apt-get", "dnf") if shutil.which(name)), "")
    without_package = [program.name for program in programs if installer not in program.packages]
    if without_package:
        why_not = f"{installer} has no package for it" if installer else "the machine has neither apt-get nor dnf"
        raise ChecksError(
            f"Could not prepare this machine for {purpose}: {', '.join(without_package)} is missing, and {why_not}. "
            "Install it, or use Debian or Ubuntu."
        )
    packages = [program.packages[installer] for program in programs]
    missing = ", ".join(program.name for program in programs)
    _print(f"Installing {missing}, needed for {purpose}")
    if installer == "apt-get":
        _run("apt-get", "update", "--quiet")
        _run("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet", *packages)
    else:
        _run("dnf", "install", "--assumeyes", *packages)


def _run(*command: str) -> None:
    if subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode:
        raise ChecksError(f"Could not prepare this machine: `{' '.join(command)}` failed. See its output above.")


def _print(text: str) -> None:
    print(text, flush=True)
