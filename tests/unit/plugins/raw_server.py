# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback that sends whatever bytes a test wants, at whatever pace, and records what it was sent."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import typing as t

Speak = t.Callable[[socket.socket], None]

LONGEST = 20.0
"""Seconds after which a server that drips gives up, so that a test without its fix ends."""


class RawServer:
    """Answers each connection with *speak*, once its first request has come.

    :param is_first: whether *speak* has the connection from its beginning
    :ivar heads: what was sent to it, up to the end of the headers
    """

    def __init__(self, speak: Speak, is_first: bool = False) -> None:
        self.heads: list[str] = []
        self._speak = speak
        self._is_first = is_first
        self._socket = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def stop(self) -> None:
        """Accept no more."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, dummy = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            head = b""
            while not self._is_first and b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            self.heads.append(head.decode("latin-1"))
            self._speak(connection)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass


def says(content: bytes) -> Speak:
    """Send this and close."""
    return lambda connection: connection.sendall(content)


def drips(before: bytes, drop: bytes) -> Speak:
    """Send *before*, and then *drop* again and again, so that no single read ever waits for long."""

    def speak(connection: socket.socket) -> None:
        end = time.monotonic() + LONGEST
        connection.sendall(before)
        while time.monotonic() < end:
            connection.sendall(drop)
            time.sleep(0.02)

    return speak


def pours(before: bytes, drop: bytes) -> Speak:
    """Send *before*, and then *drop* as fast as it is taken."""

    def speak(connection: socket.socket) -> None:
        end = time.monotonic() + LONGEST
        connection.sendall(before)
        while time.monotonic() < end:
            connection.sendall(drop)

    return speak


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return an answer whose body is all there."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body
