# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t
from dataclasses import dataclass, field, replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import readers
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_OS_BUILD,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    Outcome,
    Pace,
    ReadObject,
    ReadResult,
    Snapshot,
    WaitError,
    WatchObjects,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.snapshot import RolloutWaitOptions
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.wait import (
    MOST_WATCHED_DRAINS,
    SLOW_DRAIN,
    RolloutObservation,
    RolloutWaitState,
    observe,
    pace,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    all_pools,
    budget,
    cluster_version,
    image_of,
    machine_config_node,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
    pod,
    virtual_machine,
    virtual_machine_budget,
    virtual_machine_pod,
)

ALL_NODES = RolloutWaitOptions("layered")
CONFIG = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
BUILD = machine_os_build("layered-a")
ASSIGNED = {"desiredImage": image_of("a"), "state": "Working"}
DRAINS = {**ASSIGNED, "desiredDrain": "drain-x"}
REBUILD = "machineconfiguration.openshift.io/rebuild"
VERSION = ReadObject(CLUSTER_VERSION, "version", retried=False)
CONFIRMATION = ReadObject(MACHINE_OS_BUILD, "layered-a", by_list=True, retried=False)
IS_421 = ReadResult(cluster_version("4.21.0"))
IS_420 = ReadResult(cluster_version("4.20.5"))


@dataclass
class Cluster:
    """The objects that a wait watches, and what a direct read returns."""

    nodes: t.Sequence[dict]
    pools: t.Sequence[dict] = field(default_factory=all_pools)
    configs: t.Sequence[dict] = (CONFIG,)
    builds: t.Sequence[dict] = (BUILD,)
    pods: t.Sequence[dict] = ()
    budgets: t.Sequence[dict] = ()
    reports: t.Sequence[dict] = ()
    machines: t.Sequence[dict] = ()
    unreadable: t.Mapping[str, str] = field(default_factory=dict)

    def snapshot(self, watched: float, resumed: bool, **results: t.Any) -> Snapshot:
        known = {
            readers.NODES: self.nodes,
            readers.POOLS: self.pools,
            readers.CONFIGS: self.configs,
            readers.BUILDS: self.builds,
            readers.PODS: self.pods,
            readers.BUDGETS: self.budgets,
            readers.MACHINE_CONFIG_NODES: self.reports,
            readers.VIRTUAL_MACHINES: self.machines,
        }
        return Snapshot(
            objects={reader.kind.name: [reader.parse(obj) for obj in objects] for reader, objects in known.items()},
            results=results.get("results", {}),
            unreadable=self.unreadable,
            watched=watched,
            resumed=resumed,
        )


class Wait:
    """A wait that observes a cluster as the loop does, with the time as an argument."""

    def __init__(self, options: RolloutWaitOptions = ALL_NODES) -> None:
        self.options = options
        self.state = RolloutWaitState()
        self.reads: list[ReadObject] = []

    def observe(
        self,
        cluster: Cluster,
        now: float = 0.0,
        version: ReadResult = IS_421,
        build: ReadResult | None = None,
        resumed: bool = False,
    ) -> RolloutObservation:
        """Observe, fetch what is needed, and observe again."""
        answers = {VERSION: version, CONFIRMATION: build or ReadResult(BUILD)}
        results: dict[t.Any, t.Any] = {}
        while True:
            snapshot = cluster.snapshot(now, resumed, results=results)
            self.state, last = observe(self.options, snapshot, self.state, now)
            missing = [need for need in last.needs if isinstance(need, ReadObject) and need not in results]
            if not missing:
                return last
            self.reads += missing
            results.update({need: answers[need] for need in missing})


def done(*names: str) -> list[dict]:
    return [node_with_image("a", name) for name in names]


def watched_parts(observation: RolloutObservation) -> list[tuple[str, str, str]]:
    subjects = [need.subject for need in observation.needs if isinstance(need, WatchObjects)]
    assert all(subject.optional for subject in subjects)
    return [(subject.kind.name, subject.part, subject.field_selector) for subject in subjects]


def test_wait_ends_with_the_last_node():
    wait = Wait()
    steps: list[t.Sequence[dict]] = [
        [node("worker-0"), node("worker-1")],
        [node("worker-0", annotations=ASSIGNED), node("worker-1")],
        [*done("worker-0"), node("worker-1")],
        [*done("worker-0"), node("worker-1", annotations=ASSIGNED)],
        done("worker-0", "worker-1"),
    ]
    observed = [wait.observe(Cluster(nodes), now=100.0 * n) for n, nodes in enumerate(steps)]
    assert [o.progress for o in observed] == [
        "pool layered: 0/2 nodes updated",
        "pool layered: 0/2 nodes updated, worker-0 applying the image",
        "pool layered: 1/2 nodes updated",
        "pool layered: 1/2 nodes updated, worker-1 applying the image",
        "pool layered: 2/2 nodes updated",
    ]
    assert [o.outcome for o in observed] == [Outcome.WAITING] * 4 + [Outcome.SUCCEEDED]
    assert [o.rollout.remaining for o in observed] == [None, None, 100, 100, None]
    assert len({o.mark for o in observed}) == 5
    assert [n.name for n in observed[0].nodes] == ["worker-0", "worker-1"]
    assert observed[0].pool
    assert observed[0].pool.name == "layered"


@pytest.mark.parametrize(
    "read",
    [
        ReadResult(None),
        ReadResult(known=False),
        ReadResult(machine_os_build("layered-a", uid="another")),
        ReadResult(machine_os_build("layered-a", state="Building")),
    ],
    ids=["deleted", "not readable", "created again", "in another state"],
)
def test_rollout_is_done_only_with_a_confirmed_build(read):
    wait = Wait()
    observation = wait.observe(Cluster(done("worker-0")), build=read)
    assert observation.outcome is Outcome.WAITING
    assert observation.progress == "pool layered: 1/1 nodes updated, confirming build layered-a"
    assert CONFIRMATION in wait.reads
    assert wait.observe(Cluster(done("worker-0"))).outcome is Outcome.SUCCEEDED


def test_build_is_not_read_before_the_rollout_is_done():
    wait = Wait()
    wait.observe(Cluster([node("worker-0")]))
    assert wait.reads == [VERSION]


def test_pool_without_a_machineosconfig_needs_no_confirmation():
    wait = Wait()
    observation = wait.observe(Cluster([node("worker-0")], configs=[], builds=[]))
    assert observation.outcome is Outcome.SUCCEEDED
    assert wait.reads == [VERSION]


def test_check_mode_needs_no_confirmation():
    wait = Wait(RolloutWaitOptions("layered", check_mode=True))
    assert wait.observe(Cluster(done("worker-0"))).outcome is Outcome.SUCCEEDED
    assert wait.reads == [VERSION]


# Errors --------------------------------------------------------------------------------------------------------------


def test_missing_pool_is_an_error():
    observation = Wait().observe(Cluster([node()], pools=[]))
    assert observation.outcome is Outcome.FAILED
    assert observation.error
    assert observation.error.reason == "MachineConfigPool layered does not exist"
    assert observation.error.remedy.startswith("Check the name, or create the pool")


def test_pool_that_is_deleted_during_the_wait_is_an_error_of_its_own():
    wait = Wait()
    wait.observe(Cluster([node()]))
    observation = wait.observe(Cluster([node()], pools=[]))
    assert observation.error == WaitError(
        "MachineConfigPool layered was deleted while waiting", "Create it again, and wait again"
    )


def test_missing_pool_is_no_error_in_check_mode():
    observation = Wait(RolloutWaitOptions("layered", check_mode=True)).observe(Cluster([], pools=[]))
    assert (observation.outcome, observation.error) == (Outcome.WAITING, None)
    assert observation.progress == "pool layered: does not exist yet"
    assert (observation.rollout.counts["total"], observation.nodes, observation.pool) == (0, (), None)


@pytest.mark.parametrize("check_mode", [True, False])
def test_unknown_node_is_an_error(check_mode):
    options = RolloutWaitOptions("layered", ("lost", "worker-0", "gone"), check_mode)
    observation = Wait(options).observe(Cluster([node("worker-0")]))
    assert observation.error == WaitError(
        "Node gone, lost does not exist", "Correct nodes; oc get nodes lists the names"
    )
    assert observation.outcome is Outcome.FAILED
    assert observation.pool


def test_pool_without_nodes_is_an_error_except_in_check_mode():
    cluster = Cluster([node("plain-0", roles=["worker"])])
    observation = Wait().observe(cluster)
    assert observation.error == WaitError("no node is in it", "Add nodes to the pool first (machineconfigpool_nodes)")
    checked = Wait(RolloutWaitOptions("layered", check_mode=True)).observe(cluster)
    assert (checked.outcome, checked.error, checked.rollout.done) == (Outcome.WAITING, None, False)


# Awaited nodes -------------------------------------------------------------------------------------------------------


def test_only_the_named_nodes_are_awaited():
    cluster = Cluster([*done("worker-0"), node("worker-1")])
    named = Wait(RolloutWaitOptions("layered", ("worker-0",))).observe(cluster)
    assert (named.outcome, named.rollout.counts["total"]) == (Outcome.SUCCEEDED, 1)
    assert Wait().observe(cluster).outcome is Outcome.WAITING


def test_named_node_outside_the_pool_is_a_finding():
    nodes = [*done("worker-0"), node("plain-0", roles=["worker"])]
    observation = Wait(RolloutWaitOptions("layered", ("worker-0", "plain-0"))).observe(Cluster(nodes))
    (finding,) = observation.findings
    assert finding.message == "Node plain-0 is not in MachineConfigPool layered"
    assert [n.name for n in observation.nodes] == ["worker-0"]


@pytest.mark.parametrize("names", [(), ("worker-0", "worker-1")])
def test_node_in_two_custom_pools_is_a_finding(names):
    pools = [*all_pools(), {**all_pools()[0], "metadata": {"name": "twin"}}]
    stuck = [node("worker-0"), node("worker-1")]
    observation = Wait(RolloutWaitOptions("layered", names)).observe(Cluster(stuck, pools=pools))
    assert [f.id for f in observation.findings] == ["node.in_two_pools", "node.in_two_pools"]
    assert observation.findings[0].message == (
        "Node worker-0 is in MachineConfigPools layered and twin, "
        "and the operator does not update a node in two custom pools"
    )
    assert observation.outcome is Outcome.WAITING


def test_node_that_is_not_awaited_counts_for_max_unavailable():
    nodes = [node("worker-0"), node("worker-1", annotations={**ASSIGNED, "state": "Degraded", "reason": "full"})]
    observation = Wait(RolloutWaitOptions("layered", ("worker-0",))).observe(Cluster(nodes))
    assert [f.id for f in observation.findings] == ["pool.max_unavailable_reached"]


# The current build ---------------------------------------------------------------------------------------------------


def test_line_shows_the_build_until_the_image_is_published():
    building = Cluster(done("worker-0"), builds=[machine_os_build("layered-a", state="Building")])
    observation = Wait().observe(building)
    assert observation.progress == "pool layered: 0/1 nodes updated, build layered-a: building"
    assert observation.outcome is Outcome.WAITING


def test_requested_rebuild_that_does_not_start_is_a_finding_after_the_grace_period():
    requested = {**CONFIG, "metadata": {**CONFIG["metadata"], "annotations": {**CONFIG["metadata"]["annotations"]}}}
    requested["metadata"]["annotations"][REBUILD] = ""
    wait = Wait()
    assert not wait.observe(Cluster(done("worker-0"), configs=[requested]), now=0).findings
    assert wait.observe(Cluster(done("worker-0")), now=60).outcome is Outcome.WAITING
    late = wait.observe(Cluster(done("worker-0")), now=121)
    assert [f.id for f in late.findings] == ["build.rebuild_not_started"]
    assert not late.rollout.done


def test_time_between_two_calls_does_not_count_for_a_pending_build():
    deleted = Cluster(done("worker-0"), builds=[])
    wait = Wait()
    wait.observe(deleted, now=0)
    assert not wait.observe(deleted, now=500, resumed=True).findings
    assert not wait.observe(deleted, now=619).findings
    assert [f.id for f in wait.observe(deleted, now=621).findings] == ["build.deleted"]


def test_pending_build_is_forgotten_without_a_machineosconfig():
    wait = Wait()
    wait.observe(Cluster(done("worker-0"), builds=[]), now=0)
    wait.observe(Cluster([node("worker-0")], configs=[], builds=[]), now=100)
    assert wait.state.build.pending is None


# The release ---------------------------------------------------------------------------------------------------------

OLDER = Cluster(
    [node_with_image("a", "worker-0")],
    configs=[machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)],
    builds=[machine_os_build("layered-a"), machine_os_build("layered-b", created=LATER)],
)


def test_release_is_read_once():
    wait = Wait()
    for now in (0, 10, 20):
        wait.observe(Cluster([node()]), now=now)
    assert wait.reads == [VERSION]
    assert wait.state.version == "4.21.0"


def test_release_that_is_not_readable_is_read_once_and_counts_as_an_old_release():
    wait = Wait()
    wait.observe(Cluster([node()]), now=0, version=ReadResult(known=False))
    wait.observe(Cluster([node()]), now=10, version=ReadResult(known=False))
    assert (wait.reads, wait.state.version) == ([VERSION], "")
    assert wait.observe(OLDER, 60, ReadResult(known=False)).findings == ()
    assert [f.id for f in wait.observe(OLDER, 120, ReadResult(known=False)).findings] == ["pool.older_build_selected"]


def test_older_build_is_reported_for_the_release_that_was_just_read():
    wait = Wait()
    wait.observe(OLDER, now=0, version=IS_420)
    observation = wait.observe(OLDER, now=60, version=IS_420)
    assert [f.id for f in observation.findings] == ["pool.older_build_selected"]
    assert wait.reads == [VERSION, VERSION]
    upgraded = wait.observe(OLDER, now=70, version=IS_421)
    assert (upgraded.findings, wait.state.version) == ((), "4.21.0")


def test_release_that_was_read_before_counts_while_it_is_not_readable():
    wait = Wait()
    wait.observe(OLDER, now=0, version=IS_420)
    assert wait.observe(OLDER, now=60, version=ReadResult(known=False)).findings
    assert wait.state.version == "4.20.5"


# Drains --------------------------------------------------------------------------------------------------------------

DRAINING = node("worker-0", annotations=DRAINS, unschedulable=True)
FULL = budget(allowed=0, healthy=1, desired=1, expected=1)


def test_pods_of_a_slow_drain_are_watched_until_it_is_complete():
    wait = Wait()
    assert watched_parts(wait.observe(Cluster([DRAINING]), now=0)) == []
    assert watched_parts(wait.observe(Cluster([DRAINING]), now=SLOW_DRAIN - 1)) == []
    assert watched_parts(wait.observe(Cluster([DRAINING]), now=SLOW_DRAIN)) == [
        ("PodDisruptionBudget", "", ""),
        ("Pod", "worker-0", "spec.nodeName=worker-0"),
        ("MachineConfigNode", "worker-0", "metadata.name=worker-0"),
    ]
    drained = node("worker-0", annotations={**DRAINS, "lastAppliedDrain": "drain-x"}, unschedulable=True)
    assert watched_parts(wait.observe(Cluster([drained]), now=SLOW_DRAIN + 1)) == []


def test_pods_are_read_at_once_in_check_mode():
    wait = Wait(RolloutWaitOptions("layered", check_mode=True))
    assert len(watched_parts(wait.observe(Cluster([DRAINING]), now=0))) == 3


def test_longest_drains_are_watched():
    names = [f"worker-{n:02}" for n in range(MOST_WATCHED_DRAINS + 2)]
    nodes = [node(name, annotations=DRAINS, unschedulable=True) for name in names]
    wait = Wait()
    wait.observe(Cluster(nodes[2:]), now=0)
    observation = wait.observe(Cluster(nodes), now=SLOW_DRAIN)
    assert [part for kind, part, dummy in watched_parts(observation) if kind == "Pod"] == names[2:]
    later = wait.observe(Cluster(nodes), now=2 * SLOW_DRAIN)
    assert [part for kind, part, dummy in watched_parts(later) if kind == "Pod"] == names[2:]


def test_budget_that_blocks_a_drain_is_a_finding():
    observation = Wait().observe(Cluster([DRAINING], pods=[pod()], budgets=[FULL]))
    assert [f.id for f in observation.findings] == ["node.drain_impossible"]
    assert observation.progress == (
        "pool layered: 0/1 nodes updated, worker-0 draining (PDB shop/db blocks eviction of shop/db-0)"
    )


def test_error_of_the_drain_controller_is_a_finding():
    report = machine_config_node("worker-0")
    condition = {"type": "Drained", "status": "Unknown", "message": "Error is: timeout"}
    report["status"]["conditions"] = [condition]
    observation = Wait().observe(Cluster([DRAINING], reports=[report]))
    assert [f.id for f in observation.findings] == ["node.drain_failing"]
    assert observation.progress == "pool layered: 0/1 nodes updated, worker-0 draining (timeout)"


@pytest.mark.parametrize(
    ("key", "found"),
    [
        ("Pod worker-0", ["cluster.drains_not_readable"]),
        ("PodDisruptionBudget", ["cluster.drains_not_readable"]),
        ("MachineConfigNode worker-0", []),
        ("Pod worker-1", []),
    ],
)
def test_unreadable_pods_and_budgets_of_a_draining_node_are_a_finding(key, found):
    observation = Wait().observe(Cluster([DRAINING, node("worker-1")], unreadable={key: "forbidden"}))
    assert [f.id for f in observation.findings] == found
    assert all("(forbidden)" in f.message for f in observation.findings)


MIGRATING = Cluster([DRAINING], pods=[virtual_machine_pod()], budgets=[virtual_machine_budget()])


def watched_machines(observation: RolloutObservation) -> list[tuple[str, str]]:
    subjects = [need.subject for need in observation.needs if isinstance(need, WatchObjects)]
    return [(s.part, s.label_selector) for s in subjects if s.kind.name == "VirtualMachineInstance"]


def test_virtual_machines_are_watched_only_for_a_slow_drain_that_waits_for_one():
    wait = Wait()
    assert watched_machines(wait.observe(MIGRATING, now=0)) == []
    assert watched_machines(wait.observe(MIGRATING, now=SLOW_DRAIN)) == [("worker-0", "kubevirt.io/nodeName=worker-0")]
    assert watched_machines(wait.observe(replace(MIGRATING, budgets=[]), now=SLOW_DRAIN + 1)) == []
    other = Cluster([DRAINING], pods=[pod()], budgets=[FULL])
    assert watched_machines(wait.observe(other, now=SLOW_DRAIN + 2)) == []


@pytest.mark.parametrize(("length", "watched"), [(63, 1), (64, 0)])
def test_virtual_machines_of_a_node_whose_name_is_no_value_of_a_label_are_not_requested(length, watched):
    name = "n" * length
    draining = node(name, annotations=DRAINS, unschedulable=True)
    cluster = Cluster([draining], pods=[virtual_machine_pod(node=name)], budgets=[virtual_machine_budget()])
    wait = Wait()
    wait.observe(cluster, now=0)
    assert len(watched_machines(wait.observe(cluster, now=SLOW_DRAIN))) == watched


@pytest.mark.parametrize(
    ("key", "watched"),
    [
        ("VirtualMachineInstance worker-0", []),
        ("VirtualMachineInstance worker-9", []),
        ("Pod worker-9", ["worker-0"]),
    ],
)
def test_virtual_machines_are_not_requested_again_once_they_are_unreadable(key, watched):
    """The account may not read them, or the cluster has no KubeVirt. Neither is a finding."""
    wait = Wait()
    wait.observe(MIGRATING, now=0)
    observation = wait.observe(replace(MIGRATING, unreadable={key: "forbidden"}), now=SLOW_DRAIN)
    assert [part for part, dummy in watched_machines(observation)] == watched
    assert [f.id for f in observation.findings] == ["node.vm_migrating"]


def test_live_migration_does_not_end_a_wait():
    observation = Wait().observe(MIGRATING)
    assert observation.outcome is Outcome.WAITING
    assert [f.fatal for f in observation.findings] == [False]
    assert observation.progress == "pool layered: 0/1 nodes updated, worker-0 draining (VM vms/vm1 migrates)"


def test_virtual_machine_that_cannot_migrate_is_a_finding():
    cannot = replace(MIGRATING, machines=[virtual_machine(reason="DisksNotLiveMigratable")])
    observation = Wait().observe(cannot)
    assert [f.id for f in observation.findings] == ["node.vm_not_migratable"]
    assert "worker-0 draining (VM vms/vm1 cannot migrate (DisksNotLiveMigratable))" in observation.progress


# Pace ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        (0, Pace(1, 10, 10)),
        (100, Pace(1, 10, 10)),
        (200, Pace(1.8, 10, 18)),
        (500, Pace(4.5, 10, 45)),
        (5000, Pace(4.5, 10, 45)),
    ],
)
def test_many_nodes_are_reported_less_often_but_within_a_minute(nodes, expected):
    assert pace(nodes) == expected


def test_pace_depends_on_the_awaited_nodes():
    nodes = [node(f"worker-{n}") for n in range(200)]
    assert Wait().observe(Cluster(nodes)).pace == pace(200)


def test_observing_again_does_not_change_the_decision():
    wait = Wait()
    wait.observe(Cluster([node("worker-0")]), now=0)
    cluster = Cluster([DRAINING], pods=[pod()], budgets=[FULL])
    first = wait.observe(cluster, now=50)
    state = wait.state
    assert wait.observe(cluster, now=50) == first
    assert wait.state == replace(state)


def test_change_of_the_spec_ends_the_rollout_of_a_run_also_in_check_mode():
    for check_mode in (False, True):
        options = RolloutWaitOptions("layered", check_mode=check_mode, run=RunSpec("sha256:other"))
        last = Wait(options).observe(Cluster([node_with_image("a")]))
        assert last.outcome is Outcome.FAILED
        assert "was changed by imagemode.openshift after this run wrote it" in last.error.reason


def test_rollout_of_another_image_than_the_one_of_the_run_is_not_done():
    last = Wait(RolloutWaitOptions("layered", run=RunSpec(image=image_of("b")))).observe(
        Cluster([node_with_image("a")])
    )
    assert last.outcome is Outcome.WAITING
    assert "has another image than this run built" in last.progress


# Nodes that leave the pool -------------------------------------------------------------------------------------------

TWO = [node("worker-0"), node("worker-1")]
NAMED = RolloutWaitOptions("layered", ("worker-0", "worker-1"))
GONE = [
    ([], "it was deleted"),
    ([node("worker-1", roles=["worker"])], "it is in MachineConfigPool worker"),
    ([node("worker-1", roles=[])], "it is in no pool"),
    ([node("worker-1", roles=["worker", "infra"])], "it is in MachineConfigPool infra"),
]


def with_nodes(nodes: t.Sequence[dict]) -> Cluster:
    return Cluster(nodes, pools=[*all_pools(), machine_config_pool("infra")])


@pytest.mark.parametrize(("left", "now"), GONE)
def test_node_that_leaves_the_pool_is_reported_and_stays_in_the_counts(left, now):
    wait = Wait()
    wait.observe(with_nodes(TWO))
    observation = wait.observe(with_nodes([node("worker-0"), *left]), now=10)
    assert observation.outcome is Outcome.WAITING
    message = f"Node worker-1 left MachineConfigPool layered during the rollout: {now}"
    assert [(f.id, f.message) for f in observation.findings] == [("node.left_pool", message)]
    assert observation.rollout.counts == {"total": 2, "done": 0, "updating": 0, "waiting": 1, "left": 1}
    assert observation.progress == "pool layered: 0/2 nodes updated, worker-1 left the pool"
    ended = wait.observe(with_nodes([*done("worker-0"), *left]), now=20)
    assert (ended.outcome, [f.id for f in ended.findings]) == (Outcome.SUCCEEDED, ["node.left_pool"])
    assert ended.rollout.counts == {"total": 2, "done": 1, "updating": 0, "waiting": 0, "left": 1}
    assert ended.limit is None


@pytest.mark.parametrize(("left", "now"), GONE)
def test_named_node_that_leaves_the_pool_ends_the_wait(left, now):
    wait = Wait(NAMED)
    wait.observe(with_nodes(TWO))
    observation = wait.observe(with_nodes([*done("worker-0"), *left]), now=10)
    assert (observation.outcome, observation.error) == (Outcome.FAILED, None)
    assert observation.limit is not None
    assert observation.limit.message.endswith(now)
    assert observation.rollout.counts["left"] == 1


def test_last_node_that_leaves_the_pool_ends_the_wait():
    wait = Wait()
    wait.observe(Cluster([node("worker-0")]))
    observation = wait.observe(Cluster([]), now=10)
    assert (observation.outcome, observation.error) == (Outcome.FAILED, None)
    assert observation.limit is not None
    assert observation.rollout.counts["total"] == 1


def test_node_that_returns_to_the_pool_is_awaited_again():
    wait = Wait()
    wait.observe(Cluster(TWO))
    assert wait.observe(Cluster(TWO[:1]), now=10).rollout.counts["left"] == 1
    observation = wait.observe(Cluster([*done("worker-0"), node("worker-1")]), now=20)
    assert (observation.outcome, observation.findings) == (Outcome.WAITING, ())
    assert observation.rollout.counts["left"] == 0


def test_node_that_a_second_custom_pool_selects_has_not_left():
    wait = Wait()
    wait.observe(with_nodes(TWO))
    both = node("worker-1", roles=["worker", "layered", "infra"])
    observation = wait.observe(with_nodes([node("worker-0"), both]), now=10)
    assert [f.id for f in observation.findings] == ["node.in_two_pools"]


def test_named_node_that_was_never_in_the_pool_has_not_left_it():
    observation = Wait(NAMED).observe(Cluster([node("worker-0"), node("worker-1", roles=["worker"])]))
    assert [f.id for f in observation.findings] == ["node.not_in_pool"]
    assert observation.limit is None


def test_paused_pool_is_no_finding_when_only_nodes_that_left_are_not_done():
    wait = Wait()
    wait.observe(Cluster(TWO))
    paused = Cluster(done("worker-0"), pools=[machine_config_pool(paused=True)])
    assert [f.id for f in wait.observe(paused, now=10).findings] == ["node.left_pool"]


def test_many_nodes_that_left_are_named_in_short():
    wait = Wait()
    names = [f"worker-{n}" for n in range(6)]
    wait.observe(Cluster([node(name) for name in names]))
    observation = wait.observe(Cluster([node("worker-0")]), now=10)
    assert observation.progress.endswith(", worker-1, worker-2, worker-3 and 2 more left the pool")
