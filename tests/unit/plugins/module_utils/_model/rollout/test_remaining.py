# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import (
    NodeHistory,
    RolloutHistory,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.remaining import remaining_seconds


def history(*starts: float | None, durations: tuple[float, ...] = (100.0,)) -> RolloutHistory:
    """A history with completed updates and with one updating node for each start."""
    nodes = {f"worker-{n}": NodeHistory(updating=True, update_started=start) for n, start in enumerate(starts)}
    return RolloutHistory({**nodes, "waiting": NodeHistory(not_ready_since=1.0)}, durations, started=True)


@pytest.mark.parametrize(
    ("starts", "waiting", "most_unavailable", "now", "seconds"),
    [
        ([1110], 1, 1, 1110, 200),
        ([1110], 1, 1, 1150, 160),
        ([1110], 1, 2, 1110, 100),
        ([1110], 9, 5, 1110, 200),
        ([1110], 0, 1, 9999, 0),
        ([1110, 1150], 0, 1, 1160, 90),
        ([None], 0, 1, 9999, 100),
        ([None], 1, 1, 9999, 200),
        ([], 1, 1, 0, 100),
        ([], 3, 2, 0, 200),
    ],
    ids=[
        "one after the other",
        "part of the update is over",
        "both at the same time",
        "in two batches",
        "later than usual",
        "the last of two",
        "started before the wait",
        "after one that started before the wait",
        "none has started",
        "three in two slots",
    ],
)
def test_remaining_time_follows_the_completed_updates(starts, waiting, most_unavailable, now, seconds):
    assert remaining_seconds(history(*starts), waiting, most_unavailable, now) == seconds


def test_remaining_time_is_unknown_before_the_first_update_is_complete():
    assert remaining_seconds(history(1010, durations=()), 3, 1, 1020) is None


def test_remaining_time_uses_the_median_duration():
    assert remaining_seconds(history(durations=(100.0, 110.0, 5000.0)), 1, 1, 0) == 110
