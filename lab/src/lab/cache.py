# SPDX-License-Identifier: GPL-3.0-or-later
"""Where labs and builds are kept, and the locks that make two commands at once safe."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

CACHE_VARIABLE = "LAB_CACHE"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def lab_sources() -> Path:
    """The folder ``lab/`` of the repository, which holds the Go modules.

    Raises LabError for a package that was installed away from its sources.
    """
    folder = Path(__file__).resolve().parents[2]
    if not (folder / "go").is_dir():
        raise LabError(
            f"Could not find the lab's Go modules: no folder {folder / 'go'}. "
            "Install the lab from the repository with 'pip install --editable lab'."
        )
    return folder


def cache_folder() -> Path:
    """``.cache/lab`` of the repository, or the folder the environment variable LAB_CACHE names."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).absolute() if chosen else lab_sources().parent / ".cache" / "lab"


def build_folder() -> Path:
    """Where built binaries are kept."""
    return cache_folder() / "build"


def labs_folder() -> Path:
    """Where each lab has its folder."""
    return cache_folder() / "labs"


def lab_folder(name: str) -> Path:
    """The folder of the lab ``name``. Raises LabError for a name that is no DNS label."""
    if not _NAME.fullmatch(name):
        raise LabError(
            f"Could not use lab name {name!r}: it is not a DNS label. "
            "Use up to 32 lower-case letters, digits and hyphens."
        )
    return labs_folder() / name


@contextmanager
def locked(path: Path, waiting: str, say: object = None) -> Iterator[None]:
    """Hold the lock file ``path``; when somebody else holds it, say ``waiting`` once and wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Only who can open it can hold it.
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if callable(say):
                say(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
