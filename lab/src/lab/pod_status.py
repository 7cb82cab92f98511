# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a pod whose containers ended, as a kubelet reports it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lab.container_log import MESSAGE_BYTES


@dataclass(frozen=True)
class ContainerEnd:
    """How a container ended. Times are RFC 3339; ``last_words`` is the end of its log."""

    exit_code: int
    reason: str
    started: str
    finished: str
    last_words: str = ""

    def terminated(self, container_id: str) -> dict[str, Any]:
        """The container's state."""
        state = {
            "exitCode": self.exit_code,
            "reason": self.reason,
            "startedAt": self.started,
            "finishedAt": self.finished,
            "containerID": container_id,
        }
        # As with terminationMessagePolicy FallbackToLogsOnError. The operator of the lab's release does not ask for
        # it yet, later patch levels of the same minor release do.
        if self.exit_code != 0 and self.last_words:
            state["message"] = self.last_words[-MESSAGE_BYTES:]
        return state


def status_after(pod: Mapping[str, Any], ends: Mapping[str, ContainerEnd], now: str) -> dict[str, Any]:
    """The new status of ``pod`` (as the API has it), where the containers of ``ends`` have ended. For a merge patch.

    Containers do not start again: the pods of a build's Job have restartPolicy Never.
    """
    containers = [str(container["name"]) for container in pod["spec"]["containers"]]
    present = {status["name"]: status for status in pod["status"].get("containerStatuses", [])}
    statuses = [
        _container_status(name, present.get(name, {}), ends.get(name), str(pod["metadata"]["uid"]))
        for name in containers
    ]
    phase, reason = "Running", "ContainersNotReady"
    if all(name in ends for name in containers):
        failed = any(end.exit_code != 0 for end in ends.values())
        phase, reason = ("Failed", "PodFailed") if failed else ("Succeeded", "PodCompleted")
    conditions = [
        _condition(condition, phase, reason, containers, ends, now) for condition in pod["status"].get("conditions", [])
    ]
    return {"phase": phase, "containerStatuses": statuses, "conditions": conditions}


def _container_status(name: str, present: Mapping[str, Any], end: ContainerEnd | None, uid: str) -> dict[str, Any]:
    status = dict(present)
    container_id = f"lab://{uid}/{name}"
    status.update({"name": name, "containerID": container_id})
    status.setdefault("restartCount", 0)
    status.setdefault("image", "")
    status.setdefault("imageID", "")
    if end is not None:
        status.update({"ready": False, "started": False, "state": {"terminated": end.terminated(container_id)}})
    else:
        status["started"] = True
    return status


def _condition(
    condition: Mapping[str, Any],
    phase: str,
    reason: str,
    containers: list[str],
    ends: Mapping[str, ContainerEnd],
    now: str,
) -> dict[str, Any]:
    changed = dict(condition)
    if condition["type"] == "Initialized" and phase == "Succeeded":
        changed["reason"] = "PodCompleted"
    if condition["type"] not in ("Ready", "ContainersReady"):
        return changed
    if condition["status"] != "False":
        changed["lastTransitionTime"] = now
    changed.update({"status": "False", "reason": reason})
    if reason == "ContainersNotReady":
        changed["message"] = (
            f"containers with unready status: [{' '.join(name for name in containers if name in ends)}]"
        )
    else:
        changed.pop("message", None)
    return changed
