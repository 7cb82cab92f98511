# SPDX-License-Identifier: GPL-3.0-or-later
"""A small API server on loopback: keeps objects, answers and watches as the real one does, and fails when told to."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
import typing as t
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    FIELD_MANAGER,
    Kind,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.merge_patch import merged

OLDEST_VERSION = 50
"""Changes before this one are forgotten, as etcd's are after a compaction."""


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    query: t.Mapping[str, str]
    headers: t.Sequence[tuple[str, str]]
    body: t.Any

    @property
    def writes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET" and not self.is_dry_run and not self.is_review

    @property
    def is_dry_run(self) -> bool:
        """Whether only the server's rules are asked. A deletion with a body says so in it: the query is not read."""
        if self.method == "DELETE" and self.body:
            return bool(self.body.get("dryRun") == ["All"])
        return self.query.get("dryRun") == "All"

    @property
    def is_review(self) -> bool:
        """Whether it is a question that looks like a new object; nothing is stored."""
        return self.path.endswith(("/selfsubjectreviews", "/selfsubjectaccessreviews"))


@dataclass(frozen=True)
class Reply:
    """An answer that stands in for the server's own."""

    status: int
    body: str = ""
    cut: bool = False
    """Whether the connection breaks before the whole body is sent."""
    headers: t.Mapping[str, str] = field(default_factory=dict)


HANG_UP = Reply(0)
"""Close the connection without an answer."""
LOSE_ANSWER = Reply(-1)
"""Do what was asked for, and close the connection without an answer."""


def status_object(code: int, reason: str, message: str, **details: t.Any) -> dict[str, t.Any]:
    """Return the object with which an API server says no."""
    answer = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason}
    return {**answer, "message": message, "details": details}


def refusal(code: int, reason: str, message: str, **details: t.Any) -> Reply:
    """Return the answer with which an API server says no."""
    return Reply(code, json.dumps(status_object(code, reason, message, **details)))


def forbidden(plural: str) -> Reply:
    """Return what an account without the right gets."""
    message = f'{plural} is forbidden: User "auditor" cannot list resource "{plural}"'
    return refusal(403, "Forbidden", message, kind=plural)


@dataclass(frozen=True)
class Change:
    """One event of a watch."""

    version: int
    collection: str
    type: str
    object: t.Mapping[str, t.Any]


@dataclass
class _Fault:
    part: str
    replies: list[Reply]
    always: bool = False


@dataclass
class ApiServer:
    """Objects by their REST path, and all requests in the order in which they came.

    :ivar not_served: plurals that this cluster does not have, in any version or in one: ``v1/machineosconfigs``
    :ivar account: the name that it has for whoever asks
    :ivar denied: what it says that account may not do, as in ``create pods/exec``
    """

    requests: list[Request] = field(default_factory=list)
    not_served: set[str] = field(default_factory=set)
    account: str = "auditor"
    denied: set[str] = field(default_factory=set)
    logs: dict[str, list[str]] = field(default_factory=dict)
    """``pod/container`` -> its log, each line with its time in front."""
    time: str = "2026-03-01T13:00:00Z"
    """The time of the server, as it is written to managedFields of a MachineOSConfig."""
    graceful: set[str] = field(default_factory=set)
    """The plurals of which a deleted object stays until someone drops it, as a pod does until its containers end."""
    growing: set[str] = field(default_factory=set)
    """The logs that are not at their end, so that who follows one is kept waiting."""

    def __post_init__(self) -> None:
        self._objects: dict[str, dict[str, t.Any]] = {}
        self._changes: list[Change] = []
        self._faults: list[_Fault] = []
        self._before: list[t.Callable[[Request], None]] = []
        self._version = 100
        self._watches = 0  # raised to end all watches
        self._cutting = False
        self._changed = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def said(self) -> list[str]:
        """Method and path of all requests."""
        return [f"{request.method} {request.path}" for request in self.requests]

    @property
    def writes(self) -> list[Request]:
        """The requests that change something."""
        return [request for request in self.requests if request.writes]

    def start(self) -> None:
        """Listen, at the same port as before."""
        if self._server is None:
            self._server = _Server(self, self._port)
            self._port = self._server.server_address[1]
            threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Refuse connections and end the watches."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None
            self.end_watches()

    def keep(self, kind: Kind, *objects: dict[str, t.Any]) -> None:
        """Create or replace objects; watches are told."""
        for obj in objects:
            self._store(kind.path(namespace=obj["metadata"].get("namespace", "")), obj)

    def keep_as(self, collection: str, *objects: dict[str, t.Any]) -> None:
        """Create or replace objects of any namespace in the list of all namespaces; watches are told."""
        for obj in objects:
            self._store(collection, obj)

    def drop(self, kind: Kind, name: str, namespace: str = "") -> None:
        """Remove an object; watches are told."""
        self._remove(kind.path(name, namespace))

    def kept(self, kind: Kind, name: str, namespace: str = "") -> dict[str, t.Any]:
        """Return an object as it is now."""
        return self._objects[kind.path(name, namespace)]

    def all_kept(self, kind: Kind, namespace: str = "") -> list[dict[str, t.Any]]:
        """Return all objects of a kind as they are now, sorted by name."""
        collection = kind.path(namespace=namespace)
        return [obj for path, obj in sorted(self._objects.items()) if path.rpartition("/")[0] == collection]

    def fail(self, part: str, *replies: Reply) -> None:
        """Answer the next requests whose path and query hold *part* with these, one after the other."""
        self._faults.append(_Fault(part, list(replies)))

    def always_fail(self, part: str, reply: Reply) -> None:
        """Answer all requests whose path and query hold *part* with this."""
        self._faults.append(_Fault(part, [reply], always=True))

    def before_each(self, action: t.Callable[[Request], None]) -> None:
        """Call *action* before each request is answered, in the place of another client that writes then."""
        self._before.append(action)

    def end_watches(self, cut: bool = False) -> None:
        """End the watches that are open, in the middle of a line if they are cut."""
        with self._changed:
            self._watches += 1
            self._cutting = cut
            self._changed.notify_all()

    def await_requests(self, part: str, count: int) -> None:
        """Return when so many requests have come whose path and query hold *part*."""
        deadline = time.monotonic() + 30
        while sum(part in _address(request) for request in list(self.requests)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{count} requests for {part} were expected, these came: {self.said}")
            time.sleep(0.005)

    # What a request leads to ---------------------------------------------------------------------------------------

    def fault_of(self, request: Request) -> Reply | None:
        """Return the next answer that stands in for the server's own."""
        for fault in self._faults:
            if fault.part in _address(request) and fault.replies:
                return fault.replies[0] if fault.always else fault.replies.pop(0)
        return None

    def answer(self, request: Request) -> Reply:
        """Return the server's own answer."""
        for action in self._before:
            action(request)
        plural_at = {"v1": 3}.get(request.path.split("/")[2], 4)
        parts = request.path.split("/")
        if parts[plural_at] == "namespaces" and len(parts) > plural_at + 2:  # something in it, not the namespace itself
            plural_at += 2
        plural = parts[plural_at]
        if self.not_served & {plural, f"{parts[3]}/{plural}"}:
            return Reply(404, "404 page not found\n")
        if request.is_review:
            return Reply(201, json.dumps({**request.body, "status": self._reviewed(request.body)}))
        act = {"GET": self._get, "POST": self._post, "PATCH": self._patch, "DELETE": self._delete}
        return act[request.method](request, plural)

    def _reviewed(self, review: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        if review["kind"] == "SelfSubjectReview":
            return {"userInfo": {"username": self.account}}
        asked = review["spec"]["resourceAttributes"]
        resource = "/".join(part for part in (asked["resource"], asked["subresource"]) if part)
        return {"allowed": f"{asked['verb']} {resource}" not in self.denied}

    def _get(self, request: Request, plural: str) -> Reply:
        if not request.path.endswith("/" + plural):
            obj = self._objects.get(request.path)
            return Reply(200, json.dumps(obj)) if obj else _not_found(request.path, plural)
        inside = [obj for path, obj in sorted(self._objects.items()) if path.rpartition("/")[0] == request.path]
        found = [obj for obj in inside if _is_selected(obj, request.query)]
        start, limit = int(request.query.get("continue", 0)), int(request.query.get("limit", len(found) or 1))
        meta = {"resourceVersion": str(self._version)}
        if start + limit < len(found):
            meta["continue"] = str(start + limit)
        return Reply(200, json.dumps({"kind": "List", "metadata": meta, "items": found[start : start + limit]}))

    def says(self, container: str, *lines: str) -> None:
        """Let a container say something."""
        with self._changed:
            self.logs.setdefault(container, []).extend(lines)
            self._changed.notify_all()

    def falls_silent(self, container: str) -> None:
        """Let a container's log come to its end."""
        with self._changed:
            self.growing.discard(container)
            self._changed.notify_all()

    def log_for(self, request: Request) -> t.Iterator[str]:
        """Yield the lines of a container's log, as they come when it is followed."""
        container = f"{request.path.split('/')[-2]}/{request.query['container']}"
        since = request.query.get("sinceTime", "").rstrip("Z")
        count, watches = 0, self._watches
        if "tailLines" in request.query:
            count = max(0, len(self.logs.get(container, [])) - int(request.query["tailLines"]))
        while True:
            with self._changed:
                lines = self.logs.get(container, [])[count:]
                count += len(lines)
                at_end = container not in self.growing or "follow" not in request.query or self._watches != watches
                if not lines and not at_end:
                    self._changed.wait(5.0)
                    continue
            for line in lines:
                if line >= since:
                    yield (line if "timestamps" in request.query else line.partition(" ")[2]) + "\n"
            if at_end:
                return

    def _post(self, request: Request, plural: str) -> Reply:
        meta = request.body["metadata"]
        path = f"{request.path}/{meta['name']}"
        if path in self._objects:
            return refusal(409, "AlreadyExists", f'{plural} "{meta["name"]}" already exists', name=meta["name"])
        own = {"uid": f"uid-of-{meta['name']}", "creationTimestamp": "2026-03-01T12:00:00Z", "generation": 1}
        return self._write(request, {**request.body, "metadata": {**meta, **own}}, 201)

    def _patch(self, request: Request, plural: str) -> Reply:
        current = self._objects.get(request.path)
        if current is None:
            return _not_found(request.path, plural)
        seen = (request.body.get("metadata") or {}).get("resourceVersion")
        if seen not in (None, current["metadata"]["resourceVersion"]):
            return refusal(409, "Conflict", "the object has been modified", name=current["metadata"]["name"])
        changed = merged(current, request.body)
        if "paused" in (request.body.get("spec") or {}):
            writer = {"manager": request.query["fieldManager"], "fieldsV1": {"f:spec": {"f:paused": {}}}}
            changed["metadata"] = {**changed["metadata"], "managedFields": [writer]}
        if changed.get("spec") != current.get("spec") and plural == "machineosconfigs":
            entries = [e for e in changed["metadata"].get("managedFields") or [] if e["manager"] != FIELD_MANAGER]
            ours = {"manager": FIELD_MANAGER, "time": self.time, "fieldsV1": {"f:spec": {}}}
            changed["metadata"] = {**changed["metadata"], "managedFields": [*entries, ours]}
        if changed.get("spec") != current.get("spec"):
            changed["metadata"] = {**changed["metadata"], "generation": current["metadata"].get("generation", 1) + 1}
        return self._write(request, changed, 200)

    def _write(self, request: Request, obj: dict[str, t.Any], status: int) -> Reply:
        if request.writes:
            collection = request.path if request.method == "POST" else request.path.rpartition("/")[0]
            obj = self._store(collection, obj)
        return Reply(status, json.dumps(obj))

    def _delete(self, request: Request, plural: str) -> Reply:
        current = self._objects.get(request.path)
        if current is None:
            return _not_found(request.path, plural)
        uid = ((request.body or {}).get("preconditions") or {}).get("uid")
        if uid and uid != current["metadata"].get("uid"):
            return refusal(409, "Conflict", "the UID in the precondition is another", name=current["metadata"]["name"])
        if request.writes and plural in self.graceful:
            deleted = {**current["metadata"], "deletionTimestamp": self.time}
            self._store(request.path.rpartition("/")[0], {**current, "metadata": deleted})
        elif request.writes:
            self._remove(request.path)
        return Reply(200, json.dumps({"kind": "Status", "status": "Success"}))

    def _store(self, collection: str, obj: dict[str, t.Any]) -> dict[str, t.Any]:
        with self._changed:
            self._version += 1
            path = f"{collection}/{obj['metadata']['name']}"
            stored = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._version)}}
            change = "MODIFIED" if path in self._objects else "ADDED"
            self._objects[path] = stored
            self._changes.append(Change(self._version, collection, change, stored))
            self._changed.notify_all()
            return stored

    def _remove(self, path: str) -> None:
        with self._changed:
            self._version += 1
            gone = self._objects.pop(path)
            gone = {**gone, "metadata": {**gone["metadata"], "resourceVersion": str(self._version)}}
            self._changes.append(Change(self._version, path.rpartition("/")[0], "DELETED", gone))
            self._changed.notify_all()

    @property
    def watches_ended(self) -> int:
        """How often all watches were ended so far."""
        return self._watches

    def changes_for(self, request: Request, began: int) -> t.Iterator[str]:
        """Yield the lines of a watch until it ends; the last one without its end when it is cut.

        :param began: ``watches_ended`` as it was before the request could be seen by a test
        """
        seen = int(request.query.get("resourceVersion") or self._version)
        deadline = time.monotonic() + float(request.query.get("timeoutSeconds", 30))
        if seen < OLDEST_VERSION:
            gone = status_object(410, "Expired", f"too old resource version: {seen} ({self._version})")
            yield json.dumps({"type": "ERROR", "object": gone}) + "\n"
            return
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._version > seen or self._watches > began,  # noqa: B023
                    timeout=max(0.0, deadline - time.monotonic()),
                )
                news = [c for c in self._changes if c.version > seen and c.collection == request.path]
                seen, ended = self._version, self._watches > began or time.monotonic() >= deadline
            for change in news:
                if _is_selected(change.object, request.query):
                    yield json.dumps({"type": change.type, "object": change.object}) + "\n"
            if ended:
                if self._cutting:
                    yield '{"type": "MODIFIED", "object": {"metadata": {"name": "wor'
                return


def bookmark(version: int) -> str:
    """Return the line of a watch that only says how far it is."""
    return json.dumps({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}) + "\n"


def _address(request: Request) -> str:
    return request.path + "?" + "&".join(f"{name}={value}" for name, value in request.query.items())


def _not_found(path: str, plural: str) -> Reply:
    name = path.rpartition("/")[2]
    return refusal(404, "NotFound", f'{plural} "{name}" not found', name=name, kind=plural)


def _is_selected(obj: t.Mapping[str, t.Any], query: t.Mapping[str, str]) -> bool:
    labels = obj["metadata"].get("labels") or {}
    wanted = dict(part.split("=", 1) for part in query.get("labelSelector", "").split(",") if part)
    by_field = query.get("fieldSelector", "")
    name, node = (by_field.partition(f"{field}=")[2] for field in ("metadata.name", "spec.nodeName"))
    in_place = name in ("", obj["metadata"]["name"]) and node in ("", (obj.get("spec") or {}).get("nodeName"))
    return in_place and all(labels.get(key) == value for key, value in wanted.items())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, api: ApiServer, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.api = api
        self.connections: list[socket.socket] = []

    def handle_error(self, *client: t.Any) -> None:
        """Say nothing of a client that has gone."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(*client)

    def hang_up(self) -> None:
        """Break the connections that clients keep for their next request."""
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body leave together, else the client's acknowledgement is waited for
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.connections.append(self.connection)

    def log_message(self, *dummy: t.Any) -> None:
        """Say nothing: a test's output is its own."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        api = self.server.api
        address = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = json.loads(content) if content else None
        request = Request(self.command, address.path, dict(parse_qsl(address.query)), list(self.headers.items()), body)
        began = api.watches_ended
        api.requests.append(request)
        reply = api.fault_of(request)
        if reply == LOSE_ANSWER:
            api.answer(request)
            reply = HANG_UP
        if reply is None and request.query.get("watch"):
            self._stream(api.changes_for(request, began))
        elif reply is None and address.path.endswith("/log"):
            self._stream(api.log_for(request))
        else:
            self._send(reply or api.answer(request))

    def _send(self, reply: Reply) -> None:
        if reply == HANG_UP:
            self.close_connection = True
            return
        content = reply.body.encode()
        (self.send_response_only if "Date" in reply.headers else self.send_response)(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.cut:
            content, self.close_connection = content[: len(content) // 2], True
        self.wfile.write(content)

    def _stream(self, lines: t.Iterator[str]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        try:
            for line in lines:
                self._chunk(line.encode())
                if not line.endswith("\n"):
                    self.close_connection = True
                    return
            self._chunk(b"")
        except OSError:
            self.close_connection = True  # nobody listens any more

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()
