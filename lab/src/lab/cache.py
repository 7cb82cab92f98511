# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of labs and builds, and the locks between concurrent commands."""

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
    """Return the folder ``lab/`` of the repository, with the Go modules.

    Raises LabError if the package was installed without its sources.
    """
    folder = Path(__file__).resolve().parents[2]
    if not (folder / "go").is_dir():
        raise LabError(
            f"Could not find the lab's Go modules: no folder {folder / 'go'}. "
            "Install the lab from the repository with 'pip install --editable lab'."
        )
    return folder


def cache_folder() -> Path:
    """Return ``.cache/lab`` of the repository, or the folder that the environment variable LAB_CACHE names."""
    chosen = os.environ.get(CACHE_VARIABLE)
    return Path(chosen).absolute() if chosen else lab_sources().parent / ".cache" / "lab"


def build_folder() -> Path:
    """Return the folder of the built binaries."""
    return cache_folder() / "build"


def labs_folder() -> Path:
    """Return the folder of the labs."""
    return cache_folder() / "labs"


def lab_folder(name: str) -> Path:
    """Return the folder of the lab ``name``. Raises LabError for a name that is not a DNS label."""
    if not _NAME.fullmatch(name):
        raise LabError(
            f"Could not use lab name {name!r}: it is not a DNS label. "
            "Use up to 32 lower-case letters, digits and hyphens."
        )
    return labs_folder() / name


@contextmanager
def locked(path: Path, waiting: str, say: object = None) -> Iterator[None]:
    """Hold the lock file ``path``. If another process holds it, print ``waiting`` once and wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # Mode 0600: only the owner can hold the lock.
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if callable(say):
                say(waiting)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
