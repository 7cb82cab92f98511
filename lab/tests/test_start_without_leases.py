# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import http.server
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
import yaml

LEASES = "/apis/coordination.k8s.io/v1/namespaces/there/leases"


class Api(http.server.ThreadingHTTPServer):
    """Answers every DELETE with ``answer`` and remembers it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.deleted: list[tuple[str, str | None]] = []
        self.answer = 200


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Api

    def do_DELETE(self) -> None:
        self.server.deleted.append((self.path, self.headers["Authorization"]))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    authority = trustme.CA()
    server = Api()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    document = {
        "clusters": [
            {
                "cluster": {
                    "server": f"https://127.0.0.1:{server.server_address[1]}",
                    "certificate-authority-data": base64.b64encode(authority.cert_pem.bytes()).decode(),
                }
            }
        ],
        "users": [{"user": {"token": "t0"}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(document))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def start(kubeconfig: Path, lease: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab.start_without_leases", str(kubeconfig), lease, "/bin/echo", "started"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_lease_is_removed_before_the_program_starts(api: Api, tmp_path: Path) -> None:
    assert start(tmp_path / "kubeconfig", "there/leader").stdout == "started\n"
    assert api.deleted == [(f"{LEASES}/leader", "Bearer t0")]


def test_without_a_name_every_lease_of_the_namespace_is_removed(api: Api, tmp_path: Path) -> None:
    assert start(tmp_path / "kubeconfig", "there/").stdout == "started\n"
    assert api.deleted == [(LEASES, "Bearer t0")]


def test_a_lease_that_is_not_there_is_no_obstacle(api: Api, tmp_path: Path) -> None:
    api.answer = 404

    assert start(tmp_path / "kubeconfig", "there/leader").stdout == "started\n"


@pytest.mark.parametrize("answer", [403, 500])
def test_a_program_does_not_start_while_the_lease_cannot_be_removed(api: Api, tmp_path: Path, answer: int) -> None:
    api.answer = answer

    result = start(tmp_path / "kubeconfig", "there/leader")

    assert result.returncode == 1
    assert result.stdout == ""
    assert "Could not remove lease there/leader" in result.stderr
