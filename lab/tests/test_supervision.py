# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socketserver
import threading
import xmlrpc.client
from pathlib import Path

import pytest

from lab.supervision import Supervisor


class _Supervisord(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        length = 0
        while (line := self.rfile.readline()) != b"\r\n":
            name, _, value = line.decode().partition(":")
            length = int(value) if name.lower() == "content-length" else length
        self.rfile.read(length)
        body = xmlrpc.client.dumps(("lab-far",), methodresponse=True).encode()
        self.wfile.write(
            b"HTTP/1.0 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
        )


def test_the_supervisor_is_reached_however_long_the_name_of_its_folder_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("a" * 100) / ("b" * 100)
    (folder / "sockets").mkdir(parents=True)
    monkeypatch.chdir(folder)
    with socketserver.UnixStreamServer("sockets/supervisor.sock", _Supervisord) as server:
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            assert Supervisor(folder, "password").identity() == "lab-far"
        finally:
            server.shutdown()
            serving.join()


def test_a_supervisor_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No such file"):
        Supervisor(tmp_path, "password").identity()
    assert len(os.listdir("/proc/self/fd")) == before
