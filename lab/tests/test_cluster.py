# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from lab.cluster import is_unnoticed

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=timezone.utc)


def pod(phase: str, bound_for: float | None) -> dict[str, object]:
    """A pod that was bound to its node so many seconds ago, or never."""
    conditions = []
    if bound_for is not None:
        at = (NOW - timedelta(seconds=bound_for)).strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [{"type": "PodScheduled", "status": "True", "lastTransitionTime": at}]
    return {"status": {"phase": phase, "conditions": conditions}}


@pytest.mark.parametrize(
    ("phase", "bound_for", "unnoticed"),
    [("Pending", 16, True), ("Pending", 14, False), ("Pending", None, False), ("Running", 60, False)],
)
def test_a_pod_that_waits_on_its_node_for_long_was_not_noticed(
    phase: str, bound_for: float | None, unnoticed: bool
) -> None:
    assert is_unnoticed(pod(phase, bound_for), NOW) is unnoticed
