# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder for one run in the system's folder for temporary files, and the sweep of those that killed runs left.

The folder for temporary files is everybody's. Swept is only what this user made, nobody else can enter, and whose name
says that it is of a process that is gone.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
import typing as t
from functools import lru_cache
from pathlib import Path

from .process_identity import is_gone, this_process

_PREFIX = "imagemode-"
_NAME = re.compile(rf"{_PREFIX}(?P<machine>[0-9a-f]{{16}})-(?P<number>[0-9]{{1,10}})-(?P<started>[0-9]{{1,20}})-.+")


@contextlib.contextmanager
def scratch_folder() -> t.Iterator[Path]:
    """Yield a new folder that only this user can enter, and remove it; before that, remove those of killed runs."""
    machine, number, started = _identity()
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{_digest(machine)}-{number}-{started}-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def temporary_files_of_ours() -> t.Iterator[None]:
    """Let a library write its temporary files into a scratch folder that this process keeps until its end.

    The library removes them when the process ends, and cannot when it is killed; then the next run removes the folder.
    """
    before = tempfile.tempdir
    folder = _folder_of(os.getpid())
    tempfile.tempdir = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before


@lru_cache(maxsize=1)
def _folder_of(dummy_process: int) -> Path:
    """Return the folder of a process; one that was forked does not share that of its parent."""
    kept = contextlib.ExitStack()
    atexit.register(kept.close)
    return kept.enter_context(scratch_folder())


def _identity() -> tuple[str, str, str]:
    """Return what stands for the machine, and the number and the start of this process."""
    machine, number, started = this_process().rsplit("/", 2)
    return machine, number, started


def _digest(machine: str) -> str:
    return hashlib.sha256(machine.encode("utf-8")).hexdigest()[:16]


def _sweep(parent: Path) -> None:
    """Remove what killed runs left; what cannot be removed is left to the next run."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if _is_left_over(entry):
                shutil.rmtree(entry.path, ignore_errors=True)  # follows no link, neither this nor one inside


def _is_left_over(entry: os.DirEntry[str]) -> bool:
    machine = _identity()[0]
    named = _NAME.fullmatch(entry.name)
    if named is None or named["machine"] != _digest(machine):
        return False
    if not is_gone(f"{machine}/{named['number']}/{named['started']}"):
        return False
    with contextlib.suppress(OSError):
        found = entry.stat(follow_symlinks=False)
        ours = found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        return stat.S_ISDIR(found.st_mode) and ours
    return False
