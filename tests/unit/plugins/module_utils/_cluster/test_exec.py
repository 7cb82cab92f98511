# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import threading
import time
import typing as t

import kubernetes
import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import exec as execs
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.api_error import Unreachable
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exec import (
    ExecFailed,
    ExecTimedOut,
    Output,
    run_in_container,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.tests.unit.plugins.exec_server import (
    CLOSE,
    RESIZE,
    STATUS,
    STDERR,
    STDOUT,
    Connection,
    ExecServer,
)
from hypothesis import given
from hypothesis import strategies as st

COMMAND = ["chroot", "/rootfs", "rpm-ostree", "status", "--json"]


@pytest.fixture
def server() -> t.Iterator[ExecServer]:
    running = ExecServer()
    yield running
    running.stop()


def run(server: ExecServer, timeout: float = 30, **options: t.Any) -> Output:
    connection = connect({"host": server.url, "api_key": "sha256~token", **options})
    return run_in_container(connection, "ns", "daemon-x", "machine-config-daemon", COMMAND, timeout)


def test_the_command_is_sent_with_its_container_and_who_asks(server):
    run(server, impersonate_user="bob", impersonate_groups=["a", "b"])
    request, *headers = server.asked[0]
    query = (
        "container=machine-config-daemon&stdout=true&stderr=true"
        "&command=chroot&command=%2Frootfs&command=rpm-ostree&command=status&command=--json"
    )
    assert request == f"GET /api/v1/namespaces/ns/pods/daemon-x/exec?{query} HTTP/1.1"
    assert "Authorization: Bearer sha256~token" in headers
    assert "Impersonate-User: bob" in headers
    assert [h for h in headers if h.startswith("Impersonate-Group")] == ["Impersonate-Group: a", "Impersonate-Group: b"]
    assert "Sec-WebSocket-Protocol: v5.channel.k8s.io,v4.channel.k8s.io" in headers
    assert not [h for h in headers if h.startswith("Origin")]
    assert [h for h in headers if h.startswith("User-Agent")] == ["User-Agent: imagemode.openshift"]


@pytest.mark.parametrize(
    "options",
    [
        {"proxy": "http://{proxy}", "proxy_headers": {"proxy_basic_auth": "robot:p@ss:word"}},
        {"proxy": "http://robot:p%40ss%3Aword@{proxy}"},
    ],
)
def test_a_proxy_is_told_who_asks_and_the_cluster_is_not_told_that(options, server):
    proxy = ExecServer()
    told = {**options, "proxy": options["proxy"].format(proxy=proxy.url[len("http://") :])}
    # Old releases of websocket-client go to this machine without a proxy, unless they are told who needs none.
    assert run(proxy, **{**told, "host": server.url, "no_proxy": "elsewhere.invalid"}).exit_status == 0
    proxy.stop()
    (connect_line, *login), (dummy, *headers) = proxy.asked
    assert connect_line == f"CONNECT 127.0.0.1:{server.server_address[1]} HTTP/1.1"
    assert f"Proxy-Authorization: Basic {base64.b64encode(b'robot:p@ss:word').decode()}" in login
    assert not [h for h in headers if h.startswith("Proxy-Authorization")]


def test_the_server_is_called_by_the_name_that_the_kubeconfig_gives_it(monkeypatch):
    monkeypatch.setattr(kubernetes.client.Configuration, "_default", None)  # a kubeconfig becomes the default
    with names_asked_for() as (port, names):
        cluster = {"server": f"https://127.0.0.1:{port}", "tls-server-name": "api.internal"}
        kubeconfig = {
            "current-context": "c",
            "clusters": [{"name": "c", "cluster": cluster}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {"token": "sha256~token"}}],
        }
        connection = connect({"kubeconfig": kubeconfig})
        with pytest.raises(ExecFailed):
            run_in_container(connection, "ns", "daemon-x", "machine-config-daemon", COMMAND, 30)
        with pytest.raises(Unreachable):
            Session(connection).request_once("GET", "/version")
    knows_the_name = hasattr(connection.configuration, "tls_server_name")  # the oldest releases of the client do not
    assert names == ["api.internal" if knows_the_name else None] * 2


@contextlib.contextmanager
def names_asked_for() -> t.Iterator[tuple[int, list[str | None]]]:
    """A server without a certificate: it ends each handshake once it has heard by which name it is called."""
    names: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda dummy, name, context: names.append(name)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            for dummy in range(2):
                client, dummy = listening.accept()
                with contextlib.suppress(OSError), client:
                    context.wrap_socket(client, server_side=True)

        answering = threading.Thread(target=answer, daemon=True)
        answering.start()
        yield listening.getsockname()[1], names
        answering.join(30)


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_the_exit_status_is_the_commands_own(code, server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b"{}")
        connection.exited(code)

    server.script = script
    assert run(server) == Output("{}", "", code)


def test_stdout_and_stderr_stay_apart_however_they_come(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b'{"a"')
        connection.frame(STDERR, b"warn")
        connection.frame(STDOUT, b":1}")
        connection.frame(STDERR, b"ing\n")
        connection.exited(0)

    server.script = script
    assert run(server) == Output('{"a":1}', "warning\n", 0)


def test_a_character_may_be_split_between_frames(server):
    sign = "●".encode()

    def script(connection: Connection) -> None:
        for byte in sign:
            connection.frame(STDOUT, bytes([byte]))
        connection.pieces(STDOUT, sign[:2], sign[2:])
        connection.exited(0)

    server.script = script
    assert run(server).stdout == "●●"


def test_bytes_that_are_no_text_are_marked_and_not_fatal(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b"\xff{}")
        connection.exited(0)

    server.script = script
    assert run(server).stdout == "\ufffd{}"


@pytest.mark.parametrize("size", [125, 126, 65535, 65536, 2_000_000])
def test_output_of_any_size_arrives(size, server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b"x" * size)
        connection.exited(0)

    server.script = script
    assert len(run(server).stdout) == size


def test_what_is_not_output_does_not_matter(server):
    def script(connection: Connection) -> None:
        connection.empty()
        connection.frame(STDOUT, b"")
        connection.ping()
        connection.frame(RESIZE, b"{}")
        connection.frame(0, b"stdin")
        connection.frame(CLOSE, bytes([STDOUT]))
        connection.frame(STDOUT, b"{}")
        connection.exited(0)

    server.script = script
    assert run(server) == Output("{}", "", 0)


# How it may end without an exit status -------------------------------------------------------------------------------


def test_a_failure_that_is_not_the_commands_has_no_exit_status(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b"{}")
        connection.status(status="Failure", reason="InternalError", message="container not running (4f1c)")

    server.script = script
    assert run(server) == Output("{}", "", None, "container not running (4f1c)")


def test_without_a_status_the_end_is_unknown_however_complete_the_output_looks(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b'{"deployments": []}')
        connection.close()

    server.script = script
    ended = run(server)
    assert ended.exit_status is None
    assert "before the exit status of the command" in ended.message


def test_a_connection_that_breaks_is_no_answer(server):
    server.script = lambda connection: connection.frame(STDOUT, b'{"deployments": []}')
    with pytest.raises(ExecFailed, match="the connection broke") as refused:
        run(server)
    assert refused.value.status == 0


def test_a_command_that_hangs_is_given_up(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b'{"deployments": []}')
        connection.hang()

    server.script = script
    with pytest.raises(ExecTimedOut, match=r"no response within 0\.2 s"):
        run(server, timeout=0.2)


def test_a_command_that_never_stops_talking_is_given_up(server):
    def script(connection: Connection) -> None:
        while True:
            connection.frame(STDOUT, b"still here\n")
            time.sleep(0.01)

    server.script = script
    with pytest.raises(ExecTimedOut):
        run(server, timeout=0.3)


def test_a_server_that_never_opens_the_websocket_is_given_up(server):
    server.silent = True
    with pytest.raises(ExecTimedOut):
        run(server, timeout=0.2)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, json.dumps({"kind": "Status", "message": 'pods "x" is forbidden'}), 'pods "x" is forbidden'),
        (404, json.dumps({"kind": "Status", "message": 'pods "x" not found'}), 'pods "x" not found'),
        (500, "error dialing backend: timeout\n", "error dialing backend: timeout"),
        (502, "", "HTTP 502"),
        (503, "[]", "[]"),
        (400, "null", "null"),
    ],
)
def test_a_refused_upgrade_is_told_with_its_status_and_reason(status, body, said, server):
    server.refusal = (status, body)
    with pytest.raises(ExecFailed) as refused:
        run(server)
    assert (refused.value.status, str(refused.value)) == (status, said)


def test_a_cluster_that_is_away_refuses(server):
    server.stop()
    with pytest.raises(ExecFailed, match="Connection refused") as refused:
        run(server)
    assert refused.value.status == 0


# The status frame ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        ({"status": "Success"}, 0, ""),
        ({"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "3"}]}}, 3, ""),
        (
            {"status": "Failure", "details": {"causes": [{"reason": "X"}, {"reason": "ExitCode", "message": "9"}]}},
            9,
            "",
        ),
        ({"status": "Failure", "message": "no", "details": {"causes": [{"message": "3"}]}}, None, "no"),
        ({"status": "Failure", "message": "no", "details": {"causes": [{"reason": "ExitCode"}]}}, None, "no"),
        (
            {"status": "Failure", "message": "no", "details": {"causes": [{"reason": "ExitCode", "message": "²"}]}},
            None,
            "no",
        ),
        ({"status": "Failure", "message": "no", "details": None}, None, "no"),
        ({"status": "Failure"}, None, "the command's exit status is missing"),
        ({}, None, "the command's exit status cannot be read"),
    ],
)
def test_only_an_exit_code_is_an_exit_status(status, code, message):
    assert execs._outcome(json.dumps(status).encode()) == (code, message)


_STATUS_OBJECTS = st.recursive(
    st.none() | st.booleans() | st.sampled_from(["Success", "Failure", "ExitCode", "3"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["status", "details", "causes", "reason", "message"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(_STATUS_OBJECTS)
def test_whatever_the_status_says_only_success_is_zero(status):
    code, dummy = execs._outcome(json.dumps(status).encode())
    assert (code == 0) is (isinstance(status, dict) and status.get("status") == "Success")


@given(st.binary())
def test_bytes_that_are_no_status_are_no_exit_status(frame):
    assert execs._outcome(b"no " + frame) == (None, "the command's exit status cannot be read")


def test_a_status_frame_may_come_in_pieces(server):
    whole = json.dumps({"status": "Success"}).encode()
    server.script = lambda connection: connection.pieces(STATUS, whole[:5], whole[5:])
    assert run(server).exit_status == 0
