# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import time
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import watch_errors
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.timestamp import timestamp_at
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout import wait as rollout_wait
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import Idle, RolloutHistory
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import Phase
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_times import (
    Moment,
    NodeTimes,
    RolloutTimes,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.progress import Rollout
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.wait import (
    RolloutObservation,
    RolloutWaitState,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.wait_for_rollout import (
    RolloutWaitRequest,
    timeline_result,
    wait_for_rollout,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import Cursor, Progress, read_cursor
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    all_pools,
    budget,
    cluster_version,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
    pod,
    render_degraded,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden

ASSIGNED = {"desiredImage": image_of("a")}
REBUILD = "machineconfiguration.openshift.io/rebuild"


def request(
    *nodes: str,
    cursor: str = "",
    timeout: float = 0,
    window: float = 30,
    check: bool = False,
    fail_on: t.Sequence[str] = ("fatal",),
) -> RolloutWaitRequest:
    return RolloutWaitRequest("layered", nodes, Limits(timeout, window, fail_on=fail_on), cursor, check)


@pytest.fixture
def cluster(api):
    """A pool with a built image and two nodes that it is not assigned to."""
    api.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    api.keep(NODE, node("worker-0"), node("worker-1"), node("plain-0", roles=["worker"]))
    return api


def finish_nodes(api, *names: str) -> None:
    api.keep(NODE, *(node_with_image("a", name) for name in names or ("worker-0", "worker-1")))


def test_completed_rollout_returns_at_once(cluster, session):
    finish_nodes(cluster)
    done = wait_for_rollout(session, request())
    assert done["finished"]
    assert done["rollout"] == {"total": 2, "done": 2, "updating": 0, "waiting": 0, "left": 0, "remaining_seconds": None}
    assert [(n["name"], n["phase"]) for n in done["nodes"]] == [("worker-0", "done"), ("worker-1", "done")]
    assert done["nodes"][0]["current_image"] == image_of("a")
    assert done["cluster"]["version"] == "4.21.0"


def test_rollout_that_has_not_started_is_not_done(cluster, session):
    first = wait_for_rollout(session, request())
    assert not first["finished"]
    assert first["rollout"]["waiting"] == 2
    assert first["progress"] == "pool layered: 0/2 nodes updated"


def test_wait_ends_with_the_last_node(cluster, session):
    seen = wait_for_rollout(session, request())
    finish_nodes(cluster, "worker-0")
    cluster.keep(NODE, node("worker-1", annotations={**ASSIGNED, "state": "Working"}))
    finish_nodes(cluster)
    while not seen["finished"]:
        seen = wait_for_rollout(session, request(cursor=seen["cursor"]))
    assert seen["progress"] == "pool layered: 2/2 nodes updated"
    lists = [r for r in cluster.requests if "limit" in r.query]
    assert [r.query.get("fieldSelector") for r in lists if r.path.endswith("/machineosbuilds")] == [
        None,
        "metadata.name=layered-a",
    ]
    others = [r.path.rpartition("/")[2] for r in lists if not r.path.endswith("/machineosbuilds")]
    assert sorted(others) == ["machineconfigpools", "machineosconfigs", "nodes"]


def test_nodes_with_the_image_before_a_requested_rebuild_are_not_done_after_the_request_is_removed(cluster, session):
    finish_nodes(cluster)
    config = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
    requested = copy.deepcopy(config)
    requested["metadata"]["annotations"][REBUILD] = ""
    cluster.keep(MACHINE_OS_CONFIG, requested)
    seconds = [1_000_000.0]

    def now() -> float:
        seconds[0] += 10
        return seconds[0]

    first = wait_for_rollout(session, request(), now)
    assert "waiting for the requested rebuild to start" in first["progress"]
    cluster.keep(MACHINE_OS_CONFIG, config)
    with pytest.raises(OperationError, match="the requested rebuild of MachineOSBuild layered-a has not started"):
        wait_for_rollout(session, request(cursor=first["cursor"]), now)


def test_nodes_with_the_image_of_a_deleted_build_are_not_done(cluster, session):
    finish_nodes(cluster)
    known = wait_for_rollout(session, request())
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    assert not wait_for_rollout(session, request(cursor=known["cursor"], window=1))["finished"]


def test_only_the_named_nodes_are_awaited(cluster, session):
    finish_nodes(cluster, "worker-0")
    assert wait_for_rollout(session, request("worker-0"))["finished"]
    assert not wait_for_rollout(session, request("worker-0", "worker-1"))["finished"]


def test_several_changes_of_nodes_are_one_report(cluster, session, monkeypatch):
    monkeypatch.setattr(rollout_wait, "SHORTEST_REPORT_INTERVAL", 0.5)
    first = wait_for_rollout(session, request())
    for state in ("Working", "Done"):
        cluster.keep(NODE, node("worker-0", annotations={**ASSIGNED, "state": state}))
    second = wait_for_rollout(session, request(cursor=first["cursor"]))
    assert second["progress"] == "pool layered: 0/2 nodes updated, worker-0 applying the image"


def test_new_finding_is_reported_at_once(cluster, session, monkeypatch):
    monkeypatch.setattr(rollout_wait, "SHORTEST_REPORT_INTERVAL", 10**6)
    first = wait_for_rollout(session, request())
    cluster.keep(NODE, node("worker-0", annotations={**ASSIGNED, "state": "Degraded", "reason": "cannot pull"}))
    second = wait_for_rollout(session, request(cursor=first["cursor"]))
    assert second["progress"].endswith("nodes updated, worker-0 degraded (cannot pull)")
    assert [(f["id"], f["evidence"]) for f in second["findings"]] == [
        ("node.degraded", "cannot pull"),
        ("pool.max_unavailable_reached", "worker-0 degraded (cannot pull)"),
    ]


def test_fatal_finding_ends_the_wait(cluster, session):
    cluster.keep(CLUSTER_VERSION, cluster_version("4.20.5"))
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"), machine_os_build("layered-b", created=LATER))
    edited = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
    cluster.keep(MACHINE_OS_CONFIG, edited)
    idle = RolloutWaitState(RolloutHistory(idle=Idle(image_of("b"))))
    long_ago = str(Cursor(Progress(started=time.time() - 100), {}, idle))
    with pytest.raises(
        OperationError, match=r"uses MachineOSBuild layered-a instead of layered-b.*Run machineosbuild_superseded"
    ) as error:
        wait_for_rollout(session, request(cursor=long_ago))
    assert [f["id"] for f in error.value.result["findings"]] == ["pool.older_build_selected"]


def test_failed_build_ends_the_wait(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    with pytest.raises(OperationError, match="MachineOSBuild layered-a failed"):
        wait_for_rollout(session, request())


@pytest.mark.parametrize(
    ("pool", "given"),
    [(machine_config_pool(paused=True), request()), (machine_config_pool(), request("worker-0", "plain-0"))],
    ids=["a paused pool", "a node outside the pool"],
)
def test_finding_that_cannot_clear_by_itself_ends_the_wait(pool, given, cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, pool)
    finish_nodes(cluster, "worker-0")
    with pytest.raises(OperationError, match=r"layered is paused|plain-0 is not in MachineConfigPool layered") as error:
        wait_for_rollout(session, given)
    assert not error.value.result["finished"]
    rollout = error.value.result["rollout"]
    assert [rollout[phase] for phase in ("total", "done", "updating", "waiting")] == [2, 1, 0, 1]


def test_timeout_names_what_blocks_the_rollout(cluster, session):
    cluster.keep(NODE, node("worker-0", annotations={**ASSIGNED, "state": "Degraded", "reason": "cannot pull"}))
    first = wait_for_rollout(session, request())
    with pytest.raises(
        OperationError, match=r"not done after 0\.5 s \(.*0/2 .*\): Node worker-0 is degraded: cannot pull"
    ) as error:
        wait_for_rollout(session, request(cursor=first["cursor"], timeout=0.5))
    assert error.value.result["rollout"]["total"] == 2


def test_wait_without_a_timeout_continues(cluster, session):
    began = str(Cursor(Progress(started=time.time() - 10**6), {}, RolloutWaitState()))
    assert not wait_for_rollout(session, request(cursor=began))["finished"]


@pytest.mark.parametrize(
    ("given", "reason"),
    [(request("gone", "worker-0", "lost"), "Node gone, lost does not exist"), (request(), "no node is in it")],
)
def test_wait_without_nodes_fails(given, reason, cluster, session):
    cluster.drop(NODE, "worker-1")
    cluster.keep(NODE, node("worker-0", roles=["worker"]))
    with pytest.raises(OperationError, match=f"^Could not await the rollout of MachineConfigPool layered: {reason}"):
        wait_for_rollout(session, given)


def test_pool_that_does_not_exist_is_an_error(cluster, session):
    cluster.drop(MACHINE_CONFIG_POOL, "layered")
    with pytest.raises(OperationError, match="MachineConfigPool layered does not exist"):
        wait_for_rollout(session, request())


def test_check_mode_does_not_wait_and_accepts_a_missing_pool(cluster, session):
    done = wait_for_rollout(session, request(check=True))
    assert (done["finished"], done["rollout"]["waiting"]) == (True, 2)
    cluster.drop(MACHINE_CONFIG_POOL, "layered")
    assert wait_for_rollout(session, request(check=True))["finished"]


def test_pool_without_a_machineosconfig_is_done_by_its_rendered_config(cluster, session):
    cluster.drop(MACHINE_OS_CONFIG, "layered")
    assert wait_for_rollout(session, request())["finished"]


def test_outage_is_reported_once(cluster, session, nap):
    first = wait_for_rollout(session, request())
    cluster.stop()
    session.patience = 0
    away = wait_for_rollout(session, request(cursor=first["cursor"]))
    assert away["progress"].startswith("API server away: no connection to ")

    def come_back() -> None:
        cluster.start()
        finish_nodes(cluster)

    nap.after(20, come_back)
    assert wait_for_rollout(session, request(cursor=away["cursor"]))["finished"]


def test_outage_that_outlasts_a_window_is_not_reported_again(cluster, session):
    session.patience = 0
    first = wait_for_rollout(session, request())
    cluster.stop()
    away = wait_for_rollout(session, request(cursor=first["cursor"]))
    still = wait_for_rollout(session, request(cursor=away["cursor"], window=1))
    assert still["progress"] == away["progress"]
    assert not still["finished"]
    assert still["elapsed"] > away["elapsed"]


def test_render_error_of_the_pool_is_reported(cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, render_degraded(machine_config_pool(), "no such field"))
    assert [f["id"] for f in wait_for_rollout(session, request())["findings"]] == ["pool.render_degraded"]


# While nodes drain ---------------------------------------------------------------------------------------------------

DRAINS = {**ASSIGNED, "state": "Working", "desiredDrain": "drain-x", "lastAppliedDrain": "uncordon-w"}
DRAINED = {**DRAINS, "lastAppliedDrain": "drain-x"}


@pytest.fixture
def shop(cluster, monkeypatch):
    """A pod on worker-0 whose budget blocks its eviction, and a pod on another node. Every drain counts as slow."""
    monkeypatch.setattr(rollout_wait, "SLOW_DRAIN", 0.0)
    elsewhere = pod("db-1", node="worker-1")
    cluster.keep_as("/api/v1/pods", pod(), elsewhere)
    cluster.keep_as("/apis/policy/v1/poddisruptionbudgets", budget(allowed=0, healthy=1, desired=1, expected=1))
    cluster.keep(NODE, node("worker-0", annotations=DRAINS, unschedulable=True))
    return cluster


def selectors_of(api, plural: str) -> list[str]:
    return [r.query.get("fieldSelector", "") for r in api.requests if r.path.endswith(f"/{plural}")]


def test_budget_that_blocks_a_drain_is_named_with_its_pod(shop, session):
    first = wait_for_rollout(session, request())
    assert first["progress"].endswith("nodes updated, worker-0 draining")
    assert selectors_of(shop, "pods") == []
    with pytest.raises(
        OperationError, match=r"PodDisruptionBudget shop/db never allows the eviction of Pod shop/db-0\. Add"
    ):
        wait_for_rollout(session, request(cursor=first["cursor"]))
    assert set(selectors_of(shop, "pods")) == {"spec.nodeName=worker-0"}
    assert set(selectors_of(shop, "poddisruptionbudgets")) == {""}


def test_slow_drain_is_watched_in_the_same_window(shop, session, monkeypatch):
    monkeypatch.setattr(rollout_wait, "SLOW_DRAIN", 15.0)
    began = time.monotonic()

    def ten_times() -> float:
        return 1_000_000.0 + 10 * (time.monotonic() - began)

    first = wait_for_rollout(session, request(), ten_times)
    second = wait_for_rollout(session, request(cursor=first["cursor"], window=1), ten_times)
    assert ten_times() < 1_000_015
    assert selectors_of(shop, "pods") == []
    with pytest.raises(OperationError, match="never allows the eviction"):
        wait_for_rollout(session, request(cursor=second["cursor"]), ten_times)
    assert ten_times() < 1_000_200, "the window did not end"


def test_check_mode_names_what_blocks_a_drain(shop, session):
    seen = wait_for_rollout(session, request(check=True))
    assert [f["id"] for f in seen["findings"]] == ["node.drain_impossible"]
    assert not [r for r in shop.requests if r.query.get("watch")]


def test_check_mode_names_a_budget_that_allows_no_eviction_now(shop, session):
    shop.keep_as("/apis/policy/v1/poddisruptionbudgets", budget(allowed=0, healthy=2, desired=2, expected=3))
    assert [f["id"] for f in wait_for_rollout(session, request(check=True))["findings"]] == ["node.drain_blocked"]


def test_check_mode_reports_unreadable_pods(shop, session):
    shop.always_fail("/pods", forbidden("pods"))
    assert [f["id"] for f in wait_for_rollout(session, request(check=True))["findings"]] == [
        "cluster.drains_not_readable"
    ]


def test_pods_are_not_read_while_no_node_drains(cluster, session):
    cluster.keep(NODE, node("worker-0", annotations={**ASSIGNED, "state": "Working"}))
    first = wait_for_rollout(session, request())
    wait_for_rollout(session, request(cursor=first["cursor"], window=0.5))
    assert not selectors_of(cluster, "pods") + selectors_of(cluster, "poddisruptionbudgets")


def test_pods_are_not_read_after_the_node_is_drained(shop, session, monkeypatch):
    monkeypatch.setattr(rollout_wait, "SHORTEST_REPORT_INTERVAL", 0.5)
    first = wait_for_rollout(session, request())
    shop.keep(NODE, node("worker-0", annotations=DRAINED, unschedulable=True))
    latest = first
    while "draining" in latest["progress"]:
        latest = wait_for_rollout(session, request(cursor=latest["cursor"], window=5, fail_on=()))
    shop.requests.clear()
    assert not wait_for_rollout(session, request(cursor=latest["cursor"], window=0.5))["findings"]
    assert not selectors_of(shop, "pods") + selectors_of(shop, "poddisruptionbudgets")


@pytest.mark.parametrize("plural", ["pods", "poddisruptionbudgets"])
def test_wait_continues_without_permission_to_read_pods(plural, shop, session):
    shop.always_fail(f"/{plural}", forbidden(plural))
    latest = wait_for_rollout(session, request())
    while not latest["findings"]:
        latest = wait_for_rollout(session, request(cursor=latest["cursor"]))
    assert [f["id"] for f in latest["findings"]] == ["cluster.drains_not_readable"]
    reads = len(selectors_of(shop, plural))
    wait_for_rollout(session, request(cursor=latest["cursor"], window=0.5))
    assert len(selectors_of(shop, plural)) == reads, "a forbidden collection is read once"


def test_drain_is_evaluated_without_machineconfignodes(shop, session):
    shop.not_served.add("machineconfignodes")
    first = wait_for_rollout(session, request())
    with pytest.raises(OperationError, match="never allows the eviction"):
        wait_for_rollout(session, request(cursor=first["cursor"]))


# Awaited nodes ---------------------------------------------------------------------------------------------------


def test_node_that_joins_during_the_wait_is_awaited(cluster, session):
    first = wait_for_rollout(session, request())
    finish_nodes(cluster)
    cluster.keep(NODE, node("worker-2"))
    second = wait_for_rollout(session, request(cursor=first["cursor"], window=1.5))
    assert (second["finished"], second["rollout"]["done"], second["rollout"]["total"]) == (False, 2, 3)


def test_node_that_leaves_during_the_wait_is_not_awaited_and_stays_in_the_result(cluster, session):
    finish_nodes(cluster, "worker-0")
    latest = wait_for_rollout(session, request())
    cluster.drop(NODE, "worker-1")
    warnings: list[str] = []
    while not latest["finished"]:
        latest = wait_for_rollout(session, request(cursor=latest["cursor"]), warn=warnings.append)
    assert {key: latest["rollout"][key] for key in ("total", "done", "left")} == {"total": 2, "done": 1, "left": 1}
    assert [(n["name"], n["phase"]) for n in latest["nodes"]] == [("worker-0", "done"), ("worker-1", "left")]
    assert [f["id"] for f in latest["findings"]] == ["node.left_pool"]
    left = "Node worker-1 left MachineConfigPool layered during the rollout: it was deleted"
    assert warnings == [f"The rollout is complete without a node that left the pool: {left}."]


def test_named_node_that_leaves_is_a_failure_with_the_result(cluster, session):
    latest = wait_for_rollout(session, request("worker-0", "worker-1"))
    cluster.drop(NODE, "worker-1")
    with pytest.raises(OperationError, match="Node worker-1 left MachineConfigPool layered") as failed:
        wait_for_rollout(session, request("worker-0", "worker-1", cursor=latest["cursor"], window=5))
    assert [(n["name"], n["phase"]) for n in failed.value.result["nodes"]][1] == ("worker-1", "left")


def test_pool_that_all_nodes_leave_is_no_success(cluster, session):
    latest = wait_for_rollout(session, request())
    cluster.keep(NODE, *(node(name, roles=["worker"]) for name in ("worker-0", "worker-1")))
    with pytest.raises(OperationError, match="Node worker-0 left MachineConfigPool layered"):
        wait_for_rollout(session, request(cursor=latest["cursor"], window=5))


def test_release_is_read_once_per_wait(cluster, session):
    first = wait_for_rollout(session, request())
    wait_for_rollout(session, request(cursor=first["cursor"], window=0.5))
    assert cluster.said.count("GET /apis/config.openshift.io/v1/clusterversions/version") == 1


def test_release_is_read_again_before_an_older_build_is_reported(cluster, session):
    cluster.keep(CLUSTER_VERSION, cluster_version("4.20.5"))
    first = wait_for_rollout(session, request())
    cluster.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"), machine_os_build("layered-b", created=LATER))
    edited = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
    cluster.keep(MACHINE_OS_CONFIG, edited)
    known = read_cursor(first["cursor"], RolloutWaitState)
    began = replace(known, progress=replace(known.progress, started=time.time() - 100))
    assert not wait_for_rollout(session, request(cursor=str(began), window=1.5))["findings"]


def test_lost_permission_to_read_pods_is_no_outage(shop, session, monkeypatch):
    monkeypatch.setattr(watch_errors, "OPTIONAL_DENIAL_TIMEOUT", 0.0)
    latest = wait_for_rollout(session, request())
    while not latest["findings"]:
        latest = wait_for_rollout(session, request(cursor=latest["cursor"], fail_on=()))
    assert [f["id"] for f in latest["findings"]] != ["cluster.drains_not_readable"]
    shop.always_fail("/pods", forbidden("pods"))
    latest = wait_for_rollout(session, request(cursor=latest["cursor"], fail_on=()))
    assert [f["id"] for f in latest["findings"]] == ["cluster.drains_not_readable"]
    assert "away" not in latest["progress"]


def timed(name: str, ready: str, since: str, **annotations: str) -> dict[str, t.Any]:
    """Return a node whose condition Ready states when it changed."""
    obj = node(name, annotations=annotations, ready=ready)
    obj["status"]["conditions"][1]["lastTransitionTime"] = since
    return obj


def test_times_of_nodes_are_kept_across_calls_and_returned_at_the_end(cluster, session):
    first = wait_for_rollout(session, request(window=2))
    assert "timeline" not in first
    now = timestamp_at(time.time())
    working = {**ASSIGNED, "state": "Working"}
    cluster.keep(NODE, timed("worker-0", "False", now, **working), node("worker-1"), node("plain-0", roles=["worker"]))
    second = wait_for_rollout(session, request(cursor=first["cursor"], window=2))
    assert "timeline" not in second
    finish_nodes(cluster)
    last = wait_for_rollout(session, request(cursor=second["cursor"]))
    assert last["finished"]
    (first_node,) = [n for n in last["timeline"]["nodes"] if n["name"] == "worker-0"]
    assert (first_node["state"], first_node["not_ready"], first_node["drain_started"]) == ("done", now, None)
    assert first_node["observed"] == ["started", "ready", "done"]
    assert last["timeline"]["left_out"] == 0


def test_failed_wait_returns_the_times_of_a_node_that_did_not_come_back(cluster, session):
    broken = timed("worker-0", "True", LATER, **ASSIGNED, state="Degraded", reason="disk full")
    cluster.keep(NODE, broken, node_with_image("a", "worker-1"))
    with pytest.raises(OperationError) as failed:
        wait_for_rollout(session, request(fail_on=["node.degraded"]))
    (entry,) = failed.value.result["timeline"]["nodes"]
    assert (entry["name"], entry["state"], entry["done"]) == ("worker-0", "degraded", None)


def test_unchanged_rollout_has_an_empty_timeline(cluster, session):
    finish_nodes(cluster)
    assert wait_for_rollout(session, request())["timeline"] == {"nodes": [], "left_out": 0}


def test_times_of_2000_nodes_are_a_small_part_of_the_cursor():
    states = [NodeState.from_api(node(f"worker-{number}.example.com")) for number in range(2000)]
    times = RolloutTimes()
    for step, (phase, ready) in enumerate([("waiting", True), ("updating", False), ("updating", True), ("done", True)]):
        for start in range(0, 2000, 20):
            batch = states[start : start + 20]
            looked = times.after(
                [replace(state, ready=ready, draining=not ready) for state in batch],
                {state.name: Phase(phase) for state in batch},
                {},
                1.79e9 + start * 40 + step * 97,
            )
            times = RolloutTimes({**times.nodes, **looked.nodes}, watching=True)
    state = RolloutWaitState(times=times)
    assert all(len(entry.moments()) == 6 for entry in times.nodes.values())
    text = str(Cursor(Progress(), {}, state))
    assert len(text) < 80_000
    assert read_cursor(text, RolloutWaitState).state == state


def test_result_has_the_times_of_2000_nodes_and_counts_the_others():
    phases = {f"n{number:04}": Phase.UPDATING if number == 2100 else Phase.DONE for number in range(2101)}
    times = RolloutTimes({name: NodeTimes(done=Moment(1.79e9)) for name in phases})
    last = RolloutObservation(Outcome.SUCCEEDED, "", "", rollout=Rollout(phases, (), ""), times=times)
    timeline = timeline_result(last)
    assert (len(timeline["nodes"]), timeline["left_out"]) == (2000, 101)
    assert timeline["nodes"][-1]["name"] == "n2100"
    assert timeline_result(None) == {"nodes": [], "left_out": 0}
