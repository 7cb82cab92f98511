# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow the pods and logs of a build, and read the log of a failed attempt.

Logs only explain, so a log that cannot be read or saved does not end a wait. It becomes a finding. The pods are watched
and each log is followed in a thread, beside the watches of the window.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from functools import partial

from .._model.build.attempts import Attempt, Container
from .._model.build.log_needs import BuildRun, FollowedLogs, LogProgress
from .._model.build.log_position import LogPosition
from .._model.objects.resources import Object
from .api_error import DENIED, ApiError, Unreachable
from .log_archive import LogArchive
from .log_folder import without_times
from .log_follower import LONGEST_LINE, LogFollower
from .log_text import last_lines, read_log, split_lines
from .pod_tracker import PodTracker
from .session import Session

TAIL_LINES = 20000
"""Lines of a log that are read to explain a failure. Most of them are debugging output of the builder."""
_MOST_LOGS = 40
"""Greatest number of logs of one build. A Job makes at most four pods, each with a few containers."""


class BuildLogs:
    """Follows the pods and logs of one build at a time, for one window.

    :param archive: saves the logs
    :param before: what :meth:`state` returned at the end of the previous window
    :param seconds: length of the window
    """

    def __init__(self, session: Session, archive: LogArchive, before: FollowedLogs, seconds: float) -> None:
        self._session = session
        self._archive = archive
        self._before = before
        self._deadline = time.monotonic() + seconds
        self._run = BuildRun("", "", "")
        self._tracker = PodTracker(session, self._run)
        self._followers: dict[str, LogFollower] = {}
        self._unreadable = ""
        self._lock = threading.RLock()
        self._is_closed = False

    def follow(self, run: BuildRun) -> None:
        """Follow this build from now on, and no other."""
        if self.take(run):
            self._tracker.start(self._deadline - time.monotonic(), self._follow_containers)

    def take(self, run: BuildRun) -> bool:
        """Switch to this build without following it. Return whether it is another build than before."""
        if run == self._run:
            return False
        self.close()
        with self._lock:
            self._is_closed = False
            self._run = run
            self._followers = {}
            if self._before.build != run.identity:
                self._before = FollowedLogs(run.identity)
            self._archive.paths |= set(self._before.paths)
            self._tracker = PodTracker(self._session, run, self._before.pods, self._before.version)
        return True

    def read_out(self, pods: t.Sequence[Object] | None, seconds: float) -> None:
        """Wait until the logs of a build that has ended are read, for at most this many seconds.

        :param pods: its pods; None if they may not be read
        """
        deadline = time.monotonic() + seconds
        if pods is None:
            self._unreadable = self._unreadable or "the builder's pods may not be read"
            return
        self._tracker.add(pods)
        self._follow_containers()
        for follower in list(self._followers.values()):
            if follower.ended.is_set() or not self._run.pod:  # a failed build leaves a container that never ends
                follower.done.wait(max(0.0, deadline - time.monotonic()))

    def text(self, attempt: Attempt, container: Container) -> str:
        """Return the end of a log without times: from the API, else from its file, else an empty text.

        The debugging output of the builder is left out.
        """
        try:
            return read_log(self._session, attempt.pod, container.name, TAIL_LINES)
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and error.status in DENIED:
                self._unreadable = error.message
        file = self._archive.read(self._run, attempt, container)
        if file is None:
            return ""
        with contextlib.suppress(OSError), file:
            return last_lines(without_times(split_lines(iter(partial(file.read, LONGEST_LINE), b""))), TAIL_LINES)
        return ""

    def close(self) -> None:
        """Stop following. Saved files are complete up to here."""
        self._tracker.stop()
        with self._lock:
            self._is_closed = True
            followers = list(self._followers.values())
        for follower in followers:
            follower.close()

    def progress(self) -> LogProgress:
        """Return what is known of the pods and logs."""
        followers = list(self._followers.values())
        unreadable = self._unreadable or self._tracker.unreadable
        newest = max(((p.second, p.lines) for p in self._positions().values()), default=("", 0))
        return LogProgress(
            self._run.identity if self._run.name else "",
            tuple(self._tracker.attempts),
            f"{newest[0]} {newest[1]}",
            unreadable or next((f.unreadable for f in followers if f.unreadable), ""),
            self._archive.unwritten or next((f.unwritten for f in followers if f.unwritten), ""),
            pod=self._run.pod,
            is_listed=bool(self._tracker.version) and not self._tracker.unreadable,
            has_older=self._tracker.has_older,
        )

    def state(self) -> FollowedLogs:
        """Return what the next window needs."""
        if not self._run.name:
            return self._before
        with self._lock:
            read = {key for key, f in self._followers.items() if f.done.is_set() and not f.unreadable}
        return FollowedLogs(
            self._run.identity,
            self._tracker.version,
            self._tracker.pods,
            tuple(sorted({*self._before.done, *read})),
            self._positions(),
            tuple(sorted(self._archive.paths)),
        )

    def _positions(self) -> dict[str, LogPosition]:
        with self._lock:
            return {**self._before.positions, **{key: f.position for key, f in self._followers.items()}}

    def _follow_containers(self) -> None:
        """Follow the logs of containers that have started, and record which have ended."""
        with self._lock:
            for attempt in self._tracker.attempts:
                for container in attempt.containers:
                    self._follow_container(attempt, container)

    def _follow_container(self, attempt: Attempt, container: Container) -> None:
        key = f"{attempt.pod}/{container.name}"
        if key in self._before.done or not container.has_log:
            return
        follower = self._followers.get(key)
        if follower is None and not self._is_closed:
            if len(self._followers) + len(self._before.done) >= _MOST_LOGS:
                self._unreadable = self._unreadable or f"the build has more than {_MOST_LOGS} containers"
                return
            follower = self._new_follower(key, attempt, container)
        if follower is not None and (container.ended or attempt.ended or attempt.pod in self._tracker.deleted):
            follower.ended.set()

    def _new_follower(self, key: str, attempt: Attempt, container: Container) -> LogFollower:
        file = self._archive.open(self._run, attempt, container)
        position = self._before.positions.get(key, LogPosition())
        if file and not file.is_full:
            position = file.position
        follower = LogFollower(self._session, attempt.pod, container.name, file, position)
        self._followers[key] = follower
        follower.start()
        return follower
