# SPDX-License-Identifier: GPL-3.0-or-later
"""What the page says of a timeline, and where it draws what."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.timestamp import (
    seconds_of,
    timestamp_at,
)
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.picture import ROWS, WIDTH, Chart
from ansible_collections.imagemode.openshift.plugins.plugin_utils._evidence.timeline import (
    MOST_ROWS,
    TimelineView,
    view_of,
)
from hypothesis import given
from hypothesis import strategies as st

START = seconds_of("2026-11-24T09:00:00Z") or 0.0
TIMES = ("started", "drain_started", "drain_finished", "not_ready", "ready", "done")
OBSERVED = ["started", "drain_started", "drain_finished", "done"]


def at(second: float) -> str:
    return timestamp_at(START + second)


def updated(name: str = "worker-0", start: float = 0, **parts: t.Any) -> dict[str, t.Any]:
    """Return a node whose update took 100 s: a drain of 30 s, and a reboot of 40 s."""
    seconds = zip(TIMES, (0, 5, 35, 50, 90, 100))
    times = {name: at(start + second) for name, second in seconds}
    return {"name": name, "state": "done", **times, "observed": OBSERVED, **parts}


def lost(name: str, start: float = 0) -> dict[str, t.Any]:
    return updated(name, start, state="updating", ready=None, done=None)


def attempt(number: int, state: str, exit_code: int | None = None, **parts: t.Any) -> dict[str, t.Any]:
    begin = number * 200
    times = {"started": at(begin), "finished": at(begin + 150) if state != "running" else None}
    return {"pod": f"build-{number}", "exit_code": exit_code, "reason": None, "state": state, **times, **parts}


def built(*attempts: dict[str, t.Any], state: str = "succeeded", finished: str | None = at(900)) -> dict[str, t.Any]:
    return {"name": "layered-a", "state": state, "started": at(0), "finished": finished, "attempts": list(attempts)}


def view(*nodes: dict[str, t.Any], build: t.Any = None, left_out: int = 0) -> TimelineView:
    timeline = {"nodes": list(nodes), "left_out": left_out} if nodes else None
    found = view_of({"build": build, "timeline": timeline})
    assert found is not None
    return found


def shapes(chart: Chart) -> dict[str, list[str]]:
    """Return the shapes of each row by its label; an open bar ends with three dots."""
    return {
        row.label: [drawn.kind + ("..." if drawn.is_open else "") for drawn in row.bars]
        + [mark.kind for mark in row.marks]
        for row in chart.rows
    }


def assert_is_inside(chart: Chart) -> None:
    for row in chart.rows:
        for drawn in row.bars:
            assert chart.left <= drawn.x
            assert drawn.x + drawn.width <= WIDTH
            assert drawn.width > 0
            assert 0 <= drawn.y <= chart.height
    assert len(chart.ticks) <= 9
    assert all(chart.left <= tick.x <= WIDTH for tick in chart.ticks)


@pytest.mark.parametrize("doc", [{"build": None, "timeline": None}, {"build": built(), "timeline": None}])
def test_run_that_observed_nothing_has_no_timeline(doc):
    assert view_of(doc) is None


def test_one_attempt_is_drawn_and_told():
    found = view(build=built(attempt(0, "succeeded", 0)))
    (chart,) = found.build_charts
    assert shapes(chart) == {"build": ["whole"], "attempt 1": ["attempt", "good"]}
    assert found.build == (
        "Build succeeded (1 attempt, 0 failed). 2026-11-24 09:00:00 UTC to 2026-11-24 09:15:00 UTC (15m00s)."
    )
    assert found.attempts == ("Attempt 1: succeeded, 09:00:00 to 09:02:30 (2m30s), pod build-0",)
    assert (found.nodes, found.node_charts, found.rows) == ("", (), ())


def test_build_with_four_failed_attempts_is_visible_as_such():
    made = [attempt(number, "failed", 1, reason="Error") for number in range(4)]
    found = view(build=built(*made, state="failed"))
    (chart,) = found.build_charts
    assert [row.kind for row in chart.rows] == ["build", "failed", "failed", "failed", "failed"]
    assert all(row.marks[0].kind == "bad" for row in chart.rows[1:])
    assert found.build.startswith("Build failed (4 attempts, 4 failed).")
    assert found.attempts[3] == "Attempt 4: failed (Error, exit code 1), 09:10:00 to 09:12:30 (2m30s), pod build-3"
    assert "4 of them failed" in chart.description


def test_attempt_that_runs_is_open():
    found = view(build=built(attempt(0, "failed", 1), attempt(1, "running"), state="building", finished=None))
    assert shapes(found.build_charts[0]) == {
        "build": ["whole..."],
        "attempt 1": ["attempt", "bad"],
        "attempt 2": ["attempt..."],
    }


def test_attempt_that_succeeded_without_an_observed_end_lasts_to_the_end_of_the_build():
    found = view(build=built(attempt(0, "succeeded", finished=None)))
    assert shapes(found.build_charts[0])["attempt 1"] == ["attempt...", "good"]
    assert found.attempts == ("Attempt 1: succeeded, 09:00:00 to unknown, pod build-0",)


def test_update_of_a_node_is_drawn_and_told():
    found = view(updated())
    (chart,) = found.node_charts
    assert shapes(chart) == {"worker-0": ["whole", "drain", "reboot", "good"]}
    whole, drain, reboot = chart.rows[0].bars
    assert (drain.x - whole.x, drain.width, reboot.width) == pytest.approx(
        (0.05 * whole.width, 0.3 * whole.width, 0.4 * whole.width), abs=0.2
    )
    (row,) = found.rows
    assert (row.name, row.state, row.failed) == ("worker-0", "done", False)
    assert row.cells == ("~09:00:00", "~09:00:05 to ~09:00:35 (30s)", "09:00:50 to 09:01:30 (40s)", "~09:01:40")
    assert "drain ~09:00:05 to ~09:00:35 (30s); reboot 09:00:50" in chart.rows[0].title


def test_node_that_never_came_back_is_visible_as_such():
    found = view(updated("a"), lost("b", 300))
    (chart,) = found.node_charts
    assert shapes(chart)["b"] == ["whole...", "drain", "reboot...", "bad"]
    assert chart.rows[1].kind == "not-done"
    assert found.nodes.startswith("Update of 2 nodes observed: 1 done, 1 not done.")
    assert found.nodes.endswith("Not done: b (not back).")
    assert (found.rows[1].state, found.rows[1].failed) == ("not back", True)


def test_sentence_names_few_of_many_nodes_that_are_not_done():
    found = view(*(lost(f"n{number:02}") for number in range(30)))
    assert found.nodes.endswith("n09 (not back) and 20 more.")


def test_what_was_not_observed_is_not_drawn():
    found = view(updated(started=None, drain_started=None, drain_finished=None, not_ready=None, ready=None))
    assert shapes(found.node_charts[0]) == {"worker-0": ["whole", "good"]}
    assert found.rows[0].cells == ("-", "-", "-", "~09:01:40")


def test_resumed_run_draws_the_end_of_a_drain_whose_start_it_did_not_observe():
    found = view(updated(started=None, drain_started=None))
    drain = found.node_charts[0].rows[0].bars[1]
    assert (drain.kind, drain.is_open, drain.width) == ("drain", True, 2.0)
    assert found.rows[0].cells[1] == "unknown to ~09:00:35"


def test_node_without_any_time_is_listed_without_shapes():
    found = view(updated(state="updating", **dict.fromkeys(TIMES)))
    assert shapes(found.node_charts[0]) == {"worker-0": ["bad"]}


@pytest.mark.parametrize("nodes", [200, 2000])
def test_many_nodes_are_drawn_in_charts_of_limited_height(nodes):
    found = view(*(updated(f"worker-{n}", 100 * (n // 5)) for n in range(nodes - 1)), lost("worker-x", 1))
    shown = min(nodes, MOST_ROWS)
    assert [len(chart.rows) for chart in found.node_charts[:-1]] == [ROWS] * (shown // ROWS)
    assert sum(len(chart.rows) for chart in found.node_charts) == len(found.rows) == shown
    assert found.left_out == nodes - shown
    assert found.node_charts[0].counter == f"1-{ROWS} of {shown}"
    assert found.nodes.startswith(f"Update of {nodes} nodes observed: {nodes - 1} done, 1 not done.")
    assert any(row.failed for row in found.rows)
    for chart in found.node_charts:
        assert_is_inside(chart)
        assert chart.height < 600


@pytest.mark.parametrize("seconds", [1, 59, 600, 7200, 86400, 86400 * 40, 3e10])
def test_axis_has_few_marks_however_long_the_run(seconds):
    (chart,) = view(updated(done=at(seconds))).node_charts
    assert_is_inside(chart)
    assert len({tick.label for tick in chart.ticks if tick.label}) == len([t for t in chart.ticks if t.label])


def test_reboot_that_ends_before_it_began_by_two_clocks_is_drawn_and_has_no_length():
    found = view(updated(not_ready=at(90), ready=at(50)))
    assert_is_inside(found.node_charts[0])
    assert found.rows[0].cells[2] == "09:01:30 to 09:00:50 (unknown)"


SECONDS = st.none() | st.integers(0, 200) | st.integers(-int(START), int(9e10))
STATES = st.sampled_from(["done", "updating", "degraded", "left", "waiting", "", "x"])


@given(st.lists(st.tuples(STATES, *[SECONDS] * len(TIMES)), min_size=1, max_size=5))
def test_no_times_prevent_a_chart_or_are_drawn_outside_of_it(nodes):
    rows = [
        updated(f"n{number}", state=state, **{n: None if s is None else at(s) for n, s in zip(TIMES, seconds)})
        for number, (state, *seconds) in enumerate(nodes)
    ]
    found = view(*rows)
    assert len(found.rows) == len(rows)
    for chart in found.node_charts:
        assert_is_inside(chart)


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["w-0.blue.example.com", "w-1.blue.example.com"], ["w-0", "w-1"]),
        (["10.0.0.1", "10.0.0.2"], ["10.0.0.1", "10.0.0.2"]),
        (["x" * 60, "y"], [f"{'x' * 25}…", "y"]),
    ],
)
def test_labels_are_short_and_distinct(names, labels):
    (chart,) = view(*(updated(name) for name in names)).node_charts
    assert [row.label for row in chart.rows] == labels
    assert [row.title.partition(":")[0] for row in chart.rows] == names
