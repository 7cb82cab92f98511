# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import action_loader, connection_loader
from ansible.template import Templar
from ansible_collections.imagemode.openshift.plugins.plugin_utils import _progress
from ansible_collections.imagemode.openshift.plugins.plugin_utils._progress import (
    ProgressReporter,
    duration,
    progress_line,
)

WAITS = ("machineosbuild_wait", "machineconfigpool_wait")


class Module:
    """Stands in for the module: answers window by window and keeps what it was asked."""

    def __init__(self, *answers: dict[str, t.Any]) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, t.Any]] = []
        self.names: set[str] = set()

    def __call__(self, module_name: str, module_args: dict[str, t.Any], **dummy: t.Any) -> dict[str, t.Any]:
        self.names.add(module_name)
        self.asked.append(dict(module_args))
        return dict(self.answers.pop(0))


@pytest.fixture
def printed(monkeypatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(_progress.display, "display", lines.append)
    return lines


def wait(monkeypatch, module: Module, name: str = WAITS[0], **arguments: t.Any) -> dict[str, t.Any]:
    loader = DataLoader()
    full_name = f"imagemode.openshift.{name}"
    action = action_loader.get(
        full_name,
        task=Task.load({"action": full_name, "args": {"pool": "layered", **arguments}}),
        connection=connection_loader.get("ansible.builtin.local", PlayContext(), "/dev/null"),
        play_context=PlayContext(),
        loader=loader,
        templar=Templar(loader=loader),
        shared_loader_obj=None,
    )
    monkeypatch.setattr(action, "_execute_module", module)
    return t.cast("dict[str, t.Any]", action.run(task_vars={"inventory_hostname": "east"}))


def window(progress: str, elapsed: int = 0, **more: t.Any) -> dict[str, t.Any]:
    return {"finished": False, "progress": progress, "elapsed": elapsed, "cursor": f"after {progress}", **more}


@pytest.mark.parametrize("name", WAITS)
def test_the_module_of_the_same_name_is_called_until_it_has_finished(name, monkeypatch, printed):
    module = Module(window("building"), window("pushing", 61), window("done", 65, finished=True, build={"name": "a"}))
    result = wait(monkeypatch, module, name)
    assert module.names == {f"imagemode.openshift.{name}"}
    assert result["finished"]
    assert result["build"] == {"name": "a"}
    assert printed == ["  [east] 0s  building", "  [east] 1m01s  pushing", "  [east] 1m05s  done"]


def test_each_call_hands_back_the_cursor_of_the_one_before(monkeypatch, printed):
    module = Module(window("one"), window("two"), window("three", finished=True))
    result = wait(monkeypatch, module, timeout=60)
    assert [asked.get("cursor") for asked in module.asked] == [None, "after one", "after two"]
    assert all(asked["timeout"] == 60 for asked in module.asked)
    assert "cursor" not in result


def test_each_call_is_told_for_how_long_the_wait_has_lasted_by_the_plugins_own_clock(monkeypatch, printed):
    """What Ansible masks in an answer cannot make the wait longer."""
    times = iter([100.0, 160.5, 221.0])
    monkeypatch.setattr(_progress.time, "monotonic", lambda: next(times, 300.0))
    module = Module(
        window("one"), window("two", elapsed="VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"), window("x", finished=True)
    )
    wait(monkeypatch, module, progress="none")
    assert [asked.get("waited") for asked in module.asked] == [None, 60, 121]


def test_a_warning_of_any_call_is_in_the_result_once(monkeypatch, printed):
    first, second = {"warnings": ["mind the gap"]}, {"warnings": ["mind the gap", "and the step"]}
    module = Module(window("one", **first), window("two", **second), window("three"), window("four", finished=True))
    assert wait(monkeypatch, module)["warnings"] == ["mind the gap", "and the step"]
    assert "warnings" not in wait(monkeypatch, Module(window("one", finished=True)))


def test_a_cursor_that_the_user_gives_is_where_the_wait_begins(monkeypatch, printed):
    module = Module(window("done", finished=True))
    wait(monkeypatch, module, cursor="mine")
    assert module.asked[0]["cursor"] == "mine"


def test_a_failure_ends_the_wait_and_is_handed_on(monkeypatch, printed):
    failed = {
        "failed": True,
        "msg": "Could not await the build: it failed.",
        "cursor": "c",
        "progress": "x",
    }
    module = Module(window("building"), failed)
    result = wait(monkeypatch, module)
    assert (result["failed"], result["msg"]) == (True, failed["msg"])
    assert "cursor" not in result
    assert printed == ["  [east] 0s  building"]


def test_short_wait_prints_few_lines_and_the_last_one(monkeypatch, printed):
    steps = [window(f"step {second}", second) for second in (0, 5, 14, 30, 37, 45)]
    wait(monkeypatch, Module(*steps, window("done", 46, finished=True)))
    assert printed == ["  [east] 0s  step 0", "  [east] 30s  step 30", "  [east] 46s  done"]


def test_line_that_was_held_back_is_printed_when_it_is_due(monkeypatch, printed):
    module = Module(window("one"), window("two", 5), window("two", 30), window("three", 90, finished=True))
    wait(monkeypatch, module, window=100)
    assert [asked["window"] for asked in module.asked] == [100, 100, 25, 100]
    assert printed == ["  [east] 0s  one", "  [east] 30s  two", "  [east] 1m30s  three"]


@pytest.mark.parametrize("given", [10, "10"])
def test_line_that_was_held_back_never_makes_a_window_longer(given, monkeypatch, printed):
    module = Module(window("one"), window("two", 5), window("two", 15), window("three", 30, finished=True))
    wait(monkeypatch, module, window=given)
    assert [int(asked["window"]) for asked in module.asked] == [10, 10, 10, 10]


def test_window_that_is_no_number_is_left_to_the_module(monkeypatch, printed):
    module = Module(window("one"), window("two", 5), window("three", 30, finished=True))
    wait(monkeypatch, module, window="soon")
    assert [asked["window"] for asked in module.asked] == ["soon", "soon", 25]


def test_new_finding_is_printed_at_once(monkeypatch, printed):
    finding = {"id": "node.degraded", "severity": "error", "message": "m", "remedy": "r"}
    found = window("two", 5, findings=[finding])
    wait(monkeypatch, Module(window("one"), found, window("three", 6, findings=[finding]), window("x", finished=True)))
    assert printed == ["  [east] 0s  one", "  [east] 5s  two", "  [east] 0s  x"]


def test_a_module_that_knows_no_way_on_ends_the_wait(monkeypatch, printed):
    crashed = {"unreachable": True, "msg": "no such interpreter"}
    assert wait(monkeypatch, Module(crashed))["unreachable"]
    assert printed == []


@pytest.mark.parametrize("asked", ["none", "lines"])
def test_progress_is_printed_unless_it_is_not_wanted(asked, monkeypatch, printed):
    wait(monkeypatch, Module(window("building"), window("done", finished=True)), progress=asked)
    assert bool(printed) is (asked == "lines")


def test_the_tasks_own_arguments_are_left_as_they_were(monkeypatch, printed):
    arguments = {"timeout": 60}
    wait(monkeypatch, Module(window("one"), window("two", finished=True)), **arguments)
    assert arguments == {"timeout": 60}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (45, "45s"),
        (59, "59s"),
        (60, "1m00s"),
        (130, "2m10s"),
        (3599, "59m59s"),
        (3600, "1h00m"),
        (3780, "1h03m"),
        (90061, "25h01m"),
    ],
)
def test_durations_are_written_as_people_write_them(seconds, text):
    assert duration(seconds) == text


def test_a_line_says_who_and_for_how_long():
    assert progress_line("east", {"progress": "building", "elapsed": 130}) == "  [east] 2m10s  building"
    assert progress_line("", {"progress": "building"}) == "  [] 0s  building"


def telling(answers: t.Iterable[tuple[float, dict[str, t.Any]]]) -> None:
    """Have answers told, each at its time."""
    moments = list(answers)
    times = iter([now for now, dummy in moments])
    reporter = ProgressReporter("east", clock=lambda: next(times))
    for dummy, answer in moments:
        reporter.report(answer)


def test_a_line_that_has_not_changed_is_printed_once_a_minute_at_most(printed):
    seconds = (1000, 1010, 1059, 1060, 1061, 1120)
    telling((now, window("building", int(now) - 1000)) for now in seconds)
    assert printed == ["  [east] 0s  building", "  [east] 1m00s  building", "  [east] 2m00s  building"]


def test_an_outage_is_printed_once_however_many_windows_it_lasts(printed):
    telling((now, window("API server away: no connection to it")) for now in (1000, 1300, 1600))
    assert len(printed) == 1


def test_every_line_that_has_changed_is_printed(printed):
    telling([(1000, window("one")), (1030.1, window("two", 30)), (1060.2, window("one", 60))])
    assert len(printed) == 3


@pytest.fixture
def detailed(monkeypatch, printed) -> list[str]:
    """What is printed with -v besides."""
    lines: list[str] = []
    monkeypatch.setattr(_progress.display, "v", lambda line, host: lines.append(f"{host} {line}"))
    return lines


FINDING = {
    "id": "node.degraded",
    "severity": "error",
    "message": "Node a: cannot pull",
    "remedy": "Remove the cause",
}


def test_more_is_said_with_v_and_each_of_it_once(detailed):
    nodes = [{"name": "a", "phase": "waiting", "state": "Done"}]
    moved = [{"name": "a", "phase": "updating", "state": "Working"}]
    telling(
        [
            (0, window("one", nodes=nodes)),
            (1, window("two", nodes=nodes, findings=[FINDING])),
            (2, window("three", nodes=moved, findings=[FINDING])),
        ]
    )
    assert detailed == [
        "east Node a: waiting (Done)",
        "east node.degraded (error): Node a: cannot pull. Remove the cause.",
        "east Node a: updating (Working)",
    ]


HOSTILE = "a\x1b]0;owned\x07\r\x9b2J\u202eb\n  [west] 0s  done"


def test_no_line_of_progress_holds_what_a_terminal_would_obey(detailed, printed):
    nodes = [{"name": HOSTILE, "phase": HOSTILE, "state": HOSTILE}]
    telling([(0, window(HOSTILE, nodes=nodes, findings=[{**FINDING, "message": HOSTILE, "remedy": HOSTILE}]))])
    assert len(printed) == 1
    assert len(detailed) == 2
    assert all(line.isprintable() for line in printed + detailed)


def test_a_line_of_progress_is_cut():
    assert len(progress_line("east", {"progress": "x" * 1_000_000})) < 2100


@pytest.mark.parametrize(
    ("left", "said"),
    [(None, ""), (0, ""), (20, ", about 1m left"), (840, ", about 14m left"), (4000, ", about 1h07m left")],
)
def test_what_is_left_is_said_when_it_is_known(left, said):
    answer = {"progress": "rolling", "elapsed": 1, "rollout": {"remaining_seconds": left}}
    assert progress_line("east", answer) == f"  [east] 1s  rolling{said}"


def test_a_number_that_ansible_masked_is_not_shown_and_stops_nothing():
    hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
    answer = {"progress": "rolling", "elapsed": hidden, "rollout": {"remaining_seconds": hidden}}
    assert progress_line("east", answer) == "  [east] 0s  rolling"
