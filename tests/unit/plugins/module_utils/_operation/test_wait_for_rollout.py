# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import copy
import time
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster import watch as watches
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation import wait_for_rollout as operation
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.wait_for_rollout import (
    RolloutWaitRequest,
    wait_for_rollout,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import Cursor, read_cursor
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
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

TOLD = {"desiredImage": image_of("a")}
REBUILD = "machineconfiguration.openshift.io/rebuild"


def ask(
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
    """A pool with a built image and two members that have not been told of it."""
    api.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    api.keep(NODE, node("worker-0"), node("worker-1"), node("plain-0", roles=["worker"]))
    return api


def finish_nodes(api, *names: str) -> None:
    api.keep(NODE, *(node_with_image("a", name) for name in names or ("worker-0", "worker-1")))


def test_a_rollout_that_is_done_returns_at_once(cluster, session):
    finish_nodes(cluster)
    done = wait_for_rollout(session, ask())
    assert done["finished"]
    assert done["rollout"] == {"total": 2, "done": 2, "updating": 0, "waiting": 0, "remaining_seconds": None}
    assert [(n["name"], n["phase"]) for n in done["nodes"]] == [("worker-0", "done"), ("worker-1", "done")]
    assert done["nodes"][0]["current_image"] == image_of("a")
    assert done["cluster"]["version"] == "4.21.0"


def test_a_rollout_that_has_not_begun_is_not_done(cluster, session):
    first = wait_for_rollout(session, ask())
    assert not first["finished"]
    assert first["rollout"]["waiting"] == 2
    assert first["progress"] == "pool layered: 0 of 2 nodes done"


def test_the_wait_ends_with_the_last_node(cluster, session):
    seen = wait_for_rollout(session, ask())
    finish_nodes(cluster, "worker-0")
    cluster.keep(NODE, node("worker-1", annotations={**TOLD, "state": "Working"}))
    finish_nodes(cluster)
    while not seen["finished"]:
        seen = wait_for_rollout(session, ask(cursor=seen["cursor"]))
    assert seen["progress"] == "pool layered: 2 of 2 nodes done"
    lists = [r for r in cluster.requests if "limit" in r.query]
    assert [r.query.get("fieldSelector") for r in lists if r.path.endswith("/machineosbuilds")] == [
        None,
        "metadata.name=layered-a",
    ]
    others = [r.path.rpartition("/")[2] for r in lists if not r.path.endswith("/machineosbuilds")]
    assert sorted(others) == ["machineconfigpools", "machineosconfigs", "nodes"]


def test_nodes_at_the_image_before_a_rebuild_that_was_asked_for_are_not_done_when_the_request_is_gone(cluster, session):
    finish_nodes(cluster)
    config = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
    asked = copy.deepcopy(config)
    asked["metadata"]["annotations"][REBUILD] = ""
    cluster.keep(MACHINE_OS_CONFIG, asked)
    seconds = [1_000_000.0]

    def now() -> float:
        seconds[0] += 10
        return seconds[0]

    first = wait_for_rollout(session, ask(), now)
    assert "waiting for the requested rebuild to start" in first["progress"]
    cluster.keep(MACHINE_OS_CONFIG, config)
    with pytest.raises(OperationError, match="the requested rebuild of MachineOSBuild layered-a has not started"):
        wait_for_rollout(session, ask(cursor=first["cursor"]), now)


def test_nodes_at_an_image_whose_build_is_gone_are_not_done(cluster, session):
    finish_nodes(cluster)
    known = wait_for_rollout(session, ask())
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    assert not wait_for_rollout(session, ask(cursor=known["cursor"], window=1))["finished"]


def test_only_the_nodes_that_are_named_are_waited_for(cluster, session):
    finish_nodes(cluster, "worker-0")
    assert wait_for_rollout(session, ask("worker-0"))["finished"]
    assert not wait_for_rollout(session, ask("worker-0", "worker-1"))["finished"]


def test_many_node_changes_are_one_piece_of_news(cluster, session, monkeypatch):
    monkeypatch.setattr(operation, "NODE_NEWS", 0.5)
    first = wait_for_rollout(session, ask())
    for state in ("Working", "Done"):
        cluster.keep(NODE, node("worker-0", annotations={**TOLD, "state": state}))
    second = wait_for_rollout(session, ask(cursor=first["cursor"]))
    assert second["progress"] == "pool layered: 0 of 2 nodes done, updating: worker-0 applying the image"


def test_a_new_finding_is_news_at_once(cluster, session, monkeypatch):
    monkeypatch.setattr(operation, "NODE_NEWS", 10**6)
    first = wait_for_rollout(session, ask())
    cluster.keep(NODE, node("worker-0", annotations={**TOLD, "state": "Degraded", "reason": "cannot pull"}))
    second = wait_for_rollout(session, ask(cursor=first["cursor"]))
    assert second["progress"].endswith("updating: worker-0 degraded (cannot pull)")
    assert [(f["id"], f["evidence"]) for f in second["findings"]] == [
        ("node.degraded", "cannot pull"),
        ("pool.max_unavailable_reached", "worker-0 degraded (cannot pull)"),
    ]


def test_a_fatal_finding_ends_the_wait(cluster, session):
    cluster.keep(CLUSTER_VERSION, cluster_version("4.20.5"))
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"), machine_os_build("layered-b"))
    edited = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
    cluster.keep(MACHINE_OS_CONFIG, edited)
    long_ago = str(Cursor(time.time() - 100))
    with pytest.raises(
        OperationError, match=r"takes MachineOSBuild layered-a instead of layered-b.*Run machineosbuild_superseded"
    ) as refused:
        wait_for_rollout(session, ask(cursor=long_ago))
    assert [f["id"] for f in refused.value.result["findings"]] == ["pool.older_build_selected"]


def test_a_failed_build_ends_the_wait(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    with pytest.raises(OperationError, match="MachineOSBuild layered-a failed"):
        wait_for_rollout(session, ask())


@pytest.mark.parametrize(
    ("pool", "asked"),
    [(machine_config_pool(paused=True), ask()), (machine_config_pool(), ask("worker-0", "plain-0"))],
    ids=["a paused pool", "a node outside the pool"],
)
def test_what_cannot_clear_by_itself_ends_the_wait(pool, asked, cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, pool)
    finish_nodes(cluster, "worker-0")
    with pytest.raises(
        OperationError, match=r"layered is paused|plain-0 is not in MachineConfigPool layered"
    ) as refused:
        wait_for_rollout(session, asked)
    assert not refused.value.result["finished"]
    rollout = refused.value.result["rollout"]
    assert [rollout[phase] for phase in ("total", "done", "updating", "waiting")] == [2, 1, 0, 1]


def test_a_timeout_says_what_holds_it(cluster, session):
    cluster.keep(NODE, node("worker-0", annotations={**TOLD, "state": "Degraded", "reason": "cannot pull"}))
    first = wait_for_rollout(session, ask())
    with pytest.raises(
        OperationError, match=r"not done after 0\.5 s \(.*0 of 2 .*\): Node worker-0: cannot pull"
    ) as refused:
        wait_for_rollout(session, ask(cursor=first["cursor"], timeout=0.5))
    assert refused.value.result["rollout"]["total"] == 2


def test_without_a_timeout_the_wait_goes_on(cluster, session):
    began = str(Cursor(time.time() - 10**6))
    assert not wait_for_rollout(session, ask(cursor=began))["finished"]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [(ask("gone", "worker-0", "lost"), "there is no Node gone, lost"), (ask(), "no node is in it")],
)
def test_there_must_be_somebody_to_wait_for(asked, reason, cluster, session):
    cluster.drop(NODE, "worker-1")
    cluster.keep(NODE, node("worker-0", roles=["worker"]))
    with pytest.raises(OperationError, match=f"^Could not await the rollout of MachineConfigPool layered: {reason}"):
        wait_for_rollout(session, asked)


def test_a_pool_that_does_not_exist_is_refused(cluster, session):
    cluster.drop(MACHINE_CONFIG_POOL, "layered")
    with pytest.raises(OperationError, match="MachineConfigPool layered does not exist"):
        wait_for_rollout(session, ask())


def test_check_mode_does_not_wait_and_tolerates_what_is_not_there_yet(cluster, session):
    done = wait_for_rollout(session, ask(check=True))
    assert (done["finished"], done["rollout"]["waiting"]) == (True, 2)
    cluster.drop(MACHINE_CONFIG_POOL, "layered")
    assert wait_for_rollout(session, ask(check=True))["finished"]


def test_a_pool_that_is_not_layered_is_done_by_its_rendered_config(cluster, session):
    cluster.drop(MACHINE_OS_CONFIG, "layered")
    assert wait_for_rollout(session, ask())["finished"]


def test_an_outage_is_told_once(cluster, session, nap):
    first = wait_for_rollout(session, ask())
    cluster.stop()
    session.patience = 0
    away = wait_for_rollout(session, ask(cursor=first["cursor"]))
    assert away["progress"].startswith("API server away: no connection to ")

    def come_back() -> None:
        cluster.start()
        finish_nodes(cluster)

    nap.after(20, come_back)
    assert wait_for_rollout(session, ask(cursor=away["cursor"]))["finished"]


def test_an_outage_that_outlasts_a_window_is_no_news_in_the_next(cluster, session):
    session.patience = 0
    first = wait_for_rollout(session, ask())
    cluster.stop()
    away = wait_for_rollout(session, ask(cursor=first["cursor"]))
    still = wait_for_rollout(session, ask(cursor=away["cursor"], window=1))
    assert still["progress"] == away["progress"]
    assert not still["finished"]
    assert still["elapsed"] > away["elapsed"]


def test_a_pool_that_cannot_be_rendered_is_told(cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, render_degraded(machine_config_pool(), "no such field"))
    assert [f["id"] for f in wait_for_rollout(session, ask())["findings"]] == ["pool.render_degraded"]


# While nodes drain ---------------------------------------------------------------------------------------------------

DRAINS = {**TOLD, "state": "Working", "desiredDrain": "drain-x", "lastAppliedDrain": "uncordon-w"}
DRAINED = {**DRAINS, "lastAppliedDrain": "drain-x"}


@pytest.fixture
def shop(cluster, monkeypatch):
    """A pod on worker-0 that its budget does not let go, and one elsewhere that is in nobody's way.

    Every drain is looked at at once.
    """
    monkeypatch.setattr(operation, "SLOW", 0.0)
    elsewhere = pod("db-1", node="worker-1")
    cluster.keep_as("/api/v1/pods", pod(), elsewhere)
    cluster.keep_as("/apis/policy/v1/poddisruptionbudgets", budget(allowed=0, healthy=1, desired=1, expected=1))
    cluster.keep(NODE, node("worker-0", annotations=DRAINS, unschedulable=True))
    return cluster


def asked_for(api, plural: str) -> list[str]:
    return [r.query.get("fieldSelector", "") for r in api.requests if r.path.endswith(f"/{plural}")]


def test_what_blocks_a_drain_is_named_with_pod_and_budget(shop, session):
    first = wait_for_rollout(session, ask())
    assert first["progress"].endswith("updating: worker-0 draining")
    assert asked_for(shop, "pods") == []
    with pytest.raises(
        OperationError, match=r"PodDisruptionBudget shop/db can allow no eviction of Pod shop/db-0\. Add"
    ):
        wait_for_rollout(session, ask(cursor=first["cursor"]))
    assert set(asked_for(shop, "pods")) == {"spec.nodeName=worker-0"}
    assert set(asked_for(shop, "poddisruptionbudgets")) == {""}


def test_a_drain_is_looked_at_in_the_window_in_which_it_turns_out_to_be_slow(shop, session, monkeypatch):
    monkeypatch.setattr(operation, "SLOW", 15.0)
    began = time.monotonic()

    def ten_times() -> float:
        return 1_000_000.0 + 10 * (time.monotonic() - began)

    first = wait_for_rollout(session, ask(), ten_times)
    second = wait_for_rollout(session, ask(cursor=first["cursor"], window=1), ten_times)
    assert ten_times() < 1_000_015
    assert asked_for(shop, "pods") == []
    with pytest.raises(OperationError, match="can allow no eviction"):
        wait_for_rollout(session, ask(cursor=second["cursor"]), ten_times)
    assert ten_times() < 1_000_200, "it was not the end of the window"


def test_check_mode_names_what_blocks_a_drain_without_a_wait(shop, session):
    seen = wait_for_rollout(session, ask(check=True))
    assert [f["id"] for f in seen["findings"]] == ["node.drain_impossible"]
    assert not [request for request in shop.requests if request.query.get("watch")]


def test_check_mode_names_a_budget_that_allows_no_eviction_now(shop, session):
    shop.keep_as("/apis/policy/v1/poddisruptionbudgets", budget(allowed=0, healthy=2, desired=2, expected=3))
    assert [f["id"] for f in wait_for_rollout(session, ask(check=True))["findings"]] == ["node.drain_blocked"]


def test_check_mode_says_so_when_what_blocks_a_drain_may_not_be_read(shop, session):
    shop.always_fail("/pods", forbidden("pods"))
    assert [f["id"] for f in wait_for_rollout(session, ask(check=True))["findings"]] == ["cluster.drains_not_readable"]


def test_pods_are_not_read_while_no_node_drains(cluster, session):
    cluster.keep(NODE, node("worker-0", annotations={**TOLD, "state": "Working"}))
    first = wait_for_rollout(session, ask())
    wait_for_rollout(session, ask(cursor=first["cursor"], window=0.5))
    assert not asked_for(cluster, "pods") + asked_for(cluster, "poddisruptionbudgets")


def test_pods_are_not_read_any_more_once_the_node_is_drained(shop, session, monkeypatch):
    monkeypatch.setattr(operation, "NODE_NEWS", 0.5)
    first = wait_for_rollout(session, ask())
    shop.keep(NODE, node("worker-0", annotations=DRAINED, unschedulable=True))
    news = first
    while "draining" in news["progress"]:
        news = wait_for_rollout(session, ask(cursor=news["cursor"], window=5, fail_on=()))
    shop.requests.clear()
    assert not wait_for_rollout(session, ask(cursor=news["cursor"], window=0.5))["findings"]
    assert not asked_for(shop, "pods") + asked_for(shop, "poddisruptionbudgets")


@pytest.mark.parametrize("plural", ["pods", "poddisruptionbudgets"])
def test_an_account_that_may_not_read_pods_waits_all_the_same(plural, shop, session):
    shop.always_fail(f"/{plural}", forbidden(plural))
    news = wait_for_rollout(session, ask())
    while not news["findings"]:
        news = wait_for_rollout(session, ask(cursor=news["cursor"]))
    assert [f["id"] for f in news["findings"]] == ["cluster.drains_not_readable"]
    asked = len(asked_for(shop, plural))
    wait_for_rollout(session, ask(cursor=news["cursor"], window=0.5))
    assert len(asked_for(shop, plural)) == asked, "a refusal is not asked for twice"


def test_a_cluster_without_machine_config_nodes_is_no_hindrance(shop, session):
    shop.not_served.add("machineconfignodes")
    first = wait_for_rollout(session, ask())
    with pytest.raises(OperationError, match="can allow no eviction"):
        wait_for_rollout(session, ask(cursor=first["cursor"]))


# Who is waited for ---------------------------------------------------------------------------------------------------


def test_a_node_that_joins_meanwhile_is_waited_for(cluster, session):
    first = wait_for_rollout(session, ask())
    finish_nodes(cluster)
    cluster.keep(NODE, node("worker-2"))
    second = wait_for_rollout(session, ask(cursor=first["cursor"], window=1.5))
    assert (second["finished"], second["rollout"]["done"], second["rollout"]["total"]) == (False, 2, 3)


def test_a_node_that_leaves_meanwhile_is_not(cluster, session):
    finish_nodes(cluster, "worker-0")
    news = wait_for_rollout(session, ask())
    cluster.drop(NODE, "worker-1")
    while not news["finished"]:
        news = wait_for_rollout(session, ask(cursor=news["cursor"]))
    assert news["rollout"]["total"] == 1


def test_a_pool_that_everybody_leaves_is_no_success(cluster, session):
    news = wait_for_rollout(session, ask())
    cluster.keep(NODE, *(node(name, roles=["worker"]) for name in ("worker-0", "worker-1")))
    with pytest.raises(OperationError, match="no node is in it"):
        wait_for_rollout(session, ask(cursor=news["cursor"], window=5))


def test_the_release_is_read_once_a_wait(cluster, session):
    first = wait_for_rollout(session, ask())
    wait_for_rollout(session, ask(cursor=first["cursor"], window=0.5))
    assert cluster.said.count("GET /apis/config.openshift.io/v1/clusterversions/version") == 1


def test_an_upgrade_meanwhile_is_noticed_before_a_release_is_blamed(cluster, session):
    cluster.keep(CLUSTER_VERSION, cluster_version("4.20.5"))
    first = wait_for_rollout(session, ask())
    cluster.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"), machine_os_build("layered-b"))
    edited = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
    cluster.keep(MACHINE_OS_CONFIG, edited)
    began = replace(read_cursor(first["cursor"]), started=time.time() - 100)
    assert not wait_for_rollout(session, ask(cursor=str(began), window=1.5))["findings"]


def test_an_account_that_may_not_read_pods_any_more_waits_all_the_same_and_that_is_no_outage(
    shop, session, monkeypatch
):
    monkeypatch.setattr(watches, "BLIP", 0.0)
    news = wait_for_rollout(session, ask())
    while not news["findings"]:
        news = wait_for_rollout(session, ask(cursor=news["cursor"], fail_on=()))
    assert [f["id"] for f in news["findings"]] != ["cluster.drains_not_readable"]
    shop.always_fail("/pods", forbidden("pods"))
    news = wait_for_rollout(session, ask(cursor=news["cursor"], fail_on=()))
    assert [f["id"] for f in news["findings"]] == ["cluster.drains_not_readable"]
    assert "away" not in news["progress"]
