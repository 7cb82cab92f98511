# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests stand on: a cluster on loopback, and a search of properties without a clock."""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer
from hypothesis import HealthCheck, settings

settings.register_profile(
    "without-a-clock",
    deadline=None,
    derandomize=True,  # the same examples every time: what fails here fails everywhere
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("without-a-clock")


@pytest.fixture
def api() -> t.Iterator[ApiServer]:
    """An empty API server."""
    server = ApiServer()
    yield server
    server.stop()


class Nap:
    """The pause between two attempts: but a moment, and after some of them something can be made to happen."""

    def __init__(self) -> None:
        self._taken = 0
        self._then: dict[int, t.Callable[[], None]] = {}
        self._lock = threading.Lock()

    def after(self, count: int, happens: t.Callable[[], None]) -> None:
        """Let something happen after so many pauses more."""
        self._then[self._taken + count] = happens

    def __call__(self, seconds: float) -> None:
        time.sleep(seconds / 50)
        with self._lock:
            self._taken += 1
            happens = self._then.pop(self._taken, None)
        if happens:
            happens()


@pytest.fixture
def nap() -> Nap:
    """How the session sleeps."""
    return Nap()


@pytest.fixture
def session(api: ApiServer, nap: Nap) -> Session:
    """A session with the API server."""
    return Session(connect({"host": api.url, "api_key": "sha256~token"}), patience=5, sleep=nap)
