# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import build_progress
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.budget import PodDisruptionBudget
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.pod import Pod
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.pool_membership import Membership
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.release import Release
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.blockers import (
    LONGEST_REBOOT,
    PULL_RETRIED,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.drain_blockers import DrainSnapshot
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import Idle, RolloutHistory
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.node_phase import Phase, Target
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.outside_nodes import outside_node
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.progress import (
    Rollout,
    evaluate,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.snapshot import RolloutSnapshot
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.target import PoolTarget, pool_target
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    OLD_RENDERED,
    RENDERED,
    budget,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
    node,
    node_with_image,
    pod,
    render_degraded,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of

MORNING = "2026-03-01T08:00:00Z"
BUILT = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
BUILD = machine_os_build("layered-a")
NOT_LAYERED: dict = {}
"""Instead of a MachineOSConfig, where there is none."""


def run(
    nodes: t.Sequence[dict],
    config: dict | None = None,
    builds: t.Sequence[dict] = (BUILD,),
    pool: dict | None = None,
    outside: t.Sequence[str] = (),
    version: str = "4.21.0",
    watched: float = 3600,
    now: float = 0.0,
    history: RolloutHistory | None = None,
    **more: t.Any,
) -> Rollout:
    """Evaluate a rollout. Without a history no node has been updated since the wait began."""
    read_pool = Pool.from_api(pool or machine_config_pool())
    read_config = None if config is NOT_LAYERED else MachineOSConfig.from_api(config or BUILT)
    read_builds = [MachineOSBuild.from_api(b) for b in builds]
    snapshot = RolloutSnapshot(
        pool=read_pool,
        config=read_config,
        builds=read_builds,
        nodes=[NodeState.from_api(n) for n in nodes],
        outside_nodes={name: outside_node(name, "layered", Membership("worker")) for name in outside},
        build=build_progress(read_config, read_builds, read_pool.rendered_config) if read_config else None,
        release=Release.from_version(version),
        watched=watched,
        **more,
    )
    idle = Idle(read_config.current_image_pull_spec if read_config else "")
    return evaluate(snapshot, history or RolloutHistory(idle=idle), now)


def target_of(pool: dict, config: dict | None, *builds: dict) -> PoolTarget:
    read_pool = Pool.from_api(pool)
    if config is None:
        return pool_target(read_pool, None, None)
    read_config = MachineOSConfig.from_api(config)
    progress = build_progress(read_config, [MachineOSBuild.from_api(b) for b in builds], read_pool.rendered_config)
    return pool_target(read_pool, read_config, progress)


def ids(rollout: Rollout) -> list[str]:
    return ids_of(rollout.findings)


def test_rollout_is_done_when_every_node_runs_the_image_of_the_current_build():
    rollout = run([node_with_image("a", "worker-0"), node_with_image("a", "worker-1")])
    assert rollout.done
    assert rollout.counts == {"total": 2, "done": 2, "updating": 0, "waiting": 0, "left": 0}
    assert (rollout.findings, rollout.line) == ((), "pool layered: 2/2 nodes updated")


def test_rollout_is_not_done_while_one_node_is_updating():
    rollout = run([node_with_image("a", "worker-0"), node("worker-1", annotations={"desiredImage": image_of("a")})])
    assert not rollout.done
    assert rollout.phases == {"worker-0": Phase.DONE, "worker-1": Phase.UPDATING}


def test_rollout_that_has_not_started_is_not_done():
    """The nodes have settled on the image before, and the pool says Updated."""
    config = machine_os_config(build="layered-b", image=image_of("b"), observed_generation=2, generation=2)
    rollout = run([node_with_image("a")], config, [BUILD, machine_os_build("layered-b")])
    assert not rollout.done
    assert rollout.counts["waiting"] == 1


@pytest.mark.parametrize(
    ("config", "builds"),
    [
        # edited: the image that the nodes run is the one before
        (
            machine_os_config(
                build="layered-a",
                image=image_of("a"),
                generation=2,
                observed_generation=1,
                edits=[("kubectl-edit", LATER)],
            ),
            [BUILD],
        ),
        (machine_os_config(build="layered-b", image=image_of("a")), [machine_os_build("layered-b", state="Building")]),
        (machine_os_config(build="layered-b", image=image_of("a")), [machine_os_build("layered-b", state="Failed")]),
        (machine_os_config(), []),
        # the pool has another rendered config than the build
        (BUILT, [machine_os_build("layered-a", rendered=OLD_RENDERED)]),
    ],
)
def test_settled_nodes_are_not_done_while_the_image_is_not_current(config, builds):
    rollout = run([node_with_image("a")], config, builds)
    assert not rollout.done
    assert "0/1 nodes updated, " in rollout.line


def test_rollout_without_nodes_is_not_done():
    assert not run([]).done


@pytest.mark.parametrize(
    ("obj", "done"),
    [
        (node(), True),
        (node_with_image("a"), False),
        (node(annotations={"currentConfig": OLD_RENDERED, "desiredConfig": OLD_RENDERED}), False),
    ],
)
def test_target_of_a_pool_without_a_machineosconfig_is_its_rendered_config(obj, done):
    assert run([obj], config=NOT_LAYERED, builds=[]).done is done


def test_pool_without_a_rendered_config_has_no_target():
    bare = machine_config_pool(rendered="")
    target = target_of(bare, None)
    assert (target.target, target.line) == (None, "its configuration is not rendered yet")
    assert not run([node(annotations={"currentConfig": "", "desiredConfig": ""})], NOT_LAYERED, [], bare).done


WAITING = node("worker-0")


def test_paused_pool_is_a_finding():
    rollout = run([WAITING], pool=machine_config_pool(paused=True))
    assert ids(rollout) == ["pool.paused"]
    assert rollout.line.endswith(", paused")


def test_paused_pool_is_no_finding_when_every_node_is_done():
    rollout = run([node_with_image("a")], pool=machine_config_pool(paused=True))
    assert rollout.done
    assert (rollout.findings, rollout.line) == ((), "pool layered: 1/1 nodes updated")


def test_render_error_of_the_pool_is_a_finding():
    rollout = run([WAITING], pool=render_degraded(machine_config_pool(), "MachineConfig 99-x: bad"))
    assert ids(rollout) == ["pool.render_degraded"]
    assert rollout.findings[0].message == "MachineConfig 99-x: bad"


@pytest.mark.parametrize("state", ["Degraded", "Unreconcilable"])
def test_degraded_node_is_reported_with_the_reason_of_its_daemon(state):
    broken = node("worker-0", annotations={"desiredImage": image_of("a"), "state": state, "reason": "cannot pull"})
    rollout = run([broken, node_with_image("a", "worker-1")])
    (finding,) = rollout.findings
    assert (finding.id, finding.object.name, finding.evidence) == ("node.degraded", "worker-0", "cannot pull")
    assert not finding.fatal
    assert "worker-0 degraded" in rollout.line


@pytest.mark.parametrize(
    ("obj", "finding"),
    [
        (node_with_image("a", ready="False"), "node.not_ready"),
        (node_with_image("a", unschedulable=True), "node.unschedulable"),
    ],
)
def test_node_with_the_image_that_is_not_ready_or_cordoned_is_a_finding(obj, finding):
    assert ids(run([obj])) == [finding]


def test_node_that_reboots_or_drains_is_no_finding():
    at_work = {"desiredImage": image_of("a"), "state": "Working"}
    rebooting = node("worker-0", annotations=at_work, ready="Unknown", unschedulable=True)
    draining = node("worker-1", annotations={**at_work, "desiredDrain": "drain-x"}, unschedulable=True)
    returning = node_with_image("a", "worker-2", unschedulable=True)
    returning["metadata"]["annotations"]["machineconfiguration.openshift.io/desiredDrain"] = "uncordon-x"
    assert ids(run([rebooting, draining, returning])) == []


@pytest.mark.parametrize(
    ("annotations", "more", "doing"),
    [
        ({"state": "Working"}, {}, "applying the image"),
        ({"state": "Working", "desiredDrain": "drain-x"}, {"unschedulable": True}, "draining"),
        ({"state": "Working"}, {"ready": "Unknown"}, "rebooting"),
        ({"currentImage": image_of("a"), "desiredDrain": "uncordon-x"}, {"unschedulable": True}, "returning"),
        ({"currentImage": image_of("a")}, {"unschedulable": True}, "returning (cordoned)"),
    ],
)
def test_line_names_the_step_of_a_node(annotations, more, doing):
    obj = node("worker-0", annotations={"desiredImage": image_of("a"), **annotations}, **more)
    assert run([obj]).line == f"pool layered: 0/1 nodes updated, worker-0 {doing}"


def test_line_names_all_of_three_nodes():
    nodes = [node(f"worker-{n}", annotations={"desiredImage": image_of("a")}) for n in range(3)]
    named = ", ".join(f"worker-{n} applying the image" for n in range(3))
    assert run(nodes).line == f"pool layered: 0/3 nodes updated, {named}"


def test_line_names_three_of_many_nodes():
    nodes = [node(f"worker-{n}", annotations={"desiredImage": image_of("a")}) for n in range(5)]
    assert "worker-2 applying the image and 2 more" in run(nodes).line


def test_awaited_node_outside_the_pool_is_a_finding():
    rollout = run([node_with_image("a", "worker-0")], outside=["worker-9"])
    assert not rollout.done
    assert rollout.phases["worker-9"] is Phase.WAITING
    (finding,) = rollout.findings
    assert (finding.id, finding.object.name) == ("node.not_in_pool", "worker-9")


EDITED = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
BOTH = [machine_os_build("layered-a", created=MORNING), machine_os_build("layered-b", created=LATER)]


@pytest.mark.parametrize("version", ["4.20.3", "4.19.9", ""])
def test_older_build_that_is_first_by_name_is_a_finding_after_a_minute_without_an_updating_node(version):
    rollout = run([node_with_image("a")], EDITED, BOTH, version=version)
    (finding,) = rollout.findings
    assert (finding.id, finding.object.name, finding.fatal) == ("pool.older_build_selected", "layered-a", True)


@pytest.mark.parametrize("version", ["4.21.0", "5.0.0"])
def test_older_build_is_no_finding_for_releases_that_follow_the_current_build(version):
    assert ids(run([node_with_image("a")], EDITED, BOTH, version=version)) == []


def test_older_build_is_no_finding_within_a_minute_or_while_a_node_updates():
    assert ids(run([node_with_image("a")], EDITED, BOTH, version="4.20.3", watched=59)) == []
    assigned = node("worker-1", annotations={"desiredImage": image_of("b")})
    assert ids(run([node_with_image("a"), assigned], EDITED, BOTH, version="4.20.3")) == []


def test_minute_for_an_older_build_begins_when_nodes_wait_for_the_image_and_none_is_updated():
    updating = [node("worker-0", annotations={"desiredImage": image_of("b")}), node_with_image("a", "worker-1")]
    before = run(updating, EDITED, BOTH, version="4.20.3", watched=300).history
    nodes = [node_with_image("b", "worker-0"), node_with_image("a", "worker-1")]
    started = run(nodes, EDITED, BOTH, version="4.20.3", watched=310, history=before)
    assert ids(started) == []
    assert ids(run(nodes, EDITED, BOTH, version="4.20.3", watched=369, history=started.history)) == []
    assert ids(run(nodes, EDITED, BOTH, version="4.20.3", watched=370, history=started.history)) == [
        "pool.older_build_selected"
    ]


@pytest.mark.parametrize("version", ["4.18.20", "4.19.9", ""])
def test_node_with_the_image_proves_that_an_older_build_does_not_block_it(version):
    nodes = [node_with_image("b", "worker-0"), node_with_image("a", "worker-1")]
    assert ids(run(nodes, EDITED, BOTH, version=version)) == []


@pytest.mark.parametrize("version", ["4.18.20", "4.19.9", ""])
def test_older_build_is_no_reason_where_max_unavailable_is_reached(version):
    nodes = [node_with_image("a", "worker-0", ready="False"), node_with_image("a", "worker-1")]
    assert "pool.older_build_selected" not in ids(run(nodes, EDITED, BOTH, version=version))
    assert "pool.older_build_selected" in ids(run(nodes, EDITED, BOTH, version="4.20.3"))


def test_node_that_is_updated_and_not_awaited_proves_that_an_older_build_does_not_block():
    other = NodeState.from_api(node("worker-1", annotations={"desiredImage": image_of("b")}))
    assert ids(run([node_with_image("a")], EDITED, BOTH, version="4.20.3", other_nodes=[other])) == []


def test_waiting_node_that_is_not_ready_is_a_finding():
    away = node_with_image("b", "worker-1", ready="False")
    assert "node.not_ready" in ids(run([away], BUILT))


@pytest.mark.parametrize(
    "builds",
    [
        # the one that answers comes first
        [machine_os_build("layered-b"), machine_os_build("layered-c", created=MORNING)],
        # the older one does not fit
        [machine_os_build("layered-a", rendered=OLD_RENDERED), machine_os_build("layered-b")],
        [machine_os_build("layered-a", config="other"), machine_os_build("layered-b")],
        [machine_os_build("layered-a", state="Failed"), machine_os_build("layered-b")],
        # the older one is the same image
        [machine_os_build("layered-a", image=image_of("b")), machine_os_build("layered-b")],
    ],
)
def test_older_build_that_the_controller_does_not_use_is_no_finding(builds):
    assert ids(run([node_with_image("a")], EDITED, builds, version="4.20.3")) == []


def test_older_build_is_no_finding_when_every_node_is_done():
    assert ids(run([node_with_image("b")], EDITED, BOTH, version="4.20.3")) == []


def test_target_is_the_rendered_config_of_the_pool_and_the_image_of_the_machineosconfig():
    target = target_of(machine_config_pool(), BUILT, BUILD)
    assert target.target == Target(RENDERED, image_of("a"))


# Blockers ----------------------------------------------------------------------------------------------------

ASSIGNED = {"desiredImage": image_of("a"), "state": "Working"}
DENIED = (
    f"failed to update OS to {image_of('a')}: error running rpm-ostree rebase --experimental "
    f"ostree-unverified-registry:{image_of('a')}: error: Creating importer: failed to invoke method OpenImage: "
    "reading manifest: unauthorized: authentication required: exit status 1"
)


def degraded(name: str = "worker-0", reason: str = DENIED) -> dict:
    return node(name, annotations={**ASSIGNED, "state": "Degraded", "reason": reason})


def later(rollout: Rollout, seconds: float, *nodes: dict, **more: t.Any) -> Rollout:
    """The same nodes, or others, some seconds after an observation at time 0."""
    return run(nodes, now=seconds, history=rollout.history, **more)


def test_denied_image_pull_is_fatal_after_the_daemon_has_retried():
    first = run([degraded()])
    assert ids(first) == ["node.degraded"]
    (found,) = later(first, PULL_RETRIED, degraded()).findings
    assert found.id == "node.image_pull_denied"
    assert found.message == (
        "Node worker-0 cannot pull the image: Creating importer: failed to invoke method OpenImage: reading manifest: "
        "unauthorized: authentication required"
    )
    assert found.evidence == DENIED
    assert found.fatal


@pytest.mark.parametrize(
    "reason",
    [
        "failed to drain node: worker-0 after 1 hour",
        f"failed to update OS to {image_of('a')}: error: pinging registry: connection refused",
        "unexpected on-disk state: permission denied",
    ],
)
def test_temporary_pull_error_is_not_a_denied_pull(reason):
    assert ids(later(run([degraded(reason=reason)]), PULL_RETRIED, degraded(reason=reason))) == ["node.degraded"]


def test_node_that_does_not_return_from_its_reboot_is_a_finding():
    away = node("worker-0", annotations=ASSIGNED, ready="Unknown")
    first = run([away])
    assert ids(later(first, LONGEST_REBOOT - 1, away)) == []
    back_late = later(first, LONGEST_REBOOT, away)
    assert ids(back_late) == ["node.not_returned"]
    assert "worker-0 rebooting (not Ready for more than 10 minutes)" in back_late.line


@pytest.mark.parametrize(
    ("max_unavailable", "out", "named"),
    [
        (None, [degraded("worker-0")], True),
        (2, [degraded("worker-0")], False),
        (2, [degraded("worker-0"), node("worker-2", unschedulable=True)], True),
        ("20%", [degraded("worker-0")], True),
        ("100%", [degraded("worker-0")], False),
        (0, [degraded("worker-0")], True),
        (None, [node("worker-0", ready="False")], True),
        (None, [node("worker-0", annotations=ASSIGNED, ready="False")], False),
    ],
)
def test_blocked_nodes_reach_max_unavailable(max_unavailable, out, named):
    limit = {} if max_unavailable is None else {"maxUnavailable": max_unavailable}
    rollout = run([*out, WAITING_1], pool=machine_config_pool(**limit))
    assert ("pool.max_unavailable_reached" in ids(rollout)) is named


WAITING_1 = node("worker-1")


def test_reached_max_unavailable_names_the_nodes_with_the_reason():
    (found,) = [f for f in run([degraded(reason="cannot pull"), WAITING_1]).findings if f.id.startswith("pool.")]
    assert found.message == (
        "MachineConfigPool layered cannot update another node: maxUnavailable (1) is used up by worker-0 degraded "
        "(cannot pull)"
    )


def test_reached_max_unavailable_is_no_finding_if_no_node_is_waiting():
    assert ids(run([degraded(reason="cannot pull"), node_with_image("a", "worker-1")])) == ["node.degraded"]


def test_node_that_is_not_awaited_counts_for_max_unavailable():
    others = [NodeState.from_api(degraded("worker-9", "cannot pull"))]
    assert ids(run([WAITING_1], other_nodes=others)) == ["pool.max_unavailable_reached"]


DRAINING = node("worker-0", annotations={**ASSIGNED, "desiredDrain": "drain-x"}, unschedulable=True)
BLOCKED = DrainSnapshot(
    [Pod.from_api(pod())],
    [PodDisruptionBudget.from_api(budget(allowed=0, healthy=1, desired=1, expected=1))],
    unreadable="",
)


def test_line_names_what_blocks_a_drain():
    rollout = run([DRAINING], drains=BLOCKED)
    assert ids(rollout) == ["node.drain_impossible"]
    assert rollout.line == (
        "pool layered: 0/1 nodes updated, worker-0 draining (PDB shop/db blocks eviction of shop/db-0)"
    )


def test_pods_block_no_node_that_is_drained():
    drained = node("worker-0", annotations={**ASSIGNED, "desiredDrain": "drain-x", "lastAppliedDrain": "drain-x"})
    rollout = run([drained], drains=BLOCKED)
    assert (ids(rollout), rollout.history.draining(0.0, 0.0)) == ([], [])


def test_unreadable_pods_are_a_finding_only_while_a_node_drains():
    unreadable = DrainSnapshot(unreadable="pods is forbidden")
    assert ids(run([DRAINING], drains=unreadable)) == ["cluster.drains_not_readable"]
    assert ids(run([node("worker-0", annotations=ASSIGNED)], drains=unreadable)) == []


def test_longest_drain_is_first():
    second = node("a", annotations={**ASSIGNED, "desiredDrain": "drain-x"}, unschedulable=True)
    rollout = later(run([DRAINING]), 60, DRAINING, second)
    assert rollout.history.draining(0.0, 60.0) == ["worker-0", "a"]
    assert rollout.history.draining(15.0, 60.0) == ["worker-0"]


def test_remaining_time_is_unknown_while_the_rollout_is_blocked():
    history = RolloutHistory({}, (100.0,), True)
    assert run([WAITING_1], history=history).remaining == 100
    assert run([WAITING_1, degraded(reason="cannot pull")], history=history).remaining is None
    assert run([WAITING_1], history=history, pool=machine_config_pool(paused=True)).remaining is None
    assert run([node_with_image("a")], history=history).remaining is None


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (node("worker-0"), node("worker-0", annotations=ASSIGNED), True),
        (node("worker-0", annotations=ASSIGNED), DRAINING, True),
        (node("worker-0", annotations=ASSIGNED), node("worker-0", annotations=ASSIGNED, ready="False"), True),
        (node("worker-0", annotations=ASSIGNED), node_with_image("a"), True),
        (degraded(reason="one"), degraded(reason="another"), False),
        (node("worker-0"), node("worker-0", labels={"zone": "b"}), False),
    ],
)
def test_mark_changes_with_the_step_of_a_node_only(before, after, moved):
    assert (run([before]).mark != run([after]).mark) is moved


def test_mark_changes_when_a_node_joins_or_leaves():
    assert run([WAITING_1]).mark != run([WAITING_1, node("worker-2")]).mark
