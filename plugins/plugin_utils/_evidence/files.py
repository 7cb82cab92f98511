# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the files of a report, all together or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import stat
import typing as t
from pathlib import Path

_ANOTHER = "use another directory (dir; image_mode_report_dir in the playbooks)"
_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
_NO_RIGHT = frozenset((errno.EACCES, errno.EPERM, errno.EROFS))


_MAX_SIZE = 64 * 1024 * 1024
"""Maximum bytes of an existing report. The report of thousands of nodes is smaller."""


class ReportNotWritten(Exception):
    """``Could not write report <absolute path>: <reason>. <remedy>.``"""

    def __init__(self, path: Path, error: OSError) -> None:
        reason = (error.strerror or type(error).__name__).rstrip(".")
        super().__init__(f"Could not write report {path}: {reason}. {_remedy(error)}.")


class ForeignFile(Exception):
    """``Could not write report <absolute path>: <reason>. <remedy>.``"""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Could not write report {path}: {reason}. Move that file away, or {_ANOTHER}.")


def check_replaceable(path: Path, is_own: t.Callable[[bytes], bool]) -> None:
    """Check that *path* does not exist or is a report of the same cluster. A link is not followed but replaced.

    :param path: JSON file of a report
    :param is_own: returns whether a content is a report of the same cluster
    :raises ForeignFile: it is another file
    """
    try:
        content = _content(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            return
        raise ForeignFile(path, "a file of this name cannot be read and may belong to another cluster") from None
    if content is None or not is_own(content):
        raise ForeignFile(path, "a file of this name is not a report of the same cluster")


def _content(path: Path) -> bytes | None:
    """Return the content of a regular file, or None if it is something else or too large for a report."""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_SIZE:
            return None
        return file.read(_MAX_SIZE)


def absolute(folder: str) -> Path:
    """Return the absolute path. A relative one starts at the working directory, not at the collection of a playbook."""
    return Path(os.path.abspath(os.path.expanduser(folder)))


def report_names(folder: Path, extension: str) -> list[str]:
    """Return the names of the files with an extension, without it. A folder that cannot be read has none."""
    try:
        return [name[: -len(extension)] for name in os.listdir(folder) if name.endswith(extension)]
    except OSError:
        return []


def read_files(folder: Path, extension: str) -> dict[str, bytes | None]:
    """Return the contents of the files with an extension by their names without it. None is a file that is no report.

    A folder that does not exist has none.

    :raises ReportNotWritten: the folder cannot be read, so that reports would be missing
    """
    try:
        names = [path.name for path in folder.iterdir() if path.name.endswith(extension)]
    except FileNotFoundError:
        return {}
    except OSError as error:
        failure = ReportNotWritten(folder, error)
    else:
        return {name[: -len(extension)]: _readable(folder / name) for name in sorted(names)}
    raise failure


def _readable(path: Path) -> bytes | None:
    try:
        return _content(path)
    except OSError:
        return None


@contextlib.contextmanager
def locked(folder: Path) -> t.Iterator[None]:
    """Keep other processes, which report other pools, from doing the same in the folder. It is created if missing.

    A file system without locks is used without one.

    :raises ReportNotWritten: the folder cannot be created
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        failure = ReportNotWritten(folder, error)
    else:
        try:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
        return
    raise failure


def write_files(folder: Path, contents: t.Mapping[str, bytes]) -> list[Path]:
    """Write *contents* (file name -> bytes) into *folder* and return the paths in the same order.

    All files are written under temporary names first and renamed when all are on disk, so that they belong to one run.

    :raises ReportNotWritten: a file could not be written; existing files are unchanged then
    """
    unfinished: list[tuple[Path, Path]] = []
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            path = folder / name
            temporary = folder / f".{name}.{secrets.token_hex(4)}"
            unfinished.append((temporary, path))
            _write(temporary, content)
        for temporary, path in unfinished:
            temporary.replace(path)
    except OSError as error:
        failure = ReportNotWritten(path, error)
    else:
        return [path for dummy, path in unfinished]
    finally:
        for temporary, dummy in unfinished:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
    raise failure


def _write(path: Path, content: bytes) -> None:
    """Write a new file with the permissions of the user's umask."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remedy(error: OSError) -> str:
    if error.errno in _NO_ROOM:
        return f"Free disk space, or {_ANOTHER}"
    if error.errno in _NO_RIGHT:
        return f"Give the account that runs Ansible write permission, or {_ANOTHER}"
    return f"Create a writable directory there, or {_ANOTHER}"
