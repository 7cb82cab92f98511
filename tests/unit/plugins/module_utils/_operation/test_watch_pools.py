# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.wait import PoolsWaitOptions
from ansible_collections.imagemode.openshift.plugins.module_utils._operation import watch_pools as watching
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.watch_pools import watch_pools
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import all_pools, cluster_version, node
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden


@pytest.fixture
def cluster(api):
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(NODE, node("worker-0", roles=["worker"]))
    api.keep(CLUSTER_VERSION, cluster_version())
    return api


def next_events(events: t.Iterator[t.Any], *wanted: str) -> list[t.Any]:
    """Return the next events until each of the wanted types was among them."""
    found: list[t.Any] = []
    for event in events:
        found += [event] if event else []
        if set(wanted) <= {one["type"] for one in found}:
            return found
    raise AssertionError("the source ended")


def test_change_is_an_event_with_the_cluster(cluster, session):
    events = watch_pools(session, PoolsWaitOptions(("layered",)))
    assert next(events) is None  # the first observation has no transitions
    cluster.keep(NODE, node("worker-0"))
    (joined, *dummy) = next_events(events, "node_joined")
    assert joined["object"] == {"kind": "Node", "namespace": None, "name": "worker-0"}
    assert joined["cluster"]["api_url"] == session.api_url
    assert joined["cluster"]["id"] == "11111111-2222-3333-4444-555555555555"


def test_watch_continues_with_the_next_window_where_the_last_one_ended(cluster, session, monkeypatch):
    monkeypatch.setattr(watching, "WINDOW", 1.5)
    events = watch_pools(session, PoolsWaitOptions(("layered",)))
    for dummy in range(4):
        assert next(events) is None
    cluster.keep(NODE, node("worker-0"))
    assert next_events(events, "node_joined")[0]["pool"] == "layered"
    lists = [
        request for request in cluster.requests if request.path.endswith("/nodes") and "watch" not in request.query
    ]
    assert len(lists) == 1


def test_outage_is_reported_when_it_begins_and_when_it_ends(cluster, session):
    lines: list[str] = []
    events = watch_pools(session, PoolsWaitOptions(("layered",)), report=lines.append)
    next(events)
    cluster.stop()
    while not lines:
        next(events)
    cluster.start()
    cluster.keep(NODE, node("worker-0"))
    assert next_events(events, "node_joined")
    assert lines[0].startswith("API server away: ")
    assert lines[1:] == ["API server back: the watch continues"]


def test_account_that_may_not_read_nodes_ends_the_watch(cluster, session):
    cluster.always_fail("/nodes", forbidden("nodes"))
    with pytest.raises(OperationError, match=r"Could not list Nodes: .*forbidden"):
        list(watch_pools(session, PoolsWaitOptions()))
