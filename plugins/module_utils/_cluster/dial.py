# SPDX-License-Identifier: GPL-3.0-or-later
"""Open a stream to the API server, through the same proxy and with the same trust as REST requests.

The connection to a proxy with an https:// address is encrypted before the password for the proxy is sent. The TLS
connection to the API server is then inside that to the proxy.
"""

from __future__ import annotations

import socket
import ssl
import time
import typing as t
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from .api_error import Unreachable
from .connection import Connection
from .name_resolution import ResolutionTimedOut, resolve
from .proxy_login import proxy_authorization
from .stream import Stream, StreamTimedOut, StreamTooLong

_PORTS = {"http": 80, "https": 443}
_HEAD_LIMIT = 65536
"""Bytes of the headers of a proxy's response."""


@dataclass(frozen=True)
class _Endpoint:
    """A server to connect to."""

    encrypted: bool
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port in the notation of HTTP."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def open_stream(connection: Connection, deadline: float) -> Stream:
    """Return a stream to the API server, encrypted if its address begins with https://.

    :param deadline: by the monotonic clock, also for the use of the stream
    :raises Unreachable: the proxy denies the connection or cannot be used
    :raises OSError: a server cannot be reached or is not trusted
    :raises StreamTimedOut: the deadline passed
    """
    settings = connection.configuration
    server = _endpoint(urlsplit(connection.api_url))
    proxy = _proxy(connection.proxy)
    stream = Stream(_connected(_endpoint(proxy) if proxy else server, deadline), deadline, _HEAD_LIMIT)
    try:
        if proxy:
            stream = _through(stream, proxy, server, settings)
        if server.encrypted:
            stream = stream.secured(_server_trust(settings), _server_name(settings) or server.host)
    except BaseException:
        stream.close()
        raise
    return stream


def _endpoint(address: SplitResult) -> _Endpoint:
    return _Endpoint(address.scheme == "https", address.hostname or "", address.port or _PORTS[address.scheme])


# TCP -----------------------------------------------------------------------------------------------------------------


def _connected(server: _Endpoint, deadline: float) -> socket.socket:
    """Return a socket to the first address that accepts. Each address gets an equal share of the time."""
    try:
        addresses = resolve(server.host, server.port, deadline)
    except ResolutionTimedOut:
        raise StreamTimedOut from None
    failure: OSError = OSError(f"{server.host} has no address")
    for number, (family, kind, protocol, dummy, address) in enumerate(addresses):
        left = deadline - time.monotonic()
        if left <= 0:
            raise StreamTimedOut
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(left / (len(addresses) - number))
            connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connecting.connect(address)
            return connecting
        except OSError as error:
            connecting.close()
            failure = error
    if isinstance(failure, socket.timeout):
        raise StreamTimedOut
    raise failure


# Proxy ---------------------------------------------------------------------------------------------------------------


def _proxy(address: str) -> SplitResult | None:
    """Return the parts of the proxy's URL, or None without a proxy."""
    return urlsplit(address) if address else None


def _through(stream: Stream, proxy: SplitResult, server: _Endpoint, settings: t.Any) -> Stream:
    """Return a stream through a proxy to the API server."""
    if proxy.scheme == "https":
        stream = stream.secured(_proxy_trust(settings), proxy.hostname or "")
    lines = [f"CONNECT {server.authority} HTTP/1.1", f"Host: {server.authority}"]
    login = proxy_authorization(settings.proxy_headers, proxy.geturl())
    lines += [f"Proxy-Authorization: {login}"] if login else []
    stream.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
    status = _status(_head(stream))
    if not 200 <= status < 300:
        raise Unreachable(
            f"the proxy denies the connection (HTTP {status})" if status else "the proxy does not speak HTTP"
        )
    return stream


def _head(stream: Stream) -> bytes:
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        try:
            received = stream.recv(1)  # from the stream's buffer; data after the headers is not from the proxy
        except StreamTooLong:
            raise Unreachable(f"the response of the proxy has more than {_HEAD_LIMIT} bytes") from None
        if not received:
            raise Unreachable("the proxy closed the connection")
        head += received
    return bytes(head)


def _status(head: bytes) -> int:
    """Return the HTTP status of a response, or 0 if it is not HTTP."""
    version, dummy, rest_of_line = head.partition(b"\r\n")[0].partition(b" ")
    status = rest_of_line[:3]
    return int(status) if version.startswith(b"HTTP/1.") and len(status) == 3 and status.isdigit() else 0


# Trust ---------------------------------------------------------------------------------------------------------------


def _server_name(settings: t.Any) -> str:
    """Return the name in the server's certificate, if it differs from the name in the address."""
    return str(getattr(settings, "tls_server_name", None) or "")


def _server_trust(settings: t.Any) -> ssl.SSLContext:
    verified = bool(settings.verify_ssl)
    named = verified if settings.assert_hostname is None else verified and bool(settings.assert_hostname)
    files = (settings.ssl_ca_cert, settings.cert_file, settings.key_file)
    return _trust(verified, named, *(file or None for file in files))


def _proxy_trust(settings: t.Any) -> ssl.SSLContext:
    """Return the trust for a proxy, as urllib3 does: the same authorities, and no client certificate."""
    verified = bool(settings.verify_ssl)
    return _trust(verified, verified, settings.ssl_ca_cert or None, None, None)


@lru_cache(maxsize=8)
def _trust(verified: bool, named: bool, ca: str | None, certificate: str | None, key: str | None) -> ssl.SSLContext:
    """Return a TLS context. It is cached, because a run can execute thousands of commands."""
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
