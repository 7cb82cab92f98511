# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the files of a report: all of them or none, and none half."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import typing as t
from pathlib import Path

_ANOTHER = "name another folder (image_mode_report_dir in the playbooks)"
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NO_RIGHT = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))


_LARGEST = 64 * 1024 * 1024
"""Bytes of a file that is read before it is replaced: more than the report of thousands of nodes has."""


class CouldNotWrite(Exception):
    """``Could not write report <absolute path>: <reason>. <remedy>.``"""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = (error.strerror or type(error).__name__).rstrip(".")
        super().__init__(f"Could not write report {path}: {reason}. {_remedy(error)}.")


class AnothersReport(Exception):
    """``Could not write report <absolute path>: <reason>. <remedy>.``"""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Could not write report {path}: {reason}. Move that file away, or {_ANOTHER}.")


def refuse_to_replace(path: Path, is_own: t.Callable[[bytes], bool]) -> None:
    """Refuse if *path* is a file that is not a report of the same cluster. A link is not followed: it is replaced.

    :param path: the JSON file of a report
    :param is_own: whether a content is that of a report of the same cluster
    :raises AnothersReport: it is another's
    """
    try:
        content = _content(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return
        raise AnothersReport(path, "a file of this name cannot be read, so it may be of another cluster") from None
    if content is None or not is_own(content):
        raise AnothersReport(path, "a file of this name is not a report of the same cluster")


def _content(path: Path) -> bytes | None:
    """Return what a regular file holds, or None when it is something else or larger than a report can be."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            return None
        return file.read(_LARGEST)


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
