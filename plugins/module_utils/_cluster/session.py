# SPDX-License-Identifier: GPL-3.0-or-later
"""A connection in use: one request a call, objects by their fixed paths, errors as sentences.

Only the client's connection pool is used, with its TLS, proxy and credentials; a call of ours is one request on every
version of the client. Requests are repeated for a minute while the API server is away, as it is while it restarts.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import ssl
import time
import typing as t
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlencode

from .._errors import OperationError
from .._model.json_text import most_values, read_json
from .._model.objects.resources import FIELD_MANAGER, Kind, Object
from .._model.objects.served_object import checked_items, checked_object, text_of
from .connection import Connection, connect
from .response_body import ApiResponse, ResponseLimits, ResponseTooLarge, meter_connections

try:
    import kubernetes
    import urllib3
    from urllib3._collections import HTTPHeaderDict
except ImportError:  # connect() says so
    pass

PATIENCE = 60.0
"""Seconds for which a request is repeated while the API server is away."""
REQUEST_TIMEOUT = 30.0
"""Seconds that the API server has to connect or to answer."""
KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Seconds without a word after which the kernel asks whether the other end still is there, seconds between two such
questions, and how many may go without an answer: a minute, and nothing is asked of the API server itself."""
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 8.0
"""Seconds between two tries, before chance shortens them so that many clients do not come at once."""
LONGEST_ASKED = 30.0
"""Seconds that an API server may ask to wait; a proxy in between can ask for an hour."""
PAGE = 500
"""Objects a page of a list."""
USER_AGENT = "imagemode.openshift"

EXPIRED = 410
"""The status with which the API server says that it has forgotten a place in a list or a watch."""

T = t.TypeVar("T")

_TRANSIENT = frozenset((429, 500, 502, 503, 504))
_UNDECIDED = frozenset((500, 502, 504))
"""The statuses of a write that may have been done all the same."""
_MERGE_PATCH = "application/merge-patch+json"
_LEAST_WEIGHT = 26
"""Bytes that each JSON value weighs at least. In memory it takes some hundred, in JSON it can take three."""
_LONGEST_MESSAGE = 8192
"""Characters of an error message."""
_LONGEST_REASON = 200
"""Characters of the reason for a connection's failure."""
_LONE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""An escape that may stand for half of a character. The API server writes none."""
_CHECK_ADDRESS = "See whether the address is right and the cluster is up"
_CHECK_TRUST = "Check ca_cert and validate_certs"
_OTHER_SERVER = "Check that host, or the kubeconfig's server, is the address of the API server itself"


class Conflict(OperationError):
    """The object is not what it was when it was read: read it again and think again."""

    after_loss = False
    """Whether the answer to the same write was lost before, so that it may be our own write that is in the way."""


class Forbidden(OperationError):
    """The account may not do it. A job that gets along without it catches this, and nothing else."""


class ApiError(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, body: bytes | Object, retry_after: float = 0.0) -> None:
        """
        :param body: the body of the response, or the Status object that was read from it
        """
        self.status = status
        self.retry_after = retry_after
        """Seconds that the API server asks to wait before it is asked again."""
        self.after_loss = False
        """Whether the answer to the same request was lost before."""
        answer = _status_in(body) if isinstance(body, bytes) else body
        details = answer.get("details")
        self.details: t.Mapping[str, t.Any] = details if isinstance(details, dict) else {}
        message = _text_in(answer, "message")
        self.message = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} [...]"
        super().__init__(self.message)

    @property
    def not_served(self) -> bool:
        """Whether the path itself is unknown, as opposed to an object that does not exist."""
        return self.status == 404 and not self.details.get("name")

    @property
    def causes(self) -> list[str]:
        """What the API server refused, field by field."""
        causes = self.details.get("causes")
        found = [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
        told = [(_text_in(cause, "field"), _text_in(cause, "message")) for cause in found]
        return [f"{field}: {message}".lstrip(": ") for field, message in told if message]


class Unreachable(Exception):
    """The API server could not be reached or went away in the middle."""

    def __init__(self, reason: str, final: bool = False, remedy: str = _CHECK_ADDRESS) -> None:
        self.final = final
        """Whether the same request would fail again."""
        self.remedy = remedy
        super().__init__(reason)


@dataclass(frozen=True)
class Listing:
    """A whole list, as of one moment."""

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
    """What the response weighs, see :func:`weight_of`."""


@dataclass
class Session:
    """Talks to one API server.

    :param patience: seconds for which a request is repeated while the API server is away
    :param limits: the time and size limits of responses
    """

    connection: Connection
    patience: float = PATIENCE
    sleep: t.Callable[[float], None] = time.sleep
    clock: t.Callable[[], float] = time.monotonic
    limits: ResponseLimits = field(default_factory=ResponseLimits)
    _pool: t.Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for setting in ("ssl_ca_cert", "cert_file", "key_file"):
            path = getattr(self.connection.configuration, setting)
            if path and not os.path.isfile(path):
                raise OperationError(
                    "reach the cluster", f"{path} is not a file", "Check ca_cert, client_cert and client_key"
                )
        self._pool = kubernetes.client.ApiClient(self.connection.configuration).rest_client.pool_manager
        # Not a setting of the client's Configuration: its oldest release that is supported knows none.
        self._pool.connection_pool_kw["socket_options"] = _socket_options()
        server_name = getattr(self.connection.configuration, "tls_server_name", None)
        if server_name:  # which the oldest release does not hand on either
            self._pool.connection_pool_kw["server_hostname"] = server_name
        meter_connections(self._pool)

    @property
    def api_url(self) -> str:
        """The API server's address."""
        return self.connection.api_url

    def get(self, kind: Kind, name: str, namespace: str = "") -> Object:
        """Return an object.

        :raises OperationError: it does not exist or may not be read
        """
        found = self.find(kind, name, namespace)
        if found is None:
            raise OperationError(
                f"get {_label(kind, name, namespace)}", "it does not exist", "Check the name and the cluster"
            )
        return found

    def find(self, kind: Kind, name: str, namespace: str = "") -> Object | None:
        """Return an object, or None when it does not exist."""

        def read() -> Object | None:
            try:
                return self.request("GET", kind.path(name, namespace))
            except ApiError as error:
                if error.status == 404 and not error.not_served:
                    return None
                raise

        return self._explained(f"get {_label(kind, name, namespace)}", kind, read)

    def peek(self, kind: Kind, name: str) -> Object | None:
        """Return an object that is good to know but not needed: None also when it may not be read or is not served.

        It is asked for once.
        """
        try:
            return self.request_once("GET", kind.path(name))
        except (ApiError, Unreachable):
            return None

    def review(self, kind: Kind) -> Object | None:
        """Have the API server answer a review, which stores nothing: None when it may not be asked or is not served."""
        try:
            return self.request_once("POST", kind.path(), body={"apiVersion": kind.api_version, "kind": kind.name})
        except (ApiError, Unreachable):
            return None

    def list(self, kind: Kind, namespace: str = "", label_selector: str = "", field_selector: str = "") -> Listing:
        """Return all objects, asked for in pages."""
        query = selectors(label_selector, field_selector)
        read = partial(self.pages, kind.path(namespace=namespace), query, is_patient=True)
        return self._explained(f"list {kind.name}s", kind, read)

    def pages(
        self,
        path: str,
        query: t.Mapping[str, str],
        keep: t.Callable[[Object], Object] | None = None,
        is_patient: bool = False,
    ) -> Listing:
        """Return a whole collection, page by page; from the beginning when the server has forgotten where it was.

        :param keep: what is kept of each object; a page is all that is held in memory whole
        :param is_patient: whether requests are repeated while the API server is away
        :raises ApiError: the API server refused
        :raises Unreachable: it could not be reached, or the list exceeds its limits
        """
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
            items += map(keep, page.items) if keep else page.items
            if not page.next:
                return Listing(items, page.resource_version)
            if weight > self.limits.list_size or self.clock() > deadline:
                break
            place = {"continue": page.next}
        raise Unreachable(f"{self.api_url} sends a list that does not end", final=True, remedy=_OTHER_SERVER)

    def _page(self, path: str, query: t.Mapping[str, str], is_patient: bool) -> _Page:
        def read() -> _Page:
            answer, weight = self._read(self.open("GET", path, query))
            with self._as_kubernetes_api():
                meta = checked_object({"metadata": answer.get("metadata")}).get("metadata") or {}
                version = text_of(meta.get("resourceVersion"), "metadata.resourceVersion")
                following = text_of(meta.get("continue"), "metadata.continue")
                return _Page(checked_items(answer.get("items")), version, following, weight)

        return self._repeated(read) if is_patient else read()

    def create(self, kind: Kind, body: Object, dry_run: bool = False) -> Object:
        """Create an object and return it as served.

        :raises Conflict: there is one of that name already
        """
        meta = body["metadata"]
        namespace = meta.get("namespace", "")
        path = kind.path(namespace=namespace)
        what = f"create {_label(kind, meta['name'], namespace)}"
        return self._explained(what, kind, lambda: self.request("POST", path, _write(dry_run), body))

    def patch(self, kind: Kind, name: str, body: Object, namespace: str = "", dry_run: bool = False) -> Object:
        """Change an object by a merge patch and return it as served.

        :raises Conflict: *body* names a resourceVersion that the object no longer has
        """
        path = kind.path(name, namespace)
        what = f"change {_label(kind, name, namespace)}"
        return self._explained(what, kind, lambda: self.request("PATCH", path, _write(dry_run), body))

    def delete(self, kind: Kind, name: str, namespace: str = "", uid: str = "", dry_run: bool = False) -> None:
        """Delete an object; with *uid*, only that one. One that is gone already is no error."""
        body: dict[str, t.Any] = {"apiVersion": "v1", "kind": "DeleteOptions"}
        if dry_run:
            body["dryRun"] = ["All"]  # a server that gets a body does not look at the query
        if uid:
            body["preconditions"] = {"uid": uid}

        def remove() -> None:
            try:
                self.request("DELETE", kind.path(name, namespace), _dry_run(dry_run), body)
            except ApiError as error:
                if error.status != 404 or error.not_served:
                    raise

        self._explained(f"delete {_label(kind, name, namespace)}", kind, remove)

    def request(
        self, method: str, path: str, query: t.Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        """Send a request, again for a while if the API server is away, and return the answer.

        :raises ApiError: the API server refused
        :raises Unreachable: it stayed away
        """
        return self._repeated(lambda: self.request_once(method, path, query, body))

    def _repeated(self, send: t.Callable[[], T]) -> T:
        """Send a request, again for a while if the API server is away."""
        deadline = self.clock() + self.patience
        delay = FIRST_PAUSE
        is_lost = False
        while True:
            try:
                return send()
            except ApiError as error:
                error.after_loss = is_lost
                is_lost = is_lost or error.status in _UNDECIDED
                if error.status not in _TRANSIENT or self.clock() >= deadline:
                    raise
                asked = error.retry_after
            except Unreachable as error:
                if error.final or self.clock() >= deadline:
                    raise
                asked, is_lost = 0.0, True
            self.sleep(pause(delay, asked))
            delay = min(delay * 2, LONGEST_PAUSE)

    def request_once(
        self, method: str, path: str, query: t.Mapping[str, str] | None = None, body: Object | None = None
    ) -> Object:
        """Send one request and return the answer.

        :raises ApiError: the API server refused
        :raises Unreachable: it could not be reached
        """
        answer, dummy = self._read(self.open(method, path, query, body))
        if method == "DELETE":  # the object or a Status, and nobody reads it
            return answer
        with self._as_kubernetes_api():
            return checked_object(answer)

    def _read(self, response: ApiResponse) -> tuple[Object, int]:
        """Return the JSON object of a response, and what it weighs."""
        with contextlib.closing(response), reaching(self.api_url):
            content = response.whole(self.limits.size)
        with self._as_kubernetes_api():
            return read_object(content, self.limits.values), weight_of(content)

    @contextlib.contextmanager
    def _as_kubernetes_api(self) -> t.Iterator[None]:
        """Turn a ValueError about a response into Unreachable: another server answers at this address."""
        try:
            yield
        except ValueError as error:
            reason = f"{self.api_url} answers, but not as a Kubernetes API ({error})"
            raise Unreachable(reason, final=True, remedy=_OTHER_SERVER) from None

    def open(
        self,
        method: str,
        path: str,
        query: t.Mapping[str, str] | None = None,
        body: Object | None = None,
        read_timeout: float = REQUEST_TIMEOUT,
    ) -> ApiResponse:
        """Send one request and return the response with its body still to be read. No redirect is followed.

        :raises ApiError: the API server refused
        :raises Unreachable: it could not be reached
        """
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
                timeout=urllib3.Timeout(connect=REQUEST_TIMEOUT, read=read_timeout),
            )
        response = ApiResponse(raw, self.limits.seconds)
        if 200 <= response.status < 300 and not response.is_compressed:
            return response
        raise self._error_of(response)

    def _error_of(self, response: ApiResponse) -> ApiError | Unreachable:
        """Read a response that is not a success, and return what it means."""
        status = response.status
        with contextlib.closing(response), reaching(self.api_url):
            if 300 <= status < 400:
                reason = f"{self.api_url} answers with a redirect (HTTP {status}), which is not followed"
                return Unreachable(reason, final=True, remedy=_OTHER_SERVER)
            if status < 300:
                what = "a compressed response, which was not accepted" if response.is_compressed else f"HTTP {status}"
                return Unreachable(f"{self.api_url} answers with {what}", final=True, remedy=_OTHER_SERVER)
            body = b"" if response.is_compressed else response.beginning(self.limits.error_size)
        return ApiError(status, body, _seconds(response.header("Retry-After")))

    def _explained(self, what: str, kind: Kind, work: t.Callable[[], T]) -> T:
        """Do the work and turn what the API server answers into a sentence about *what* was tried."""
        try:
            return work()
        except ApiError as error:
            refusal = explain(error, what, kind, self.api_url)
        except Unreachable as error:
            refusal = OperationError(what, str(error), error.remedy)
        raise refusal


def open_session(options: t.Mapping[str, t.Any]) -> Session:
    """Return a session for a module's options; nothing is sent yet."""
    return Session(connect(options))


@contextlib.contextmanager
def reaching(api_url: str) -> t.Iterator[None]:
    """Turn what the network raises into Unreachable; a certificate that is not trusted stays so, so it is final."""
    try:
        yield
    except urllib3.exceptions.SSLError as error:
        reason = f"no trusted connection to {api_url} ({_plain(error)})"
        raise Unreachable(reason, final=_is_certificate(error), remedy=_CHECK_TRUST) from None
    except ResponseTooLarge as error:
        raise Unreachable(f"{api_url}: {error}", final=True, remedy=_OTHER_SERVER) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unreachable(f"no connection to {api_url} ({_plain(error)})") from None


def explain(error: ApiError, what: str, kind: Kind, api_url: str) -> OperationError:
    """Return an answer of the API server as a refusal that names the object and the remedy."""
    if error.status == 401:
        return OperationError(what, f"{api_url} does not accept the credentials", "Log in again, or check the token")
    if error.status == 403:
        return Forbidden(what, error.message, "Grant the account that right, or use another account")
    if error.not_served and kind.api_version.startswith("machineconfiguration.openshift.io/"):
        reason = f"{api_url} does not serve {kind.plural}.{kind.api_version}"
        return OperationError(
            what, reason, "Image mode needs OpenShift 4.18 or later; check that this is the right cluster"
        )
    if error.not_served:
        reason = f"{api_url} does not serve {kind.plural} of {kind.api_version}"
        return OperationError(what, reason, "Check that this is the right cluster")
    if error.status == 422:
        return OperationError(what, "; ".join(error.causes) or error.message, "Correct the value")
    if error.status == 409:
        conflict = Conflict(what, error.message or "it was changed by somebody else", "Run it again")
        conflict.after_loss = error.after_loss
        return conflict
    return OperationError(
        what, f"{error.message or 'no reason given'} (HTTP {error.status})", "See the API server's answer"
    )


def _socket_options() -> list[tuple[int, int, int]]:
    """Return the options of a connection's socket: those of urllib3, and that the kernel looks after an idle one."""
    named = {getattr(socket, name): value for name, value in KEEPALIVE.items() if hasattr(socket, name)}
    return [
        *urllib3.connection.HTTPConnection.default_socket_options,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        *((socket.IPPROTO_TCP, name, value) for name, value in named.items()),
    ]


def _label(kind: Kind, name: str, namespace: str) -> str:
    return f"{kind.name} {namespace}/{name}" if namespace else f"{kind.name} {name}"


def pause(delay: float, asked: float) -> float:
    """Return for how many seconds to pause: about *delay*, and not less than the API server has *asked* for."""
    return max(delay * random.uniform(0.5, 1.0), min(asked, LONGEST_ASKED))


def _seconds(header: str) -> float:
    """Return the seconds of a Retry-After header; API servers send no dates in it."""
    return float(header) if header.isascii() and header.isdigit() else 0.0


def _status_in(body: bytes) -> Object:
    """Return the Status object of an error's body; a body of another kind is its message."""
    with contextlib.suppress(ValueError):
        answer = read_json(body)
        if isinstance(answer, dict):
            return answer
    return {"message": body.decode("utf-8", "replace").strip()}


def _text_in(answer: t.Mapping[str, t.Any], name: str) -> str:
    """Return a field that holds text, and an empty text for any other."""
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def weight_of(content: bytes) -> int:
    """Return what JSON weighs where much of it is kept: its bytes, or more if it has many small values."""
    return max(len(content), _LEAST_WEIGHT * most_values(content))


def read_object(content: bytes, limit: int) -> Object:
    """Return the JSON object of a response.

    :param limit: JSON values that it may have
    :raises ValueError: it is none, or would need far more memory than a real one
    """
    if most_values(content) > limit:
        raise ValueError("it has too many values")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    answer = read_json(text)
    if not isinstance(answer, dict):
        raise ValueError("it is not a JSON object")
    if _LONE_SURROGATE.search(text):
        _require_unicode(answer)
    return answer


def _require_unicode(value: t.Any) -> None:
    """Refuse texts that cannot be encoded, wherever they would be written later.

    :raises ValueError: there is one
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except (UnicodeEncodeError, RecursionError):
        raise ValueError("it has text that is not Unicode") from None


def selectors(label_selector: str, field_selector: str) -> dict[str, str]:
    """Return the query parameters for the selectors that are given."""
    given = {"labelSelector": label_selector, "fieldSelector": field_selector}
    return {name: value for name, value in given.items() if value}


def _write(dry_run: bool) -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER, **_dry_run(dry_run)}


def _dry_run(wanted: bool) -> dict[str, str]:
    return {"dryRun": "All"} if wanted else {}


def _plain(error: BaseException) -> str:
    """Return the innermost reason, which is the one that a person can use."""
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return _plain(reason)
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    inner = error.__context__ or error.__cause__
    if isinstance(inner, OSError):
        return _plain(inner)
    text = str(error).rpartition(": ")[2]  # may quote a whole line of the response
    return (text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]} [...]") or type(error).__name__


def _is_certificate(error: BaseException) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)
