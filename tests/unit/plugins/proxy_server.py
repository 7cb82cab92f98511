# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy on loopback that connects to any address, and records its requests."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading

from ansible_collections.imagemode.openshift.tests.unit.plugins.loopback_server import LoopbackServer


class ProxyServer(LoopbackServer):
    """Responds to CONNECT.

    :param tls: encrypts the connections, None for no encryption
    :ivar asked: the first line and the headers of each request
    :ivar reply: a response instead of connecting
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(_Handler, tls)
        self.asked: list[list[str]] = []
        self.reply = b""


class _Handler(socketserver.BaseRequestHandler):
    server: ProxyServer

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            received = self.request.recv(1)
            if not received:
                break
            head += received
        lines = head.decode("latin-1").splitlines()
        self.server.asked.append(lines[:-1])
        if self.server.reply:
            self.request.sendall(self.server.reply)
            return
        host, dummy, port = lines[0].split(" ")[1].rpartition(":")
        with socket.create_connection((host.strip("[]"), int(port))) as target:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(target, self.request), daemon=True)
            back.start()
            _pump(self.request, target)
            back.join(30)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            data = source.recv(65536)
            if not data:
                break
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
