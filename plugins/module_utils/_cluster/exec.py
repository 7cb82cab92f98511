# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in a container through the API server.

A websocket of our own for each command, because the client's loses exit statuses, mixes stdout with stderr and sends no
impersonation headers (node.md 5.2). Without a status frame the outcome is unknown, however complete the output looks.
"""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import time
import typing as t
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlencode, urlsplit

from .._model.resources import POD
from .connection import Connection
from .session import USER_AGENT

try:
    import websocket
except ImportError:  # connect() says so
    pass

_STDOUT, _STDERR, _STATUS, _CLOSE = 1, 2, 3, 255
_PROTOCOLS = ["v5.channel.k8s.io", "v4.channel.k8s.io"]


@dataclass(frozen=True)
class Output:
    """What a command wrote and how it ended; without an exit status it is not known how."""

    stdout: str
    stderr: str
    exit_status: int | None
    message: str = ""


class ExecRefused(Exception):
    """The API server or the node did not start the command.

    :ivar status: the HTTP status, or 0 when there was none
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class ExecTimedOut(Exception):
    """The command did not end in time."""


def run_in_container(
    connection: Connection, namespace: str, pod: str, container: str, command: t.Sequence[str], timeout: float
) -> Output:
    """Run a command and return what it wrote.

    :param timeout: seconds for the whole of it
    :raises ExecRefused: it was not started, or the connection broke before it ended
    :raises ExecTimedOut: it did not end in time
    """
    deadline = time.monotonic() + timeout
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", c) for c in command)]
    url = connection.api_url + POD.path(pod, namespace, "exec") + "?" + urlencode(query)
    refused: ExecRefused | None = None
    try:
        with _opened(connection, url, timeout) as socket:
            return _collect(socket, deadline)
    except websocket.WebSocketTimeoutException:
        raise ExecTimedOut(f"no answer within {timeout:g} s") from None
    except websocket.WebSocketBadStatusException as error:
        refused = ExecRefused(error.status_code, _refusal(error))
    except (websocket.WebSocketException, OSError) as error:
        refused = ExecRefused(0, f"the connection broke ({_plain(error)})")
    raise refused


@contextlib.contextmanager
def _opened(connection: Connection, url: str, timeout: float) -> t.Iterator[t.Any]:
    socket = _open(connection, url, timeout)
    try:
        yield socket
    finally:
        socket.close(timeout=0)  # by default it waits three seconds more for a node that hangs


def _open(connection: Connection, url: str, timeout: float) -> t.Any:
    configuration = connection.configuration
    said = [("User-Agent", USER_AGENT), *connection.headers()]
    return websocket.create_connection(
        "ws" + url[len("http") :],
        timeout=timeout,
        sslopt=_tls(configuration) if url.startswith("https:") else {},
        header=[f"{name}: {value}" for name, value in said],
        subprotocols=_PROTOCOLS,
        suppress_origin=True,
        enable_multithread=False,
        **_proxy(configuration),
    )


def _tls(configuration: t.Any) -> dict[str, t.Any]:
    """Return how the server is trusted, and by which name where that is not the one of its address."""
    verified = bool(configuration.verify_ssl)
    named = verified if configuration.assert_hostname is None else verified and bool(configuration.assert_hostname)
    files = (configuration.ssl_ca_cert, configuration.cert_file, configuration.key_file)
    options: dict[str, t.Any] = {"context": _trust(verified, named, *(file or None for file in files))}
    if getattr(configuration, "tls_server_name", None):
        options["server_hostname"] = configuration.tls_server_name
    return options


@lru_cache(maxsize=8)
def _trust(verified: bool, named: bool, ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Return the certificates to trust and to show. They are read once, not for each of a thousand commands."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = named
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    if verified and ca:
        context.load_verify_locations(ca)
    elif verified:
        context.load_default_certs()
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


def _proxy(configuration: t.Any) -> dict[str, t.Any]:
    if not configuration.proxy:
        return {}
    proxy = urlsplit(configuration.proxy)
    options: dict[str, t.Any] = {
        "http_proxy_host": proxy.hostname,
        "http_proxy_port": proxy.port or (443 if proxy.scheme == "https" else 80),
        "proxy_type": "http",
    }
    if configuration.no_proxy:
        options["http_no_proxy"] = [h.strip() for h in configuration.no_proxy.split(",") if h.strip()]
    account = _proxy_account(configuration, proxy)
    if account:
        options["http_proxy_auth"] = account
    return options


def _proxy_account(configuration: t.Any, proxy: SplitResult) -> tuple[str, str] | None:
    """Return who logs in to the proxy: by the headers for it (proxy_basic_auth), else by its address."""
    headers = {name.lower(): value for name, value in (configuration.proxy_headers or {}).items()}
    scheme, dummy, encoded = str(headers.get("proxy-authorization", "")).partition(" ")
    if scheme.lower() == "basic":
        user, dummy, password = base64.b64decode(encoded).decode("utf-8", "replace").partition(":")
        return user, password
    if proxy.username:
        return unquote(proxy.username), unquote(proxy.password or "")
    return None


def _collect(socket: t.Any, deadline: float) -> Output:
    streams = {_STDOUT: bytearray(), _STDERR: bytearray(), _STATUS: bytearray()}
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise websocket.WebSocketTimeoutException
        socket.settimeout(left)
        opcode, frame = socket.recv_data()
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            break
        if frame and frame[0] in streams:
            streams[frame[0]] += frame[1:]
        if streams[_STATUS]:
            break
    exit_status, message = _outcome(bytes(streams[_STATUS]))
    stdout, stderr = (streams[s].decode("utf-8", "replace") for s in (_STDOUT, _STDERR))
    return Output(stdout, stderr, exit_status, message)


def _outcome(status: bytes) -> tuple[int | None, str]:
    """Read the status frame: the exit status, or why there is none."""
    if not status:
        return None, "the connection ended before the command's exit status came"
    try:
        answer = json.loads(status)
        if answer["status"] == "Success":
            return 0, ""
        causes = (answer.get("details") or {}).get("causes") or []
        codes = [str(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode" and "message" in cause]
        message = str(answer.get("message") or "the command's exit status is missing")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, "the command's exit status cannot be read"
    return (int(codes[0]), "") if codes and codes[0].isascii() and codes[0].isdigit() else (None, message)


def _refusal(error: t.Any) -> str:
    body = getattr(error, "resp_body", None) or b""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode("utf-8", "replace").strip() or f"HTTP {error.status_code}"


def _plain(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
