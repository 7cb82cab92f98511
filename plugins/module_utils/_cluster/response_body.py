# SPDX-License-Identifier: GPL-3.0-or-later
"""Read responses in pieces, with a deadline and a size limit, and without decompression.

A socket's timeout limits a single read, so a server that sends one byte a second never reaches it. The deadline here
limits the whole response. It is checked at each read of the connection, below http.client and urllib3, so that it also
covers status line, headers, chunk framing, and the response of a proxy to CONNECT.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import math
import socket
import time
import typing as t
from dataclasses import dataclass

PIECE = 1 << 16
"""Bytes of the body per read."""
READ_AHEAD = 1 << 20
"""Bytes that may be read from the connection before the next piece of the body is complete: headers, chunk framing."""


@dataclass(frozen=True)
class ResponseLimits:
    """Limits of a response. A cluster of 2000 nodes stays far below all of them."""

    seconds: float = 120.0
    """Seconds for a whole response. A page of a list has a few MB."""
    size: int = 32 << 20
    """Bytes of a response. etcd stores at most 1.5 MiB per object; a page of 500 nodes has about 10 MiB."""
    values: int = 2_000_000
    """JSON values in a response. Python needs up to 80 bytes for a value that takes three bytes in JSON."""
    error_size: int = 1 << 20
    """Bytes read of an error response. Those of the API server have a few KiB."""
    line: int = 4 << 20
    """Bytes of one watch event, which holds one object."""
    list_seconds: float = 600.0
    """Seconds for a whole list."""
    list_size: int = 128 << 20
    """What a whole list, and all objects that one watch reports, may weigh: 64 KiB per object for 2000 objects.

    That is their bytes, and 26 bytes a JSON value at least, so that they have five million values at most."""
    list_pages: int = 400
    """Pages of a whole list, including those that are read again after the list has expired: 200,000 objects."""


class ResponseTooLarge(Exception):
    """The response is larger than its limit."""


class ApiResponse:
    """The response to one request, with its body not yet read.

    :param response: a urllib3 response from a connection that :func:`meter_connections` has prepared
    :param seconds: until the deadline of the body
    """

    def __init__(self, response: t.Any, seconds: float) -> None:
        self.response = response
        self._meter: _Meter = response._original_response.meter  # noqa: SLF001 - the one way to http.client's response
        self.expire_in(seconds)

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.response.status)

    @property
    def is_compressed(self) -> bool:
        """Whether the body is encoded, although the request accepts no encoding."""
        return self.header("Content-Encoding").strip().lower() not in ("", "identity")

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return str(self.response.headers.get(name) or "")

    def expire_in(self, seconds: float) -> None:
        """Set the deadline for the rest of the body."""
        self._meter.deadline = time.monotonic() + seconds

    def close(self) -> None:
        """Stop reading. A connection whose response was read completely stays open for the next request."""
        self.response.close()

    def pieces(self) -> t.Iterator[bytes]:
        """Yield the body piece by piece, without decoding it.

        :raises OSError: the connection failed or the deadline has passed; urllib3 wraps it in an HTTPError
        """
        pieces = self.response.stream(PIECE, decode_content=False)
        while True:
            self._meter.left = READ_AHEAD
            try:
                piece = next(pieces, None)
            except ValueError:  # http.client's for a chunk of a negative size
                raise OSError("the response is not HTTP") from None
            if piece is None:
                return
            yield piece

    def whole(self, limit: int) -> bytes:
        """Return the whole body.

        :raises ResponseTooLarge: it has more than *limit* bytes
        """
        content = self.beginning(limit + 1)
        if len(content) > limit:
            raise ResponseTooLarge(f"the response is larger than {size_text(limit)}")
        return content

    def beginning(self, limit: int) -> bytes:
        """Return the body, or its first *limit* bytes."""
        content = bytearray()
        for piece in self.pieces():
            content += piece
            if len(content) >= limit:
                break
        return bytes(content[:limit])


def size_text(size: int) -> str:
    """Return a size in a readable unit."""
    for unit, name in ((1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"


def meter_connections(manager: t.Any) -> None:
    """Make all connections of a urllib3 pool manager read through a meter. Call it before the first request."""
    manager.pool_classes_by_scheme = {
        scheme: _metered_pool(pool) for scheme, pool in manager.pool_classes_by_scheme.items()
    }


def _metered_pool(pool: t.Any) -> t.Any:
    """Return a subclass of a connection pool class whose connections read through a meter."""
    plain = pool.ConnectionCls

    def connect_tls_proxy(self: t.Any, *arguments: t.Any, **named: t.Any) -> _TlsProxySocket:
        return _TlsProxySocket(plain._connect_tls_proxy(self, *arguments, **named))  # noqa: SLF001

    parts: dict[str, t.Any] = {"response_class": _MeteredResponse}
    if hasattr(plain, "_connect_tls_proxy"):
        parts["_connect_tls_proxy"] = connect_tls_proxy
    metered = type(f"Metered{plain.__name__}", (plain,), parts)
    return type(f"Metered{pool.__name__}", (pool,), {"ConnectionCls": metered})


class _MeteredResponse(http.client.HTTPResponse):
    """An http.client response that reads through a meter, beginning with the status line."""

    def __init__(self, sock: t.Any, *arguments: t.Any, **named: t.Any) -> None:
        super().__init__(sock, *arguments, **named)
        self.meter = _Meter(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self.meter)


@contextlib.contextmanager
def _time_left(sock: t.Any, deadline: float) -> t.Iterator[None]:
    """Limit what is done with a socket to its own timeout and to the time until a deadline."""
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise socket.timeout("the response takes too long")
    usual = sock.gettimeout()
    sock.settimeout(seconds if usual is None else min(seconds, usual))
    try:
        yield
    finally:
        sock.settimeout(usual)


class _TlsProxySocket:
    """The connection to an ``https://`` proxy, in which urllib3 itself speaks TLS with the API server.

    One read of that inner TLS is many reads here, in a loop of urllib3. So the deadline is checked here as well. The
    first one limits the handshake.
    """

    def __init__(self, sock: t.Any) -> None:
        self._sock = sock
        self.deadline = time.monotonic() + (sock.gettimeout() or ResponseLimits.seconds)

    def __getattr__(self, name: str) -> t.Any:
        return getattr(self._sock, name)

    @property
    def _io_refs(self) -> int:
        return int(self._sock._io_refs)  # noqa: SLF001 - urllib3 counts the files of a socket there

    @_io_refs.setter
    def _io_refs(self, count: int) -> None:
        self._sock._io_refs = count  # noqa: SLF001

    def recv(self, *arguments: t.Any) -> bytes:
        """Receive, before the deadline."""
        with _time_left(self._sock, self.deadline):
            return bytes(self._sock.recv(*arguments))


class _Meter(io.RawIOBase):
    """Read from a connection until a deadline, and at most ``left`` bytes.

    The first deadline is the read timeout of the socket. It covers the status line and all headers together.
    """

    def __init__(self, raw: io.RawIOBase, sock: t.Any) -> None:
        self._raw = raw
        self._sock = sock
        outer = getattr(sock, "socket", None)
        self._outer = outer if isinstance(outer, _TlsProxySocket) else None
        self.deadline = time.monotonic() + (sock.gettimeout() or ResponseLimits.seconds)
        self.left = READ_AHEAD

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._raw.fileno()

    def readinto(self, buffer: t.Any) -> int | None:
        if self.left <= 0:
            raise OSError("the response has too much data outside its body")
        if self._outer:
            self._outer.deadline = self.deadline
        try:
            with _time_left(self._sock, self.deadline):
                count: int | None = self._raw.readinto(buffer)
        finally:
            if self._outer:
                self._outer.deadline = math.inf
        self.left -= count or 0
        return count

    def close(self) -> None:
        try:
            self._raw.close()
        finally:
            super().close()
