# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy on loopback that connects to whatever it is asked for, and notes what it heard."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import ssl
import threading
import typing as t


class ProxyServer(socketserver.ThreadingTCPServer):
    """Answers CONNECT.

    :param tls: how it is encrypted, if it is
    :ivar asked: first line and headers of each request
    :ivar reply: what it answers in place of connecting
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._tls = tls
        self.asked: list[list[str]] = []
        self.reply = b""
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.server_address[1]}"

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        """Serve a connection, in a thread of its own."""
        with contextlib.suppress(OSError):
            if self._tls:
                request = self._tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)

    def stop(self) -> None:
        """Refuse connections."""
        self.shutdown()
        self.server_close()


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
