# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which pods a wait reads where the operator builds in single pods (OpenShift 4.16 and 4.17).

The wait for a build follows the pod of the build. Other waits read it from time to time. Failed pods of other builds
are read only if they can explain a state. See docs/operator-behavior.md ("Builds in single pods").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..objects.machineosbuild import MachineOSBuild
from ..objects.resources import OPERATOR_NAMESPACE, POD, Object, labels_of, metadata_of
from ..observation import Need, ReadList, ReadObject, Snapshot
from .attempts import attempts
from .log_needs import FollowedLogs, LogProgress
from .own_pod import OwnPod, depends_on_other_pods, depends_on_pod, with_pod
from .pending_build import BuildProgress
from .pod_build import CONFIG_LABELS, POOL_LABELS, pod_of, pool_of

LEFT_PODS_INTERVAL = 60.0
"""Seconds between two reads of the failed pods of other builds. The operator handles each once a minute."""
POD_INTERVAL = 60.0
"""Seconds between two reads of the pod of a build that runs."""
DOUBT_INTERVAL = 5.0
"""Seconds between two reads of the pod of a build that may have failed, or whose pod was not found."""

Needs = tuple[Need[t.Any], ...]


@dataclass(frozen=True)
class LeftPods:
    """The failed pods of other builds when they were read last."""

    about: str = ""
    """Identity and state of the build that they were read for. Empty if they were not read."""
    names: tuple[str, ...] = ()
    read_at: float = 0.0
    """Watched seconds (``Snapshot.watched``)."""

    def of(self, build: MachineOSBuild | None) -> tuple[str, ...] | None:
        """Return the names of the pods, or None if they were not read for this state of the build."""
        return self.names if build is not None and self.about == _about(build) else None


@dataclass(frozen=True)
class PodRead:
    """The pod of a build when it was read last."""

    build: str = ""
    """Identity of the build. Empty if no pod was read."""
    pod: OwnPod | None = None
    """None if it may not be read."""
    read_at: float = 0.0
    """Watched seconds (``Snapshot.watched``)."""

    def of(self, build: MachineOSBuild | None) -> OwnPod | None:
        """Return the pod of a build, or None if it was not read."""
        return self.pod if build is not None and self.build == build.identity else None


@dataclass(frozen=True)
class ReadPods:
    """The pods that a wait has read which does not follow the build."""

    own: PodRead = field(default_factory=PodRead)
    left: LeftPods = field(default_factory=LeftPods)


def with_read_pods(
    snapshot: Snapshot, progress: BuildProgress, before: ReadPods
) -> tuple[BuildProgress, ReadPods, Needs]:
    """Return the progress with what the pods show, for a wait that does not follow the build."""
    own, needs = read_pod(snapshot, progress, before.own)
    pod = own.of(progress.build)
    left, more = read_left_pods(snapshot, progress, pod, before.left)
    return with_pod(progress, pod, left.of(progress.build)), ReadPods(own, left), (*needs, *more)


def followed_pod(build: MachineOSBuild | None, logs: LogProgress | None, before: FollowedLogs) -> OwnPod | None:
    """Return the pod of a build that is followed, or None if it is not known.

    :param logs: None until the pod is followed in this module call
    :param before: what the call before knew
    """
    if build is None or not build.is_pod_build:
        return None
    if logs is not None and logs.identity == build.identity:
        return OwnPod(logs.attempts[-1] if logs.attempts else None, logs.has_older) if logs.is_listed else None
    return _own_pod(build, before.pods) if before.build == build.identity and before.version else None


def read_pod(snapshot: Snapshot, progress: BuildProgress, before: PodRead) -> tuple[PodRead, Needs]:
    """Return the pod of a build that has not ended, and what has to be read for it."""
    build = progress.build
    if build is None or not depends_on_pod(progress) or snapshot.outage:
        return before, ()
    is_missing = before.pod is not None and before.pod.attempt is None
    is_doubtful = progress.pending is not None or is_missing
    interval = DOUBT_INTERVAL if is_doubtful else POD_INTERVAL
    if before.build == build.identity and snapshot.watched - before.read_at < interval:
        return before, ()
    need = ReadObject(POD, pod_of(build), OPERATOR_NAMESPACE, by_list=True)
    result = snapshot.result(need)
    if result is None:
        return before, (need,)
    pod = _own_pod(build, [result.obj] if result.obj else []) if result.known else None
    return PodRead(build.identity, pod, snapshot.watched), (need,)


def read_left_pods(
    snapshot: Snapshot, progress: BuildProgress, pod: OwnPod | None, before: LeftPods
) -> tuple[LeftPods, Needs]:
    """Return the failed pods of other builds if they can explain a state, and what has to be read for them."""
    build = progress.build
    if build is None or not depends_on_other_pods(progress, pod) or snapshot.outage:
        return before, ()
    if before.of(build) is not None and snapshot.watched - before.read_at < LEFT_PODS_INTERVAL:
        return before, ()
    pool = pool_of(build)
    needs = tuple(ReadList(POD, OPERATOR_NAMESPACE, f"{label}={pool}") for label in POOL_LABELS)
    results = [snapshot.result(need) for need in needs]
    found = [result.items for result in results if result is not None]
    if len(found) < len(needs):
        return before, needs
    names = tuple(sorted(metadata_of(pod)["name"] for items in found for pod in items if _is_left(build, pod)))
    return LeftPods(_about(build), names, snapshot.watched), needs


def _about(build: MachineOSBuild) -> str:
    return f"{build.identity} {build.state.value}"


def _own_pod(build: MachineOSBuild, pods: t.Sequence[Object]) -> OwnPod:
    own = attempts(pods, build.created)
    return OwnPod(own[-1] if own else None, has_older=len(pods) > len(own))


def _is_left(build: MachineOSBuild, pod: Object) -> bool:
    """Whether a pod of another build has failed, so that the operator marks the current build because of it."""
    labels = labels_of(pod)
    is_other = build.rendered_config not in [labels.get(label) for label in CONFIG_LABELS]
    is_older = str(metadata_of(pod).get("creationTimestamp", "")) < build.created
    return (is_other or is_older) and attempts([pod])[0].failed
