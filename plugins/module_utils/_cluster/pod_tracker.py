# SPDX-License-Identifier: GPL-3.0-or-later
"""Track the pods of one build while it runs."""

from __future__ import annotations

import threading
import typing as t

from .._errors import OperationError
from .._model.build.attempts import DELETED, DISRUPTION, Attempt, attempts
from .._model.build.log_needs import BuildRun
from .._model.objects.resources import POD, Object, conditions_of, metadata_of
from .._model.objects.values import text_in
from .build_pods import pods_subject
from .session import Session
from .watch import Changed, Listed, watch
from .watch_errors import WatchStatus

_MOST_DELETED = 20
"""Deleted pods that are remembered. A Job makes at most four pods."""


class PodTracker:
    """Watches the pods of a build in its own thread.

    :param pods: the pods that are known already, reduced
    :param version: the resourceVersion to watch from; empty lists first
    :ivar deleted: names of the pods that were deleted; they still count as attempts
    :ivar unreadable: why the pods cannot be read, or an empty text
    """

    def __init__(self, session: Session, run: BuildRun, pods: t.Iterable[Object] = (), version: str = "") -> None:
        self._session = session
        self._run = run
        self._lock = threading.Lock()
        self._pods: dict[str, Object] = {metadata_of(pod)["name"]: pod for pod in pods}
        self._stop = threading.Event()
        self._listed = threading.Event()
        self.version = version
        self.deleted: set[str] = set()
        self.unreadable = ""
        self._listed.set()

    @property
    def pods(self) -> tuple[Object, ...]:
        """The pods, reduced."""
        with self._lock:
            return tuple(self._pods.values())

    @property
    def has_older(self) -> bool:
        """Whether a pod is older than the build, so that it belongs to an earlier one."""
        return any(str(metadata_of(pod).get("creationTimestamp", "")) < self._run.created for pod in self.pods)

    @property
    def attempts(self) -> list[Attempt]:
        """The attempts of the build, in their order."""
        return attempts(self.pods, self._run.created)

    def add(self, pods: t.Iterable[Object]) -> None:
        """Add pods that were read otherwise."""
        with self._lock:
            self._pods.update({metadata_of(pod)["name"]: reduced(pod) for pod in pods})

    def start(self, seconds: float, changed: t.Callable[[], None]) -> None:
        """Watch the pods.

        :param changed: called in the thread at the start and after each change
        """
        if not self.version:
            self._listed.clear()
        threading.Thread(target=self._watch, args=(seconds, changed), daemon=True).start()

    def stop(self) -> None:
        """Stop. A list that has started is waited for, so that the next window does not have to list again."""
        self._listed.wait(1.0)
        self._stop.set()

    def _watch(self, seconds: float, changed: t.Callable[[], None]) -> None:
        try:
            changed()
            statuses = {POD.name: WatchStatus(self.version, watched=True)} if self.version else {}
            for event in watch(self._session, [pods_subject(self._run)], statuses, seconds):
                if self._stop.is_set():
                    return
                if isinstance(event, (Listed, Changed)):
                    self._take(event)
                    self._listed.set()
                    changed()
        except OperationError as error:
            self.unreadable = error.reason
        except Exception as error:  # noqa: BLE001 - an exception in a thread would otherwise be lost
            self.unreadable = f"an unexpected {type(error).__name__} while its pods were read"
        finally:
            self._listed.set()

    def _take(self, event: Listed | Changed) -> None:
        with self._lock:
            self.version = event.resource_version
            if isinstance(event, Listed):
                self._replace(event.items)
                return
            name = metadata_of(event.item)["name"]
            self._pods[name] = reduced(event.item)
            if event.gone:
                self._delete(name)

    def _replace(self, pods: t.Iterable[Object]) -> None:
        """Take a list of all pods. A pod that is missing in it was deleted."""
        listed = {metadata_of(pod)["name"]: reduced(pod) for pod in pods}
        missing = [name for name in self._pods if name not in listed]
        self._pods.update(listed)
        for name in missing[-_MOST_DELETED:]:
            self._delete(name)
        for name in missing[:-_MOST_DELETED]:
            del self._pods[name]

    def _delete(self, name: str) -> None:
        self.deleted.add(name)
        self._pods[name] = {**self._pods[name], DELETED: True}


def reduced(pod: Object) -> Object:
    """Return the fields that attempts are read from, without the messages of containers."""
    meta, status = metadata_of(pod), pod.get("status") or {}
    node = text_in(pod.get("spec"), "nodeName")
    return {
        "metadata": {
            **{key: meta.get(key, "") for key in ("name", "uid", "creationTimestamp")},
            **{key: meta[key] for key in ("deletionTimestamp", "deletionGracePeriodSeconds") if meta.get(key)},
        },
        **({"spec": {"nodeName": node}} if node else {}),
        "status": {
            **({"conditions": [{"type": DISRUPTION, "status": "True"}]} if conditions_of(pod).get(DISRUPTION) else {}),
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
