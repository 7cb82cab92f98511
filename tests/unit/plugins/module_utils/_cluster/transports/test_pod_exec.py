# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import threading
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import exec as execs
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.daemon_pods import DaemonPods
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports import pod_exec, transport
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.pod_exec import PodExec
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.transports.transport import query_in_parallel
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import CommandResult
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    booted_image,
    node,
    rpm_ostree_status,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.exec_server import (
    STDERR,
    STDOUT,
    Connection,
    ExecServer,
)

WORKER = NodeState.from_api(node("worker-0"))
ANSWER = rpm_ostree_status(booted_image("a"))


@pytest.fixture
def server(monkeypatch) -> t.Iterator[ExecServer]:
    monkeypatch.setattr(pod_exec, "daemon_pods", lambda session, node="": pods(**{"worker-0": "daemon-x"}))
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: 0.0)
    running = ExecServer()
    yield running
    running.stop()


def pods(replaced: t.Iterable[str] = (), **running: str) -> DaemonPods:
    return DaemonPods(running, frozenset(replaced))


def ask(server: ExecServer, timeout: float = 30) -> CommandResult:
    session = Session(connect({"host": server.url, "api_key": "sha256~token"}))
    ((asked, answer),) = PodExec(session, 50, timeout, "/rootfs").query([WORKER])
    assert asked is WORKER
    return answer


# What each of the known clients gets wrong ---------------------------------------------------------------------------


def test_exit_status_is_kept(server):
    server.script = lambda connection: connection.exited(3)
    assert ask(server) == CommandResult(3, "", "")


def test_failure_of_the_container_runtime_is_a_failed_query(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, ANSWER.encode())
        connection.status(status="Failure", reason="InternalError", message="container not running (4f1c)")

    server.script = script
    answer = ask(server)
    assert (answer.exit_status, answer.failure) == (None, "node.exec_failed")
    assert answer.failure_message == "container not running (4f1c)"


def test_complete_output_without_a_status_is_a_failed_query(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, ANSWER.encode())
        connection.close()

    server.script = script
    answer = ask(server)
    assert (answer.stdout, answer.exit_status, answer.failure) == ("", None, "node.exec_failed")


def test_broken_connection_is_a_failed_query(server):
    server.script = lambda connection: connection.frame(STDOUT, ANSWER.encode())
    answer = ask(server)
    assert (answer.stdout, answer.failure) == ("", "node.exec_failed")
    assert "the connection broke" in answer.failure_message


def test_character_split_over_frames_is_whole(server):
    sign = "●".encode()

    def script(connection: Connection) -> None:
        connection.frame(STDOUT, sign[:1])
        connection.frame(STDOUT, sign[1:])
        connection.exited(0)

    server.script = script
    assert ask(server) == CommandResult(0, "●", "")


def test_stderr_is_not_mixed_into_stdout(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, ANSWER[:9].encode())
        connection.frame(STDERR, b"warning: Failed to query journal\n")
        connection.frame(STDOUT, ANSWER[9:].encode())
        connection.exited(0)

    server.script = script
    assert ask(server) == CommandResult(0, ANSWER, "warning: Failed to query journal\n")


def test_hanging_command_ends_at_its_timeout_and_is_not_retried(server):
    def script(connection: Connection) -> None:
        connection.frame(STDOUT, ANSWER.encode())
        connection.hang()

    server.script = script
    answer = ask(server, timeout=0.3)
    assert (answer.stdout, answer.failure) == ("", "node.no_response")
    assert answer.failure_message == "Node worker-0 did not answer within 0.3 s"
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("status", "finding", "attempts"),
    [
        (401, "node.exec_forbidden", 1),
        (403, "node.exec_forbidden", 1),
        (404, "node.exec_failed", 3),
        (500, "node.exec_failed", 3),
        (502, "node.exec_failed", 3),
        (504, "node.exec_failed", 3),
    ],
)
def test_denied_upgrade_is_retried_unless_it_is_definite(status, finding, attempts, server):
    server.refusal = (status, json.dumps({"kind": "Status", "message": "no"}))
    assert ask(server).failure == finding
    assert len(server.asked) == attempts


def test_parallel_queries_are_independent(server, monkeypatch):
    nodes = [NodeState.from_api(node(f"worker-{n}")) for n in range(40)]
    monkeypatch.setattr(
        pod_exec, "daemon_pods", lambda session, node="": pods(**{n.name: f"daemon-{n.name}" for n in nodes})
    )

    def script(connection: Connection) -> None:
        connection.frame(STDOUT, b"{}")
        connection.exited(0)

    server.script = script
    session = Session(connect({"host": server.url, "api_key": "sha256~token"}))
    answers = list(PodExec(session, 16, 30, "/rootfs").query(nodes))
    assert sorted(n.name for n, dummy in answers) == sorted(n.name for n in nodes)
    assert {answer for dummy, answer in answers} == {CommandResult(0, "{}", "")}
    assert len({line.partition("?")[0] for line, *dummy in server.asked}) == 40


# What is asked for again ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["cut", "no status", "runtime"])
def test_lost_reply_is_retried(broken, server):
    def script(connection: Connection) -> None:
        if len(server.asked) < 3:
            connection.frame(STDOUT, b"half of")
            if broken == "no status":
                connection.close()
            if broken == "runtime":
                connection.status(status="Failure", reason="InternalError", message="container not running")
            return
        connection.frame(STDOUT, ANSWER.encode())
        connection.exited(0)

    server.script = script
    assert ask(server) == CommandResult(0, ANSWER, "")
    assert len(server.asked) == 3


def looks(monkeypatch: pytest.MonkeyPatch, *found: DaemonPods) -> list[str]:
    """Let the pods be these in one look after the other, and return the nodes that were asked for."""
    asked: list[str] = []

    def look(session: Session, node: str = "") -> DaemonPods:
        asked.append(node)
        return found[min(len(asked), len(found)) - 1]

    monkeypatch.setattr(pod_exec, "daemon_pods", look)
    monkeypatch.setattr(pod_exec, "_INTERVAL", 0.01)
    return asked


def answers(server: ExecServer, pod: str) -> t.Callable[[Connection], None]:
    """Answer in the pod of this name only."""

    def script(connection: Connection) -> None:
        if f"/pods/{pod}/exec" not in server.asked[-1][0]:
            connection.status(status="Failure", reason="NotFound", message="pod not found")
            return
        connection.frame(STDOUT, ANSWER.encode())
        connection.exited(0)

    return script


def test_command_runs_in_the_new_pod_if_the_pod_was_replaced(server, monkeypatch):
    ending = pods(replaced=["worker-0"])
    asked = looks(monkeypatch, pods(**{"worker-0": "old"}), ending, pods(), pods(**{"worker-0": "new"}))
    server.script = answers(server, "new")

    assert ask(server) == CommandResult(0, ANSWER, "")
    assert asked == ["", "worker-0", "worker-0", "worker-0"]
    assert len(server.asked) == 2


def test_pod_that_is_being_replaced_at_first_is_awaited(server, monkeypatch):
    looks(monkeypatch, pods(replaced=["worker-0"]), pods(replaced=["worker-0"]), pods(**{"worker-0": "new"}))
    server.script = answers(server, "new")

    assert ask(server) == CommandResult(0, ANSWER, "")


def test_pod_that_is_not_replaced_within_the_timeout_is_none(server, monkeypatch):
    looks(monkeypatch, pods(replaced=["worker-0"]))

    assert ask(server, timeout=0.1).failure == "node.no_daemon_pod"
    assert server.asked == []


def test_node_without_any_daemon_pod_is_not_awaited(server, monkeypatch):
    asked = looks(monkeypatch, pods())

    assert ask(server).failure == "node.no_daemon_pod"
    assert asked == [""]


def test_reply_that_is_lost_three_times_is_a_failed_query(server):
    server.script = lambda connection: connection.close()
    assert ask(server).failure == "node.exec_failed"
    assert len(server.asked) == 3


@pytest.mark.parametrize("code", [0, 1, 127])
def test_exit_status_is_not_retried(code, server):
    server.script = lambda connection: connection.exited(code)
    assert ask(server).exit_status == code
    assert len(server.asked) == 1


def test_no_attempt_begins_if_its_pause_would_exceed_the_timeout(server, monkeypatch):
    monkeypatch.setattr(transport.random, "uniform", lambda low, high: 60.0)
    server.script = lambda connection: connection.close()
    assert ask(server, timeout=30).failure == "node.exec_failed"
    assert len(server.asked) == 1


def test_too_much_output_is_not_retried(server, monkeypatch):
    monkeypatch.setattr(execs, "MAX_STDOUT", 10)
    server.script = lambda connection: connection.frame(STDOUT, b"x" * 11)
    assert ask(server).failure == "node.output_unreadable"
    assert len(server.asked) == 1


# Whatever goes wrong with one node makes that node unknown ------------------------------------------------------------


@pytest.mark.parametrize("error", [RecursionError("token"), MemoryError(), ValueError("token"), KeyError("token")])
def test_unexpected_exception_of_one_node_is_the_reply_of_that_node(error):
    def ask_one(one: NodeState) -> CommandResult:
        if one.name == "worker-1":
            raise error
        return CommandResult(0, "{}")

    answers = {one.name: answer for one, answer in query_in_parallel(NODES, 2, ask_one)}
    failed = answers.pop("worker-1")
    assert failed.failure == "node.unexpected_error"
    assert failed.failure_message.startswith(f"the query failed with {type(error).__name__} in ask_one, line ")
    assert "token" not in failed.failure_message
    assert set(answers.values()) == {CommandResult(0, "{}")}


def test_error_of_one_node_is_the_reply_of_that_node():
    def ask_one(one: NodeState) -> CommandResult:
        raise OperationError("renew the token", "the command failed", "Log in again")

    ((dummy, answer),) = query_in_parallel(NODES[:1], 2, ask_one)
    message = "Could not renew the token: the command failed. Log in again."
    assert answer == CommandResult(failure=FindingId.NODE_EXEC_FAILED, failure_message=message)


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_exception_that_ends_the_run_is_not_a_reply(end):
    def ask_one(one: NodeState) -> CommandResult:
        raise end

    with pytest.raises(end):
        list(query_in_parallel(NODES, 2, ask_one))


def test_waiting_replies_are_limited_by_the_concurrency():
    asked = []

    def ask_one(one: NodeState) -> CommandResult:
        asked.append(one.name)
        return CommandResult(0)

    answers = query_in_parallel(NODES, 2, ask_one)
    next(answers)
    answers.close()
    for thread in threading.enumerate():
        if thread.name.startswith("ask"):
            thread.join(30)
    assert len(asked) <= 3


# Many at once --------------------------------------------------------------------------------------------------------


NODES = [NodeState.from_api(node(f"worker-{n}")) for n in range(6)]


def test_parallel_queries_are_limited_by_the_concurrency():
    asking, most = set(), []
    lock = threading.Lock()
    pair = threading.Barrier(2, timeout=30)

    def ask_one(one: NodeState) -> CommandResult:
        with lock:
            asking.add(one.name)
            most.append(len(asking))
        pair.wait()
        with lock:
            asking.discard(one.name)
        return CommandResult(0)

    assert {n.name for n, dummy in query_in_parallel(NODES, 2, ask_one)} == {n.name for n in NODES}
    assert max(most) == 2


def test_reply_is_yielded_while_another_query_runs():
    released = threading.Event()

    def ask_one(one: NodeState) -> CommandResult:
        if one.name == "worker-0":
            assert released.wait(30)
        return CommandResult(0)

    names = []
    for one, dummy in query_in_parallel(NODES[:2], 2, ask_one):
        names.append(one.name)
        released.set()
    assert names == ["worker-1", "worker-0"]


def test_no_further_node_is_queried_when_the_caller_stops():
    asked, over = [], threading.Event()

    def ask_one(one: NodeState) -> CommandResult:
        asked.append(one.name)
        if len(asked) > 1:
            assert over.wait(30)
        return CommandResult(0)

    answers = query_in_parallel(NODES, 1, ask_one)
    next(answers)
    answers.close()
    over.set()
    for thread in threading.enumerate():
        if thread.name.startswith("ask"):
            thread.join(30)
    assert len(asked) <= 2


def test_no_nodes_means_no_queries():
    assert list(query_in_parallel([], 50, lambda one: CommandResult(0))) == []
