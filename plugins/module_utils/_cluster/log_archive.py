# SPDX-License-Identifier: GPL-3.0-or-later
"""Save the logs of a build in files, one for each container of each attempt."""

from __future__ import annotations

import typing as t

from .._model.build.attempts import Attempt, Container
from .._model.build.log_needs import BuildRun
from .log_folder import LogFile, LogFolder


class LogArchive:
    """The saved logs.

    :param folder: where logs are saved; None saves nothing
    :param cluster: start of the file names, which distinguishes clusters
    :ivar paths: the files that were opened
    :ivar unwritten: which file cannot be opened and why, or an empty text; no other file is opened then
    """

    def __init__(self, folder: LogFolder | None = None, cluster: str = "") -> None:
        self._folder = folder
        self._cluster = cluster
        self.paths: set[str] = set()
        self.unwritten = ""

    def open(self, run: BuildRun, attempt: Attempt, container: Container) -> LogFile | None:
        """Return the file of a log, or None if logs are not saved or the file cannot be opened."""
        if self._folder is None or self.unwritten:
            return None
        path = self._path(run, attempt, container)
        try:
            file = self._folder.open(*self._parts(run, attempt, container))
        except OSError as error:
            self.unwritten = f"{path}: {error.strerror or error}"
            return None
        self.paths.add(path)
        return file

    def read(self, run: BuildRun, attempt: Attempt, container: Container) -> t.BinaryIO | None:
        """Return a saved log for reading, or None if there is none."""
        if self._folder is None:
            return None
        try:
            return open(self._path(run, attempt, container), "rb")
        except OSError:
            return None

    def _path(self, run: BuildRun, attempt: Attempt, container: Container) -> str:
        return self._folder.path_of(*self._parts(run, attempt, container)) if self._folder else ""

    def _parts(self, run: BuildRun, attempt: Attempt, container: Container) -> tuple[str, ...]:
        # The end of the pod's name distinguishes two attempts even if an earlier pod was deleted.
        which = f"{attempt.number}-{attempt.pod.rpartition('-')[2]}"
        return (self._cluster, run.name, run.uid, which, container.name)
