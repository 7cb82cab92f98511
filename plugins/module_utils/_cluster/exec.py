# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command in a container through the API server.

Each command has its own websocket. That of the kubernetes client loses exit statuses, mixes stdout with stderr and
sends no impersonation headers. Without a status frame the exit status is unknown, even if the output looks complete
(docs/operator-behavior.md, "Running commands on nodes").

No redirect is followed, because the request contains the token. Output and time are limited.
"""

from __future__ import annotations

import contextlib
import time
import typing as t
from dataclasses import dataclass
from urllib.parse import urlencode

from .._model.json_text import read_json
from .._model.objects.resources import POD
from .._model.text import legible
from .api_error import Unreachable
from .connection import Connection
from .dial import open_stream
from .exit_status import read_exit_status
from .session import USER_AGENT
from .stream import Stream, StreamTimedOut, StreamTooLong

try:
    import websocket
except ImportError:  # connect() reports a missing library
    pass

MAX_STDOUT = 2 << 20
"""Bytes of a command's standard output. The status of rpm-ostree has some ten thousand."""
MAX_STDERR = 64 << 10
"""Bytes of a command's standard error that are kept. It is only shown, so the rest is dropped."""

_HANDSHAKE_LIMIT = 64 << 10
"""Bytes of the server's response to the request, an error included."""
_STREAM_LIMIT = MAX_STDOUT + (1 << 20)
"""Bytes of the whole stream."""
_MOST_FRAMES = 1 << 14
"""Frames of a stream. Each costs processor time, even if it is small."""

_STDOUT, _STDERR, _STATUS = 1, 2, 3
_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_SWITCHING_PROTOCOLS = 101


@dataclass(frozen=True)
class Output:
    """The output and the exit status of a command. Without an exit status, *message* has the reason."""

    stdout: str
    stderr: str
    exit_status: int | None
    message: str = ""


class ExecFailed(Exception):
    """The API server or the node did not start the command, or the connection broke.

    :ivar status: the HTTP status, or 0 without one
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


class ExecTimedOut(Exception):
    """The command did not end in time."""


class ExecTooLong(Exception):
    """The command wrote more than the limit. A second attempt would do the same."""


def run_in_container(
    connection: Connection, namespace: str, pod: str, container: str, command: t.Sequence[str], timeout: float
) -> Output:
    """Run a command and return its output.

    :param timeout: seconds for connection and command together
    :raises ExecFailed: the command was not started, or the connection broke before it ended
    :raises ExecTimedOut: the command did not end in time
    :raises ExecTooLong: the command wrote too much
    """
    deadline = time.monotonic() + timeout
    query = [("container", container), ("stdout", "true"), ("stderr", "true"), *(("command", c) for c in command)]
    url = connection.api_url + POD.path(pod, namespace, "exec") + "?" + urlencode(query)
    failure: ExecFailed
    try:
        with contextlib.closing(open_stream(connection, deadline)) as stream:
            opened = _opened(connection, url, stream)
            stream.allow(_STREAM_LIMIT)
            with _closing(opened):
                return _collect(opened)
    except StreamTimedOut:
        raise ExecTimedOut(f"no response within {timeout:g} s") from None
    except StreamTooLong:
        raise _too_long() from None
    except Unreachable as error:
        failure = ExecFailed(0, str(error))
    except (websocket.WebSocketException, OSError) as error:
        failure = ExecFailed(0, f"the connection broke ({_plain(error)})")
    raise failure


def _opened(connection: Connection, url: str, stream: Stream) -> t.Any:
    """Return an accepted websocket on the stream."""
    headers = [("User-Agent", USER_AGENT), *connection.headers()]
    opened = websocket.WebSocket(enable_multithread=False)
    stream.allow(_HANDSHAKE_LIMIT)
    failure = ""
    try:
        opened.connect(
            "ws" + url[len("http") :],
            socket=stream,
            redirect_limit=0,  # else the library would follow a redirect and send the token there
            header=[f"{name}: {value}" for name, value in headers],
            subprotocols=list(_PROTOCOLS),
            suppress_origin=True,
        )
    except StreamTimedOut:
        raise
    except StreamTooLong:
        failure = f"the response of the API server has more than {_HANDSHAKE_LIMIT} bytes"
    except websocket.WebSocketBadStatusException as error:
        raise _not_started(error.status_code or 0, _reason(error, stream)) from None
    except (websocket.WebSocketException, OSError) as error:
        failure = f"the connection broke ({_plain(error)})"
    except Exception:  # noqa: BLE001 - releases of the library differ in the error for an invalid header
        failure = "the response of the API server is not HTTP"
    return _accepted(opened, failure)


def _accepted(opened: t.Any, failure: str) -> t.Any:
    status = opened.status or 0
    if failure:
        raise _not_started(status, failure)
    if status != _SWITCHING_PROTOCOLS or opened.subprotocol not in _PROTOCOLS:
        raise _not_started(status, "the API server did not open a websocket for the command")
    return opened


def _not_started(status: int, reason: str) -> ExecFailed:
    if 300 <= status < 400:
        reason = f"the API server returned a redirect (HTTP {status}), which is not followed"
    return ExecFailed(status, legible(reason))


@contextlib.contextmanager
def _closing(opened: t.Any) -> t.Iterator[None]:
    """Close the websocket, without waiting for a response, which a hanging node does not send."""
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            opened.send_close()


class _Collected:
    """The streams of a command, collected frame by frame."""

    def __init__(self) -> None:
        self._streams = {_STDOUT: bytearray(), _STDERR: bytearray(), _STATUS: bytearray()}
        self._in_message = False
        self._channel: int | None = None

    def add(self, frame: t.Any) -> bool:
        """Add a frame, and return whether it was the last one, which ends the status."""
        if self._in_message is not (frame.opcode == websocket.ABNF.OPCODE_CONT):
            raise websocket.WebSocketProtocolException("a message is inside another")
        content = frame.data
        if self._channel is None and content:
            self._channel, content = content[0], content[1:]
        self._append(content)
        self._in_message = not frame.fin
        if self._in_message:
            return False
        self._channel = None
        return bool(self._streams[_STATUS])

    def _append(self, content: bytes) -> None:
        stream = self._streams.get(self._channel or 0)
        if stream is None:
            return
        if self._channel == _STDERR:
            content = content[: MAX_STDERR - len(stream)]
        elif len(stream) + len(content) > MAX_STDOUT:
            raise _too_long()
        stream += content

    def output(self) -> Output:
        """Return the collected output."""
        exit_status, message = _outcome(bytes(self._streams[_STATUS]))
        stdout, stderr = (self._streams[s].decode("utf-8", "replace") for s in (_STDOUT, _STDERR))
        return Output(stdout, stderr, exit_status, message)


def _collect(opened: t.Any) -> Output:
    collected = _Collected()
    for dummy in range(_MOST_FRAMES):
        frame = opened.recv_frame()
        if frame.opcode == websocket.ABNF.OPCODE_CLOSE:
            return collected.output()
        if frame.opcode == websocket.ABNF.OPCODE_PING:
            opened.pong(frame.data[:125])
        elif frame.opcode != websocket.ABNF.OPCODE_PONG and collected.add(frame):
            return collected.output()
    raise _too_long()


def _too_long() -> ExecTooLong:
    return ExecTooLong(f"the command wrote more than {MAX_STDOUT >> 20} MiB")


def _outcome(status: bytes) -> tuple[int | None, str]:
    """Return the exit status of a status frame, or None and the reason."""
    if not status:
        return None, "the connection ended before the exit status of the command"
    try:
        content = read_json(status)
        if content["status"] == "Success":
            return 0, ""
        causes = (content.get("details") or {}).get("causes") or []
        codes = [str(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode" and "message" in cause]
        message = legible(str(content.get("message") or "the command's exit status is missing"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, "the command's exit status cannot be read"
    exit_status = read_exit_status(codes[0]) if codes else None
    return (exit_status, "") if exit_status else (None, message)  # a failure with exit status 0 is contradictory


def _reason(error: t.Any, stream: Stream) -> str:
    """Return what the API server answered. Before 1.7, websocket-client reads no body of an error."""
    body = getattr(error, "resp_body", None) or stream.unread()
    try:
        return legible(str(read_json(body)["message"]))
    except (ValueError, KeyError, TypeError):
        return legible(body.decode("utf-8", "replace").strip()) or f"HTTP {error.status_code}"


def _plain(error: BaseException) -> str:
    return legible(getattr(error, "strerror", None) or str(error) or type(error).__name__)
