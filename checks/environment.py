# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the Python environment of all checks: ``.cache/venv``.

It is made once, and again when its requirements change. ``python3 -m checks.environment`` runs before the environment
exists, hence standard library only, on Python 3.9 or later.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
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

# Options of pip for the files in requirements/: hashes are required. Wheels only, because the build of a source
# distribution downloads its build requirements without a hash.
LOCKED = ("--require-hashes", "--only-binary=:all:")

# Versions that the checks use and that no requirements file can hold.
VERSIONS: t.Final[dict[str, t.Any]] = json.loads((ROOT / "requirements/versions.json").read_text(encoding="utf-8"))


class ChecksError(Exception):
    """A check could not run: ``Could not <verb> <object>: <reason>. <remedy>.``"""


def make_environment() -> None:
    """Make ``.cache/venv`` with the requirements of the checks, the lab and the demonstration."""
    make_venv(VENV, find_interpreter_for_environment(), [ROOT / "requirements/environment.txt"], editable=ROOT / "lab")


def make_venv(venv: Path, interpreter: Path, requirements: t.Sequence[Path], editable: Path | None = None) -> None:
    """Make the environment *venv* from files of pinned requirements, unless it is up to date.

    :param requirements: files that pin each package with its hashes
    :param editable: a project to install without copying it; *requirements* hold its dependencies and build backend
    :raises ChecksError: an installation failed; the reason names the command
    """
    sources = [*requirements, *([editable / "pyproject.toml"] if editable else [])]
    stamp = venv / "made-from"
    with _locked(venv):
        base, content = _base(venv, interpreter), _digest(sources)
        made_from = stamp.read_text(encoding="utf-8").split() if stamp.exists() else []
        if made_from == [base, content]:
            return
        began = time.monotonic()
        _print(f"Making the Python environment {venv.relative_to(ROOT)} with {interpreter}")
        if made_from[:1] != [base]:
            shutil.rmtree(venv, ignore_errors=True)
            _run(interpreter, "-m", "venv", venv)
        pip = (venv / "bin/python", "-m", "pip", "--disable-pip-version-check")
        for file in requirements:
            _run(*pip, "install", "--quiet", *LOCKED, "--requirement", file)
        if editable:
            # With build isolation pip would download setuptools without a hash.
            _run(*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", editable)
        _run(*pip, "check")
        stamp.write_text(f"{base} {content}", encoding="utf-8")
        _print(f"Made the environment in {time.monotonic() - began:.0f} s")


def find_interpreter_for_environment() -> Path:
    """Return an interpreter that supports the newest release of ansible-core.

    :raises ChecksError: no such interpreter is installed
    """
    versions = VERSIONS["environment_python"]
    for version in versions:
        found = find_interpreter(version)
        if found:
            return found
    raise ChecksError(
        f"Could not make the Python environment: no Python {' or '.join(versions)} with venv and ensurepip is "
        f"installed. Install it with `apt-get install python{versions[0]}-venv` or `dnf install python{versions[0]}`."
    )


def _base(venv: Path, interpreter: Path) -> str:
    """Return a digest of the interpreter and the path, which an environment cannot change later."""
    return hashlib.sha256(f"{venv}\n{interpreter.resolve()}".encode()).hexdigest()


def _digest(sources: t.Iterable[Path]) -> str:
    return hashlib.sha256(b"\n".join(source.read_bytes() for source in sources)).hexdigest()


@contextmanager
def _locked(venv: Path) -> t.Iterator[None]:
    """Keep other processes from making the same environment at the same time."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    with (venv.parent / f"{venv.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str | Path) -> None:
    if subprocess.run(command, check=False).returncode:
        shown = " ".join(str(part) for part in command)
        raise ChecksError(f"Could not make the Python environment: `{shown}` failed. See its output above.")


def _print(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        make_environment()
    except ChecksError as error:
        sys.exit(str(error))
