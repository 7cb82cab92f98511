# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the environment that everything else runs in: ``.cache/venv``.

It is made once, and again when what it is made from changes. ``python3 -m checks.environment`` runs before it exists,
hence standard library only, on any Python from 3.9 on.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import time
import typing as t
from contextlib import contextmanager
from pathlib import Path

from .interpreters import find_interpreter

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache"
VENV = CACHE / "venv"

# How pip takes what a file in requirements/ names: each package by its hash. Wheels only, because the build of a source
# distribution downloads its build requirements without a hash.
LOCKED = ("--require-hashes", "--only-binary=:all:")

# ansible-core's newest release runs on these; the first one there is gets chosen.
VERSIONS = ("3.12", "3.13")


class NotPossible(Exception):
    """Something is missing that the reader has to provide: ``Could not <what>: <reason>. <remedy>.``"""


def make_environment() -> None:
    """Make ``.cache/venv`` with everything the checks, the lab and the demonstration run with."""
    make_venv(VENV, find_interpreter_for_environment(), [ROOT / "requirements/environment.txt"], editable=ROOT / "lab")


def make_venv(venv: Path, interpreter: Path, requirements: t.Sequence[Path], editable: Path | None = None) -> None:
    """Make the environment *venv* from files of pinned requirements, unless it is there and was made from the same.

    :param requirements: files that pin each package with its hashes
    :param editable: a project to install without copying it; *requirements* hold what it needs and what builds it
    :raises NotPossible: an installation failed; the reason names the command
    """
    sources = [*requirements, *([editable / "pyproject.toml"] if editable else [])]
    stamp = venv / "made-from"
    with _alone(venv):
        base, content = _base(venv, interpreter), _digest(sources)
        made_from = stamp.read_text(encoding="utf-8").split() if stamp.exists() else []
        if made_from == [base, content]:
            return
        began = time.monotonic()
        _say(f"Making the Python environment {venv.relative_to(ROOT)} with {interpreter}")
        if made_from[:1] != [base]:
            shutil.rmtree(venv, ignore_errors=True)
            _run(interpreter, "-m", "venv", venv)
        pip = (venv / "bin/python", "-m", "pip", "--disable-pip-version-check")
        for file in requirements:
            _run(*pip, "install", "--quiet", *LOCKED, "--requirement", file)
        if editable:
            # In isolation pip would download setuptools without a hash.
            _run(*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", editable)
        _run(*pip, "check")
        stamp.write_text(f"{base} {content}", encoding="utf-8")
        _say(f"Made it in {time.monotonic() - began:.0f} s")


def find_interpreter_for_environment() -> Path:
    """Return the interpreter that ansible-core's newest release runs on.

    :raises NotPossible: there is none
    """
    for version in VERSIONS:
        found = find_interpreter(version)
        if found:
            return found
    raise NotPossible(
        "Could not make the Python environment: this machine has no Python 3.12 or 3.13 with venv and ensurepip. "
        "Install one, with `apt-get install python3.12-venv` or `dnf install python3.12`."
    )


def _base(venv: Path, interpreter: Path) -> str:
    """What an environment cannot change later: its interpreter, and its place, for the scripts in it name it."""
    return hashlib.sha256(f"{venv}\n{interpreter.resolve()}".encode()).hexdigest()


def _digest(sources: t.Iterable[Path]) -> str:
    return hashlib.sha256(b"\n".join(source.read_bytes() for source in sources)).hexdigest()


@contextmanager
def _alone(venv: Path) -> t.Iterator[None]:
    """Hold off others that would make the same environment at the same time."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with (venv.parent / f"{venv.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str | Path) -> None:
    if subprocess.run(command, check=False).returncode:
        shown = " ".join(str(part) for part in command)
        raise NotPossible(f"Could not make the Python environment: `{shown}` failed. Its own words stand above.")


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        make_environment()
    except NotPossible as refusal:
        sys.exit(str(refusal))
