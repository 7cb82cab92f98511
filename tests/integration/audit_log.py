# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit log of the API server, limited to the requests of one test."""

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
    """One request in the audit log."""

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
        """Whether the request writes. A dry run counts as a write; an access review does not."""
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
    """The requests of a context; empty until the context has ended."""

    requests: list[ApiRequest] = field(default_factory=list)

    def by(self, user: str = "", agent: str = "") -> list[ApiRequest]:
        """Return the requests by user, by the beginning of the user agent, or by both."""
        return [
            request
            for request in self.requests
            if (not user or request.user == user) and request.agent.startswith(agent)
        ]

    @property
    def ours(self) -> list[ApiRequest]:
        """The requests of this collection."""
        return self.by(agent=OUR_AGENT)

    @property
    def stored(self) -> list[tuple[str, str]]:
        """Verb and URI of each of our writes that the API server stored. It stores nothing of a dry run."""
        return [(r.verb, r.uri) for r in self.ours if r.is_write and "dryRun=All" not in r.uri]


@dataclass(frozen=True)
class _Fence:
    """A line of the log: its start and its end in bytes, and its time."""

    start: int
    end: int
    time: str


class AuditLog:
    """The audit log of one lab.

    :param log: the file
    :param api: a client of the same API server
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
            lines = log.read(end.start - begin.end)
        # A watch or an exec has two lines, for its start and its end; without its start it began before the context.
        events = {event["auditID"]: event for event in map(json.loads, lines.splitlines())}
        recording.requests.extend(
            ApiRequest.of(event) for event in events.values() if event["requestReceivedTimestamp"] > begin.time
        )

    def _fence(self) -> _Fence:
        """Send a unique request and return its line in the log.

        The API server writes the line before it responds, so each earlier response has its line before this one.
        """
        mark = uuid.uuid4().hex
        before = self._log.stat().st_size
        self._api.get("/version", fence=mark)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            with self._log.open("rb") as log:
                log.seek(before)
                lines = log.read()
            place = lines.find(mark.encode())
            end = lines.find(b"\n", place) + 1
            if place >= 0 and end > 0:
                start = lines.rfind(b"\n", 0, place) + 1
                return _Fence(before + start, before + end, json.loads(lines[start:end])["stageTimestamp"])
            time.sleep(0.05)
        raise TimeoutError(f"The audit log {self._log} has no line for a request after 30 s.")
