# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of test servers on loopback: start, stop, address and TLS."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import socketserver
import ssl
import threading
import typing as t

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class LoopbackServer(socketserver.ThreadingTCPServer):
    """Serves each connection in a thread of its own, on a free port.

    :param handler: the class that serves a connection
    :param tls: encrypts the connections, None for no encryption
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, handler: type[socketserver.BaseRequestHandler], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.tls = tls
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def port(self) -> int:
        """The port."""
        return int(self.server_address[1])

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The URL."""
        return f"{'https' if self.tls else 'http'}://{self.address}"

    def finish_request(self, request: t.Any, client_address: t.Any) -> None:
        """Serve a connection."""
        with contextlib.suppress(OSError):
            if self.tls:
                request = self.tls.wrap_socket(request, server_side=True)
            super().finish_request(request, client_address)

    def stop(self) -> None:
        """Accept no more connections."""
        self.shutdown()
        self.server_close()


def websocket_accept(key: str) -> str:
    """Return the value of Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode(), usedforsecurity=False).digest()).decode()
