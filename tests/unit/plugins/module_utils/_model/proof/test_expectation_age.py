# SPDX-License-Identifier: GPL-3.0-or-later
"""How old an expected image of the inventory may be."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.expectation_age import (
    MAX_AGE,
    doubt_about_expectation,
)

STARTED = datetime(2026, 3, 1, 12, 0, tzinfo=timezone.utc)
SECOND = timedelta(seconds=1)


def doubt(read_at: object, cached: bool = False, later: timedelta = timedelta(0)) -> tuple[str, str]:
    """Return id and message of the doubt about an image, or two empty texts; *later* after the start of the play."""
    text = read_at.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(read_at, datetime) else read_at
    found = doubt_about_expectation("worker-0", text, cached, STARTED, STARTED + later)
    return (found.id.value, found.message) if found else ("", "")


@pytest.mark.parametrize("read_at", [STARTED, STARTED - MAX_AGE, STARTED + SECOND])
def test_image_that_was_read_right_before_the_play_is_current(read_at):
    assert doubt(read_at) == ("", "")


def test_image_does_not_age_during_a_long_play():
    assert doubt(STARTED - SECOND, later=timedelta(hours=9)) == ("", "")


def test_image_that_was_read_during_a_long_play_is_current():
    assert doubt(STARTED + timedelta(hours=2), later=timedelta(hours=2)) == ("", "")


@pytest.mark.parametrize(
    ("read_at", "reason"),
    [
        (STARTED - MAX_AGE - SECOND, "was read at 2026-03-01T11:54:59Z, 5 minutes before the play"),
        (STARTED - timedelta(days=30), "was read at 2026-01-30T12:00:00Z, 43200 minutes before the play"),
        (STARTED + MAX_AGE + SECOND, "was read at 2026-03-01T12:05:01Z, which is in the future by the clock"),
        (None, "was read at an unknown time"),
        ("", "was read at an unknown time"),
        ("soon", "was read at an unknown time"),
        (1, "was read at an unknown time"),
        (["2026-03-01T12:00:00Z"], "was read at an unknown time"),
        ("2026-03-01T12:00:00+01:00", "was read at an unknown time"),
    ],
)
def test_image_that_may_be_outdated_is_named_with_its_time(read_at, reason):
    finding, message = doubt(read_at)
    assert finding == "cluster.expectation_outdated"
    assert message.startswith(f"the expected image of Node worker-0 {reason}")


def test_cache_is_named_before_the_age():
    assert doubt("2026-01-01T00:00:00Z", cached=True) == (
        "cluster.expectation_cached",
        "the expected image of Node worker-0 comes from a cache, read at 2026-01-01T00:00:00Z",
    )
