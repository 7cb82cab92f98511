# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.timeline import (
    MOST_ATTEMPTS,
    MOST_NODES,
    Span,
    timeline_of,
)
from hypothesis import given
from hypothesis import strategies as st


def attempt(**parts: t.Any) -> dict[str, t.Any]:
    return {"pod": "build-x", "started": "2026-11-24T09:00:00Z", "finished": "2026-11-24T09:02:00Z", **parts}


def node(name: str = "a", started: str | None = "2026-11-24T10:00:00Z", **parts: t.Any) -> dict[str, t.Any]:
    return {"name": name, "state": "done", "started": started, "done": "2026-11-24T10:05:00Z", **parts}


def nodes(*given_nodes: dict[str, t.Any]) -> dict[str, t.Any]:
    return {"nodes": list(given_nodes), "left_out": 0}


@pytest.mark.parametrize(("build", "rollout"), [(None, None), ({"name": "b", "attempts": []}, {"nodes": []}), (7, "x")])
def test_run_without_attempts_and_updates_has_no_timeline(build, rollout):
    assert timeline_of(build, rollout) is None


def test_attempts_are_numbered_and_have_their_times():
    timeline = timeline_of({"attempts": [attempt(state="failed", exit_code=1), attempt(finished=None)]}, None)
    assert [(a.number, a.state, a.exit_code, a.span.seconds) for a in timeline.attempts] == [
        (1, "failed", 1, 120.0),
        (2, "", 0, None),
    ]


def test_build_is_part_of_the_timeline_of_a_run_that_observed_nodes_only():
    build = {"name": "b", "state": "succeeded", "started": "2026-11-24T08:00:00Z", "finished": "2026-11-24T08:01:00Z"}
    timeline = timeline_of(build, nodes(node()))
    assert (timeline.build.name, timeline.build.span.seconds, timeline.attempts) == ("b", 60.0, ())


def test_nodes_are_in_the_order_of_their_first_time():
    timeline = timeline_of(
        None,
        nodes(node("c", None, done=None), node("b"), node("a"), node("z", None, not_ready="2026-11-24T09:59:00Z")),
    )
    assert [entry.name for entry in timeline.nodes] == ["z", "a", "b", "c"]


def test_node_that_is_not_done_has_no_end():
    (done, lost) = timeline_of(None, nodes(node("a"), node("b", state="updating"))).nodes
    assert (done.whole.seconds, lost.whole) == (300.0, Span(done.started, None))


def test_limit_leaves_out_nodes_that_are_done_first():
    many = [node(f"n{number:04}") for number in range(MOST_NODES)]
    timeline = timeline_of(None, nodes(*many, node("zz", "2026-11-24T11:00:00Z", state="degraded")))
    assert (len(timeline.nodes), timeline.left_out) == (MOST_NODES, 1)
    limited = timeline.limited(3)
    assert [entry.name for entry in limited.nodes] == ["n0000", "n0001", "zz"]
    assert limited.left_out == 1 + MOST_NODES - 3


def test_attempts_are_limited():
    assert len(timeline_of({"attempts": [attempt()] * 500}, None).attempts) == MOST_ATTEMPTS


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("9999-12-31T23:59:59Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["nodes", "attempts", "name", "state", "started", "done", "left_out"]), inner)
    ),
)


@given(ANYTHING, ANYTHING)
def test_no_result_is_an_error(build, rollout):
    timeline_of(build, rollout)
