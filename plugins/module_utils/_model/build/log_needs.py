# SPDX-License-Identifier: GPL-3.0-or-later
"""The needs of a wait that concern the logs of a build, and their results."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..findings import Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild
from ..objects.resources import OPERATOR_NAMESPACE, Object, ObjectRef
from ..observation import Need
from .attempts import Attempt, Container, attempts
from .log_position import LogPosition
from .pod_build import pod_of


@dataclass(frozen=True)
class BuildRun:
    """One run of a build. A build with the same inputs has the same name and another UID."""

    name: str
    uid: str
    created: str
    """Creation time, RFC 3339."""
    pod: str = ""
    """Name of the pod of a build that has only one. Empty if a Job makes the pods."""

    @classmethod
    def of(cls, build: MachineOSBuild) -> BuildRun:
        """Return the run of a MachineOSBuild."""
        return cls(build.name, build.uid, build.created, pod_of(build) if build.is_pod_build else "")

    @property
    def identity(self) -> str:
        """Name and UID."""
        return f"{self.name}/{self.uid}"


@dataclass(frozen=True)
class FollowedLogs:
    """What the next module call needs to follow the logs of a build."""

    build: str = ""
    """Identity of the build. Empty if no build was followed."""
    version: str = ""
    """The resourceVersion to watch its pods from."""
    pods: tuple[Object, ...] = ()
    done: tuple[str, ...] = ()
    """``POD/CONTAINER`` of each log that was read to its end."""
    positions: t.Mapping[str, LogPosition] = field(default_factory=dict)
    """``POD/CONTAINER`` -> position."""
    paths: tuple[str, ...] = ()
    """The saved logs."""

    def attempts_of(self, build: MachineOSBuild) -> tuple[Attempt, ...]:
        """Return the attempts of a build that were followed."""
        return tuple(attempts(self.pods, build.created)) if self.build == build.identity else ()


@dataclass(frozen=True)
class LogProgress:
    """What is known of the pods and logs of a build."""

    identity: str = ""
    attempts: tuple[Attempt, ...] = ()
    mark: str = ""
    """Changes when the builder wrote to a log."""
    unreadable: str = ""
    """Why pods or logs cannot be read, or an empty text."""
    unwritten: str = ""
    """Which file cannot be written and why, or an empty text."""
    pod: str = ""
    """Name of the pod of a build that has only one."""
    is_listed: bool = False
    """Whether the pods are known."""
    has_older: bool = False
    """Whether there is a pod of the same name that is older than the build."""

    @property
    def pushed(self) -> bool:
        """Whether the builder succeeded, so that the image is in the registry."""
        return bool(self.attempts) and self.attempts[-1].succeeded

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What prevents the logs from being read or saved. It does not end a wait."""
        name = self.pod or f"build-{self.identity.partition('/')[0]}"
        ref = ObjectRef("Pod", name, OPERATOR_NAMESPACE)
        found = []
        if self.unreadable:
            message = f"The log of the builder cannot be read: {self.unreadable}"
            found.append(Finding(FindingId.BUILD_LOG_NOT_READABLE, ref, message))
        if self.unwritten:
            message = f"The log of the builder cannot be saved: {self.unwritten}"
            found.append(Finding(FindingId.BUILD_LOG_NOT_SAVED, ref, message))
        return tuple(found)


@dataclass(frozen=True)
class FollowLogs(Need[LogProgress]):
    """Follow the pods and logs of a build while it runs."""

    once: t.ClassVar[bool] = False
    run: BuildRun


@dataclass(frozen=True)
class FinishedLogs:
    """Result of reading the logs of a build that has ended."""

    progress: LogProgress
    attempts: tuple[Attempt, ...] = ()
    """The attempts with the messages of their containers. Empty if the pods may not be read."""


@dataclass(frozen=True)
class FinishLogs(Need[FinishedLogs]):
    """Read the logs of a build that has ended to their end."""

    run: BuildRun
    seconds: float
    """Longest time for it."""


@dataclass(frozen=True)
class ReadLogText(Need[str]):
    """Read the end of the log of one container, without times. The result is empty if it cannot be read."""

    attempt: Attempt
    container: Container
