# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server with TLS on loopback that records who sent what."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import socket
import socketserver
import ssl
import struct
import threading
import typing as t
from dataclasses import dataclass
from pathlib import Path

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_EXIT_STATUS = b"\x03" + json.dumps({"kind": "Status", "status": "Success"}).encode()


@dataclass(frozen=True)
class Heard:
    """One request, as a server heard it."""

    path: str
    authorization: str
    certificate: str
    """The common name of the client's certificate, empty if it showed none."""


class RecordingServer(socketserver.ThreadingTCPServer):
    """Answers every request with an empty object, and every websocket with a command that succeeded.

    :param certificate: file with its certificate and key
    :param authority: file with the authority that has signed its clients' certificates
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, certificate: Path, authority: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(certificate)
        self.tls.load_verify_locations(authority)
        self.tls.verify_mode = ssl.CERT_OPTIONAL
        self.heard: list[Heard] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The address."""
        return f"https://127.0.0.1:{self.port}"


class _Handler(socketserver.BaseRequestHandler):
    server: RecordingServer

    def handle(self) -> None:
        with contextlib.suppress(OSError), self.server.tls.wrap_socket(self.request, server_side=True) as connection:
            while self._answer(connection):
                pass

    def _answer(self, connection: ssl.SSLSocket) -> bool:
        """Answer one request, and tell whether another one may follow."""
        lines = _head(connection)
        if not lines:
            return False
        headers = {name.lower(): value for name, dummy, value in (line.partition(": ") for line in lines[1:])}
        names = (connection.getpeercert() or {}).get("subject", ())
        name = next((value for part in names for kind, value in part if kind == "commonName"), "")
        self.server.heard.append(Heard(lines[0].split()[1], headers.get("authorization", ""), str(name)))
        if "sec-websocket-key" in headers:
            _succeed(connection, headers)
            return False
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        return True


def _succeed(connection: ssl.SSLSocket, headers: t.Mapping[str, str]) -> None:
    digest = hashlib.sha1((headers["sec-websocket-key"] + _GUID).encode(), usedforsecurity=False).digest()
    protocol = headers["sec-websocket-protocol"].split(",")[0].strip()
    head = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {base64.b64encode(digest).decode()}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )
    connection.sendall(head.encode() + struct.pack("!BB", 0x82, len(_EXIT_STATUS)) + _EXIT_STATUS)
    connection.recv(1024)


def _head(connection: socket.socket) -> list[str]:
    """Read the head of one request; no test sends a body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            return []
        head += piece
    return head.decode("latin-1").strip().split("\r\n")
