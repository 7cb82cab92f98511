# SPDX-License-Identifier: GPL-3.0-or-later
"""Create a folder for one run in the system's temporary folder, and delete the folders of killed runs.

All users share the temporary folder. A folder is deleted only if this user owns it, no other user can enter it, and its
name identifies a process that has ended.
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
    """Delete the folders of killed runs, then yield a new folder that only this user can enter."""
    machine, number, started = _identity()
    _delete_left_over(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{_digest(machine)}-{number}-{started}-") as folder:
        yield Path(folder)


@contextlib.contextmanager
def own_temporary_files() -> t.Iterator[None]:
    """Redirect the temporary files of a library to a scratch folder that exists until this process ends.

    The library deletes the files when the process ends. If the process is killed, the next run deletes the folder.
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
    """Return the folder of a process. A forked process does not share the folder of its parent."""
    kept = contextlib.ExitStack()
    atexit.register(kept.close)
    return kept.enter_context(scratch_folder())


def _identity() -> tuple[str, str, str]:
    """Return the machine, the number and the start time of this process."""
    machine, number, started = this_process().rsplit("/", 2)
    return machine, number, started


def _digest(machine: str) -> str:
    return hashlib.sha256(machine.encode("utf-8")).hexdigest()[:16]


def _delete_left_over(parent: Path) -> None:
    """Delete the folders of killed runs. The next run deletes those that cannot be deleted now."""
    with contextlib.suppress(OSError), os.scandir(parent) as entries:
        for entry in entries:
            if _is_left_over(entry):
                shutil.rmtree(entry.path, ignore_errors=True)  # does not follow symbolic links


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
