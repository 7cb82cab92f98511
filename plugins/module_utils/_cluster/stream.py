# SPDX-License-Identifier: GPL-3.0-or-later
"""A byte stream that ends in time and stays small, whoever is at its other end.

One deadline and one limit for everything that passes: the handshakes of TLS, of a proxy and of a websocket, and the
frames after them. A server that sends one byte a second, or bytes without end, is cut off here and nowhere else.
"""

from __future__ import annotations

import socket
import ssl
import time
import typing as t
from functools import partial

try:
    from urllib3.util.ssltransport import SSLTransport
except ImportError:  # connect() says so
    pass

_PIECE = 65536
"""Bytes that are read from the socket at once."""


class StreamTimedOut(Exception):
    """The deadline passed."""


class StreamTooLong(Exception):
    """The other end sent more than the limit."""


class Stream:
    """A connected socket with a deadline and a limit.

    It has those methods of a socket that TLS in TLS and websocket-client call.

    :param connected: a socket, or what behaves like one
    :param deadline: by the monotonic clock
    :param limit: bytes that may be received
    """

    def __init__(self, connected: t.Any, deadline: float, limit: int) -> None:
        self._connected = connected
        self._deadline = deadline
        self._left = limit
        self._around: Stream | None = None
        self._buffer = b""
        self._read = 0

    def allow(self, limit: int) -> None:
        """Let *limit* bytes be received from now on, in place of what was left."""
        self._left = limit
        if self._around:
            self._around.allow(2 * limit)  # TLS adds to each piece

    def recv(self, size: int = _PIECE) -> bytes:
        """Return at most *size* bytes, and none at the end of the stream.

        :raises StreamTimedOut: the deadline passed
        :raises StreamTooLong: the limit was passed
        """
        if self._read == len(self._buffer):
            self._buffer, self._read = self._receive(), 0
        piece = self._buffer[self._read : self._read + size]
        self._read += len(piece)
        return piece

    def send(self, data: t.Any) -> int:
        """Send all of *data*.

        :raises StreamTimedOut: the deadline passed
        """
        with memoryview(data) as rest:
            sent = 0
            while sent < len(rest):
                sent += self._in_time(partial(self._connected.send, rest[sent:]))
            return sent

    sendall = send

    def secured(self, context: ssl.SSLContext, server_name: str) -> Stream:
        """Return the stream with TLS in it, which may have TLS around it already.

        :param server_name: what the certificate has to be for
        """
        if self._read < len(self._buffer):
            raise OSError("the server sent data before the TLS handshake")
        if not isinstance(self._connected, ssl.SSLSocket):
            inside = self._in_time(partial(context.wrap_socket, self._connected, server_hostname=server_name))
            return Stream(inside, self._deadline, self._left)
        secured = Stream(SSLTransport(t.cast(t.Any, self), context, server_name), self._deadline, self._left)
        secured._around = self
        return secured

    def close(self) -> None:
        """Close the connection."""
        self._connected.close()

    def shutdown(self, how: int) -> None:
        """Do nothing: the connection is closed by whoever opened it."""

    def fileno(self) -> int:
        """Return the number of the file."""
        return int(self._connected.fileno())

    def gettimeout(self) -> float:
        """Return the seconds that are left, and never the 0 of a socket that does not wait."""
        return max(0.001, self._deadline - time.monotonic())

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: only the deadline counts."""

    def _receive(self) -> bytes:
        data = self._in_time(partial(self._connected.recv, _PIECE)) or b""  # TLS in TLS has the number 0 for its end
        self._left -= len(data)
        if self._left < 0:
            raise StreamTooLong
        return bytes(data)

    def _in_time(self, work: t.Callable[[], t.Any]) -> t.Any:
        """Do one thing with the socket within the time that is left; TLS too counts it for the whole call."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise StreamTimedOut
        self._connected.settimeout(left)
        try:
            return work()
        except socket.timeout:
            raise StreamTimedOut from None
