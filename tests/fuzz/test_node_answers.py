# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever a node, or an API server in its place, answers: no error, no false match, and nothing without a limit."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import exec as execs
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.exec import (
    ExecFailed,
    ExecTimedOut,
    ExecTooLong,
    Output,
    run_in_container,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.host_connection import (
    HostConnection,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.oc_debug_frame import read_frame
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import (
    CommandResult,
    Expected,
    NodeVerdict,
    Verdict,
    evaluate,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._result import node_result
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    booted_image,
    deployment,
    digest_of,
    image_of,
    node,
    rpm_ostree_status,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.exec_server import Connection, ExecServer
from hypothesis import given
from hypothesis import strategies as st

NODE = NodeState.from_api(node("worker-0"))
EXPECTED = Expected.of_pull_spec(image_of("a"), "option")
MARK = "imagemode-0123"
LARGEST_RESULT = 65536
"""Bytes that one node may add to a result."""

# The JSON of rpm-ostree ----------------------------------------------------------------------------------------------

KEYS = sorted({*booted_image("a"), "packages", "base-removals", "base-checksum", "custom-origin", "unlocked", "origin"})
TEXTS = st.text(max_size=20) | st.sampled_from(
    [digest_of("a"), image_of("a"), f"ostree-unverified-registry:{image_of('a')}", "pivot://x", "\ud800", "\x1b[2J"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | TEXTS, inner, max_size=4),
    max_leaves=12,
)
ENTRIES = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=8)
ANSWERS = st.fixed_dictionaries(
    {}, optional={"deployments": st.lists(ENTRIES, max_size=4) | VALUES, "transaction": VALUES}
)


def bounded(judged: NodeVerdict) -> bool:
    shown = node_result(NODE, "layered", EXPECTED, judged, "2026-03-01T12:00:00Z")
    return len(json.dumps(shown)) <= LARGEST_RESULT


def judged(text: str) -> NodeVerdict:
    """Judge an answer, and hold what is true of every one."""
    verdict = evaluate(NODE, EXPECTED, CommandResult(0, text))
    assert bounded(verdict)
    assert "node.unexpected_error" not in {finding.id for finding in verdict.findings}
    if verdict.verdict is Verdict.MATCH:
        assert verdict.booted is not None
        assert digest_of("a") in verdict.booted.digests
    return verdict


@given(st.text())
def test_a_text_is_no_match(text):
    assert judged(text).verdict is Verdict.UNKNOWN


@given(ANSWERS)
def test_json_of_any_shape_is_judged(answer):
    judged(json.dumps(answer))


@given(st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3), st.lists(ENTRIES, max_size=3))
def test_a_booted_deployment_with_any_values_beside_others_is_judged(changes, others):
    judged(rpm_ostree_status({**booted_image("a"), **changes}, *others))


@given(st.data())
def test_an_answer_with_any_bytes_changed_is_judged(data):
    text = rpm_ostree_status(booted_image("a"), deployment())
    at = data.draw(st.integers(0, len(text)))
    judged(text[:at] + data.draw(st.text(max_size=8)) + text[at + data.draw(st.integers(0, 64)) :])


LARGE = 400_000


@pytest.mark.parametrize(
    "text",
    [
        "[" * LARGE,
        '{"a":' * LARGE,
        "9" * LARGE,
        "-" + "9" * LARGE,
        "1e999999",
        '{"deployments": [' + "{}," * LARGE + "{}]}",
        '{"deployments": [{"booted": true, "packages": [' + '"p",' * LARGE + '"p"]}]}',
        '{"deployments": [{"booted": true, "packages": [' + ",".join(f'"p{n}"' for n in range(LARGE // 4)) + "]}]}",
        '{"deployments": [{"booted": true, "packages": "' + "p" * LARGE + '"}]}',
        '{"deployments": [{"booted": true, "requested-local-packages": ["' + "a-" * LARGE + '"]}]}',
        '{"deployments": [{"booted": true, "requested-local-packages": ["' + "a." * LARGE + '-1-1"]}]}',
        '{"deployments": [{"booted": true, "container-image-reference": "' + "x:" * LARGE + '"}]}',
        '{"deployments": [{"booted": true, "container-image-reference": "ostree-remote-image:'
        + "r" * LARGE
        + ':oci:/x"}]}',
        '{"deployments": [{"booted": true, "endoflife": "' + "\\u001b" * (LARGE // 8) + '"}]}',
        '{"deployments": [{"booted": true, "version": "' + "v" * LARGE + '"}], "transaction": ["' + "t" * LARGE + '"]}',
        '{"deployments": [{"booted": true, "packages": ' + "[" * 900 + "]" * 900 + "}]}",
    ],
    ids=range(16),
)
def test_a_large_answer_is_judged_and_its_result_is_small(text):
    assert judged(text).verdict is not Verdict.MATCH


@given(st.integers() | st.none(), st.text(), st.text(), st.text())
def test_whatever_a_command_comes_to_is_judged(status, stdout, stderr, message):
    assert bounded(evaluate(NODE, EXPECTED, CommandResult(status, stdout * 99, stderr * 99)))
    failed = CommandResult(None, "", stderr, FindingId.NODE_EXEC_FAILED, message * 99)
    assert evaluate(NODE, EXPECTED, failed).verdict is Verdict.UNKNOWN
    assert bounded(evaluate(NODE, EXPECTED, failed))


@given(st.dictionaries(st.sampled_from(["rc", "stdout", "stderr"]), VALUES | st.binary(max_size=9)))
def test_any_result_of_a_connection_plugin_gets_a_verdict(ended):
    ((dummy, reply),) = HostConnection(lambda command: ended, 0.0, "").query([NODE])
    assert bounded(evaluate(NODE, EXPECTED, reply))


# Frames --------------------------------------------------------------------------------------------------------------

PIECES = st.sampled_from([MARK, "\n", " stdout", " stderr", " exit ", "0", "255", "256", " .", "{}", "\r"])


@given(st.lists(PIECES | st.text(max_size=3), max_size=30).map("".join))
def test_whatever_oc_writes_is_a_whole_frame_or_none(text):
    framed = read_frame(text, MARK)
    assert framed is None or (0 <= framed.exit_status <= 255 and framed.stdout in text and framed.stderr in text)


@given(st.text(), st.text(), st.integers(0, 255))
def test_a_frame_holds_what_was_put_into_it(stdout, stderr, status):
    framed = read_frame(f"{MARK} stdout\n{stdout}\n{MARK} stderr\n{stderr}\n{MARK} exit {status} .\n", MARK)
    assert framed is not None
    assert (framed.stdout, framed.stderr, framed.exit_status) == (stdout, stderr, status)


# The status of a command ---------------------------------------------------------------------------------------------

STATUSES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["Success", "Failure", "ExitCode", "0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["status", "details", "causes", "reason", "message"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(STATUSES.map(lambda status: json.dumps(status).encode()) | st.binary())
def test_whatever_the_status_is_only_success_is_zero(status):
    code, message = execs._outcome(status)
    assert code is None or 0 <= code <= 255
    assert len(message) <= 300
    if code == 0:
        assert json.loads(status)["status"] == "Success"


# The wire ------------------------------------------------------------------------------------------------------------

Served = t.Callable[[bytes, bool], None]


@pytest.fixture(scope="module")
def served() -> t.Iterator[Served]:
    """Run a command on a server that answers with some bytes: in place of the upgrade, or in place of frames."""
    server = ExecServer()
    connection = connect({"host": server.url, "api_key": "sha256~token"})

    def outcome() -> Output | Exception:
        try:
            return run_in_container(connection, "ns", "pod", "container", ["true"], 20)
        except (ExecFailed, ExecTooLong, ExecTimedOut) as error:
            return error

    def serve(content: bytes, upgraded: bool) -> None:
        def answer(socket: Connection) -> None:
            socket.raw(content)

        server.upgrade = None if upgraded else answer
        server.script = answer
        server.asked.clear()
        ended = outcome()
        if isinstance(ended, Output):
            assert upgraded
            assert ended.exit_status is None or 0 <= ended.exit_status <= 255
        else:
            assert len(str(ended)) < 400
            assert str(ended).isprintable()
        assert len(server.asked) == 1

    yield serve
    server.stop()


HEADS = st.lists(
    st.sampled_from(
        [
            b"HTTP/1.1 101 Switching Protocols\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:9/\r\n",
            b"HTTP/1.1 403 Forbidden\r\n",
            b"Upgrade: websocket\r\n",
            b"Connection: Upgrade\r\n",
            b"Sec-WebSocket-Accept: x\r\n",
            b"Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n",
            b"Content-Length: 5\r\n",
            b"Set-Cookie: a=b; Domain=example.com\r\n",
            b"\r\n",
            b":",
        ]
    )
    | st.binary(max_size=8),
    max_size=10,
).map(b"".join)


def a_frame(first: int, second: int, content: bytes) -> bytes:
    return bytes([first, second]) + content


FIRST_BYTES = st.sampled_from([0x82, 0x02, 0x80, 0x00, 0x81, 0x88, 0x89, 0x8A, 0xF2])
FRAMES = st.lists(
    st.builds(a_frame, FIRST_BYTES, st.integers(0, 255), st.binary())
    | st.sampled_from([b'\x82\x15\x03{"status":"Success"}', b"\x82\x03\x01{}", b"\x82\x7f" + b"\xff" * 8]),
    max_size=6,
).map(b"".join)


@given(content=HEADS)
def test_whatever_answers_the_upgrade_is_refused(served, content):
    served(content, False)


@given(content=FRAMES | st.binary())
def test_whatever_frames_come_end_the_command(served, content):
    served(content, True)
