# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.build_pods import pods_of_build
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.daemon_pods import daemon_pods
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import BuildRun
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import POD
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import NOON, daemon_pod
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden

NAMESPACE = "openshift-machine-config-operator"
RUN = BuildRun("layered-a", "uid-1", NOON)


def test_each_node_is_asked_in_its_own_daemon_pod(api, session):
    api.keep(POD, daemon_pod("worker-0"), daemon_pod("worker-1"))
    assert daemon_pods(session).running == {
        "worker-0": "machine-config-daemon-worker-0",
        "worker-1": "machine-config-daemon-worker-1",
    }
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    "pod",
    [
        daemon_pod("worker-0", ready=False),
        daemon_pod("worker-0", phase="Pending"),
        daemon_pod("worker-0", phase="Failed"),
        daemon_pod("worker-0", deletionTimestamp="2026-03-01T12:00:00Z"),
        daemon_pod("worker-0", labels={"k8s-app": "machine-config-server"}),
        daemon_pod("worker-0", namespace="default"),
        {**daemon_pod("worker-0"), "spec": {}},
        {**daemon_pod("worker-0"), "status": {"phase": "Running"}},
    ],
    ids=range(8),
)
def test_a_pod_in_which_no_command_can_run_is_none(pod, api, session):
    api.keep(POD, pod)
    assert daemon_pods(session).running == {}


@pytest.mark.parametrize(
    ("pod", "replaced"),
    [
        (daemon_pod("worker-0", deletionTimestamp="2026-03-01T12:00:00Z"), True),
        (daemon_pod("worker-0", phase="Pending"), True),
        (daemon_pod("worker-0", ready=False), False),
        (daemon_pod("worker-0"), False),
    ],
)
def test_pod_that_is_deleted_or_starts_is_being_replaced(pod, replaced, api, session):
    api.keep(POD, pod)
    assert (daemon_pods(session).replaced == {"worker-0"}) is replaced


def test_pods_of_one_node_are_read_alone(api, session):
    daemon_pods(session, "worker-0")
    assert api.requests[0].query["fieldSelector"] == "spec.nodeName=worker-0"


def test_the_pods_of_a_build_are_those_of_its_job(api, session):
    for job in ("build-layered-a", "build-layered-b"):
        api.keep(POD, {"metadata": {"name": job, "namespace": NAMESPACE, "labels": {"job-name": job}}})
    assert [p["metadata"]["name"] for p in pods_of_build(session, RUN)] == ["build-layered-a"]


def test_pods_of_a_build_that_may_not_be_read_are_none(api, session):
    api.always_fail("pods", forbidden("pods"))
    assert pods_of_build(session, RUN) is None
