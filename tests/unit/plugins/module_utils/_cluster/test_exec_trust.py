# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile API server, node or proxy can do to a command in a pod."""

from __future__ import annotations

import base64
import json
import socket
import struct
import threading
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import dial
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import exec as execs
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exec import (
    MAX_STDERR,
    MAX_STDOUT,
    ExecFailed,
    ExecTimedOut,
    ExecTooLong,
    Output,
    run_in_container,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exit_status import read_exit_status
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.tests.unit.plugins.certificates import Authority
from ansible_collections.imagemode.openshift.tests.unit.plugins.exec_server import (
    STATUS,
    STDERR,
    STDOUT,
    Connection,
    ExecServer,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.proxy_server import ProxyServer

LONGEST = 300
"""Characters of a text that quotes what a server answered."""


@pytest.fixture
def server() -> t.Iterator[ExecServer]:
    running = ExecServer()
    yield running
    running.stop()


@pytest.fixture
def other() -> t.Iterator[ExecServer]:
    running = ExecServer()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.new(tmp_path_factory.mktemp("certificates") / "authority")


@pytest.fixture
def encrypted(authority: Authority) -> t.Iterator[ExecServer]:
    running = ExecServer(authority.server())
    yield running
    running.stop()


def run(url: str, timeout: float = 30, **options: t.Any) -> Output:
    connection = connect({"host": url, "api_key": "sha256~token", **options})
    return run_in_container(connection, "ns", "daemon-x", "machine-config-daemon", ["true"], timeout)


# Redirects -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_exec_does_not_follow_a_redirect_with_the_token(status, server, other):
    server.refusal = (status, "")
    server.headers = (f"Location: {other.url.replace('http', 'ws')}/elsewhere",)
    with pytest.raises(ExecFailed, match=rf"returned a redirect \(HTTP {status}\)") as refused:
        run(server.url)
    assert refused.value.status == status
    assert (len(server.asked), other.asked) == (1, [])


def test_exec_does_not_follow_a_redirect_from_https_to_plain_ws(encrypted, authority, other):
    encrypted.refusal = (302, "")
    encrypted.headers = (f"Location: {other.url.replace('http', 'ws')}/elsewhere",)
    with pytest.raises(ExecFailed, match="redirect"):
        run(encrypted.url, ca_cert=str(authority.file))
    assert (len(encrypted.asked), other.asked) == (1, [])


# What opens a websocket ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["", "v3.channel.k8s.io", "chat"])
def test_exec_refuses_a_websocket_of_another_subprotocol(protocol, server):
    server.protocol = protocol
    with pytest.raises(ExecFailed):
        run(server.url)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 many OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nno colon\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: \x00=;;;[\r\n\r\n",
        b"HTTP/1.1 302 Found\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 99999999999\r\n\r\nno",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9" + b"9" * 5000 + b"\r\n\r\nno",
        b"\xff\xfe\xfd\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 " + b"9" * 5000 + b" Many\r\n\r\n",
    ],
)
def test_exec_refuses_what_is_not_the_answer_of_an_api_server(answer, server):
    server.upgrade = lambda connection: connection.raw(answer)
    with pytest.raises(ExecFailed) as refused:
        run(server.url)
    assert len(str(refused.value)) <= LONGEST + len("the connection broke ()")


def test_exec_bounds_the_message_of_a_refusal(server):
    server.refusal = (500, json.dumps({"message": "\x1b[2J" + "x" * 50_000}))
    with pytest.raises(ExecFailed) as refused:
        run(server.url)
    assert len(str(refused.value)) <= LONGEST
    assert str(refused.value).isprintable()


def test_exec_bounds_the_headers_of_an_answer(server):
    def endless(connection: Connection) -> None:
        connection.raw(b"HTTP/1.1 101 Switching Protocols\r\n")
        for dummy in range(200):
            connection.raw(b"X-Filler: " + b"x" * 2000 + b"\r\n")

    server.upgrade = endless
    with pytest.raises(ExecFailed, match="more than 65536 bytes"):
        run(server.url)


# Time ----------------------------------------------------------------------------------------------------------------

DRIPS = 300
PAUSE = 0.01


def test_a_frame_dripped_byte_by_byte_does_not_pass_the_deadline(server):
    def drip(connection: Connection) -> None:
        connection.raw(b"\x82\x7e\xff\xff\x01")
        connection.raw(*[b"x"] * DRIPS, pause=PAUSE)

    server.script = drip
    with pytest.raises(ExecTimedOut):
        run(server.url, timeout=0.3)


def test_an_answer_to_the_upgrade_dripped_byte_by_byte_does_not_pass_the_deadline(server):
    server.upgrade = lambda connection: connection.raw(b"HTTP/1.1 101 ", *[b"x"] * DRIPS, pause=PAUSE)
    with pytest.raises(ExecTimedOut):
        run(server.url, timeout=0.3)


def test_pings_do_not_pass_the_deadline(server):
    server.script = lambda connection: connection.raw(*[b"\x89\x02hi"] * DRIPS, pause=PAUSE)
    with pytest.raises(ExecTimedOut):
        run(server.url, timeout=0.3)


def test_a_proxy_that_drips_its_answer_does_not_pass_the_deadline(server, other):
    other.upgrade = lambda connection: None
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            client, dummy = listening.accept()
            with client:
                for dummy in range(DRIPS):
                    try:
                        client.sendall(b"x")
                    except OSError:
                        return
                    if released.wait(PAUSE):
                        return

        released = threading.Event()
        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(ExecTimedOut):
            run(server.url, timeout=0.3, **through(f"http://127.0.0.1:{listening.getsockname()[1]}"))
        released.set()


def test_a_tls_handshake_that_never_ends_does_not_pass_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ExecTimedOut):
        run(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)


def test_a_resolver_that_hangs_does_not_pass_the_deadline(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(dial.socket, "getaddrinfo", lambda *names, **more: released.wait(60) and [])
    with pytest.raises(ExecTimedOut):
        run("http://api.example.com:6443", timeout=0.2)
    released.set()


def test_an_address_that_does_not_answer_leaves_time_for_the_next(server, monkeypatch):
    host, port = server.server_address[:2]
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        waiting = [socket.socket() for dummy in range(3)]
        for one in waiting:  # until its queue is full, so that the kernel answers nobody else
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        addresses = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", a) for a in (full.getsockname(), (host, port))]
        monkeypatch.setattr(dial.socket, "getaddrinfo", lambda *names, **more: addresses)
        assert run("http://api.example.com:6443", timeout=2).exit_status == 0
        for one in waiting:
            one.close()


# Size ----------------------------------------------------------------------------------------------------------------


class Sent:
    """Counts what a server could send."""

    def __init__(self) -> None:
        self.bytes = 0

    def without_end(self, connection: Connection, piece: bytes, most: int = 64 << 20) -> None:
        while self.bytes < most:
            connection.raw(piece)
            self.bytes += len(piece)
        connection.hang()


@pytest.mark.parametrize("channel", [STDOUT, STDERR, STATUS, 0, 9])
@pytest.mark.parametrize("beginning", [b"\x82\x7f\x3f" + b"\xff" * 7, b"\x02\x7f\x00\x00\x00\x00\x40\x00\x00\x00"])
def test_exec_holds_no_frame_of_any_length(beginning, channel, server):
    sent = Sent()

    def endless(connection: Connection) -> None:
        connection.raw(beginning + bytes([channel]))
        sent.without_end(connection, b"x" * 65536)

    server.script = endless
    with pytest.raises(ExecTooLong, match="more than 2 MiB"):
        run(server.url)
    assert sent.bytes < 32 << 20  # what is in the kernel's buffers, beside the limit


@pytest.mark.parametrize("channel", [STDOUT, STDERR, 9])
def test_exec_holds_no_more_output_than_its_limit(channel, server):
    piece = bytes([channel]) + b"x" * 32_000
    frame = b"\x82\x7e" + struct.pack("!H", len(piece)) + piece
    sent = Sent()
    server.script = lambda connection: sent.without_end(connection, frame)
    with pytest.raises(ExecTooLong):
        run(server.url)
    assert sent.bytes < 32 << 20


@pytest.mark.parametrize("frame", [b"\x82\x00", b"\x8a\x00", b"\x82\x01\x01", b"\x89\x00"])
def test_exec_reads_no_frames_without_end_however_small_they_are(frame, server):
    server.script = lambda connection: Sent().without_end(connection, frame * 8192, 4 << 20)
    with pytest.raises(ExecTooLong):
        run(server.url)


def test_output_of_the_limits_size_arrives_and_one_byte_more_does_not(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b"x" * MAX_STDOUT)
        connection.frame(STDOUT, extra)
        connection.exited(0)

    server.script = script
    extra = b""
    assert len(run(server.url).stdout) == MAX_STDOUT
    extra = b"x"
    with pytest.raises(ExecTooLong):
        run(server.url)


def test_complaints_beyond_their_limit_are_dropped_and_the_answer_is_kept(server):
    def script(connection: Connection) -> None:
        connection.frame(STDERR, b"e" * MAX_STDERR)
        connection.frame(STDERR, b"f" * MAX_STDERR)
        connection.frame(STDOUT, b"{}")
        connection.exited(0)

    server.script = script
    assert run(server.url) == Output("{}", "e" * MAX_STDERR, 0)


def test_a_message_may_come_in_very_many_pieces(server):
    def script(connection: Connection) -> None:
        connection.raw(b"\x02\x00", b"\x00\x01\x01" + b"\x00\x01x" * 10_000, b"\x80\x00")
        connection.exited(0)

    server.script = script
    assert run(server.url).stdout == "x" * 10_000


@pytest.mark.parametrize("frames", [b"\x00\x01\x01", b"\x02\x01\x01\x82\x01\x01", b"\x80\x01\x01"])
def test_a_message_inside_another_is_a_broken_connection(frames, server):
    server.script = lambda connection: connection.raw(frames)
    with pytest.raises(ExecFailed, match="the connection broke"):
        run(server.url)


# Exit statuses -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", ["9" * 5000, "256", "1000", "-1", "", " 1", "1.0", "٣", "0x1", "1\n"])
def test_an_exit_status_that_is_none_is_none(said):
    assert read_exit_status(said) is None
    causes = [{"reason": "ExitCode", "message": said}]
    answer = {"status": "Failure", "message": "no", "details": {"causes": causes}}
    assert execs._outcome(json.dumps(answer).encode()) == (None, "no")


@pytest.mark.parametrize(("said", "status"), [("0", 0), ("1", 1), ("255", 255), ("007", 7)])
def test_an_exit_status_is_read(said, status):
    assert read_exit_status(said) == status


def test_a_failure_with_the_exit_status_of_success_is_no_success():
    answer = {"status": "Failure", "details": {"causes": [{"reason": "ExitCode", "message": "0"}]}}
    assert execs._outcome(json.dumps(answer).encode())[0] is None


@pytest.mark.parametrize("status", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 10_000, b"\xff", b"NaN"])
def test_a_status_that_cannot_be_read_is_no_error(status):
    assert execs._outcome(status) == (None, "the command's exit status cannot be read")


def test_the_message_of_a_status_is_bounded():
    status, message = execs._outcome(json.dumps({"status": "Failure", "message": "\x1b" + "x" * 99_999}).encode())
    assert (status, len(message)) == (None, LONGEST)
    assert message.isprintable()


# Proxies -------------------------------------------------------------------------------------------------------------

LOGIN = base64.b64encode(b"robot:p@ss:word").decode()


def through(proxy: str) -> dict[str, t.Any]:
    return {
        "proxy": proxy,
        "proxy_headers": {"proxy_basic_auth": "robot:p@ss:word"},
        "no_proxy": "elsewhere.invalid",  # in place of that of the environment
    }


@pytest.fixture
def proxy(authority: Authority) -> t.Iterator[ProxyServer]:
    running = ProxyServer(authority.server())
    yield running
    running.stop()


def test_an_https_proxy_gets_its_password_encrypted_and_the_servers_tls_is_inside(proxy, encrypted, authority):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b"x" * MAX_STDOUT)
        connection.exited(3)

    encrypted.script = script
    ended = run(encrypted.url, ca_cert=str(authority.file), **through(f"https://{proxy.address}"))
    assert (len(ended.stdout), ended.exit_status) == (MAX_STDOUT, 3)
    ((connect_line, *login),) = proxy.asked
    assert connect_line == f"CONNECT 127.0.0.1:{encrypted.server_address[1]} HTTP/1.1"
    assert f"Proxy-Authorization: Basic {LOGIN}" in login
    assert not [line for line in encrypted.asked[0] if line.startswith("Proxy-Authorization")]


def test_the_password_of_an_https_proxy_is_never_sent_in_clear(server):
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def listen() -> None:
            client, dummy = plain.accept()
            with client:
                heard.extend(client.recv(65536))

        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        with pytest.raises(ExecFailed):
            run(server.url, **through(f"https://127.0.0.1:{plain.getsockname()[1]}"))
        listening.join(30)
    assert heard[:1] == b"\x16"  # a TLS handshake
    assert b"CONNECT" not in heard
    assert LOGIN.encode() not in heard


def test_an_https_proxy_that_is_not_trusted_gets_no_password(proxy, server, tmp_path):
    another = Authority.new(tmp_path / "another")
    with pytest.raises(ExecFailed, match="certificate"):
        run(server.url, ca_cert=str(another.file), **through(f"https://{proxy.address}"))
    assert proxy.asked == []


def test_an_https_proxy_is_trusted_without_verification_where_that_was_asked_for(proxy, server):
    assert run(server.url, validate_certs=False, **through(f"https://{proxy.address}")).exit_status == 0


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", r"the proxy denies the connection \(HTTP 407\)"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.invalid\r\n\r\n", r"the proxy denies the connection"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", None),
        (b"HTTP/1.1 2\r\n\r\n", "the proxy does not speak HTTP"),
        (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "the proxy does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\n", "the proxy closed the connection"),
        (
            b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
            "proxy has more than 65536 bytes",
        ),
    ],
)
def test_a_proxy_that_does_not_connect_is_named(reply, said, server, authority):
    plain = ProxyServer()
    plain.reply = reply
    with pytest.raises(ExecFailed, match=said or "."):
        run(server.url, **through(f"http://{plain.address}"))
    plain.stop()


def test_what_a_proxy_sends_before_the_servers_tls_is_refused(encrypted, authority):
    plain = ProxyServer()
    plain.reply = b"HTTP/1.1 200 OK\r\n\r\n\x16\x03\x03"
    with pytest.raises(ExecFailed):
        run(encrypted.url, ca_cert=str(authority.file), **through(f"http://{plain.address}"))
    plain.stop()


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "127.0.0.0/8", "example.com, 127.0.0.1"])
def test_exec_goes_without_a_proxy_where_rest_does(no_proxy, server):
    assert run(server.url, **{**through("http://127.0.0.1:9"), "no_proxy": no_proxy}).exit_status == 0


def test_a_proxy_of_another_kind_is_refused_and_not_passed_by(server):
    with pytest.raises(OperationError, match="the address of the proxy does not begin with"):
        run(server.url, **through("socks5://127.0.0.1:9"))
    assert server.asked == []
