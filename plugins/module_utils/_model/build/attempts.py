# SPDX-License-Identifier: GPL-3.0-or-later
"""Attempts of a build, and the container that decided the result of each.

The Job starts one pod for each attempt, at most four, and keeps failed pods. The builder runs in container image-build
(docs/operator-behavior.md, "Build Job and attempts").
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ..objects.resources import Object, conditions_of, metadata_of
from ..objects.timestamp import seconds_of
from ..objects.values import text_in

BUILDER = "image-build"
"""Container that runs buildah. Other containers only report that the builder failed."""
MAX_ATTEMPTS = 4
"""Attempts that the Job makes."""
DELETED = "deleted"
"""Key of a pod that was deleted. The API has no such key."""
DISRUPTION = "DisruptionTarget"
"""Condition of a pod that is evicted."""
CANNOT_START = frozenset(
    ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError")
)
"""Reasons of a container that does not start."""
_GONE = "Deleted"
"""Reason of an attempt whose pod was deleted before its containers ended."""


class AttemptState(enum.Enum):
    """Result of an attempt."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class Container:
    """One container of an attempt."""

    name: str
    running: bool
    ended: bool
    exit_code: int
    reason: str
    message: str
    started: str
    finished: str

    @property
    def cannot_start(self) -> bool:
        """Whether the container waits for something that has failed."""
        return not (self.running or self.ended) and self.reason in CANNOT_START

    @property
    def has_log(self) -> bool:
        """Whether the container has written a log."""
        return self.running or (self.ended and bool(self.started))


@dataclass(frozen=True)
class Attempt:
    """One pod of a build."""

    number: int
    pod: str
    uid: str
    reason: str
    """Reason from the status of the pod, such as ``Evicted``. Usually empty."""
    message: str
    started: str
    containers: tuple[Container, ...]
    node: str = ""
    lost: bool = False
    """Whether the pod was deleted before the builder ended."""
    evicted: bool = False

    @property
    def ended(self) -> bool:
        """Whether no container runs any more."""
        return bool(self.reason) or (bool(self.containers) and all(c.ended for c in self.containers))

    @property
    def failed(self) -> bool:
        """Whether the attempt cannot succeed any more, even if a container waits or runs for ever."""
        return bool(self.reason) or any(c.exit_code for c in self.containers)

    @property
    def succeeded(self) -> bool:
        """Whether all containers succeeded."""
        return self.ended and not self.reason and not any(c.exit_code for c in self.containers)

    @property
    def is_gone(self) -> bool:
        """Whether the pod was deleted before its containers ended, so that its result is not known."""
        return self.reason == _GONE

    @property
    def deciding_container(self) -> Container | None:
        """The container that decided the result: the builder, unless only another container failed."""
        failed = [c for c in self.containers if c.ended and c.exit_code]
        candidates = failed or list(self.containers)
        return next((c for c in candidates if c.name == BUILDER), candidates[0] if candidates else None)

    def as_result(self) -> dict[str, t.Any]:
        """Return the attempt as results contain it. Values that are not known yet are None."""
        container = self.deciding_container
        ended = container is not None and container.ended
        return {
            "pod": self.pod,
            "started": self.started or None,
            "finished": (container.finished or None) if container and ended else None,
            "exit_code": container.exit_code if container and ended else None,
            "reason": self.reason or ((container.reason or None) if container and ended else None),
        }


def attempts(pods: t.Iterable[Object], since: str = "") -> list[Attempt]:
    """Return the attempts, the oldest first.

    :param since: creation time of the build; an older pod belongs to an earlier build of the same name
    """
    in_order = sorted(
        pods, key=lambda pod: (str(metadata_of(pod).get("creationTimestamp", "")), metadata_of(pod)["name"])
    )
    own = [pod for pod in in_order if str(metadata_of(pod).get("creationTimestamp", "")) >= since]
    return [_attempt(number, pod) for number, pod in enumerate(own, 1)]


def states_of(made: t.Sequence[Attempt], has_succeeded: bool) -> list[AttemptState]:
    """Return the state of each attempt.

    The operator deletes the pods of a build that has succeeded. So the last one that is gone has succeeded then.

    :param has_succeeded: whether the build has succeeded
    """
    states = [_state_of(attempt) for attempt in made]
    if has_succeeded and made and not made[-1].evicted and (made[-1].is_gone or not made[-1].failed):
        states[-1] = AttemptState.SUCCEEDED
    return states


def _state_of(attempt: Attempt) -> AttemptState:
    if attempt.failed:
        return AttemptState.FAILED
    return AttemptState.SUCCEEDED if attempt.succeeded else AttemptState.RUNNING


def last_failed(made: t.Sequence[Attempt]) -> Attempt | None:
    """Return the newest failed attempt, or None."""
    return next((attempt for attempt in reversed(made) if attempt.failed), None)


def _attempt(number: int, pod: Object) -> Attempt:
    status, meta = pod.get("status") or {}, metadata_of(pod)
    states = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    containers = tuple(_container(state) for state in states)
    is_lost = _is_lost(pod, containers)
    is_gone = is_lost and bool(pod.get(DELETED)) and not (containers and all(c.ended for c in containers))
    gone = (_GONE, "The pod was deleted before its containers ended.") if is_gone else ("", "")
    return Attempt(
        number=number,
        pod=meta["name"],
        uid=meta.get("uid", ""),
        reason=str(status.get("reason") or gone[0]),
        message=str(status.get("message") or gone[1]),
        started=str(status.get("startTime") or meta.get("creationTimestamp") or ""),
        containers=containers,
        node=text_in(pod.get("spec"), "nodeName"),
        lost=is_lost,
        evicted=conditions_of(pod).get(DISRUPTION, False),
    )


def _is_lost(pod: Object, containers: t.Sequence[Container]) -> bool:
    """Whether a pod was deleted before its builder ended. A builder that is stopped for it ends with an error."""
    requested = _deletion_requested(pod)
    if requested is None and not pod.get(DELETED):
        return False
    if containers and all(c.ended and not c.exit_code for c in containers):
        return False
    ends = [seconds_of(c.finished) for c in containers if c.ended and c.exit_code]
    return not any(requested is None or (end is not None and end < requested) for end in ends)


def _deletion_requested(pod: Object) -> float | None:
    """Return when the deletion of a pod was requested, in seconds since the epoch, or None if it was not."""
    meta = metadata_of(pod)
    deadline, grace = seconds_of(text_in(meta, "deletionTimestamp")), meta.get("deletionGracePeriodSeconds")
    return None if deadline is None else deadline - (grace if isinstance(grace, int) else 0)


def _exit_code(value: t.Any) -> int:
    """Return an exit code. A value that is not a number counts as a failure."""
    return value if isinstance(value, int) else int(value is not None)


def _container(status: Object) -> Container:
    state = status.get("state") or {}
    ended = state.get("terminated") or {}
    waiting = state.get("waiting") or {}
    return Container(
        name=str(status.get("name", "")),
        running="running" in state,
        ended=bool(ended),
        exit_code=_exit_code(ended.get("exitCode")),
        reason=str(ended.get("reason") or waiting.get("reason") or ""),
        message=str(ended.get("message") or ""),
        started=str(ended.get("startedAt") or (state.get("running") or {}).get("startedAt") or ""),
        finished=str(ended.get("finishedAt") or ""),
    )
