# SPDX-License-Identifier: GPL-3.0-or-later
"""A byte stream with a deadline and a size limit.

Both apply to everything that is received: the handshakes of TLS, of a proxy and of a websocket, and the frames after
them. So a server that sends one byte a second, or bytes without end, cannot exceed them.
"""

from __future__ import annotations

import socket
import ssl
import time
import typing as t
from functools import partial

try:
    from urllib3.util.ssltransport import SSLTransport
except ImportError:  # connect() reports a missing library
    pass

_PIECE = 65536
"""Bytes per read of the socket."""


class StreamTimedOut(Exception):
    """The deadline passed."""


class StreamTooLong(Exception):
    """The other end sent more than the limit."""


class Stream:
    """A connected socket with a deadline and a size limit.

    It has the methods of a socket that TLS in TLS and websocket-client call.

    :param connected: a socket, or an object with the methods of one
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
        """Allow *limit* further bytes, instead of the previous limit."""
        self._left = limit
        if self._around:
            self._around.allow(2 * limit)  # TLS adds to each piece

    def recv(self, size: int = _PIECE) -> bytes:
        """Return at most *size* bytes, or none at the end of the stream.

        :raises StreamTimedOut: the deadline passed
        :raises StreamTooLong: the limit was passed
        """
        if self._read == len(self._buffer):
            self._buffer, self._read = self._receive(), 0
        piece = self._buffer[self._read : self._read + size]
        self._read += len(piece)
        return piece

    def unread(self) -> bytes:
        """Return what was received and not read yet. It can be read after the stream is closed, too."""
        return self._buffer[self._read :]

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
        """Return the stream with TLS, which may be inside another TLS connection.

        :param server_name: the name that the certificate has to be valid for
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
        """Do nothing: the opener of the connection closes it."""

    def fileno(self) -> int:
        """Return the file descriptor."""
        return int(self._connected.fileno())

    def gettimeout(self) -> float:
        """Return the remaining seconds, and never 0, which would mean a non-blocking socket."""
        return max(0.001, self._deadline - time.monotonic())

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: only the deadline counts."""

    def _receive(self) -> bytes:
        data = self._in_time(partial(self._connected.recv, _PIECE)) or b""  # TLS in TLS returns the number 0 at its end
        self._left -= len(data)
        if self._left < 0:
            raise StreamTooLong
        return bytes(data)

    def _in_time(self, work: t.Callable[[], t.Any]) -> t.Any:
        """Call a method of the socket with the remaining time as its timeout."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise StreamTimedOut
        self._connected.settimeout(left)
        try:
            return work()
        except socket.timeout:
            raise StreamTimedOut from None
