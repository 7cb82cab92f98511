# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import Outcome
from ansible_collections.imagemode.openshift.plugins.module_utils._model.transitions.transition import TransitionType
from ansible_collections.imagemode.openshift.tests.unit.plugins import v1alpha1_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    OLD_RENDERED,
    RENDERED,
    all_pools,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
    render_degraded,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.watched_pools import Cluster, WatchedPools

CONFIG = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
BUILD = machine_os_build("layered-a")
EDITED = machine_os_config(
    build="layered-a",
    image=image_of("a"),
    generation=2,
    observed_generation=1,
    builds_before=["layered-a/uid-of-layered-a"],
    image_before=image_of("a"),
)
PUBLISHED = machine_os_config(
    build="layered-b",
    image=image_of("b"),
    generation=2,
    observed_generation=2,
    builds_before=["layered-a/uid-of-layered-a"],
    image_before=image_of("a"),
)
ROLLED_OUT = Cluster([node_with_image("a"), node_with_image("a", "worker-1")], [CONFIG], [BUILD])
FAILED = ROLLED_OUT.having(
    configs=[EDITED], builds=[BUILD, machine_os_build("layered-b", state="Failed", created=LATER)]
)
SUCCEEDED = ROLLED_OUT.having(configs=[PUBLISHED], builds=[BUILD, machine_os_build("layered-b", created=LATER)])
UPDATED = SUCCEEDED.having(nodes=[node_with_image("b"), node_with_image("b", "worker-1")])


def updating(letter: str, name: str = "worker-0", **annotations: str) -> dict:
    """Return a node that is assigned another image."""
    notes = {"currentImage": image_of("a"), "desiredImage": image_of(letter), "state": "Working", **annotations}
    return node(name, annotations=notes)


@pytest.fixture
def watched() -> WatchedPools:
    """A watch of a cluster whose pool is rolled out."""
    watched = WatchedPools()
    watched.observe(ROLLED_OUT)
    return watched


def test_complete_rollout_is_where_transitions_start_from():
    assert WatchedPools().types(ROLLED_OUT) == []


def test_failed_build_is_reported_once_when_the_source_starts():
    watched = WatchedPools()
    assert watched.types(FAILED) == ["build_failed layered-b"]
    assert watched.types(FAILED, 60.0) == []


def test_success_that_existed_before_the_start_is_not_reported():
    assert WatchedPools().types(SUCCEEDED) == []


def test_rollout_that_ran_when_the_source_started_is_reported_at_its_end():
    watched = WatchedPools()
    assert watched.types(SUCCEEDED) == []
    assert watched.types(UPDATED) == ["rollout_done layered"]


def test_edit_build_and_rollout_are_one_transition_each(watched):
    assert watched.types(ROLLED_OUT.having(configs=[EDITED])) == ["config_edited layered"]
    assert watched.types(ROLLED_OUT.having(configs=[EDITED])) == []
    assert watched.types(SUCCEEDED) == ["build_succeeded layered-b"]
    assert watched.types(SUCCEEDED.having(nodes=[updating("b"), node_with_image("a", "worker-1")])) == []
    assert watched.types(UPDATED) == ["rollout_done layered"]
    assert watched.types(UPDATED) == []


def test_everything_that_happened_during_an_interruption_is_reported(watched):
    assert sorted(watched.types(UPDATED)) == [
        "build_succeeded layered-b",
        "config_edited layered",
        "rollout_done layered",
    ]


def test_several_edits_during_an_interruption_are_one(watched):
    edited = {**EDITED, "metadata": {**EDITED["metadata"], "generation": 7}}
    (found,) = watched.observe(ROLLED_OUT.having(configs=[edited]))
    assert (found.type, found.generation) == (TransitionType.CONFIG_EDITED, 7)


def test_status_change_is_no_edit(watched):
    changed = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1, edits=[])
    assert watched.types(ROLLED_OUT.having(configs=[changed])) == []


def test_success_is_reported_only_if_a_direct_read_confirms_it(watched):
    deleted = SUCCEEDED.having(builds=[BUILD])
    assert [found.type.value for found in watched.observe(SUCCEEDED, server=deleted)] == ["config_edited"]
    assert watched.types(SUCCEEDED) == ["build_succeeded layered-b"]


def test_failed_build_has_the_finding_with_its_remedy(watched):
    found = watched.observe(FAILED)[-1]
    assert found.type is TransitionType.BUILD_FAILED
    assert found.generation == 2
    assert found.finding is not None
    assert found.finding.id is FindingId.BUILD_FAILED
    assert found.finding.message.startswith("MachineOSBuild layered-b failed")
    assert found.finding.remedy


def test_build_that_fails_again_after_a_rebuild_is_reported_again(watched):
    assert watched.types(FAILED)[-1] == "build_failed layered-b"
    again = machine_os_build("layered-b", uid="another", state="Failed", created=LATER)
    assert watched.types(FAILED.having(builds=[BUILD])) == []
    assert watched.types(FAILED.having(builds=[BUILD, again])) == ["build_failed layered-b"]


def test_build_whose_identity_cannot_be_proven_has_no_result():
    by_other = machine_os_config(
        build="layered-a", image=image_of("a"), generation=2, observed_generation=2, edits=[("oc", LATER)]
    )
    watched = WatchedPools()
    cluster = ROLLED_OUT.having(configs=[by_other])
    assert [watched.types(cluster, now) for now in (0.0, 100.0, 200.0, 300.0)] == [[], [], [], []]


def test_deleted_build_without_a_replacement_is_a_failure_after_the_grace_period(watched):
    without = ROLLED_OUT.having(builds=[])
    assert watched.types(without) == []
    assert watched.types(without, 100.0) == []
    found = watched.observe(without, 200.0)
    assert [(t.type.value, t.finding and t.finding.id) for t in found] == [("build_failed", FindingId.BUILD_DELETED)]
    assert watched.observe(without, 300.0) == []


def test_nodes_join_and_leave(watched):
    joined = ROLLED_OUT.having(nodes=[*ROLLED_OUT.nodes, node_with_image("a", "worker-2")])
    assert watched.types(joined) == ["node_joined worker-2", "rollout_done layered"]
    moved = node_with_image("a", "worker-1", roles=["worker"])
    found = watched.observe(ROLLED_OUT.having(nodes=[node_with_image("a"), moved]))
    assert [(t.type.value, t.pool, t.object.name, t.finding and t.finding.message) for t in found] == [
        (
            "node_left",
            "layered",
            "worker-1",
            "Node worker-1 left MachineConfigPool layered: it is in MachineConfigPool worker",
        ),
        ("node_left", "layered", "worker-2", "Node worker-2 left MachineConfigPool layered: it was deleted"),
        ("node_joined", "worker", "worker-1", None),
    ]


def test_node_that_two_pools_select_left_its_pool(watched):
    other = machine_config_pool("other", match_labels={"kubernetes.io/hostname": "worker-1"})
    labels = {"kubernetes.io/hostname": "worker-1"}
    nodes = [node_with_image("a"), node_with_image("a", "worker-1", labels=labels)]
    (found,) = watched.observe(ROLLED_OUT.having(nodes=nodes, pools=[*all_pools(), other]))
    assert found.finding is not None
    assert found.finding.message.endswith("MachineConfigPools layered and other select it")


def test_end_of_a_rollout_is_reported_after_a_node_joined_and_got_the_image(watched):
    joined = ROLLED_OUT.having(nodes=[*ROLLED_OUT.nodes, node("worker-2")])
    assert watched.types(joined) == ["node_joined worker-2"]
    done = ROLLED_OUT.having(nodes=[*ROLLED_OUT.nodes, node_with_image("a", "worker-2")])
    assert watched.types(done) == ["rollout_done layered"]


@pytest.mark.parametrize("change", [{"ready": "False"}, {"unschedulable": True}], ids=str)
def test_node_that_is_unavailable_for_a_while_is_no_rollout(watched, change):
    away = ROLLED_OUT.having(nodes=[node_with_image("a", **change), node_with_image("a", "worker-1")])
    assert [watched.types(away, now) for now in (0.0, 20.0, 40.0)] == [[], [], []]
    assert watched.types(ROLLED_OUT, 60.0) == []


def test_pool_that_is_created_later_is_new_as_a_whole():
    watched = WatchedPools()
    watched.observe(Cluster(pools=[machine_config_pool("worker")]))
    assert sorted(watched.types(ROLLED_OUT)) == [
        "build_succeeded layered-a",
        "config_edited layered",
        "node_joined worker-0",
        "node_joined worker-1",
        "rollout_done layered",
    ]


def test_nodes_of_a_deleted_pool_left_it(watched):
    pools = [machine_config_pool("worker")]
    found = watched.observe(ROLLED_OUT.having(pools=pools, configs=[], builds=[]))
    assert sorted((t.type.value, t.pool, t.object.name) for t in found) == [
        ("node_joined", "worker", "worker-0"),
        ("node_joined", "worker", "worker-1"),
        ("node_left", "layered", "worker-0"),
        ("node_left", "layered", "worker-1"),
    ]
    assert watched.state.pools.keys() == {"worker"}


def test_other_pools_are_not_watched_if_pools_are_named():
    watched = WatchedPools("worker")
    watched.observe(ROLLED_OUT)
    assert watched.observe(UPDATED) == []
    moved = node_with_image("b", "worker-1", roles=["worker"])
    assert watched.types(UPDATED.having(nodes=[node_with_image("b"), moved])) == ["node_joined worker-1"]


def test_blocked_rollout_is_reported_once_after_it_has_lasted():
    watched = WatchedPools(settle=30.0)
    paused = SUCCEEDED.having(pools=[machine_config_pool(paused=True), *all_pools()[1:]])
    assert watched.types(paused) == []
    assert watched.types(paused, 20.0) == []
    (found,) = watched.observe(paused, 30.0)
    assert found.type is TransitionType.ROLLOUT_BLOCKED
    assert found.finding is not None
    assert found.finding.id is FindingId.POOL_PAUSED
    assert watched.types(paused, 300.0) == []


def test_rollout_that_is_blocked_again_is_reported_again(watched):
    paused = SUCCEEDED.having(pools=[machine_config_pool(paused=True), *all_pools()[1:]])
    watched.observe(paused)
    assert watched.types(paused, 30.0) == ["rollout_blocked layered"]
    assert watched.types(SUCCEEDED, 100.0) == []
    watched.observe(paused, 200.0)
    assert watched.types(paused, 230.0) == ["rollout_blocked layered"]


@pytest.mark.parametrize("settle", [0.0, 5.0])
def test_problem_that_lasts_is_reported_once_however_rarely_it_is_observed(settle):
    watched = WatchedPools(settle=settle)
    paused = SUCCEEDED.having(pools=[machine_config_pool(paused=True), *all_pools()[1:]])
    found = [watched.types(paused, now) for now in (0.0, 10.0, 20.0, 1000.0)]
    assert [name for names in found for name in names] == ["rollout_blocked layered"]


def test_error_that_a_daemon_hides_while_it_tries_again_lasts(watched):
    error = {"state": "Degraded", "reason": "disk full"}
    degraded = SUCCEEDED.having(nodes=[updating("b", **error), node_with_image("a", "worker-1")])
    retrying = SUCCEEDED.having(nodes=[updating("b"), node_with_image("a", "worker-1")])
    watched.observe(degraded)
    assert watched.types(retrying, 10.0) == []
    assert watched.types(degraded, 20.0) == []
    assert watched.types(retrying, 30.0) == []
    assert "rollout_blocked worker-0" in watched.types(degraded, 40.0)


def test_pause_without_a_rollout_blocks_nothing(watched):
    pools = [machine_config_pool(paused=True), *all_pools()[1:]]
    assert [watched.types(ROLLED_OUT.having(pools=pools), now) for now in (0.0, 60.0)] == [[], []]


def test_pause_during_a_build_blocks_nothing(watched):
    building = ROLLED_OUT.having(
        configs=[EDITED],
        builds=[BUILD, machine_os_build("layered-b", state="Building", created=LATER)],
        pools=[machine_config_pool(paused=True), *all_pools()[1:]],
    )
    assert watched.types(building) == ["config_edited layered"]
    assert watched.types(building, 60.0) == []


def test_configuration_that_cannot_be_rendered_blocks_also_a_pool_that_is_rolled_out(watched):
    pools = [render_degraded(machine_config_pool(), "bad unit"), *all_pools()[1:]]
    broken = ROLLED_OUT.having(pools=pools)
    watched.observe(broken)
    assert watched.types(broken, 30.0) == ["rollout_blocked layered"]


def test_node_that_reports_another_image_differs_if_nothing_explains_it(watched):
    other = ROLLED_OUT.having(nodes=[node_with_image("a"), node_with_image("c", "worker-1")])
    assert watched.types(other) == []
    (found,) = watched.observe(other, 30.0)
    assert (found.type, found.object.name) == (TransitionType.IMAGE_DIFFERS, "worker-1")
    assert found.finding is not None
    assert found.finding.id is FindingId.NODE_REPORTED_IMAGE_DIFFERS
    assert watched.observe(other, 60.0) == []


def test_node_that_waits_for_its_turn_does_not_differ(watched):
    rolling = SUCCEEDED.having(nodes=[updating("b"), node_with_image("a", "worker-1")])
    watched.observe(rolling)
    assert [watched.types(rolling, now) for now in (30.0, 60.0, 90.0)] == [[], [], []]


def test_daemon_that_finds_another_image_booted_reports_a_difference(watched):
    reason = f'unexpected on-disk state validating against {RENDERED}: expected target osImageURL "x", have "y"'
    notes = {"currentImage": image_of("a"), "desiredImage": image_of("a"), "state": "Degraded", "reason": reason}
    drifted = ROLLED_OUT.having(nodes=[node(annotations=notes), node_with_image("a", "worker-1")])
    watched.observe(drifted)
    found = watched.observe(drifted, 30.0)
    assert {(t.type.value, t.finding.id.value) for t in found if t.finding} == {
        ("rollout_blocked", "node.degraded"),
        ("image_differs", "node.reported_image_differs"),
    }


def test_pool_without_an_image_reports_rollouts_of_its_configuration():
    watched = WatchedPools("worker")
    plain = Cluster([node(roles=["worker"])])
    assert watched.types(plain) == []
    pools = [machine_config_pool("worker", rendered=OLD_RENDERED)]
    assert watched.types(plain.having(pools=pools)) == []
    notes = {"currentConfig": OLD_RENDERED, "desiredConfig": OLD_RENDERED}
    assert watched.types(Cluster([node(roles=["worker"], annotations=notes)], pools=pools)) == ["rollout_done worker"]


def test_pool_in_v1alpha1_has_the_same_transitions():
    watched = WatchedPools()
    pools = [machine_config_pool(rendered=v1alpha1_objects.RENDERED)]
    config = as_v1(v1alpha1_objects.machine_os_config())
    running = as_v1(v1alpha1_objects.machine_os_build(true="Building"))
    watched.observe(Cluster(pools=pools))
    building = Cluster(pools=pools, configs=[config], builds=[running])
    assert watched.types(building) == ["config_edited layered"]
    published = as_v1(v1alpha1_objects.machine_os_config(image=image_of("a")))
    built = as_v1(v1alpha1_objects.machine_os_build())
    done = Cluster(pools=pools, configs=[published], builds=[built])
    assert watched.types(done, 20.0) == [f"build_succeeded layered-{v1alpha1_objects.RENDERED}-builder"]


def test_watch_never_ends(watched):
    watched.observe(FAILED)
    assert watched.last is not None
    assert watched.last.outcome is Outcome.WAITING
    assert watched.last.error is None
