# SPDX-License-Identifier: GPL-3.0-or-later
"""An API server with TLS and a proxy, both on loopback, that record who sent what to whom."""

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
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

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


class ForwardingProxy(socketserver.ThreadingTCPServer):
    """Opens tunnels to loopback, and records for which address and with which credentials."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Forwarder)
        self.tunnels: list[tuple[str, str]] = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Forwarder(socketserver.BaseRequestHandler):
    server: ForwardingProxy

    def handle(self) -> None:
        lines = _head(self.request)
        if not lines:
            return
        target = lines[0].split()[1]
        account = next((line for line in lines if line.lower().startswith("proxy-authorization: ")), "")
        self.server.tunnels.append((target, account.partition(": ")[2]))
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", int(target.split(":")[1]))) as other:
            self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=_pipe, args=(other, self.request), daemon=True)
            back.start()
            _pipe(self.request, other)
            back.join(10)


def _pipe(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            piece = source.recv(65536)
            if not piece:
                break
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


class Authority:
    """A certificate authority of a test.

    :param folder: where its certificates are written
    :param name: its common name, and the name of the file of its own certificate
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = folder / f"{name}.crt"
        content = self._certificate(name, self._key, x509.BasicConstraints(ca=True, path_length=None))
        self.certificate.write_bytes(content)

    def signed(self, name: str, *names: x509.GeneralName) -> Path:
        """Return a file with a certificate for *name* and for the alternative *names*, and with its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        extension = x509.SubjectAlternativeName(names) if names else x509.BasicConstraints(ca=False, path_length=None)
        file = self._folder / f"{name}.pem"
        text = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        file.write_bytes(self._certificate(name, key, extension) + key.private_bytes(*text))
        return file

    def _certificate(self, name: str, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        now = datetime.now(timezone.utc)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(self._name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        )
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, name)])
