# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server on loopback that responds to ``exec`` with the frames that a test sets."""

from __future__ import annotations

import json
import socketserver
import ssl
import struct
import time
import typing as t

from ansible_collections.imagemode.openshift.tests.unit.plugins.loopback_server import LoopbackServer, websocket_accept

STDOUT, STDERR, STATUS, RESIZE, CLOSE = 1, 2, 3, 4, 255

Script = t.Callable[["Connection"], None]
"""Handles an open websocket."""


class Connection:
    """The server's end of a websocket."""

    def __init__(self, handler: socketserver.StreamRequestHandler) -> None:
        self._handler = handler

    def frame(self, channel: int, content: bytes) -> None:
        """Send a message on a channel."""
        self._send(0x82, bytes([channel]) + content)

    def pieces(self, channel: int, *contents: bytes) -> None:
        """Send one message in several frames."""
        last = len(contents) - 1
        for number, content in enumerate(contents):
            opcode = (0x80 if number == last else 0) | (0x02 if number == 0 else 0)
            self._send(opcode, (bytes([channel]) if number == 0 else b"") + content)

    def empty(self) -> None:
        """Send a message without even a channel."""
        self._send(0x82, b"")

    def ping(self) -> None:
        """Send a ping."""
        self._send(0x89, b"ping")

    def status(self, **answer: t.Any) -> None:
        """Send a status object, which ends the command."""
        self.frame(STATUS, json.dumps({"kind": "Status", **answer}).encode())

    def exited(self, code: int) -> None:
        """Send the exit status of the command."""
        if code == 0:
            self.status(status="Success")
        else:
            causes = [{"reason": "ExitCode", "message": str(code)}]
            self.status(status="Failure", reason="NonZeroExitCode", details={"causes": causes})

    def raw(self, *contents: bytes, pause: float = 0.0) -> None:
        """Send bytes as they are, with a pause after each piece."""
        for content in contents:
            self._handler.wfile.write(content)
            self._handler.wfile.flush()
            time.sleep(pause)

    def close(self) -> None:
        """Close the websocket."""
        self._send(0x88, struct.pack("!H", 1000))

    def hang(self) -> None:
        """Do nothing until the client disconnects."""
        self._handler.connection.settimeout(30)
        while self._handler.connection.recv(1024):
            pass

    def _send(self, first: int, content: bytes) -> None:
        size = len(content)
        if size < 126:
            length = bytes([size])
        elif size < 1 << 16:
            length = b"\x7e" + struct.pack("!H", size)
        else:
            length = b"\x7f" + struct.pack("!Q", size)
        self._handler.wfile.write(bytes([first]) + length + content)
        self._handler.wfile.flush()


class ExecServer(LoopbackServer):
    """Responds to each request by its script, with an error, or not at all. As a proxy it connects to itself.

    :param tls: encrypts the connections, None for no encryption
    :ivar asked: the first line and the headers of each request
    :ivar headers: headers of an error
    :ivar protocol: the selected subprotocol, by default the first one of the request
    :ivar upgrade: handles a request instead of opening a websocket
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(_Handler, tls)
        self.headers: tuple[str, ...] = ()
        self.protocol: str | None = None
        self.upgrade: Script | None = None
        self.script: Script = lambda connection: connection.exited(0)
        self.refusal: tuple[int, str] | None = None
        self.silent = False
        self.asked: list[list[str]] = []


class _Handler(socketserver.StreamRequestHandler):
    server: ExecServer

    def handle(self) -> None:
        lines = []
        while True:
            line = self.rfile.readline().decode("latin-1").rstrip("\r\n")
            if not line:
                break
            lines.append(line)
        self.server.asked.append(lines)
        if lines and lines[0].startswith("CONNECT "):
            self._reply("200 OK")
            self.handle()
            return
        if self.server.silent:
            Connection(self).hang()
            return
        if self.server.refusal:
            status, body = self.server.refusal
            self._reply(f"{status} No", f"Content-Length: {len(body.encode())}", *self.server.headers, body=body)
            return
        if self.server.upgrade:
            self.server.upgrade(Connection(self))
            return
        headers = dict(line.split(": ", 1) for line in lines[1:])
        accept = websocket_accept(headers["Sec-WebSocket-Key"])
        chosen = self.server.protocol
        if chosen is None:
            chosen = headers["Sec-WebSocket-Protocol"].split(",")[0].strip()
        self._reply(
            "101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept}",
            *([f"Sec-WebSocket-Protocol: {chosen}"] if chosen else []),
        )
        try:
            self.server.script(Connection(self))
        except OSError:
            return  # the client disconnected

    def _reply(self, status: str, *headers: str, body: str = "") -> None:
        self.wfile.write("\r\n".join([f"HTTP/1.1 {status}", *headers, "", body]).encode())
        self.wfile.flush()
