# SPDX-License-Identifier: GPL-3.0-or-later
"""Find working Python interpreters.

A name on PATH is not enough: pyenv adds a shim for every version that it knows, and the shim of an inactive version
fails. Runs before the environment exists, hence standard library only.
"""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

# Debian packages venv and ensurepip separately. An interpreter without them cannot make environments.
_PROBE = "import ensurepip, sys, venv; print(*sys.version_info[:2], sep='.'); print(sys.prefix == sys.base_prefix)"


def find_interpreter(version: str) -> Path | None:
    """Return the executable of Python *version* ("3.12") that can make environments, or None."""
    return next((candidate for candidate in _candidates(version) if _works(candidate, version)), None)


def link_interpreters(folder: Path, versions: t.Iterable[str]) -> None:
    """Create a link ``python3.N`` in *folder* for each installed version, to be put first on PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for version in versions:
        link = folder / f"python{version}"
        found = find_interpreter(version)
        if found is None:
            link.unlink(missing_ok=True)
        elif not link.is_symlink() or link.resolve() != found.resolve():
            link.unlink(missing_ok=True)
            link.symlink_to(found)


def folders_without_shims(path: str) -> list[str]:
    """Return the folders of the search path *path* without the shims of pyenv."""
    return [folder for folder in path.split(os.pathsep) if folder and Path(folder).name != "shims"]


def _candidates(version: str) -> t.Iterator[Path]:
    for folder in folders_without_shims(os.environ.get("PATH", os.defpath)):
        yield Path(folder) / f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)


def _works(candidate: Path, version: str) -> bool:
    if not os.access(candidate, os.X_OK):
        return False
    probe = subprocess.run([candidate, "-c", _PROBE], capture_output=True, text=True, check=False)
    return probe.returncode == 0 and probe.stdout.split() == [version, "True"]
