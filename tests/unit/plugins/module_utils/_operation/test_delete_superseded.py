# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation import delete_superseded as operation
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.delete_superseded import (
    SupersededRequest,
    delete_superseded,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OWN,
    all_pools,
    cluster_version,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import Reply, forbidden

MARK = OWN + "superseded-builds"
OLDER = "machineosbuilds/layered-a"


@pytest.fixture
def cluster(api):
    """A pool without nodes whose edit went to a build with the larger name."""
    api.keep(CLUSTER_VERSION, cluster_version("4.20.5"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    edited = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
    api.keep(MACHINE_OS_CONFIG, edited)
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"), machine_os_build("layered-b"))
    return api


def ask(allowed: bool = False, check: bool = False) -> SupersededRequest:
    return SupersededRequest("layered", allowed, check)


def builds(session) -> list[str]:
    return [build["metadata"]["name"] for build in session.list(MACHINE_OS_BUILD).items]


def marked_by(api) -> str | None:
    return (api.kept(MACHINE_CONFIG_POOL, "layered")["metadata"].get("annotations") or {}).get(MARK)


def written(api) -> list[tuple[str, str]]:
    return [(request.method, request.path.rpartition("/")[2]) for request in api.writes]


def test_the_older_build_is_deleted_by_its_uid_between_the_mark_and_the_touch(cluster, session):
    done = delete_superseded(session, ask())
    assert (done["changed"], done["deleted"], done["reboots"]) == (True, ["layered-a"], [])
    assert done["diff"] == {"before": {"superseded": ["layered-a"]}, "after": {"superseded": []}}
    assert written(cluster) == [("PATCH", "layered"), ("DELETE", "layered-a"), ("PATCH", "layered")]
    mark, deletion, touch = cluster.writes
    assert mark.body == {"metadata": {"annotations": {MARK: "layered-a/uid-of-layered-a"}}}
    assert deletion.body["preconditions"] == {"uid": "uid-of-layered-a"}
    assert touch.body == {"metadata": {"annotations": {MARK: None}}}
    assert builds(session) == ["layered-b"]


def test_a_second_run_writes_nothing_and_costs_three_requests(cluster, session):
    delete_superseded(session, ask())
    before = len(cluster.requests)
    again = delete_superseded(session, ask())
    assert (again["changed"], again["deleted"]) == (False, [])
    assert len(cluster.requests) - before == 3
    assert len(cluster.writes) == 3  # those of the first


def test_check_mode_asks_the_server_and_leaves_everything(cluster, session):
    told = delete_superseded(session, ask(check=True))
    assert (told["changed"], told["deleted"]) == (True, ["layered-a"])
    assert all(request.query["dryRun"] == "All" for request in cluster.requests if request.method != "GET")
    assert builds(session) == ["layered-a", "layered-b"]
    assert marked_by(cluster) is None


def test_a_run_that_was_killed_before_the_touch_is_ended_by_the_next(cluster, session):
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    cluster.keep(MACHINE_CONFIG_POOL, _marked("layered-a/uid-of-layered-a"))
    done = delete_superseded(session, ask())
    assert (done["changed"], done["deleted"]) == (True, ["layered-a"])
    assert marked_by(cluster) is None
    assert builds(session) == ["layered-b"]


def test_a_build_of_a_killed_run_that_answers_by_now_stays(cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, _marked("layered-b/uid-of-layered-b"))
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    done = delete_superseded(session, ask())
    assert (done["changed"], done["deleted"]) == (True, [])
    assert builds(session) == ["layered-b"]


def _marked(identity: str) -> dict:
    pool = machine_config_pool()
    return {**pool, "metadata": {**pool["metadata"], "annotations": {MARK: identity}}}


def test_a_build_that_was_made_again_meanwhile_is_left_alone(cluster, session, monkeypatch):
    deleted = session.delete

    def delete_after_a_rebuild(*what, **how):
        cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", uid="another", state="Building"))
        deleted(*what, **how)

    monkeypatch.setattr(session, "delete", delete_after_a_rebuild)
    done = delete_superseded(session, ask())
    assert done["deleted"] == []
    assert builds(session) == ["layered-a", "layered-b"]
    assert marked_by(cluster) is None


def test_a_release_that_follows_the_config_needs_nothing(cluster, session):
    cluster.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    assert not delete_superseded(session, ask())["changed"]
    assert cluster.writes == []


def test_nothing_is_deleted_when_the_release_is_not_known(cluster, session):
    cluster.always_fail("clusterversions", forbidden("clusterversions"))
    with pytest.raises(
        OperationError, match=r"of MachineConfigPool layered: ClusterVersion version cannot be read.* Grant"
    ):
        delete_superseded(session, ask())
    assert cluster.writes == []


def test_nodes_that_would_move_are_named_unless_they_may(cluster, session):
    cluster.keep(NODE, node_with_image("a", "worker-0"), node_with_image("b", "worker-1"), node("x", roles=["worker"]))
    with pytest.raises(
        OperationError, match=r"reboot the nodes of MachineConfigPool layered: worker-0\. Set allow"
    ) as refused:
        delete_superseded(session, ask())
    assert refused.value.result["reboots"] == ["worker-0"]
    assert cluster.writes == []
    assert delete_superseded(session, ask(allowed=True))["reboots"] == ["worker-0"]
    assert builds(session) == ["layered-b"]


def test_a_paused_pool_moves_nobody(cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool(paused=True))
    cluster.keep(NODE, node_with_image("a", "worker-0"))
    done = delete_superseded(session, ask())
    assert (done["deleted"], done["reboots"]) == (["layered-a"], [])


def test_a_build_that_has_not_succeeded_is_waited_for_first(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-b", state="Building"))
    with pytest.raises(OperationError, match=r"the build that answers has not succeeded \(.*\)\. Wait for it first"):
        delete_superseded(session, ask())
    assert cluster.writes == []
    assert not delete_superseded(session, ask(check=True))["changed"]


@pytest.mark.parametrize(
    ("kind", "reason"), [(MACHINE_CONFIG_POOL, "does not exist"), (MACHINE_OS_CONFIG, "serves it")]
)
def test_what_is_missing_is_named_and_in_check_mode_taken_for_yet_to_come(kind, reason, cluster, session):
    cluster.drop(kind, "layered")
    with pytest.raises(OperationError, match=reason):
        delete_superseded(session, ask())
    assert not delete_superseded(session, ask(check=True))["changed"]


def test_a_deletion_that_is_refused_names_the_build(cluster, session):
    cluster.always_fail(OLDER, forbidden("machineosbuilds"))
    with pytest.raises(OperationError, match=r"^Could not delete MachineOSBuild layered-a: .*forbidden"):
        delete_superseded(session, ask())


def test_a_build_that_does_not_vanish_is_told_and_the_mark_stays_for_the_next_run(cluster, session, monkeypatch):
    monkeypatch.setattr(operation, "VANISHING", 0.0)
    cluster.always_fail(OLDER, Reply(200, "{}"))  # accepted, and a finalizer keeps it
    with pytest.raises(OperationError, match="layered-a is deleted and stays"):
        delete_superseded(session, ask())
    assert marked_by(cluster) == "layered-a/uid-of-layered-a"


def test_the_touch_comes_after_the_end_of_a_build_that_takes_its_time(cluster, session, nap):
    cluster.fail(OLDER, Reply(202, "{}"))
    nap.after(2, lambda: cluster.drop(MACHINE_OS_BUILD, "layered-a"))
    assert delete_superseded(session, ask())["deleted"] == ["layered-a"]
    assert marked_by(cluster) is None
