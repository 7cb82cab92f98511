# SPDX-License-Identifier: GPL-3.0-or-later
"""Send requests to an API server: one request per call, objects by fixed paths, errors as messages for users.

Only the connection pool of the kubernetes client is used, with its TLS, proxy and credentials, so a call is one request
with every release of the client. Requests are repeated for a minute while the API server is away, for example because
it restarts.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
import typing as t
from dataclasses import dataclass, field
from datetime import timezone
from email.utils import parsedate_to_datetime
from functools import partial
from urllib.parse import urlencode, urlsplit

from .._errors import REPORT_FIRST_CONTACT, NotReached, OperationError
from .._model.objects.label_selector import matches, parse_selector
from .._model.objects.resources import FIELD_MANAGER, V1ALPHA1, Kind, Object, labels_of
from .._model.objects.served_object import checked_items, checked_object, text_of
from .._model.objects.subject import Subject
from .._model.objects.timestamp import timestamp, timestamp_now
from .._model.objects.v1alpha1 import as_v1, as_v1alpha1, older_kind
from .api_error import (
    AWAY,
    CHECK_API_SERVER,
    EXPIRED,
    NOT_FOUND,
    TRANSIENT,
    UNDECIDED,
    ApiError,
    Unreachable,
    explain,
    reaching,
)
from .connection import Connection, connect
from .json_response import read_object, weight_of
from .name_resolution import resolve
from .pauses import FIRST_PAUSE, LONGEST_PAUSE, pause
from .response_body import ApiResponse, ResponseLimits, meter_connections

try:
    import kubernetes
    import urllib3
    from urllib3._collections import HTTPHeaderDict
except ImportError:  # connect() reports a missing library
    pass

PATIENCE = 60.0
"""Seconds for which a request is repeated while the API server is away."""
REQUEST_TIMEOUT = 30.0
"""Seconds for a connection, and for the beginning of a response."""
FIRST_CONTACT = 3.0
"""Seconds for the first connection, so that an unreachable address is reported within five seconds."""
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds without data after which the kernel probes an idle connection, seconds between two probes, and the number of
probes: a dead connection is detected within a minute, without a request."""
PAGE = 500
"""Objects per page of a list."""
USER_AGENT = "imagemode.openshift"

T = t.TypeVar("T")

_MERGE_PATCH = "application/merge-patch+json"
_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class Listing:
    """A whole list at one resourceVersion."""

    items: list[Object]
    resource_version: str


@dataclass(frozen=True)
class _Page:
    """A part of a list."""

    items: list[Object]
    resource_version: str
    next: str
    """The token of the next page; empty on the last one."""
    weight: int
    """The weight of the response, see :func:`weight_of`."""


_FILES: t.Mapping[str, str] = {"ssl_ca_cert": "ca_cert", "cert_file": "client_cert", "key_file": "client_key"}
"""Setting of the client that is the path of a file -> option."""


@dataclass
class Session:
    """Sends requests to one API server.

    :param patience: seconds for which a request is repeated while the API server is away
    :param limits: the time and size limits of responses
    :param on_first_failure: receives a line for the user if the first contact fails and is tried again. It may raise.
    """

    connection: Connection
    patience: float = PATIENCE
    sleep: t.Callable[[float], None] = time.sleep
    clock: t.Callable[[], float] = time.monotonic
    limits: ResponseLimits = field(default_factory=ResponseLimits)
    on_first_failure: t.Callable[[str], None] | None = None
    _is_first: bool = field(default=True, init=False, repr=False)
    _serves_v1alpha1: bool = field(default=False, init=False, repr=False)
    """Whether the API server serves image mode as v1alpha1, as far as is known."""
    _date: str = field(default="", init=False, repr=False)
    """Header Date of the last response."""
    _pool: t.Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for setting, option in _FILES.items():
            path = getattr(self.connection.configuration, setting)
            if path and not os.path.isfile(path):
                reason = f"{path} is a folder, not a file" if os.path.isdir(path) else f"{path} does not exist"
                remedy = f"Correct {option} (K8S_AUTH_{setting.upper()}), or the kubeconfig"
                raise OperationError("reach the cluster", reason, remedy)
        self._pool = kubernetes.client.ApiClient(self.connection.configuration).rest_client.pool_manager
        # The oldest supported release of the client has no setting for this in its Configuration.
        self._pool.connection_pool_kw["socket_options"] = _socket_options()
        server_name = getattr(self.connection.configuration, "tls_server_name", None)
        if server_name:  # the oldest supported release ignores this setting
            self._pool.connection_pool_kw["server_hostname"] = server_name
        meter_connections(self._pool)

    @property
    def api_url(self) -> str:
        """The API server's address."""
        return self.connection.api_url

    @property
    def serves_v1alpha1(self) -> bool:
        """Whether the API server serves image mode as v1alpha1. Known after the first request for one of its kinds."""
        return self._serves_v1alpha1

    @property
    def time_of_last_response(self) -> str:
        """Time of the API server when it sent the last response, RFC 3339. The time of this machine if it sent none."""
        try:
            moment = parsedate_to_datetime(self._date)
            return timestamp(moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc))
        except (ValueError, TypeError, IndexError, OverflowError):
            return timestamp_now()

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """Return an object.

        :raises OperationError: it does not exist, or the account may not read it
        """
        found = self.find(kind, name, namespace)
        if found is None:
            raise OperationError(
                f"get {_label(kind, name, namespace)}", "it does not exist", "Check the name and the cluster"
            )
        return found

    def find(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Return an object, or None when it does not exist."""

        return self._explained(
            f"get {_label(kind, name, namespace)}", kind, lambda: self.found(kind, name, namespace, is_patient=True)
        )

    def found(self, kind: Kind, name: str, namespace: str = "", is_patient: bool = False) -> Object | None:
        """Return an object, or None when it does not exist.

        :param is_patient: whether the request is repeated while the API server is away
        :raises ApiError: the API server returned an error
        :raises Unreachable: the API server could not be reached
        """
        send = self.request if is_patient else self.request_once

        def read(served: Kind) -> Object | None:
            try:
                return in_v1(served, send("GET", served.path(name, namespace)))
            except ApiError as error:
                if error.status == NOT_FOUND and not error.not_served:
                    return None
                raise

        return self.in_served_version(kind, read)

    def peek(self, kind: Kind, name: str) -> Object | None:
        """Return an optional object, or None if it does not exist, is not served or may not be read. One request."""
        try:
            return self.request_once("GET", kind.path(name))
        except (ApiError, Unreachable):
            return None

    def review(self, kind: Kind) -> Object | None:
        """Create a review, which the API server does not store. Return None if it is denied or not served."""
        try:
            return self.request_once("POST", kind.path(), body={"apiVersion": kind.api_version, "kind": kind.name})
        except (ApiError, Unreachable):
            return None

    def list(self, kind: Kind, namespace: str = "", label_selector: str = "", field_selector: str = "") -> Listing:
        """Return all objects, read in pages."""
        subject = Subject(kind, namespace, label_selector, field_selector)
        return self._explained(f"list {kind.name}s", kind, lambda: self.pages(subject, is_patient=True))

    def pages(self, subject: Subject, is_patient: bool = False) -> Listing:
        """Return a whole list, read in pages. It begins again if the API server no longer has its place.

        Each object is reduced by the reader of the subject, so that no more than one page is in memory whole.

        :param is_patient: whether requests are repeated while the API server is away
        :raises ApiError: the API server returned an error
        :raises Unreachable: the API server could not be reached, or the list exceeds its limits
        """
        return self.in_served_version(subject.kind, lambda served: self._pages(subject, served, is_patient))

    def _pages(self, subject: Subject, served: Kind, is_patient: bool) -> Listing:
        path, query = served.path(namespace=subject.namespace), query_of(subject, served)
        reader = subject.reader
        keep = reader.reduced if reader else None
        deadline = self.clock() + self.limits.list_seconds
        items: list[Object] = []
        place: dict[str, str] = {}
        weight = 0
        for dummy in range(self.limits.list_pages):
            try:
                page = self._page(path, {"limit": str(PAGE), **query, **place}, is_patient)
            except ApiError as error:
                if error.status != EXPIRED or not place:
                    raise
                items, place = [], {}
                continue
            weight += page.weight
            found = selected(subject, served, page.items)
            items += map(keep, found) if keep else found
            if not page.next:
                return Listing(items, page.resource_version)
            if weight > self.limits.list_size or self.clock() > deadline:
                break
            place = {"continue": page.next}
        raise Unreachable(f"{self.api_url} sends a list that does not end", final=True, remedy=CHECK_API_SERVER)

    def _page(self, path: str, query: t.Mapping[str, str], is_patient: bool) -> _Page:
        def read() -> _Page:
            content, weight = self._read(self.open("GET", path, query))
            with self._as_kubernetes_api():
                meta = checked_object({"metadata": content.get("metadata")}).get("metadata") or {}
                version = text_of(meta.get("resourceVersion"), "metadata.resourceVersion")
                following = text_of(meta.get("continue"), "metadata.continue")
                return _Page(checked_items(content.get("items")), version, following, weight)

        return self._repeated(read) if is_patient else read()

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Create an object and return it as served.

        :raises Conflict: an object with this name exists
        """
        meta = body["metadata"]
        namespace = meta.get("namespace", "")
        what = f"create {_label(kind, meta['name'], namespace)}"
        return self._explained(what, kind, lambda: self._written("POST", kind, ("", namespace), body, dry_run))

    def patch(self, kind: Kind, name: str, body: Object, namespace: str = "", dry_run: bool = False) -> Object:
        """Change an object by a merge patch and return it as served.

        :raises Conflict: *body* names a resourceVersion that the object no longer has
        """
        what = f"change {_label(kind, name, namespace)}"
        return self._explained(what, kind, lambda: self._written("PATCH", kind, (name, namespace), body, dry_run))

    def _written(self, method: str, kind: Kind, place: tuple[str, str], body: Object, dry_run: bool) -> Object:
        """Write an object in the version that the API server serves, and return it as served, in the form of v1."""

        def write(served: Kind) -> Object:
            content = as_v1alpha1(body) if served.api_version == V1ALPHA1 else body
            return in_v1(served, self.request(method, served.path(*place), _write(dry_run), content))

        return self.in_served_version(kind, write)

    def delete(self, kind: Kind, name: str, namespace: str = "", uid: str = "", dry_run: bool = False) -> bool:
        """Delete an object if it exists, and return whether it existed.

        :param uid: delete it only if it has this UID
        """
        body: dict[str, t.Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if dry_run:
            body["dryRun"] = ["All"]  # a server that gets a body ignores the query
        if uid:
            body["preconditions"] = {"uid": uid}

        def remove(served: Kind) -> bool:
            try:
                self.request("DELETE", served.path(name, namespace), _dry_run(dry_run), body)
            except ApiError as error:
                if error.status != NOT_FOUND or error.not_served:
                    raise
                return error.after_loss  # the first request, whose response was lost, has deleted it
            return True

        what = f"delete {_label(kind, name, namespace)}"
        return self._explained(what, kind, lambda: self.in_served_version(kind, remove))

    def in_served_version(self, kind: Kind, send: t.Callable[[Kind], T]) -> T:
        """Call *send* with the kind in the version that the API server serves.

        v1 is tried first. Only where it is not served, v1alpha1 costs a request more, once in a session.

        :raises ApiError: *send* raised it; if no version is served, for the version that was tried first
        """
        older = older_kind(kind)
        if older is None:
            return send(kind)
        first, second = (older, kind) if self._serves_v1alpha1 else (kind, older)
        try:
            return send(first)
        except ApiError as error:
            if not error.not_served:
                raise
            not_served = error
        try:
            result = send(second)
        except ApiError as error:
            if error.not_served:
                raise not_served from None
            self._serves_v1alpha1 = second is older
            raise
        self._serves_v1alpha1 = second is older
        return result

    def request(
        self, method: str, path: str, query: t.Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        """Send a request, repeatedly while the API server is away, and return the response.

        :raises ApiError: the API server returned an error
        :raises Unreachable: the API server stayed away
        """
        return self._repeated(lambda: self.request_once(method, path, query, body))

    def _repeated(self, send: t.Callable[[], T]) -> T:
        """Send a request, repeatedly while the API server is away."""
        deadline = self.clock() + self.patience
        delay = FIRST_PAUSE
        is_lost = False
        while True:
            requested = 0.0
            try:
                return send()
            except ApiError as error:
                error.after_loss = is_lost
                is_lost = is_lost or error.status in UNDECIDED
                if error.status not in TRANSIENT or self.clock() >= deadline:
                    raise
                requested = error.retry_after
            except Unreachable as error:
                if error.final or self.clock() >= deadline:
                    raise
                is_lost = True
            self.sleep(pause(delay, requested))
            delay = min(delay * 2, LONGEST_PAUSE)

    def request_once(
        self, method: str, path: str, query: t.Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        """Send one request and return the response.

        :raises ApiError: the API server returned an error
        :raises Unreachable: the API server could not be reached
        """
        content, dummy = self._read(self.open(method, path, query, body))
        if method == "DELETE":  # the object or a Status, and no caller reads it
            return content
        with self._as_kubernetes_api():
            return checked_object(content)

    def _read(self, response: ApiResponse) -> tuple[Object, int]:
        """Return the JSON object of a response, and its weight."""
        self._date = response.header("Date")
        with contextlib.closing(response), reaching(self.api_url):
            content = response.whole(self.limits.size)
        with self._as_kubernetes_api():
            return read_object(content, self.limits.values), weight_of(content)

    @contextlib.contextmanager
    def _as_kubernetes_api(self) -> t.Iterator[None]:
        """Turn a ValueError about a response into Unreachable: the address is that of another kind of server."""
        try:
            yield
        except ValueError as error:
            reason = f"{self.api_url} responds, but not as a Kubernetes API ({error})"
            raise Unreachable(reason, final=True, remedy=CHECK_API_SERVER) from None

    def open(
        self,
        method: str,
        path: str,
        query: t.Mapping[str, str] | None = None,
        body: Object | None = None,
        read_timeout: float = REQUEST_TIMEOUT,
    ) -> ApiResponse:
        """Send one request and return the response with an unread body. No redirect is followed.

        The first connection of a session has a short timeout. If it fails in a way that waiting can change, the failure
        is reported at once (:attr:`on_first_failure`).

        :raises ApiError: the API server returned an error
        :raises Unreachable: the API server could not be reached
        """
        send = partial(self._send, method, path, query, body)
        is_first, self._is_first = self._is_first, False
        if not is_first:
            return send(urllib3.Timeout(connect=REQUEST_TIMEOUT, read=read_timeout))
        failure: ApiError | Unreachable
        try:
            return send(urllib3.Timeout(connect=self._first_timeout(), read=read_timeout))
        except (ApiError, Unreachable) as error:
            failure = error
        self._report_first(failure)
        raise failure

    def _report_first(self, failure: ApiError | Unreachable) -> None:
        """Report the failure of the first contact, unless waiting cannot change it."""
        if isinstance(failure, Unreachable):
            reason = "" if failure.final else failure.cause
        else:
            reason = f"it returns HTTP {failure.status}" if failure.status in AWAY else ""
        if reason and self.on_first_failure:
            self.on_first_failure(f"Could not reach {self.api_url}: {reason}; retrying for {self.patience:g} s")

    def _first_timeout(self) -> float:
        """Resolve the host of the first connection, and return the seconds for each of its addresses.

        :raises Unreachable: the name has no address, or the resolver does not answer
        """
        server = urlsplit(self.connection.proxy or self.api_url)
        deadline = time.monotonic() + FIRST_CONTACT
        with reaching(self.api_url):
            addresses = resolve(server.hostname or "", server.port or _PORTS.get(server.scheme, 443), deadline)
        return min(REQUEST_TIMEOUT, max(0.5, deadline - time.monotonic()) / max(1, len(addresses)))

    def _send(
        self, method: str, path: str, query: t.Mapping[str, str] | None, body: Object | None, timeout: t.Any
    ) -> ApiResponse:
        accepted = {"Accept": "application/json", "Accept-Encoding": "identity"}
        headers = HTTPHeaderDict({"User-Agent": USER_AGENT, **accepted})
        for name, value in self.connection.headers():
            headers.add(name, value)
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = _MERGE_PATCH if method == "PATCH" else "application/json"
        url = self.api_url + path + ("?" + urlencode(query) if query else "")
        with reaching(self.api_url):
            raw = self._pool.request(
                method,
                url,
                body=content,
                headers=headers,
                preload_content=False,
                decode_content=False,
                enforce_content_length=True,
                redirect=False,
                retries=False,
                timeout=timeout,
            )
        response = ApiResponse(raw, self.limits.seconds)
        if 200 <= response.status < 300 and not response.is_compressed:
            return response
        raise self._error_of(response)

    def _error_of(self, response: ApiResponse) -> ApiError | Unreachable:
        """Read a response that is not a success, and return the error."""
        status = response.status
        with contextlib.closing(response), reaching(self.api_url):
            if 300 <= status < 400:
                reason = f"{self.api_url} returns a redirect (HTTP {status}), which is not followed"
                return Unreachable(reason, final=True, remedy=CHECK_API_SERVER)
            if status < 300:
                what = "a compressed response, which was not accepted" if response.is_compressed else f"HTTP {status}"
                return Unreachable(f"{self.api_url} returns {what}", final=True, remedy=CHECK_API_SERVER)
            body = b"" if response.is_compressed else response.beginning(self.limits.error_size)
        return ApiError(status, body, _seconds(response.header("Retry-After")))

    def _explained(self, what: str, kind: Kind, work: t.Callable[[], T]) -> T:
        """Run *work* and turn an error of the API server into one for users.

        :param what: verb, kind and name of the object
        """
        try:
            return work()
        except ApiError as error:
            explained = explain(error, what, kind, self.api_url)
        except Unreachable as error:
            explained = OperationError(what, str(error), error.remedy)
        raise explained


def open_session(options: t.Mapping[str, t.Any]) -> Session:
    """Return a session for the options of a module. Nothing is sent yet."""
    session = Session(connect(options))
    if options.get(REPORT_FIRST_CONTACT):
        session.on_first_failure = _end_module
    return session


def _end_module(line: str) -> None:
    raise NotReached(line)


def _socket_options() -> list[tuple[int, int, int]]:
    """Return the socket options of urllib3, and those for keepalive probes."""
    named = {getattr(socket, name): value for name, value in KEEPALIVE.items() if hasattr(socket, name)}
    return [
        *urllib3.connection.HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *((socket.IPPROTO_TCP, name, value) for name, value in named.items()),
    ]


def _label(kind: Kind, name: str, namespace: str) -> str:
    return f"{kind.name} {namespace}/{name}" if namespace else f"{kind.name} {name}"


def _seconds(header: str) -> float:
    """Return the seconds of a Retry-After header. API servers send no dates in it."""
    return float(header) if header.isascii() and header.isdigit() else 0.0


def selectors(label_selector: str, field_selector: str) -> dict[str, str]:
    """Return the query parameters of the selectors that are not empty."""
    given = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: value for name, value in given.items() if value}


def query_of(subject: Subject, served: Kind) -> dict[str, str]:
    """Return the query parameters that select a subject. Objects of v1alpha1 have no labels to select them by."""
    labels = "" if served.api_version == V1ALPHA1 else subject.label_selector
    return selectors(labels, subject.field_selector)


def selected(subject: Subject, served: Kind, items: t.Iterable[Object]) -> list[Object]:
    """Return the objects of a subject in the form of v1, without those that the API server could not leave out."""
    translated = [in_v1(served, item) for item in items]
    if served.api_version != V1ALPHA1 or not subject.label_selector:
        return translated
    requirements = parse_selector(subject.label_selector)
    return [item for item in translated if matches(requirements, labels_of(item))]


def in_v1(served: Kind, obj: Object) -> Object:
    """Return an object in the form of v1."""
    return as_v1(obj) if served.api_version == V1ALPHA1 else obj


def _write(dry_run: bool) -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER, **_dry_run(dry_run)}


def _dry_run(wanted: bool) -> dict[str, str]:
    return {"dryRun": "All"} if wanted else {}
