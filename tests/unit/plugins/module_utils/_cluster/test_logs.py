# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
import tracemalloc
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import log_folder, logs, pod_tracker
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.lines import LINE_CUT
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.log_archive import LogArchive
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.log_folder import LogFolder
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.log_follower import LONGEST_LINE, LogFollower
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.logs import BuildLogs
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import BuildRun, FollowedLogs
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_position import LogPosition
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import POD
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import NOON, build_pod, container_status
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import HANG_UP, Reply, forbidden, refusal
from ansible_collections.imagemode.openshift.tests.unit.plugins.raw_server import RawServer

RUN = BuildRun("layered-a", "uid-1", NOON)
CONTAINER = "build-layered-a-x7k2p/image-build"


def said(number: int, second: int = 0) -> str:
    return f"2026-03-01T12:00:{second:02d}.{number:09d}Z line {number}"


RUNNING = build_pod("build-layered-a-x7k2p", container_status("image-build", None))
ENDED = build_pod("build-layered-a-x7k2p", container_status("image-build", 7, "last words"))


def until(holds: t.Callable[[], object]) -> None:
    """Wait for what other threads do."""
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


class Wait:
    """Windows of one wait, one after the other."""

    def __init__(self, session, folder: LogFolder | None) -> None:
        self.session = session
        self.folder = folder
        self.state = FollowedLogs()
        self.logs = self.window()

    def window(self) -> BuildLogs:
        self.logs = BuildLogs(self.session, LogArchive(self.folder, "cluster-1"), self.state, 30)
        self.logs.follow(RUN)
        return self.logs

    def end(self) -> None:
        self.logs.close()
        self.state = self.logs.state()


@pytest.fixture
def builder(api):
    api.growing.add(CONTAINER)
    api.keep(POD, RUNNING)
    return api


@pytest.fixture
def wait(builder, session, tmp_path):
    wait = Wait(session, LogFolder(str(tmp_path / "logs")))
    yield wait
    builder.falls_silent(CONTAINER)
    wait.end()


def written(wait: Wait) -> str:
    (path,) = wait.logs.state().paths
    with open(path, encoding="utf-8") as file:
        return file.read()


def log_requests(api) -> list[t.Mapping[str, str]]:
    return [request.query for request in api.requests if request.path.endswith("/log")]


def test_log_is_saved_while_it_grows(builder, wait):
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, said(1), said(2))
    until(lambda: "line 2" in written(wait))
    builder.says(CONTAINER, said(3, 1))
    until(lambda: "line 3" in written(wait))
    assert len(log_requests(builder)) == 1


def test_next_window_continues_the_log_without_loss_or_repetition(builder, wait):
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, said(1), said(2, 1), said(3, 1))
    until(lambda: "line 3" in written(wait))
    wait.end()
    builder.says(CONTAINER, said(4, 1), said(5, 2))
    wait.window()
    until(lambda: "line 5" in written(wait))
    assert written(wait) == "".join(f"{line}\n" for line in builder.logs[CONTAINER])
    assert log_requests(builder)[1]["sinceTime"] == "2026-03-01T12:00:01Z"
    lists = [r for r in builder.requests if r.path.endswith("/pods") and "watch" not in r.query]
    assert len(lists) == 1


def test_log_of_a_killed_run_is_continued(builder, wait, session):
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, said(1), said(2))
    until(lambda: "line 2" in written(wait))
    (path,) = wait.logs.state().paths
    with open(path, "a", encoding="utf-8") as file:
        file.write(said(3)[:12])
    wait.logs.close()
    builder.says(CONTAINER, said(3), said(4))
    again = Wait(session, wait.folder)
    until(lambda: again.logs.state().paths)
    until(lambda: "line 4" in written(again))
    assert written(again) == "".join(f"{line}\n" for line in builder.logs[CONTAINER])
    again.end()


def test_stream_that_breaks_is_opened_again(builder, wait):
    builder.fail("/log", HANG_UP)
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, said(1))
    until(lambda: "line 1" in written(wait))
    builder.end_watches()
    builder.says(CONTAINER, said(2))
    until(lambda: "line 2" in written(wait))
    assert written(wait).count("line 1") == 1


def test_complete_log_is_not_read_again(builder, wait):
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, said(1))
    builder.falls_silent(CONTAINER)
    builder.keep(POD, ENDED)
    until(lambda: wait.logs.state().done)
    wait.end()
    wait.window()
    until(lambda: wait.logs.progress().attempts)
    wait.logs.read_out([ENDED], 1)
    assert len(log_requests(builder)) == 2, "the stream, and one look whether that was all"
    assert written(wait).count("line 1") == 1


def test_log_that_does_not_exist_yet_is_read_later(builder, wait):
    builder.fail("/log", refusal(404, "NotFound", "the log is not there yet", name="x"))
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, said(1))
    until(lambda: "line 1" in written(wait))


def test_rest_of_a_broken_stream_is_read_after_the_container_ended(builder, wait):
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, said(1))
    until(lambda: "line 1" in written(wait))
    builder.fail("/log", HANG_UP)
    builder.end_watches()
    builder.says(CONTAINER, said(2))
    builder.falls_silent(CONTAINER)
    builder.keep(POD, ENDED)
    until(lambda: wait.logs.state().done)
    assert written(wait) == "".join(f"{line}\n" for line in builder.logs[CONTAINER])


def test_log_of_a_deleted_pod_is_no_longer_read(builder, wait):
    until(lambda: wait.logs.state().paths)
    builder.always_fail("/log", refusal(404, "NotFound", "pod not found", name="x"))
    builder.falls_silent(CONTAINER)
    builder.drop(POD, "build-layered-a-x7k2p", "openshift-machine-config-operator")
    until(lambda: wait.logs.state().done)


def test_pod_that_is_deleted_while_it_runs_is_a_failed_attempt_in_later_windows_too(builder, wait):
    until(lambda: wait.logs.state().paths)
    assert [attempt.failed for attempt in wait.logs.progress().attempts] == [False]
    builder.falls_silent(CONTAINER)
    builder.drop(POD, "build-layered-a-x7k2p", "openshift-machine-config-operator")
    until(lambda: [attempt.failed for attempt in wait.logs.progress().attempts] == [True])
    wait.end()
    assert [attempt.reason for attempt in wait.window().progress().attempts] == ["Deleted"]


def test_pod_that_was_deleted_between_two_lists_is_a_failed_attempt(builder, wait):
    until(lambda: wait.logs.state().paths)
    wait.end()
    builder.falls_silent(CONTAINER)
    wait.state = replace(wait.state, version="")
    builder.drop(POD, "build-layered-a-x7k2p", "openshift-machine-config-operator")
    wait.window()
    until(lambda: [attempt.reason for attempt in wait.logs.progress().attempts] == ["Deleted"])


def test_pod_that_is_deleted_after_its_end_keeps_its_result(builder, wait):
    until(lambda: wait.logs.state().paths)
    builder.keep(POD, ENDED)
    builder.falls_silent(CONTAINER)
    until(lambda: [attempt.failed for attempt in wait.logs.progress().attempts] == [True])
    builder.drop(POD, "build-layered-a-x7k2p", "openshift-machine-config-operator")
    until(lambda: wait.logs.state().pods[0].get("deleted"))
    (attempt,) = wait.logs.progress().attempts
    assert (attempt.reason, attempt.containers[0].exit_code) == ("", 7)


def test_output_of_the_builder_is_progress_without_saved_logs(builder, session):
    wait = Wait(session, None)
    until(lambda: log_requests(builder))
    before = wait.logs.progress().mark
    builder.says(CONTAINER, said(1))
    until(lambda: wait.logs.progress().mark != before)
    mark = wait.logs.progress().mark
    wait.end()
    assert wait.window().progress().mark == mark, "the next window begins where this one ended"
    builder.falls_silent(CONTAINER)
    wait.end()


def test_logs_of_a_build_that_had_ended_are_saved(api, session, tmp_path):
    api.logs[CONTAINER] = [said(1), said(2)]
    api.keep(POD, ENDED)
    logs = BuildLogs(session, LogArchive(LogFolder(str(tmp_path)), "cluster-1"), FollowedLogs(), 30)
    logs.take(RUN)
    logs.read_out([ENDED], 20)
    logs.close()
    (path,) = logs.state().paths
    assert path.endswith("cluster-1_layered-a_uid-1_1-x7k2p_image-build.log")
    with open(path, encoding="utf-8") as file:
        assert file.read().count("\n") == 2


def test_full_disk_is_reported_and_the_log_is_followed_further(builder, wait, monkeypatch):
    until(lambda: wait.logs.state().paths)
    monkeypatch.setattr("os.write", full_disk)
    builder.says(CONTAINER, said(1))
    until(lambda: wait.logs.progress().unwritten)
    assert "No space left on device" in wait.logs.progress().unwritten
    mark = wait.logs.progress().mark
    builder.says(CONTAINER, said(2))
    until(lambda: wait.logs.progress().mark != mark)


def full_disk(*dummy: t.Any) -> int:
    raise OSError(28, "No space left on device")


def test_folder_that_cannot_be_created_is_reported(builder, session, tmp_path):
    (tmp_path / "file").touch()
    wait = Wait(session, LogFolder(str(tmp_path / "file" / "logs")))
    until(lambda: wait.logs.progress().unwritten)
    assert "image-build.log: Not a directory" in wait.logs.progress().unwritten
    builder.falls_silent(CONTAINER)
    wait.end()


def test_missing_permission_to_read_pods_is_reported(api, session):
    api.always_fail("pods", forbidden("pods"))
    wait = Wait(session, None)
    until(lambda: wait.logs.progress().unreadable)
    assert "cannot list" in wait.logs.progress().unreadable
    wait.end()


def test_missing_permission_to_read_logs_is_reported(builder, session, tmp_path):
    builder.always_fail("/log", forbidden("pods/log"))
    wait = Wait(session, LogFolder(str(tmp_path)))
    until(lambda: wait.logs.progress().unreadable)
    assert "pods/log" in wait.logs.progress().unreadable
    wait.end()


def test_pods_of_another_build_are_not_followed(builder, session):
    other = build_pod("build-layered-b-x7k2p", container_status("image-build", None), build="layered-b")
    older = build_pod("build-layered-a-old00", container_status("image-build", None), created="2026-03-01T11:00:00Z")
    builder.keep(POD, other, older)
    wait = Wait(session, None)
    until(lambda: log_requests(builder))
    assert [a.pod for a in wait.logs.progress().attempts] == ["build-layered-a-x7k2p"]
    builder.falls_silent(CONTAINER)
    wait.end()


def test_text_of_a_log_has_no_times_and_no_debugging_output(api, session):
    api.logs[CONTAINER] = [said(1), '2026-03-01T12:00:00.5Z time="2026" level=debug msg="x"', said(2)]
    logs = BuildLogs(session, LogArchive(), FollowedLogs(), 30)
    logs.take(RUN)
    logs.read_out([ENDED], 20)
    (attempt,) = logs.progress().attempts
    assert logs.text(attempt, attempt.containers[0]) == "line 1\nline 2\n"
    logs.close()


def test_deleted_log_is_read_from_its_file(api, session, tmp_path):
    api.logs[CONTAINER] = [said(1)]
    logs = BuildLogs(session, LogArchive(LogFolder(str(tmp_path)), "cluster-1"), FollowedLogs(), 30)
    logs.take(RUN)
    logs.read_out([ENDED], 20)
    api.not_served.add("pods")
    (attempt,) = logs.progress().attempts
    assert logs.text(attempt, attempt.containers[0]) == "line 1\n"
    logs.close()


def test_long_line_is_cut_and_counts_as_one_line_of_the_position(builder, wait):
    long = said(1) + "x" * 300_000
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, long, said(2))
    until(lambda: "line 2" in written(wait))
    cut = long[:LONGEST_LINE] + LINE_CUT.decode()
    assert written(wait) == f"{cut}\n{said(2)}\n"
    wait.end()
    builder.says(CONTAINER, said(3))
    wait.window()
    until(lambda: "line 3" in written(wait))
    assert written(wait) == f"{cut}\n{said(2)}\n{said(3)}\n"


def test_line_of_many_megabytes_is_not_kept_in_memory(serve_log):
    follower = serve_log(b"2026-03-01T12:00:00.0Z " + b"x" * 1000, 8000)
    tracemalloc.start()
    follower._read()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6
    assert follower.position == LogPosition("2026-03-01T12:00:00", 1)
    assert follower.size < LONGEST_LINE + 100


@pytest.fixture
def serve_log():
    """Return a follower of a log of which one piece comes again and again."""
    servers = []

    def start(piece: bytes, count: int) -> LogFollower:
        def speak(connection) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
            for dummy in range(count):
                connection.sendall(piece)

        servers.append(RawServer(speak))
        session = Session(connect({"host": servers[-1].url, "api_key": "sha256~token"}))
        return LogFollower(session, "pod", "image-build", None, LogPosition())

    yield start
    for server in servers:
        server.stop()


def test_endless_log_does_not_fill_the_disk(builder, wait, monkeypatch):
    monkeypatch.setattr(log_folder, "LOG_LIMIT", 100)
    until(lambda: wait.logs.state().paths)
    builder.says(CONTAINER, *(said(number) for number in range(50)))
    until(lambda: wait.logs.progress().unwritten)
    assert "the log is larger than" in wait.logs.progress().unwritten
    mark = wait.logs.progress().mark
    builder.says(CONTAINER, said(51, 9))
    until(lambda: wait.logs.progress().mark != mark)
    wait.end()
    builder.says(CONTAINER, said(52, 9))
    before = len(log_requests(builder))
    wait.window()
    until(lambda: wait.logs.progress().unwritten)
    assert log_requests(builder)[before]["sinceTime"] == "2026-03-01T12:00:09Z", "nothing is read again"
    assert written(wait).endswith(log_folder.FULL.decode())
    assert len(written(wait)) < 300


def test_text_of_a_log_is_limited(api, session, monkeypatch):
    monkeypatch.setattr(logs, "TAIL_LINES", 3)
    lines = [said(number) + "x" * 100_000 for number in range(9)]
    api.always_fail("/log", Reply(200, "\n".join(lines)))
    found = BuildLogs(session, LogArchive(), FollowedLogs(), 30)
    found.take(RUN)
    found.read_out([ENDED], 20)
    (attempt,) = found.progress().attempts
    text = found.text(attempt, attempt.containers[0])
    assert [line.partition("x")[0].rpartition("Z ")[2] for line in text.splitlines()] == ["line 6", "line 7", "line 8"]
    assert len(text) < 3 * 70_000
    found.close()


def test_build_with_too_many_containers_is_followed_in_part(api, session, tmp_path):
    statuses = [container_status(f"c{number}", 7) for number in range(500)]
    api.keep(POD, pod := build_pod("build-layered-a-x7k2p", *statuses))
    found = BuildLogs(session, LogArchive(LogFolder(str(tmp_path)), "cluster-1"), FollowedLogs(), 30)
    found.take(RUN)
    found.read_out([pod], 5)
    assert "more than 40 containers" in found.progress().unreadable
    found.close()
    assert len(list(tmp_path.iterdir())) == 40


STATES = [
    5,
    [],
    {"running": 5},
    {"terminated": []},
    {"terminated": {"exitCode": "x"}},
    {"terminated": {"exitCode": []}},
]


@pytest.mark.parametrize("state", STATES, ids=str)
def test_container_state_of_a_wrong_type_is_ignored(state, api, session):
    pod = build_pod("build-layered-a-x7k2p", {"name": "image-build", "state": state})
    api.keep(POD, pod)
    wait = Wait(session, None)
    until(lambda: wait.logs.progress().attempts)
    assert not wait.logs.progress().unreadable
    wait.logs.read_out([pod], 1)
    assert wait.logs.progress().attempts[0].containers[0].exit_code == 0
    wait.end()


def test_unexpected_error_while_pods_are_read_is_reported(builder, session, monkeypatch):
    monkeypatch.setattr(pod_tracker, "reduced", lambda pod: pod["nothing"])
    wait = Wait(session, None)
    until(lambda: wait.logs.progress().unreadable)
    assert wait.logs.progress().unreadable == "an unexpected KeyError while its pods were read"
    wait.end()
