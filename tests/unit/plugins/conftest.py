# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests stand on: a cluster on loopback, and a search of properties without a clock."""

from __future__ import annotations

import time
import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer
from hypothesis import HealthCheck, settings

settings.register_profile(
    "without-a-clock", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("without-a-clock")


@pytest.fixture
def api() -> t.Iterator[ApiServer]:
    """An empty API server."""
    server = ApiServer()
    yield server
    server.stop()


@pytest.fixture
def session(api: ApiServer) -> Session:
    """A session with the API server that sleeps but a moment between attempts."""
    options = {"host": api.url, "api_key": "sha256~token"}
    return Session(connect(options), patience=5, sleep=lambda seconds: time.sleep(seconds / 50))
