# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of the scripted controllers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from lab.api_time import now
from lab.kube_rest import Api
from lab.v1alpha1.objects import Object, name_of


@dataclass(frozen=True)
class Event:
    """An event about an object: its reason and message."""

    reason: str
    message: str
    is_warning: bool = False


def record(api: Api, about: Object, event: Event, namespace: str, component: str) -> None:
    """Create an event about an object without a namespace, in a namespace. Raises ApiError."""
    moment = now()
    # The operator's recorder names the event's namespace as the object's, which an event in it has to have.
    place = {} if namespace == "default" else {"namespace": namespace}
    body = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name_of(about)}.{uuid.uuid4().hex[:16]}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": about["apiVersion"],
            "kind": about["kind"],
            "name": name_of(about),
            "uid": about["metadata"]["uid"],
            **place,
        },
        "reason": event.reason,
        "message": event.message,
        "type": "Warning" if event.is_warning else "Normal",
        "count": 1,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "source": {"component": component},
    }
    api.create(f"/api/v1/namespaces/{namespace}/events", body)
