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
    LATER,
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

RECORD = OWN + "superseded-builds"
OLDER = "machineosbuilds/layered-a"


@pytest.fixture
def cluster(api):
    """A pool without nodes whose current build is the second by name."""
    api.keep(CLUSTER_VERSION, cluster_version("4.20.5"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    edited = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
    api.keep(MACHINE_OS_CONFIG, edited)
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"), machine_os_build("layered-b", created=LATER))
    return api


def request(allowed: bool = False, check: bool = False) -> SupersededRequest:
    return SupersededRequest("layered", allowed, check)


def builds(session) -> list[str]:
    return [build["metadata"]["name"] for build in session.list(MACHINE_OS_BUILD).items]


def recorded_in(api) -> str | None:
    return (api.kept(MACHINE_CONFIG_POOL, "layered")["metadata"].get("annotations") or {}).get(RECORD)


def written(api) -> list[tuple[str, str]]:
    return [(r.method, r.path.rpartition("/")[2]) for r in api.writes]


def test_older_build_is_deleted_by_its_uid_between_two_changes_of_the_pool(cluster, session):
    done = delete_superseded(session, request())
    assert (done["changed"], done["deleted"], done["reboots"]) == (True, ["layered-a"], [])
    assert done["diff"] == {"before": {"superseded": ["layered-a"]}, "after": {"superseded": []}}
    assert written(cluster) == [("PATCH", "layered"), ("DELETE", "layered-a"), ("PATCH", "layered")]
    record, deletion, last = cluster.writes
    assert record.body == {"metadata": {"annotations": {RECORD: "layered-a/uid-of-layered-a"}}}
    assert deletion.body["preconditions"] == {"uid": "uid-of-layered-a"}
    assert last.body == {"metadata": {"annotations": {RECORD: None}}}
    assert builds(session) == ["layered-b"]


def test_second_run_writes_nothing_with_three_requests(cluster, session):
    delete_superseded(session, request())
    before = len(cluster.requests)
    again = delete_superseded(session, request())
    assert (again["changed"], again["deleted"]) == (False, [])
    assert len(cluster.requests) - before == 3
    assert len(cluster.writes) == 3  # those of the first


def test_check_mode_sends_dry_runs_and_changes_nothing(cluster, session):
    done = delete_superseded(session, request(check=True))
    assert (done["changed"], done["deleted"]) == (True, ["layered-a"])
    assert all(r.query["dryRun"] == "All" for r in cluster.requests if r.method != "GET")
    assert builds(session) == ["layered-a", "layered-b"]
    assert recorded_in(cluster) is None


def test_run_that_was_killed_before_the_last_change_is_finished_by_the_next(cluster, session):
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    cluster.keep(MACHINE_CONFIG_POOL, _with_record("layered-a/uid-of-layered-a"))
    done = delete_superseded(session, request())
    assert (done["changed"], done["deleted"]) == (True, ["layered-a"])
    assert recorded_in(cluster) is None
    assert builds(session) == ["layered-b"]


def test_recorded_build_that_is_the_current_one_is_kept(cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, _with_record("layered-b/uid-of-layered-b"))
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    done = delete_superseded(session, request())
    assert (done["changed"], done["deleted"]) == (True, [])
    assert builds(session) == ["layered-b"]


def _with_record(identity: str) -> dict:
    pool = machine_config_pool()
    return {**pool, "metadata": {**pool["metadata"], "annotations": {RECORD: identity}}}


def test_build_that_was_created_again_is_kept(cluster, session, monkeypatch):
    deleted = session.delete

    def delete_after_a_rebuild(*what, **how):
        cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", uid="another", state="Building"))
        deleted(*what, **how)

    monkeypatch.setattr(session, "delete", delete_after_a_rebuild)
    done = delete_superseded(session, request())
    assert done["deleted"] == []
    assert builds(session) == ["layered-a", "layered-b"]
    assert recorded_in(cluster) is None


def test_release_that_follows_the_current_build_needs_no_deletion(cluster, session):
    cluster.keep(CLUSTER_VERSION, cluster_version("4.21.0"))
    assert not delete_superseded(session, request())["changed"]
    assert cluster.writes == []


def test_nothing_is_deleted_if_the_release_is_unknown(cluster, session):
    cluster.always_fail("clusterversions", forbidden("clusterversions"))
    with pytest.raises(
        OperationError, match=r"of MachineConfigPool layered: ClusterVersion version cannot be read.* Grant"
    ):
        delete_superseded(session, request())
    assert cluster.writes == []


def test_nodes_that_would_reboot_are_named_without_consent(cluster, session):
    cluster.keep(NODE, node_with_image("a", "worker-0"), node_with_image("b", "worker-1"), node("x", roles=["worker"]))
    with pytest.raises(
        OperationError, match=r"reboot the nodes of MachineConfigPool layered: worker-0\. Set allow"
    ) as error:
        delete_superseded(session, request())
    assert error.value.result["reboots"] == ["worker-0"]
    assert cluster.writes == []
    assert delete_superseded(session, request(allowed=True))["reboots"] == ["worker-0"]
    assert builds(session) == ["layered-b"]


def test_paused_pool_reboots_no_node(cluster, session):
    cluster.keep(MACHINE_CONFIG_POOL, machine_config_pool(paused=True))
    cluster.keep(NODE, node_with_image("a", "worker-0"))
    done = delete_superseded(session, request())
    assert (done["deleted"], done["reboots"]) == (["layered-a"], [])


def test_current_build_must_have_succeeded(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-b", state="Building"))
    with pytest.raises(OperationError, match=r"the current build has not succeeded \(.*\)\. Wait for it first"):
        delete_superseded(session, request())
    assert cluster.writes == []
    assert not delete_superseded(session, request(check=True))["changed"]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(MACHINE_CONFIG_POOL, "does not exist"), (MACHINE_OS_CONFIG, "pool layered has no MachineOSConfig")],
)
def test_missing_object_is_an_error_except_in_check_mode(kind, reason, cluster, session):
    cluster.drop(kind, "layered")
    with pytest.raises(OperationError, match=reason):
        delete_superseded(session, request())
    assert not delete_superseded(session, request(check=True))["changed"]


def test_denied_deletion_names_the_build(cluster, session):
    cluster.always_fail(OLDER, forbidden("machineosbuilds"))
    with pytest.raises(OperationError, match=r"^Could not delete MachineOSBuild layered-a: .*forbidden"):
        delete_superseded(session, request())


def test_build_that_still_exists_is_an_error_and_stays_recorded(cluster, session, monkeypatch):
    monkeypatch.setattr(operation, "DELETION_TIMEOUT", 0.0)
    cluster.always_fail(OLDER, Reply(200, "{}"))  # accepted, and a finalizer keeps it
    with pytest.raises(OperationError, match="layered-a still exists"):
        delete_superseded(session, request())
    assert recorded_in(cluster) == "layered-a/uid-of-layered-a"


def test_last_change_of_the_pool_follows_a_slow_deletion(cluster, session, nap):
    cluster.fail(OLDER, Reply(202, "{}"))
    nap.after(2, lambda: cluster.drop(MACHINE_OS_BUILD, "layered-a"))
    assert delete_superseded(session, request())["deleted"] == ["layered-a"]
    assert recorded_in(cluster) is None


def test_nothing_is_deleted_while_a_config_has_no_pool(cluster, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config("gone", pool="gone"))
    with pytest.raises(OperationError, match="Delete MachineOSConfig gone first"):
        delete_superseded(session, request())
    assert written(cluster) == []
