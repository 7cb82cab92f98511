# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server with TLS on loopback that records who sent what."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import struct
import typing as t
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.imagemode.openshift.tests.unit.plugins.loopback_server import LoopbackServer, websocket_accept

_EXIT_STATUS = b"\x03" + json.dumps({"kind": "Status", "status": "Success"}).encode()


@dataclass(frozen=True)
class Heard:
    """One received request."""

    path: str
    authorization: str
    certificate: str
    """The common name of the client's certificate, empty without one."""


class RecordingServer(LoopbackServer):
    """Responds to each request with an empty object, and to each websocket with a successful command.

    :param certificate: the file with its certificate and key
    :param authority: the file with the authority of client certificates
    """

    tls: ssl.SSLContext

    def __init__(self, certificate: Path, authority: Path) -> None:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate)
        tls.load_verify_locations(authority)
        tls.verify_mode = ssl.CERT_OPTIONAL
        super().__init__(_Handler, tls)
        self.heard: list[Heard] = []


class _Handler(socketserver.BaseRequestHandler):
    server: RecordingServer

    def handle(self) -> None:
        with contextlib.suppress(OSError), self.request as connection:
            while self._answer(connection):
                pass

    def _answer(self, connection: ssl.SSLSocket) -> bool:
        """Respond to one request, and return whether another one can follow."""
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
    accept = websocket_accept(headers["sec-websocket-key"])
    protocol = headers["sec-websocket-protocol"].split(",")[0].strip()
    head = (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {protocol}\r\n\r\n"
    )
    connection.sendall(head.encode() + struct.pack("!BB", 0x82, len(_EXIT_STATUS)) + _EXIT_STATUS)
    connection.recv(1024)


def _head(connection: socket.socket) -> list[str]:
    """Read the headers of one request. No test sends a body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        if not piece:
            return []
        head += piece
    return head.decode("latin-1").strip().split("\r\n")
