# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and delete the objects of builds by pods (OpenShift 4.16 and 4.17), and wait until they no longer exist.

ConfigMaps of the operator contain pull secrets, so they are never read: they are deleted by their names.
"""

from __future__ import annotations

import typing as t

from .._cluster.api_error import Forbidden
from .._cluster.permissions import Right, missing_rights
from .._cluster.session import Session
from .._errors import OperationError
from .._model.build.build_objects import BuildPod, Deletion, pods_of_pool
from .._model.build.pod_build import POOL_LABELS
from .._model.objects.machineosbuild import MachineOSBuild
from .._model.objects.resources import (
    CONFIG_MAP,
    MACHINE_CONFIG_GROUP,
    MACHINE_OS_BUILD,
    OPERATOR_NAMESPACE,
    POD,
    Kind,
    metadata_of,
)

DELETION_TIMEOUT = 120.0
"""Seconds to wait until a deleted object no longer exists. A builder ignores the signal for its end, so its pod uses
the whole grace period of 30 s."""
_INTERVAL = 2.0
"""Seconds between two reads while a deletion is awaited."""

RIGHTS = (
    Right("delete", MACHINE_OS_BUILD.plural, "", MACHINE_CONFIG_GROUP),
    Right("list", POD.plural, OPERATOR_NAMESPACE),
    Right("delete", POD.plural, OPERATOR_NAMESPACE),
    Right("delete", CONFIG_MAP.plural, OPERATOR_NAMESPACE),
)
"""The rights that the deletion needs."""


def read_build_pods(session: Session, pool: str) -> tuple[BuildPod, ...] | None:
    """Return the build pods of a pool, or None if pods may not be read."""
    try:
        listed = [
            pod
            for label in POOL_LABELS
            for pod in session.list(POD, OPERATOR_NAMESPACE, label_selector=f"{label}={pool}").items
        ]
    except Forbidden:
        return None
    return pods_of_pool(pool, listed)


def read_builds(session: Session) -> tuple[MachineOSBuild, ...]:
    """Return all MachineOSBuilds of the cluster."""
    return tuple(MachineOSBuild.from_api(obj) for obj in session.list(MACHINE_OS_BUILD).items)


def require_rights(session: Session, what: str) -> None:
    """Check the rights before anything is deleted.

    :raises OperationError: a right is missing
    """
    missing = missing_rights(session, RIGHTS)
    if missing:
        reason = f"the account may not {', and not '.join(map(str, missing))}"
        raise OperationError(what, reason, "Grant the account that right, or use another account")


def delete_or_forecast(session: Session, what: str, planned: t.Collection[Deletion], check_mode: bool) -> list[str]:
    """Delete objects, or only look in check mode, and return those that existed, each once.

    :param what: verb, kind and name of the object that the user changes
    :raises OperationError: an object still exists after the timeout
    """
    if check_mode:
        return existing_objects(session, planned)
    return list(dict.fromkeys(delete_objects(session, what, planned)))


def existing_objects(session: Session, planned: t.Iterable[Deletion]) -> list[str]:
    """Return those of the objects that exist, from dry runs of their deletion."""
    return [str(d.ref) for d in planned if _delete(session, d, dry_run=True)]


def delete_objects(session: Session, what: str, planned: t.Collection[Deletion]) -> t.Iterator[str]:
    """Delete objects and yield those that existed. Return when none of them exists.

    The ConfigMaps are deleted before the pods too: without a pod and a MachineOSBuild a later run would not find them.
    A pod can write its last ConfigMap until its end.

    :param what: verb, kind and name of the object that the user changes
    :raises OperationError: an object still exists after the timeout
    """
    pods, maps, builds = (_of(kind, planned) for kind in (POD, CONFIG_MAP, MACHINE_OS_BUILD))
    if pods:
        yield from _delete_maps(session, what, maps)
        yield from _deleted(session, pods)
        _wait(session, what, lambda: _left_pods(session, pods))
    yield from _delete_maps(session, what, maps)
    yield from _deleted(session, builds)
    _wait(session, what, lambda: _left_builds(session, builds))


def _delete_maps(session: Session, what: str, maps: t.Iterable[Deletion]) -> t.Iterator[str]:
    """Delete ConfigMaps and yield those that existed. A second deletion shows that one exists no longer."""
    existed = [deletion for deletion in maps if _delete(session, deletion)]
    yield from (str(deletion.ref) for deletion in existed)
    _wait(session, what, lambda: [str(d.ref) for d in existed if _delete(session, d)])


def _of(kind: Kind, planned: t.Iterable[Deletion]) -> list[Deletion]:
    return [deletion for deletion in planned if deletion.kind == kind]


def _deleted(session: Session, planned: t.Iterable[Deletion]) -> t.Iterator[str]:
    for deletion in planned:
        if _delete(session, deletion):
            yield str(deletion.ref)


def _delete(session: Session, deletion: Deletion, dry_run: bool = False) -> bool:
    return session.delete(deletion.kind, deletion.name, deletion.namespace, uid=deletion.uid, dry_run=dry_run)


def _left_pods(session: Session, deleted: t.Iterable[Deletion]) -> list[str]:
    """Return which of the deleted pods still exist."""
    return [str(d.ref) for d in deleted if d.uid in _uids(session, POD, d.namespace, f"metadata.name={d.name}")]


def _left_builds(session: Session, deleted: t.Collection[Deletion]) -> list[str]:
    """Return which of the deleted MachineOSBuilds still exist."""
    uids = _uids(session, MACHINE_OS_BUILD) if deleted else set()
    return [str(deletion.ref) for deletion in deleted if deletion.uid in uids]


def _uids(session: Session, kind: Kind, namespace: str = "", field_selector: str = "") -> set[str]:
    items = session.list(kind, namespace, field_selector=field_selector).items
    return {str(metadata_of(obj).get("uid")) for obj in items}


def _wait(session: Session, what: str, left: t.Callable[[], list[str]]) -> None:
    """Return when nothing is left.

    :raises OperationError: something is still left after the timeout
    """
    deadline = session.clock() + DELETION_TIMEOUT
    while True:
        names = left()
        if not names:
            return
        if session.clock() >= deadline:
            reason = f"{', '.join(names)} still exists {DELETION_TIMEOUT:g} s after its deletion"
            raise OperationError(what, reason, "Check its finalizers, and the node of a pod, then run this again")
        session.sleep(_INTERVAL)
