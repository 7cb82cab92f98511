# SPDX-License-Identifier: GPL-3.0-or-later
"""What another user of this machine gets of a lab: ports that answer, files, sockets and processes that open.

Run as a program it is that user: it starts as root, because the interpreter may lie where nobody else may read, and
gives everything up before it looks. It prints what it got as JSON.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - used by the first connection, when it can no longer be read
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.processes import LabProcess, lab_processes

NOBODY = 65534
_TIMEOUT = 5.0
_LISTENING = "0A"
_UNIX_LISTENING = 0x10000
_PATHS = (
    ("GET", "/"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/version"),
    ("GET", "/debug/pprof/"),
    ("GET", "/discovery/prometheus"),  # KWOK
    ("GET", "/api/v1/secrets"),  # API server
    ("GET", "/v2/_catalog"),  # registry
    ("POST", "/v3/kv/range"),  # etcd, clients
    ("GET", "/members"),  # etcd, peers
    ("POST", "/RPC2"),  # supervisord
    ("GET", "/faults"),  # fault proxy
)


@dataclass(frozen=True)
class Answer:
    """What came back of one request; ``status`` is 0 where no HTTP came at all."""

    tls: bool
    request: str
    status: int
    text: str

    @property
    def refuses(self) -> bool:
        """Whether it is for want of credentials that nothing came."""
        return self.status in (401, 403) or (self.tls and not self.status)

    @property
    def empty(self) -> bool:
        """Whether it tells nothing of the lab."""
        unknown = self.status in (404, 405) and self.text.strip() in ("404 page not found", "Method Not Allowed")
        not_tls = self.status == 400 and self.text.startswith("Client sent an HTTP request to an HTTPS server")
        return self.refuses or not self.status or not self.text or unknown or not_tls


@dataclass(frozen=True)
class Listeners:
    """Where processes listen: TCP and UDP addresses as ``/proc/net`` has them with their ports, and Unix sockets."""

    addresses: dict[int, str]
    sockets: tuple[str, ...]


def listeners(folder: Path) -> Listeners:
    """Where the processes of the lab in ``folder`` listen, as the kernel has it."""
    inodes = {inode for process in lab_processes(folder) for inode in _sockets(process)}
    addresses = {}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path("/proc/net", table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and (fields[3] == _LISTENING or table.startswith("udp")):
                address, _, port = fields[1].partition(":")
                addresses[int(port, 16)] = f"{table} {address}"
    unix = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    named = [fields[7] for fields in unix if fields[6] in inodes and int(fields[3], 16) & _UNIX_LISTENING]
    return Listeners(addresses, tuple(named))


def _sockets(process: LabProcess) -> Iterable[str]:
    for descriptor in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def answers(port: int, *more: tuple[str, str]) -> list[Answer]:
    """What another user is answered at a port; ``more`` are requests beside the usual ones."""
    return [Answer(**answer) for answer in _as_nobody("ask", [port, *_PATHS, *more])]


def openable(paths: Iterable[Path]) -> list[str]:
    """Those of the paths that another user can read, list, change, or connect to."""
    found: list[str] = _as_nobody("open", [str(path) for path in paths])
    return found


def _as_nobody(what: str, about: list[Any]) -> Any:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, __file__, what],
        input=json.dumps(about),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout)


def _become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def trusting_anybody() -> ssl.SSLContext:
    """A client that does not care whom it talks to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _ask(port: int, tls: bool, method: str, path: str) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT)
    if tls:
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=_TIMEOUT, context=trusting_anybody())
    status, text = 0, ""
    try:
        connection.request(method, path, body="{}" if method == "POST" else None)
        answer = connection.getresponse()
        status, text = answer.status, answer.read(200).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        text = repr(error)
    finally:
        connection.close()
    return {"tls": tls, "request": f"{method} {path}", "status": status, "text": text}


def _opens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        tries = (
            lambda: os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK)),
            lambda: os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK)),
            lambda: os.listdir(path),
            lambda: os.close(os.open(f"{path}/planted", os.O_WRONLY | os.O_CREAT)),
            lambda: connection.connect(path),
        )
        return any(_works(attempt) for attempt in tries)


def _works(attempt: Any) -> bool:
    try:
        attempt()
    except OSError:
        return False
    return True


def main() -> None:
    about = json.load(sys.stdin)
    _become_nobody()
    if sys.argv[1] == "open":
        found: list[Any] = [path for path in about if _opens(path)]
    else:
        port, *requests = about
        found = [_ask(port, tls, method, path) for tls in (False, True) for method, path in requests]
    print(json.dumps(found))


if __name__ == "__main__":
    main()
