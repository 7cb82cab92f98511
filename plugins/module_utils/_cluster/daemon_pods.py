# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the pods of the machine-config-daemon, in which commands run on nodes without creating anything."""

from __future__ import annotations

from .._model.objects.resources import DAEMON_CONTAINER, OPERATOR_NAMESPACE, POD, Object, metadata_of
from .session import Session

CONTAINER = DAEMON_CONTAINER
LABEL = "k8s-app=machine-config-daemon"


def daemon_pods(session: Session) -> dict[str, str]:
    """Return node -> name of its daemon pod, for pods that can run a command now."""
    pods = session.list(POD, OPERATOR_NAMESPACE, label_selector=LABEL).items
    return {pod["spec"]["nodeName"]: metadata_of(pod)["name"] for pod in pods if _is_running(pod)}


def _is_running(pod: Object) -> bool:
    status = pod.get("status") or {}
    container: Object = next((c for c in status.get("containerStatuses") or [] if c.get("name") == CONTAINER), {})
    return (
        bool((pod.get("spec") or {}).get("nodeName"))
        and not metadata_of(pod).get("deletionTimestamp")
        and status.get("phase") == "Running"
        and bool(container.get("ready"))
    )
