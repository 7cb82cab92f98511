# SPDX-License-Identifier: GPL-3.0-or-later
"""Create a namespace for the debug pods of one run, and delete the namespaces that killed runs left behind.

A namespace is deleted if this collection created it (label, annotation and generated name) and its run is certainly
over: its process ran on this machine and has ended, or its lifetime has passed. The lifetime is compared by the clock
of the API server, which set the creation times of both namespaces. So a run on another machine is never disturbed,
whatever the clocks of the controllers are.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time
import typing as t
from datetime import datetime, timedelta

from ..._errors import OperationError
from ..._model.objects.resources import (
    CREATED_BY,
    NAMESPACE,
    OURS,
    OWN_PREFIX,
    SERVICE_ACCOUNT,
    Object,
    annotations_of,
    is_ours,
    metadata_of,
)
from ..process_identity import is_gone, this_process
from ..session import Session

_NAME = "imagemode-debug-"
_GENERATED = re.compile(rf"{_NAME}[0-9a-f]{{10}}")
LABEL = OWN_PREFIX + "debug-run"
_LIFETIME = OWN_PREFIX + "lifetime"
_PROCESS = OWN_PREFIX + "process"
_POD_SECURITY = "pod-security.kubernetes.io/"
_READY_WITHIN = 30.0


@contextlib.contextmanager
def debug_namespace(session: Session, lifetime: float) -> t.Iterator[str]:
    """Yield the name of a new namespace in which privileged pods may run, and delete it at the end.

    Namespaces of killed runs are deleted before.

    :param lifetime: seconds after which the run is certainly over
    :raises OperationError: the namespace cannot be created
    """
    created = session.create(NAMESPACE, _namespace(lifetime))
    meta = metadata_of(created)
    name = str(meta["name"])
    try:
        _delete_left_over(session, created)
        _wait_for_account(session, name)
        yield name
    finally:
        session.delete(NAMESPACE, name, uid=str(meta["uid"]))


def _namespace(lifetime: float) -> Object:
    privileged = {_POD_SECURITY + mode: "privileged" for mode in ("enforce", "audit", "warn")}
    return {
        "apiVersion": NAMESPACE.api_version,
        "kind": NAMESPACE.name,
        "metadata": {
            "name": f"{_NAME}{secrets.token_hex(5)}",
            "labels": {LABEL: "true", **privileged, "security.openshift.io/scc.podSecurityLabelSync": "false"},
            "annotations": {
                CREATED_BY: OURS,
                _LIFETIME: str(int(lifetime) + 1),
                _PROCESS: this_process(),
                # Without it the default node selector of the cluster would exclude nodes.
                "openshift.io/node-selector": "",
            },
        },
    }


def _delete_left_over(session: Session, own: Object) -> None:
    """Delete the namespaces of killed runs. The next run deletes those that cannot be deleted now."""
    with contextlib.suppress(OperationError):
        for other in session.list(NAMESPACE, label_selector=f"{LABEL}=true").items:
            meta = metadata_of(other)
            if meta["uid"] != metadata_of(own)["uid"] and not meta.get("deletionTimestamp") and is_dead(other, own):
                session.delete(NAMESPACE, str(meta["name"]), uid=str(meta["uid"]))


def is_dead(other: Object, own: Object) -> bool:
    """Whether a namespace belongs to a run of this collection that is certainly over.

    Labels and annotations can be copied to any namespace, but a name cannot be changed.
    """
    if not (is_ours(other) and _GENERATED.fullmatch(str(metadata_of(other).get("name", "")))):
        return False
    return is_gone(annotations_of(other).get(_PROCESS, "")) or _is_over(other, own)


def _is_over(other: Object, own: Object) -> bool:
    try:
        began, now = (_moment(metadata_of(each)["creationTimestamp"]) for each in (other, own))
        return began + timedelta(seconds=int(annotations_of(other)[_LIFETIME])) < now
    except (KeyError, ValueError, TypeError, OverflowError):
        return False


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _wait_for_account(session: Session, namespace: str) -> None:
    """Wait until pods can be created: their ServiceAccount is created after the namespace."""
    deadline = time.monotonic() + _READY_WITHIN
    while session.find(SERVICE_ACCOUNT, "default", namespace) is None:
        if time.monotonic() > deadline:
            raise OperationError(
                f"use Namespace {namespace}",
                "its ServiceAccount default was not created",
                "Check that kube-controller-manager is running",
            )
        session.sleep(0.2)
