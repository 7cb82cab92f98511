# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab is its owner's: what any other user of the machine gets of it, which is nothing."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from kubernetes import client, config
from other_user import Answer, answers, listeners, openable, trusting_anybody

from lab.cache import lab_folder, locked
from lab.cli import main
from lab.credentials import KeyPair, Secrets
from lab.errors import LabError
from lab.facts import Facts
from lab.labs import keeper_pid
from lab.preparation import _clear
from lab.processes import lab_processes

LAB = (sys.executable, "-m", "lab")
NAMESPACE = "openshift-machine-config-operator"


@pytest.fixture(scope="module")
def facts() -> Iterator[Facts]:
    name = f"test-{os.getpid()}-others"
    with subprocess.Popen(["sleep", "infinity"]) as companion:
        command = [*LAB, "up", "--name", name, "--nodes", "1", "--with-pid", str(companion.pid)]
        try:
            subprocess.run(command, check=True)
            yield Facts.load(lab_folder(name))
        finally:
            companion.kill()
            subprocess.run([*LAB, "down", "--name", name], check=True)
            shutil.rmtree(lab_folder(name), ignore_errors=True)


@pytest.mark.lab
def test_no_port_of_a_lab_answers_another_user(facts: Facts) -> None:
    core = client.CoreV1Api(config.new_client_from_config(str(facts.kubeconfigs.admin)))
    daemon = core.list_namespaced_pod(NAMESPACE, label_selector="k8s-app=machine-config-daemon").items[0].metadata.name
    of_a_kubelet = (
        ("POST", f"/exec/{NAMESPACE}/{daemon}/machine-config-daemon?command=/bin/sh&command=-c&command=id&output=1"),
        ("GET", f"/containerLogs/{NAMESPACE}/{daemon}/machine-config-daemon"),
    )

    found = listeners(facts.folder)

    assert set(found.addresses) >= set(vars(facts.ports).values())
    assert set(found.addresses.values()) == {"tcp 0100007F"}
    for port in found.addresses:
        given = answers(port, *of_a_kubelet)
        assert [answer for answer in given if not answer.empty] == [], port
        assert any(answer.refuses for answer in given), port


@pytest.mark.lab
def test_the_sockets_of_a_lab_lie_in_its_folder_and_open_to_nobody_else(facts: Facts) -> None:
    sockets = listeners(facts.folder).sockets

    assert len(sockets) == 1
    assert sockets[0].startswith("/proc/self/cwd/sockets/supervisor.sock")
    assert (facts.folder / "sockets/supervisor.sock").is_socket()
    assert openable([facts.folder / "sockets", *(facts.folder / "sockets").iterdir()]) == []


@pytest.mark.lab
def test_no_file_of_a_lab_opens_to_another_user(facts: Facts) -> None:
    files = [facts.folder, *facts.folder.rglob("*")]

    assert len(files) > 100
    assert openable(files) == []


def test_the_locks_that_lie_outside_open_to_nobody_else(tmp_path: Path) -> None:
    with locked(tmp_path / "build.lock", ""):
        assert (tmp_path / "build.lock").stat().st_mode & 0o077 == 0


@pytest.mark.lab
def test_command_lines_hold_no_secret_and_processes_open_to_nobody_else(facts: Facts) -> None:
    own = Secrets.of(facts.folder)
    secrets = [line.split(",")[0] for line in own.tokens.read_text().splitlines()]
    for file in (own.supervisor_password, facts.registry_password_files.pusher, facts.registry_password_files.puller):
        secrets.append(file.read_text())
    processes = lab_processes(facts.folder)
    keeper = keeper_pid(facts.folder)
    pids = [*(process.pid for process in processes), keeper]

    lines = [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]

    assert len(lines) > 10
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
    inside = [Path(f"/proc/{pid}/{what}") for pid in pids for what in ("environ", "mem", "root", "cwd", "fd")]
    assert openable(inside) == []


@pytest.mark.lab
def test_etcd_and_the_nodes_let_nobody_in_for_a_certificate_that_is_for_something_else(facts: Facts) -> None:
    own = Secrets.of(facts.folder)
    kubelet = KeyPair(facts.kubelet_cert, facts.kubelet_key, facts.ca_cert)
    api = KeyPair(own.api_cert, own.api_key, facts.ca_cert)
    doors = {facts.ports.etcd_client: own.etcd_client, facts.ports.kubelet: own.kubelet_client}
    doors[facts.ports.etcd_peer] = own.etcd
    keys = [own.etcd_client, own.etcd, own.kubelet_client, kubelet, api]

    for port, right in doors.items():
        opened = {pair for pair in keys if _is_let_in(port, pair)}
        assert opened == {pair for pair in keys if pair.authority.read_text() == right.authority.read_text()}


def _is_let_in(port: int, shown: KeyPair) -> bool:
    context = trusting_anybody()
    context.load_cert_chain(shown.certificate, shown.key)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
        try:
            with context.wrap_socket(plain) as connection:
                connection.sendall(b"GET /nothing HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
                return connection.recv(100).startswith(b"HTTP/")
        except OSError:
            return False


@pytest.mark.lab
def test_a_port_that_answers_and_a_file_that_opens_are_noticed(tmp_path: Path) -> None:
    class Open(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"# HELP go_gc_duration_seconds")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Open) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        given = answers(server.server_port)
        server.shutdown()
    assert Answer(False, "GET /metrics", 200, "# HELP go_gc_duration_seconds") in given
    assert not next(answer for answer in given if answer.request == "GET /metrics" and not answer.tls).empty

    file = Path("/etc/passwd")
    assert openable([file, tmp_path / "nothing"]) == [str(file)]


def test_a_folder_that_was_open_is_closed_before_anything_is_written_into_it(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    folder.mkdir(mode=0o755)

    _clear(folder)

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_another_user_prepared_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "link").symlink_to(theirs)
    with pytest.raises(LabError, match=r"it is a link or belongs to another user\. Remove it"):
        _clear(tmp_path / "link")

    owner = theirs.stat().st_uid
    monkeypatch.setattr("lab.preparation.os.geteuid", lambda: owner + 1)
    with pytest.raises(LabError, match="belongs to another user"):
        _clear(theirs)


def test_a_command_of_another_user_says_whose_the_lab_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("lab.labs.read_status", refuse)

    result = CliRunner().invoke(main, ["status", "--name", "theirs"])

    assert result.exit_code == 1
    assert "Permission denied. Run this as the user who started the lab." in result.output
