# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for a rollout where the operator builds in single pods (OpenShift 4.16 and 4.17)."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import readers
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    ANNOTATION_PREFIX,
    CLUSTER_VERSION,
    MACHINE_OS_BUILD,
    OPERATOR_NAMESPACE,
    POD,
    POOL_LABEL,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    ListResult,
    Need,
    Outcome,
    ReadList,
    ReadObject,
    ReadResult,
    Snapshot,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.daemon_log import ReadDaemonLog
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.snapshot import RolloutWaitOptions
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.wait import (
    RolloutObservation,
    RolloutWaitState,
    observe,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins import pod_builds
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    all_pools,
    cluster_version,
    image_of,
    machine_config_pool,
    node,
    node_with_image,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import (
    BUILD,
    OTHER_POD,
    build,
    config,
    failed_pod,
    hidden_failure,
    marked_failed,
    pod,
    published,
)

OPTIONS = RolloutWaitOptions("layered")
READ_POD = ReadObject(POD, pod_builds.POD, OPERATOR_NAMESPACE, by_list=True)
LISTS = [
    ReadList(POD, OPERATOR_NAMESPACE, f"{label}=layered")
    for label in (ANNOTATION_PREFIX + "targetMachineConfigPool", POOL_LABEL)
]
VERSION = ReadObject(CLUSTER_VERSION, "version", retried=False)
CONFIRM = ReadObject(MACHINE_OS_BUILD, BUILD, by_list=True, retried=False)
IMAGE = image_of("a")
GENERIC = f"Failed to update OS to {IMAGE} after retries: timed out waiting for the condition"
DENIED = (
    f"W0812 12:01:01.123456    2541 update.go:2345] Failed to update OS to {IMAGE} (will retry): error running "
    f"rpm-ostree rebase --experimental ostree-unverified-registry:{IMAGE}: error: remote error: unauthorized: denied\n"
)
UPDATING = {"desiredImage": IMAGE, "state": "Working"}


class Wait:
    """A wait that observes a cluster as the loop does, with the time as an argument."""

    def __init__(self, *pods: dict[str, t.Any], logs: t.Mapping[str, str] | None = None) -> None:
        self.state = RolloutWaitState()
        self.pods = list(pods)
        self.logs = logs or {}
        self.fetched: list[Need[t.Any]] = []

    def observe(
        self,
        config_object: dict[str, t.Any],
        *builds: dict[str, t.Any],
        nodes: t.Sequence[dict[str, t.Any]] = (node("worker-0"),),
        now: float = 0.0,
        pools: t.Sequence[dict[str, t.Any]] = (),
    ) -> RolloutObservation:
        objects = {
            "Node": [readers.NODES.parse(obj) for obj in nodes],
            "MachineConfigPool": [readers.POOLS.parse(obj) for obj in pools or all_pools()],
            "MachineOSConfig": [pod_builds.read_config(config_object)],
            "MachineOSBuild": pod_builds.read_builds(*builds),
        }
        results: dict[Need[t.Any], t.Any] = {CONFIRM: ReadResult(as_v1(builds[0]))}
        while True:
            snapshot = Snapshot(objects, results, watched=now)
            self.state, last = observe(OPTIONS, snapshot, self.state, now)
            missing = [need for need in last.needs if need.once and need not in results]
            if not missing:
                return last
            self.fetched += missing
            results.update({need: self.fetch(need) for need in missing})

    def fetch(self, need: Need[t.Any]) -> t.Any:
        if need == READ_POD:
            return ReadResult(next((p for p in self.pods if p["metadata"]["name"] == need.name), None))
        if isinstance(need, ReadList):
            label = need.label_selector.partition("=")[0]
            return ListResult(tuple(p for p in self.pods if label in p["metadata"]["labels"]))
        if isinstance(need, ReadDaemonLog):
            return self.logs.get(need.node, "")
        assert need == VERSION
        return ReadResult(cluster_version("4.16.9"))


def ids(last: RolloutObservation) -> list[str]:
    return ids_of(last.findings)


def test_rollout_ends_with_the_last_node() -> None:
    wait = Wait()
    waiting = wait.observe(published(), build())
    updating = wait.observe(published(), build(), nodes=[node("worker-0", annotations=UPDATING)], now=30)
    done = wait.observe(published(), build(), nodes=[node_with_image("a")], now=60)
    assert [o.outcome for o in (waiting, updating, done)] == [Outcome.WAITING, Outcome.WAITING, Outcome.SUCCEEDED]
    assert done.findings == ()
    assert wait.fetched == [VERSION], "neither pods nor logs are read without need"


def test_state_of_the_pool_and_the_taint_of_its_nodes_decide_nothing() -> None:
    tainted = node_with_image("a")
    tainted["spec"]["taints"] = [{"key": "UpdateInProgress", "effect": "PreferNoSchedule"}]
    pool = machine_config_pool()
    pool["metadata"]["generation"] = 12
    message = f"All nodes are updating to MachineConfig x / Image {image_of('0')}"
    pool["status"] = {
        "machineCount": 1,
        "readyMachineCount": 0,
        "updatedMachineCount": 0,
        "conditions": [{"type": "Updating", "status": "True", "message": message}],
    }
    assert Wait().observe(published(), build(), nodes=[tainted], pools=[pool]).outcome is Outcome.SUCCEEDED


# The build -----------------------------------------------------------------------------------------------------------


def test_build_in_progress_is_waited_for_and_its_pod_read_once_a_minute() -> None:
    wait = Wait(pod())
    for now in (0, 10, 59, 60, 61):
        last = wait.observe(config(), build("Building"), now=now)
        assert (last.outcome, ids(last)) == (Outcome.WAITING, [])
    assert wait.fetched.count(READ_POD) == 2


@pytest.mark.parametrize("obj", [build("Building"), build("Failed"), hidden_failure()], ids=["1", "2", "3"])
@pytest.mark.parametrize("release", ["4.16", "4.17"])
def test_failed_pod_ends_the_wait(obj: dict[str, t.Any], release: str) -> None:
    last = Wait(failed_pod(release=release)).observe(config(), obj)
    assert ids(last) == ["build.failed"]
    assert last.findings[0].fatal


def test_build_pod_that_a_drain_evicted_ends_the_wait() -> None:
    wait = Wait(pod())
    assert ids(wait.observe(config(), build("Building"))) == []
    wait.pods = []
    assert ids(wait.observe(config(), build("Building"), now=60)) == []
    assert ids(wait.observe(config(), build("Building"), now=66)) == []
    assert ids(wait.observe(config(), build("Building"), now=70)) == ["build.pod_lost"]


def test_pod_that_appears_after_the_first_read_is_found() -> None:
    wait = Wait()
    wait.observe(config(), build("Prepared"))
    wait.pods = [pod()]
    assert ids(wait.observe(config(), build("Prepared"), now=5)) == []
    assert ids(wait.observe(config(), build("Prepared"), now=30)) == []


def test_build_that_a_left_pod_marks_as_failed_is_waited_for() -> None:
    wait = Wait(pod(), failed_pod(rendered=OLD_RENDERED))
    for now in (0, 10, 20, 40):
        last = wait.observe(config(), build("Failed"), now=now)
        assert (last.outcome, ids(last)) == (Outcome.WAITING, ["build.pod_left"])


@pytest.mark.parametrize("release", ["4.16", "4.17"])
def test_left_pod_that_marks_a_build_without_a_pod_ends_the_wait(release: str) -> None:
    wait = Wait(failed_pod(rendered=OLD_RENDERED, release=release))
    wait.observe(config(), build("Failed"))
    last = wait.observe(config(), build("Failed"), now=10)
    assert ids(last) == ["build.failed_by_other_pod"]
    assert wait.fetched.count(LISTS[0]) == wait.fetched.count(LISTS[1]) == 1


def test_running_pod_of_another_config_is_not_left() -> None:
    wait = Wait(pod(rendered=OLD_RENDERED))
    wait.observe(config(), build("Failed"))
    assert ids(wait.observe(config(), build("Failed"), now=10)) == ["build.failed"]


def test_pod_that_may_not_be_read_is_not_lost() -> None:
    wait = Wait()
    wait.fetch = lambda need: ReadResult(known=False) if need == READ_POD else ReadResult(None)  # type: ignore[method-assign]
    for now in (0, 20, 100):
        assert ids(wait.observe(config(), build("Building"), now=now)) == []


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([node("worker-0")], ["pool.build_not_succeeded"]),
        ([node("worker-0", annotations=UPDATING)], []),
        ([node_with_image("a", "worker-0")], []),
    ],
    ids=["waiting", "updating", "done"],
)
def test_node_controller_updates_no_further_node_if_the_build_is_no_longer_succeeded(
    nodes: list[dict[str, t.Any]], found: list[str]
) -> None:
    wait = Wait(failed_pod(rendered=OLD_RENDERED))
    last = wait.observe(published(), marked_failed(build()), nodes=nodes)
    assert ids(last) == found
    for finding in last.findings:
        assert OTHER_POD in finding.message
        assert finding.remedy.startswith("Run module machineosconfig again")
        assert finding.fatal


def test_rollout_is_done_although_a_left_pod_marked_its_build() -> None:
    done = Wait().observe(published(), marked_failed(build()), nodes=[node_with_image("a")])
    assert done.outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("nodes", [[node("worker-0")], [node("worker-0", annotations={"desiredImage": image_of("b")})]])
def test_image_of_another_rendered_config_ends_the_wait_before_and_during_the_rollout(
    nodes: list[dict[str, t.Any]],
) -> None:
    wait = Wait()
    other = build(rendered=OLD_RENDERED, image=image_of("b"))
    assert ids(wait.observe(published("b"), build(), other, nodes=nodes)) == []
    assert ids(wait.observe(published("b"), build(), other, nodes=nodes, now=10)) == ["build.image_of_other_config"]


# The nodes -----------------------------------------------------------------------------------------------------------


def degraded(reason: str) -> dict[str, t.Any]:
    return node("worker-0", annotations={**UPDATING, "state": "Degraded", "reason": reason}, unschedulable=True)


def test_cause_of_a_failed_update_comes_from_the_log_of_the_daemon() -> None:
    wait = Wait(logs={"worker-0": DENIED})
    first = wait.observe(published(), build(), nodes=[degraded(GENERIC)])
    assert ids(first) == ["node.degraded"]
    assert "unauthorized: denied" in first.findings[0].message
    assert "unauthorized: denied" in first.progress
    last = wait.observe(published(), build(), nodes=[degraded(GENERIC)], now=60)
    assert ids(last) == ["node.image_pull_denied"]
    assert "current_image_pull_secret" in last.findings[0].remedy
    assert wait.fetched.count(ReadDaemonLog("worker-0")) == 2


def test_image_that_does_not_exist_is_built_again_by_the_module() -> None:
    wait = Wait(logs={"worker-0": DENIED.replace("unauthorized: denied", "manifest unknown")})
    wait.observe(published(), build(), nodes=[degraded(GENERIC)])
    last = wait.observe(published(), build(), nodes=[degraded(GENERIC)], now=60)
    assert ids(last) == ["node.image_not_found"]
    assert last.findings[0].remedy.startswith("Run module machineosconfig again")


def test_log_that_cannot_be_read_leaves_the_cause_open() -> None:
    last = Wait().observe(published(), build(), nodes=[degraded(GENERIC)])
    assert ids(last) == ["node.cause_in_log"]


def test_node_that_cannot_return_to_the_image_of_the_release_ends_the_wait() -> None:
    reason = "rolling back from a layered to non-layered configuration is not currently supported"
    last = Wait().observe(published(), build(), nodes=[degraded(reason)])
    assert ids(last) == ["node.revert_not_supported"]
    assert last.findings[0].fatal
    assert "Create a MachineOSConfig for the pool of the node again" in last.findings[0].remedy
