# SPDX-License-Identifier: GPL-3.0-or-later
"""What the builder says while it builds: its pods watched, the log of each container followed and, if wanted, saved.

All of it only explains, so none of it ends a wait: what cannot be read or written becomes a trouble to be told. It runs
in threads of its own beside the window's watches; one stream a container.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t
from collections import deque
from dataclasses import dataclass, field
from functools import partial

from .._errors import OperationError
from .._model.build.attempts import Attempt, Container, attempts
from .._model.objects.resources import OPERATOR_NAMESPACE, POD, Object, metadata_of
from .api_error import ApiError, Unreachable, reaching
from .build_pods import pods_subject
from .lines import LineSplitter
from .log_folder import LogFile, LogFolder, Place, without_times
from .session import Session
from .watch import Changed, Listed, watch

TAIL_LINES = 20000
"""Lines of a log that are read to explain a failure; the builder's debugging makes most of them."""

LONGEST_LINE = 1 << 16
"""Bytes of a line that are kept; the rest is cut. buildah's own lines are far shorter."""
FOLLOWED = 3600.0
"""Seconds until a followed log is opened again: a builder may be silent for long."""
_MAX_TEXT = 4 << 20
_MOST_LOGS = 40
"""Logs of one build that are followed. The Job makes four pods at most, each with a few containers."""
_GONE = 404
_DENIED = (401, 403)


@dataclass
class Follower:
    """Follows the log of one container in a thread of its own.

    :param file: where to write it; None only takes down that it goes on
    """

    session: Session
    pod: str
    container: str
    file: LogFile | None
    place: Place
    stop: threading.Event
    done: threading.Event = field(default_factory=threading.Event)
    ended: threading.Event = field(default_factory=threading.Event)
    """The container has ended, as its pod's status says."""
    denied: str = ""
    unwritten: str = ""
    size: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, daemon=True).start()

    def close(self) -> None:
        """Write no more, whatever still comes."""
        with self._lock:
            self.stop.set()
            if self.file:
                self.file.close()
                self.file = None

    def _run(self) -> None:
        delay = 0.5
        while not self.stop.is_set():
            # The end of a stream may be that of a connection, and a log may not be there yet when its container has
            # just begun: only what is read after the container's end is surely all.
            is_last = self.ended.is_set()
            try:
                self._read()
                if is_last:
                    break
                delay = 0.5
            except ApiError as error:
                if error.status in _DENIED:
                    self.denied = error.message
                    break
                if error.status == _GONE and is_last:
                    break
            except Unreachable:
                pass
            except Exception as error:  # noqa: BLE001 - in a thread, what is not handed on goes unnoticed
                self.denied = f"an unexpected {type(error).__name__}"
                break
            (self.stop if is_last else self.ended).wait(delay)
            delay = min(delay * 2, 8.0)
        if not self.stop.is_set():  # a window that is over ends a stream, and no log
            self.done.set()

    def _read(self) -> None:
        query = {"container": self.container, "follow": "true", "timestamps": "true"}
        if self.place.since:
            query["sinceTime"] = self.place.since
        elif self.file is None:
            query["tailLines"] = "1"
        known = self.place.lines if self.place.since else 0
        path = POD.path(self.pod, OPERATOR_NAMESPACE, "log")
        response = self.session.open("GET", path, query, read_timeout=FOLLOWED)
        response.expire_in(FOLLOWED)
        splitter = LineSplitter(LONGEST_LINE)
        with contextlib.closing(response), reaching(self.session.api_url):
            for piece in response.pieces():
                lines = splitter.take(piece)
                passed = min(known, len(lines))
                known -= passed
                self._take([line + b"\n" for line in lines[passed:]])
                if self.stop.is_set():
                    return
            rest = splitter.rest()
            if rest and not known:
                self._take([rest + b"\n"])

    def _take(self, lines: t.Sequence[bytes]) -> None:
        with self._lock:
            if self.stop.is_set() or not lines:
                return
            for line in lines:
                self.place = self.place.after(line)
            self.size += sum(map(len, lines))
            if self.file is None:
                return
            try:
                self.file.write(b"".join(lines))
            except OSError as error:
                self.unwritten = f"{self.file.path}: {error.strerror or error}"
                self.file.close()
                self.file = None


class BuildLogs:
    """Follows the pods and logs of one build at a time, for one window.

    :param folder: where logs are saved; None does not save them
    :param cluster: what file names begin with
    :param memory: what :meth:`memory` returned at the end of the window before
    """

    def __init__(
        self, session: Session, folder: LogFolder | None, cluster: str, memory: t.Mapping[str, t.Any], seconds: float
    ) -> None:
        self._session = session
        self._folder = folder
        self._cluster = cluster
        self._deadline = time.monotonic() + seconds
        self._before = dict(memory)
        self._build = ""
        self._name = ""
        self._uid = ""
        self._since = ""
        self._version = ""
        self._pods: dict[str, Object] = {}
        self._followers: dict[str, Follower] = {}
        self._done: set[str] = set()
        self._places: dict[str, Place] = {}
        self._stop = threading.Event()
        self._settled = threading.Event()
        self._settled.set()
        self._lock = threading.RLock()
        self._denied = ""
        self._unwritten = ""
        self.paths: set[str] = set()

    @property
    def denied(self) -> str:
        """Why pods or logs may not be read, or an empty text."""
        return self._denied or next((f.denied for f in list(self._followers.values()) if f.denied), "")

    @property
    def unwritten(self) -> str:
        """Which file could not be written and why, or an empty text."""
        return self._unwritten or next((f.unwritten for f in list(self._followers.values()) if f.unwritten), "")

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts that were seen, in their order."""
        with self._lock:
            return attempts(self._pods.values(), self._since)

    @property
    def mark(self) -> str:
        """Another one means that the builder has said something."""
        with self._lock:
            newest = max(((p.second, p.lines) for p in self._all_places().values()), default=("", 0))
        return f"{newest[0]} {newest[1]}"

    @property
    def identity(self) -> str:
        """Name and UID of that build."""
        return self._build

    @property
    def name(self) -> str:
        """The build whose pods are looked at."""
        return self._name

    def follow(self, name: str, uid: str, created: str) -> None:
        """Follow this build from now on, and no other."""
        if self.take(name, uid, created):
            self._settled = threading.Event()
            if self._version:
                self._settled.set()
            threading.Thread(target=self._watch, args=(self._stop,), daemon=True).start()

    def take(self, name: str, uid: str, created: str) -> bool:
        """Turn to this build, without watching for its pods, and tell whether it is another than before."""
        identity = f"{name}/{uid}"
        if identity == self._build:
            return False
        self.close()
        with self._lock:
            self._build, self._name, self._uid, self._since = identity, name, uid, created
            self._stop = threading.Event()
            self._followers, self._pods, self._done, self._places, self._version = {}, {}, set(), {}, ""
            self._recall()
        return True

    def read_out(self, pods: t.Sequence[Object] | None, seconds: float) -> None:
        """Take the pods of a build that has ended, and wait until their logs are read, for so many seconds at most."""
        deadline = time.monotonic() + seconds
        if pods is None:
            self._denied = self._denied or "the builder's pods may not be read"
            return
        with self._lock:
            self._pods = {**self._pods, **{metadata_of(pod)["name"]: _reduced(pod) for pod in pods}}
        self._look()
        for follower in list(self._followers.values()):
            follower.done.wait(max(0.0, deadline - time.monotonic()))

    def text(self, attempt: Attempt, container: Container) -> str:
        """Return what a container has said, without times: from the API, else from the file, else an empty text.

        Only its end is read, and what the builder says for debugging is left out, so that it stays small.
        """
        query = {"container": container.name, "tailLines": str(TAIL_LINES)}
        path = POD.path(attempt.pod, OPERATOR_NAMESPACE, "log")
        try:
            response = self._session.open("GET", path, query)
            with contextlib.closing(response), reaching(self._session.api_url):
                return _gathered(_lines(response.pieces()))
        except (ApiError, Unreachable) as error:
            if isinstance(error, ApiError) and error.status in _DENIED:
                self._denied = error.message
        if self._folder is None:
            return ""
        try:
            with open(self._path(attempt, container), "rb") as file:
                return _gathered(without_times(_lines(iter(partial(file.read, LONGEST_LINE), b""))))
        except OSError:
            return ""

    def close(self) -> None:
        """Follow nothing any more; what was written stays whole."""
        # A list that is under way is waited for, so that the next window need not ask for it again.
        self._settled.wait(1.0)
        self._stop.set()
        for follower in list(self._followers.values()):
            follower.close()

    def memory(self) -> dict[str, t.Any]:
        """Return what the next window needs, as JSON has it."""
        with self._lock:
            if not self._build:
                return self._before
            done = self._done | {key for key, f in self._followers.items() if f.done.is_set() and not f.denied}
            return {
                "build": self._build,
                "version": self._version,
                "pods": list(self._pods.values()),
                "done": sorted(done),
                "places": {key: [place.second, place.lines] for key, place in self._all_places().items()},
                "paths": sorted(self.paths),
            }

    def _recall(self) -> None:
        before = self._before
        if before.get("build") != self._build:
            return
        self._version = before["version"]
        self._pods = {metadata_of(pod)["name"]: pod for pod in before["pods"]}
        self._done = set(before["done"])
        self._places = {key: Place(*place) for key, place in before["places"].items()}
        self.paths = set(before["paths"])

    def _all_places(self) -> dict[str, Place]:
        return {**self._places, **{key: follower.place for key, follower in list(self._followers.items())}}

    def _watch(self, stop: threading.Event) -> None:
        subject = pods_subject(self._name)
        self._look()
        try:
            versions = {POD.name: self._version} if self._version else {}
            seconds = self._deadline - time.monotonic()
            for event in watch(self._session, [subject], versions, seconds, opened=versions):
                if stop.is_set():
                    return
                if isinstance(event, (Listed, Changed)):
                    self._take(event)
                    self._settled.set()
                    self._look()
        except OperationError as refused:
            self._denied = refused.reason
        except Exception as error:  # noqa: BLE001 - in a thread, what is not handed on goes unnoticed
            self._denied = f"an unexpected {type(error).__name__} while its pods were read"
        finally:
            self._settled.set()

    def _take(self, event: Listed | Changed) -> None:
        with self._lock:
            self._version = event.resource_version
            if isinstance(event, Listed):
                self._pods = {metadata_of(pod)["name"]: _reduced(pod) for pod in event.items}
                return
            name = metadata_of(event.item)["name"]
            if not event.gone:
                self._pods[name] = _reduced(event.item)
                return
            for key, follower in self._followers.items():
                if key.startswith(f"{name}/"):
                    follower.ended.set()

    def _look(self) -> None:
        """Follow what has begun, and tell followers what has ended."""
        with self._lock:
            for attempt in attempts(self._pods.values(), self._since):
                for container in attempt.containers:
                    self._attend(attempt, container)

    def _attend(self, attempt: Attempt, container: Container) -> None:
        key = f"{attempt.pod}/{container.name}"
        if key in self._done or not container.has_log:
            return
        follower = self._followers.get(key)
        if follower is None and not self._stop.is_set():
            if len(self._followers) + len(self._done) >= _MOST_LOGS:
                self._denied = self._denied or f"the build has more than {_MOST_LOGS} containers"
                return
            file = self._file(attempt, container)
            place = self._places.get(key, Place())
            if file and not file.is_full:
                place = file.place
            follower = Follower(self._session, attempt.pod, container.name, file, place, threading.Event())
            self._followers[key] = follower
            follower.start()
        if follower is not None and (container.ended or attempt.ended):
            follower.ended.set()

    def _file(self, attempt: Attempt, container: Container) -> LogFile | None:
        if self._folder is None or self._unwritten:
            return None
        path = self._path(attempt, container)
        try:
            file = self._folder.open(*self._parts(attempt, container))
        except OSError as error:
            self._unwritten = f"{path}: {error.strerror or error}"
            return None
        self.paths.add(path)
        return file

    def _path(self, attempt: Attempt, container: Container) -> str:
        return self._folder.path_of(*self._parts(attempt, container)) if self._folder else ""

    def _parts(self, attempt: Attempt, container: Container) -> tuple[str, ...]:
        # The end of the pod's name keeps two attempts apart also when an earlier pod was removed meanwhile.
        which = f"{attempt.number}-{attempt.pod.rpartition('-')[2]}"
        return (self._cluster, self._name, self._uid, which, container.name)


def _reduced(pod: Object) -> Object:
    """Return what attempts are read from, without what a container said."""
    meta, status = metadata_of(pod), pod.get("status") or {}
    return {
        "metadata": {key: meta.get(key, "") for key in ("name", "uid", "creationTimestamp")},
        "status": {
            **{key: status[key] for key in ("reason", "message", "startTime") if status.get(key)},
            **{
                kind: [{"name": s.get("name"), "state": _without_message(s.get("state"))} for s in status[kind]]
                for kind in ("initContainerStatuses", "containerStatuses")
                if status.get(kind)
            },
        },
    }


def _without_message(state: t.Any) -> Object:
    """Return the state of a container without its message and ID, and without fields of a wrong type."""
    if not isinstance(state, dict):
        return {}
    return {name: _state_fields(fields) for name, fields in state.items() if isinstance(fields, dict)}


def _state_fields(fields: Object) -> Object:
    types = {"exitCode": int, "reason": str, "startedAt": str, "finishedAt": str}
    return {name: fields[name] for name, kind in types.items() if isinstance(fields.get(name), kind)}


def _lines(pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    splitter = LineSplitter(LONGEST_LINE)
    for piece in pieces:
        yield from (line + b"\n" for line in splitter.take(piece))
    rest = splitter.rest()
    if rest:
        yield rest


def _gathered(lines: t.Iterable[bytes]) -> str:
    kept: deque[bytes] = deque()
    size = 0
    for line in lines:
        if b" level=debug " in line[:80]:
            continue
        kept.append(line)
        size += len(line)
        while size > _MAX_TEXT or len(kept) > TAIL_LINES:
            size -= len(kept.popleft())
    return b"".join(kept).decode("utf-8", "replace")
