# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lab.cluster import is_stuck

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


def pod(phase: str, bound_for: float | None) -> dict[str, object]:
    """Return a pod that was bound to its node that many seconds ago, or never."""
    conditions = []
    if bound_for is not None:
        at = (NOW - timedelta(seconds=bound_for)).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at}]
    return {"status": {"phase": phase, "conditions": conditions}}


@pytest.mark.parametrize(
    ("phase", "bound_for", "stuck"),
    [("Pending", 16, True), ("Pending", 14, False), ("Pending", None, False), ("Running", 60, False)],
)
def test_pod_that_is_pending_for_too_long_after_scheduling_is_stuck(
    phase: str, bound_for: float | None, stuck: bool
) -> None:
    assert is_stuck(pod(phase, bound_for), NOW) is stuck
