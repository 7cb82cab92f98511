# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the pods of the machine-config-daemon, in which commands run on nodes without creating anything."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._model.objects.resources import DAEMON_CONTAINER, OPERATOR_NAMESPACE, POD, Object, metadata_of
from .._model.objects.subject import Subject
from .session import Session

CONTAINER = DAEMON_CONTAINER
LABEL = "k8s-app=machine-config-daemon"


@dataclass(frozen=True)
class DaemonPods:
    """The daemon pods of nodes at one moment."""

    running: t.Mapping[str, str]
    """Node -> name of its pod, for pods that can run a command now."""
    replaced: frozenset[str]
    """Nodes with a pod that is being deleted or has not started yet."""


def daemon_pods(session: Session, node: str = "") -> DaemonPods:
    """Return the daemon pods of all nodes, or of one node."""
    selector = f"spec.nodeName={node}" if node else ""
    pods = session.list(POD, OPERATOR_NAMESPACE, label_selector=LABEL, field_selector=selector).items
    placed = [(str((pod.get("spec") or {}).get("nodeName") or ""), pod) for pod in pods]
    return DaemonPods(
        running={name: metadata_of(pod)["name"] for name, pod in placed if name and _is_running(pod)},
        replaced=frozenset(name for name, pod in placed if name and _is_replaced(pod)),
    )


def newest_daemon_pod(session: Session, node: str) -> str:
    """Return the name of the newest daemon pod of a node that is not being deleted, or an empty text. One request.

    :raises ApiError: the API server returned an error
    :raises Unreachable: the API server could not be reached
    """
    subject = Subject(POD, OPERATOR_NAMESPACE, LABEL, f"spec.nodeName={node}")
    metas = [metadata_of(pod) for pod in session.pages(subject).items]
    kept = [meta for meta in metas if not meta.get("deletionTimestamp")]
    newest = max(kept, key=lambda meta: str(meta.get("creationTimestamp", "")), default={})
    return str(newest.get("name", ""))


def _is_running(pod: Object) -> bool:
    status = pod.get("status") or {}
    container: Object = next((c for c in status.get("containerStatuses") or [] if c.get("name") == CONTAINER), {})
    return (
        not metadata_of(pod).get("deletionTimestamp")
        and status.get("phase") == "Running"
        and bool(container.get("ready"))
    )


def _is_replaced(pod: Object) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return bool(metadata_of(pod).get("deletionTimestamp")) or phase == "Pending"
