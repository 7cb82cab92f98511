# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server says it was asked: its audit log, cut exactly around what a test does."""

from __future__ import annotations

import json
import time
import typing as t
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field

if t.TYPE_CHECKING:
    from pathlib import Path

    from lab.kube_rest import Api

OUR_AGENT = "imagemode.openshift"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})


@dataclass(frozen=True)
class ApiRequest:
    """One request as the API server noted it."""

    user: str
    agent: str
    verb: str
    uri: str
    resource: str
    subresource: str
    code: int
    group: str = ""
    namespace: str = ""

    @property
    def is_write(self) -> bool:
        """Whether it asked for a change; a dry run asks for one too, a review only looks like it."""
        return self.verb in _WRITES and not self.resource.endswith("reviews")

    @classmethod
    def of(cls, event: t.Mapping[str, t.Any]) -> ApiRequest:
        """Read one event of the log."""
        about = event.get("objectRef") or {}
        return cls(
            user=(event.get("impersonatedUser") or event["user"]).get("username", ""),
            agent=event.get("userAgent", ""),
            verb=event["verb"],
            uri=event["requestURI"],
            resource=about.get("resource", ""),
            subresource=about.get("subresource", ""),
            code=(event.get("responseStatus") or {}).get("code", 0),
            group=about.get("apiGroup", ""),
            namespace=about.get("namespace", ""),
        )


@dataclass
class Recording:
    """The requests made while it ran; empty until it has ended."""

    requests: list[ApiRequest] = field(default_factory=list)

    def by(self, user: str = "", agent: str = "") -> list[ApiRequest]:
        """Return the requests of one user, or of the programs whose agent begins so, or both."""
        return [
            request
            for request in self.requests
            if (not user or request.user == user) and request.agent.startswith(agent)
        ]

    @property
    def ours(self) -> list[ApiRequest]:
        """The requests of this collection."""
        return self.by(agent=OUR_AGENT)


@dataclass(frozen=True)
class _Fence:
    """A line of the log: where it starts and ends, in bytes, and when it was noted."""

    start: int
    end: int
    noted_at: str


class AuditLog:
    """The audit log of one lab.

    :param log: the file
    :param api: a connection whose requests are noted in it
    """

    def __init__(self, log: Path, api: Api) -> None:
        self._log = log
        self._api = api

    @contextmanager
    def recording(self) -> t.Iterator[Recording]:
        """Record the requests made inside the context."""
        recording = Recording()
        begin = self._fence()
        yield recording
        end = self._fence()
        with self._log.open("rb") as log:
            log.seek(begin.end)
            noted = log.read(end.start - begin.end)
        # A watch or an exec is noted twice, when it begins and when it ends; the end alone belongs to an earlier one.
        events = {event["auditID"]: event for event in map(json.loads, noted.splitlines())}
        recording.requests.extend(
            ApiRequest.of(event) for event in events.values() if event["requestReceivedTimestamp"] > begin.noted_at
        )

    def _fence(self) -> _Fence:
        """Make a request that nobody else makes and return where the log notes it.

        What was answered before it is noted before it: the log is written before the answer leaves.
        """
        mark = uuid.uuid4().hex
        before = self._log.stat().st_size
        self._api.get("/version", fence=mark)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with self._log.open("rb") as log:
                log.seek(before)
                noted = log.read()
            place = noted.find(mark.encode())
            end = noted.find(b"\n", place) + 1
            if place >= 0 and end > 0:
                start = noted.rfind(b"\n", 0, place) + 1
                return _Fence(before + start, before + end, json.loads(noted[start:end])["stageTimestamp"])
            time.sleep(0.05)
        raise TimeoutError(f"The audit log {self._log} did not note a request within 30 s.")
