# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the files of a report: all of them or none, and none half."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import typing as t
from pathlib import Path

_ANOTHER = "name another folder (image_mode_report_dir in the playbooks)"
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NO_RIGHT = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))


class CouldNotWrite(Exception):
    """``Could not write report <absolute path>: <reason>. <remedy>.``"""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = (error.strerror or type(error).__name__).rstrip(".")
        super().__init__(f"Could not write report {path}: {reason}. {_remedy(error)}.")


def absolute(folder: str) -> Path:
    """Return the folder; a relative one starts where the user stands, not in the collection a playbook comes from."""
    return Path(os.path.abspath(os.path.expanduser(folder)))


def write_files(folder: Path, contents: t.Mapping[str, bytes]) -> list[Path]:
    """Write *contents*, by file name, into *folder*, and return the paths in the same order.

    Each is written beside its place and moved there when all are safe on disk: what lies there is of one run.

    :raises CouldNotWrite: one could not be written; none of them is there then, and what lay there before still is
    """
    unfinished: list[tuple[Path, Path]] = []
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            path = folder / name
            beside = folder / f".{name}.{secrets.token_hex(4)}"
            unfinished.append((beside, path))
            _write(beside, content)
        for beside, path in unfinished:
            beside.replace(path)
    except OSError as error:
        refusal = CouldNotWrite(path, error)
    else:
        return [path for dummy, path in unfinished]
    finally:
        for beside, dummy in unfinished:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
    raise refusal


def _write(path: Path, content: bytes) -> None:
    """Write a new file with the rights that the user's umask leaves."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remedy(error: OSError) -> str:
    if error.errno in _NO_ROOM:
        return f"Free space there, or {_ANOTHER}"
    if error.errno in _NO_RIGHT:
        return f"Let the account that runs Ansible write there, or {_ANOTHER}"
    return f"Make it a folder that can be written, or {_ANOTHER}"
