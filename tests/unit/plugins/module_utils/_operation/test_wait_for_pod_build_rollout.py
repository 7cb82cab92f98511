# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollout, expectation, forecast where the operator builds in single pods (OpenShift 4.16 and 4.17)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.expectation import PoolExpectation
from ansible_collections.imagemode.openshift.plugins.module_utils._model.proof.verdict import Expected, Verdict
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.daemon_log import ReadDaemonLog
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.expected_image import expectation_of_pool
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.read_daemon_log import DaemonLogSource
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.wait_for_rollout import (
    RolloutWaitRequest,
    wait_for_rollout,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    NOON,
    OLD_RENDERED,
    all_pools,
    cluster_version,
    daemon_pod,
    image_of,
    machine_config_pool,
    node,
    node_with_image,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, forbidden
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import (
    build,
    config,
    failed_pod,
    marked_failed,
    pod,
    published,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    NOT_SERVED,
    OLDER_BUILD,
    OLDER_CONFIG,
)

IMAGE = image_of("a")
EDITED = "2026-03-01T12:30:00Z"
DENIED = (
    f"{NOON} W0812 12:01:01.123456    2541 update.go:2345] Failed to update OS to {IMAGE} (will retry): error running "
    f"rpm-ostree rebase --experimental ostree-unverified-registry:{IMAGE}: error: remote error: unauthorized: denied"
)


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    api.not_served.update(NOT_SERVED)
    api.keep(CLUSTER_VERSION, cluster_version("4.16.9"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(OLDER_CONFIG, published())
    api.keep(OLDER_BUILD, build())
    return api


def request(cursor: str = "", window: float = 30) -> RolloutWaitRequest:
    return RolloutWaitRequest("layered", (), Limits(0, window), cursor, False)


def test_rollout_is_done_when_all_nodes_have_the_image(cluster: ApiServer, session: Session) -> None:
    cluster.keep(NODE, node_with_image("a"))
    done = wait_for_rollout(session, request())
    assert (done["finished"], done["findings"]) == (True, [])
    assert not [path for path in cluster.said if "/pods" in path]


def test_cause_in_the_log_of_the_daemon_is_reported(cluster: ApiServer, session: Session) -> None:
    reason = f"Failed to update OS to {IMAGE} after retries: timed out waiting for the condition"
    cluster.keep(NODE, node("worker-0", annotations={"desiredImage": IMAGE, "state": "Degraded", "reason": reason}))
    cluster.keep(POD, daemon_pod("worker-0"), daemon_pod("worker-1"))
    cluster.logs["machine-config-daemon-worker-0/machine-config-daemon"] = [DENIED]
    found = wait_for_rollout(session, request())
    assert [f["id"] for f in found["findings"]] == ["node.degraded"]
    assert "unauthorized: denied" in found["findings"][0]["message"]
    (log,) = [r for r in cluster.requests if r.path.endswith("/log")]
    assert (log.query["container"], log.query["tailLines"]) == ("machine-config-daemon", "400")
    again = wait_for_rollout(session, request(found["cursor"], window=0.5))
    assert again["findings"] == found["findings"]
    assert len([r for r in cluster.requests if r.path.endswith("/log")]) == 1, "the cause is kept in the cursor"


def test_left_pod_of_another_config_does_not_end_the_wait(cluster: ApiServer, session: Session) -> None:
    cluster.keep(NODE, node())
    cluster.keep(OLDER_CONFIG, config())
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(POD, pod(release="4.17"), failed_pod(rendered=OLD_RENDERED, release="4.17"))
    found = wait_for_rollout(session, request())
    assert (found["finished"], [f["id"] for f in found["findings"]]) == (False, ["build.pod_left"])
    again = wait_for_rollout(session, request(found["cursor"], window=0.5))
    assert again["findings"] == found["findings"]


# The log of a daemon -------------------------------------------------------------------------------------------------


def read(session: Session) -> t.Any:
    return DaemonLogSource(session).fetch(ReadDaemonLog("worker-0"))


def test_newest_pod_of_the_daemon_is_read(cluster: ApiServer, session: Session) -> None:
    old = daemon_pod("worker-0", name="old", creationTimestamp="2026-03-01T10:00:00Z")
    new = daemon_pod("worker-0", name="new", creationTimestamp="2026-03-01T11:00:00Z", ready=False)
    ending = daemon_pod("worker-0", name="ending", creationTimestamp=NOON, deletionTimestamp=NOON)
    cluster.keep(POD, old, new, ending)
    cluster.logs["new/machine-config-daemon"] = [f"{NOON} words"]
    assert read(session) == "words\n"
    assert len(cluster.requests) == 2


def test_log_of_a_missing_daemon_is_empty(cluster: ApiServer, session: Session) -> None:
    assert read(session) == ""


@pytest.mark.parametrize("part", ["/pods?", "/log"])
def test_log_that_may_not_be_read_is_empty(part: str, cluster: ApiServer, session: Session) -> None:
    cluster.keep(POD, daemon_pod("worker-0"))
    cluster.always_fail(part, forbidden("pods"))
    assert read(session) == ""


def test_source_of_daemon_logs_fetches_nothing_else(session: Session) -> None:
    source = DaemonLogSource(session)
    assert source.fetch(t.cast(t.Any, object())) is None
    assert source.results() == {}


# The expected image --------------------------------------------------------------------------------------------------


def expectation(session: Session) -> PoolExpectation:
    configs = session.list(MACHINE_OS_CONFIG).items
    return expectation_of_pool(session, Pool.from_api(machine_config_pool()), configs)


def expected(session: Session) -> Expected:
    return expectation(session).expected


def test_image_of_the_current_build_is_expected(cluster: ApiServer, session: Session) -> None:
    found = expected(session)
    assert (found.pull_spec, found.current) == (IMAGE, True)


def test_image_is_proven_to_be_built_from_the_containerfile(cluster: ApiServer, session: Session) -> None:
    found = expectation(session)
    content = found.content_for(found.expected, [Verdict.MATCH])
    assert content is not None
    assert (content.text, content.is_proven) == ("FROM configs AS final\n", True)


def test_image_stays_expected_after_a_left_pod_marked_its_build(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, marked_failed(build()))
    assert expected(session).current


def test_image_before_an_edit_that_was_not_built_proves_nothing(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_CONFIG, config(image=IMAGE, edited=EDITED))
    found = expected(session)
    assert (found.current, found.doubt) == (False, "cluster.expectation_unproven")
    assert "started no build" in found.why_not


def test_image_of_another_rendered_config_is_not_expected(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_CONFIG, published("b"))
    cluster.keep(OLDER_BUILD, build(rendered=OLD_RENDERED, image=image_of("b")))
    found = expected(session)
    assert (found.current, found.doubt) == (False, "cluster.expectation_unproven")
    assert OLD_RENDERED in found.why_not


@pytest.mark.parametrize("true", ["Building", "Failed"])
def test_image_of_the_build_before_is_not_expected_during_the_next_one(
    true: str, cluster: ApiServer, session: Session
) -> None:
    cluster.keep(OLDER_BUILD, build(true), build(rendered=OLD_RENDERED))
    found = expected(session)
    assert (found.current, found.doubt) == (False, "cluster.expectation_not_current")


def test_builds_of_other_pools_prove_nothing(cluster: ApiServer, session: Session) -> None:
    other = build()
    other["metadata"]["name"] = other["metadata"]["name"].replace("layered-rendered", "gpu-rendered", 1)
    cluster.drop(OLDER_BUILD, build()["metadata"]["name"])
    cluster.keep(OLDER_BUILD, other)
    assert not expected(session).current
