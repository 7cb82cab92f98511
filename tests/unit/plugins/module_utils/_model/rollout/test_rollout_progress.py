# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.budget import PodDisruptionBudget
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState, Phase, Target
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.pod import Pod
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.release import Release
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.blockers import RETRIED, RETURN
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.drain import Drains
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.history import History
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.progress import (
    Rollout,
    judge_rollout,
    news_pace,
    not_in_pool,
    pool_image,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    NOON,
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

MORNING = "2026-03-01T08:00:00Z"
BUILT = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
BUILD = machine_os_build("layered-a")
NOT_LAYERED: dict = {}
"""Instead of a MachineOSConfig, where there is none."""


def judge(
    nodes: t.Sequence[dict],
    config: dict | None = None,
    builds: t.Sequence[dict] = (BUILD,),
    pool: dict | None = None,
    outsiders: t.Sequence[str] = (),
    version: str = "4.21.0",
    waited: float = 3600,
    **seen: t.Any,
) -> Rollout:
    return judge_rollout(
        Pool.from_api(pool or machine_config_pool()),
        None if config is NOT_LAYERED else MachineOSConfig.from_api(config or BUILT),
        [MachineOSBuild.from_api(b) for b in builds],
        [NodeState.from_api(n) for n in nodes],
        {name: not_in_pool("layered", name) for name in outsiders},
        Release.from_version(version),
        waited,
        **seen,
    )


def ids(rollout: Rollout) -> list[str]:
    return [finding.id for finding in rollout.findings]


@pytest.mark.parametrize(("nodes", "seconds"), [(0, 0), (50, 4.5), (200, 18), (500, 45), (5000, 45)])
def test_the_more_nodes_move_the_seldomer_is_told_and_within_a_minute(nodes, seconds):
    assert news_pace(nodes) == pytest.approx(seconds)


def test_a_rollout_is_done_when_every_node_runs_the_image_of_the_build_that_answers():
    rollout = judge([node_with_image("a", "worker-0"), node_with_image("a", "worker-1")])
    assert rollout.done
    assert rollout.counts == {"total": 2, "done": 2, "updating": 0, "waiting": 0}
    assert (rollout.findings, rollout.line) == ((), "pool layered: 2 of 2 nodes done")


def test_one_node_that_is_not_done_holds_the_rollout():
    rollout = judge([node_with_image("a", "worker-0"), node("worker-1", annotations={"desiredImage": image_of("a")})])
    assert not rollout.done
    assert rollout.phases == {"worker-0": Phase.DONE, "worker-1": Phase.UPDATING}


def test_a_rollout_that_has_not_begun_is_not_done():
    """The nodes have settled on the image before, and the pool says Updated."""
    config = machine_os_config(build="layered-b", image=image_of("b"), observed_generation=2, generation=2)
    rollout = judge([node_with_image("a")], config, [BUILD, machine_os_build("layered-b")])
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
def test_nodes_that_have_settled_are_not_done_while_the_image_is_not_current(config, builds):
    rollout = judge([node_with_image("a")], config, builds)
    assert not rollout.done
    assert "0 of 1 nodes done; " in rollout.line


def test_nobody_is_no_success():
    assert not judge([]).done


@pytest.mark.parametrize(
    ("seen", "done"),
    [
        (node(), True),
        (node_with_image("a"), False),
        (node(annotations={"currentConfig": OLD_RENDERED, "desiredConfig": OLD_RENDERED}), False),
    ],
)
def test_a_pool_that_is_not_layered_wants_its_rendered_config_and_no_image(seen, done):
    assert judge([seen], config=NOT_LAYERED, builds=[]).done is done


def test_a_pool_that_is_not_rendered_has_no_target():
    bare = machine_config_pool(rendered="")
    image = pool_image(Pool.from_api(bare), None, [])
    assert (image.target, image.line) == (None, "pool layered is not rendered yet")
    assert not judge([node(annotations={"currentConfig": "", "desiredConfig": ""})], NOT_LAYERED, [], bare).done


WAITING = node("worker-0")


def test_a_paused_pool_is_named_as_what_holds_the_rollout():
    rollout = judge([WAITING], pool=machine_config_pool(paused=True))
    assert ids(rollout) == ["pool.paused"]
    assert rollout.line.endswith(", paused")


def test_a_paused_pool_holds_nothing_that_is_done():
    rollout = judge([node_with_image("a")], pool=machine_config_pool(paused=True))
    assert rollout.done
    assert (rollout.findings, rollout.line) == ((), "pool layered: 1 of 1 nodes done")


def test_a_pool_that_cannot_be_rendered_is_named():
    rollout = judge([WAITING], pool=render_degraded(machine_config_pool(), "MachineConfig 99-x: bad"))
    assert ids(rollout) == ["pool.render_degraded"]
    assert rollout.findings[0].message == "MachineConfig 99-x: bad"


@pytest.mark.parametrize("state", ["Degraded", "Unreconcilable"])
def test_a_degraded_node_is_named_with_its_daemons_reason(state):
    sick = node("worker-0", annotations={"desiredImage": image_of("a"), "state": state, "reason": "cannot pull"})
    rollout = judge([sick, node_with_image("a", "worker-1")])
    (finding,) = rollout.findings
    assert (finding.id, finding.object.name, finding.evidence) == ("node.degraded", "worker-0", "cannot pull")
    assert not finding.fatal
    assert "worker-0 degraded" in rollout.line


@pytest.mark.parametrize(
    ("seen", "finding"),
    [
        (node_with_image("a", ready="False"), "node.not_ready"),
        (node_with_image("a", unschedulable=True), "node.unschedulable"),
    ],
)
def test_a_node_with_the_image_that_cannot_carry_workload_is_named(seen, finding):
    assert ids(judge([seen])) == [finding]


def test_a_node_that_reboots_or_drains_is_no_finding():
    at_work = {"desiredImage": image_of("a"), "state": "Working"}
    rebooting = node("worker-0", annotations=at_work, ready="Unknown", unschedulable=True)
    draining = node("worker-1", annotations={**at_work, "desiredDrain": "drain-x"}, unschedulable=True)
    returning = node_with_image("a", "worker-2", unschedulable=True)
    returning["metadata"]["annotations"]["machineconfiguration.openshift.io/desiredDrain"] = "uncordon-x"
    assert ids(judge([rebooting, draining, returning])) == []


@pytest.mark.parametrize(
    ("annotations", "more", "doing"),
    [
        ({"state": "Working"}, {}, "applying the image"),
        ({"state": "Working", "desiredDrain": "drain-x"}, {"unschedulable": True}, "draining"),
        ({"state": "Working"}, {"ready": "Unknown"}, "rebooting"),
        ({"currentImage": image_of("a"), "desiredDrain": "uncordon-x"}, {"unschedulable": True}, "returning"),
        ({"currentImage": image_of("a")}, {"unschedulable": True}, "returning; Node worker-0 is cordoned"),
    ],
)
def test_the_line_says_what_a_node_is_doing(annotations, more, doing):
    seen = node("worker-0", annotations={"desiredImage": image_of("a"), **annotations}, **more)
    assert judge([seen]).line == f"pool layered: 0 of 1 nodes done, updating: worker-0 {doing}"


def test_the_line_names_all_of_a_few_nodes():
    nodes = [node(f"worker-{n}", annotations={"desiredImage": image_of("a")}) for n in range(3)]
    named = ", ".join(f"worker-{n} applying the image" for n in range(3))
    assert judge(nodes).line == f"pool layered: 0 of 3 nodes done, updating: {named}"


def test_the_line_names_some_of_many_nodes():
    nodes = [node(f"worker-{n}", annotations={"desiredImage": image_of("a")}) for n in range(5)]
    assert "worker-2 applying the image and 2 more" in judge(nodes).line


def test_a_node_outside_the_pool_that_is_waited_for_is_named():
    rollout = judge([node_with_image("a", "worker-0")], outsiders=["worker-9"])
    assert not rollout.done
    assert rollout.phases["worker-9"] is Phase.WAITING
    (finding,) = rollout.findings
    assert (finding.id, finding.object.name) == ("node.not_in_pool", "worker-9")


EDITED = machine_os_config(build="layered-b", image=image_of("b"), generation=2, observed_generation=2)
BOTH = [machine_os_build("layered-a", created=MORNING), machine_os_build("layered-b", created=NOON)]


@pytest.mark.parametrize("version", ["4.20.3", "4.19.9", ""])
def test_an_older_build_that_comes_first_by_name_is_named_when_no_node_was_told_for_a_minute(version):
    rollout = judge([node_with_image("a")], EDITED, BOTH, version=version)
    (finding,) = rollout.findings
    assert (finding.id, finding.object.name, finding.fatal) == ("pool.older_build_selected", "layered-a", True)


@pytest.mark.parametrize("version", ["4.21.0", "5.0.0"])
def test_later_releases_follow_whatever_the_order(version):
    assert ids(judge([node_with_image("a")], EDITED, BOTH, version=version)) == []


def test_an_older_build_is_no_finding_before_the_operator_had_its_time_or_once_a_node_is_told():
    assert ids(judge([node_with_image("a")], EDITED, BOTH, version="4.20.3", waited=59)) == []
    told = node("worker-1", annotations={"desiredImage": image_of("b")})
    assert ids(judge([node_with_image("a"), told], EDITED, BOTH, version="4.20.3")) == []


def test_a_node_that_is_away_before_its_turn_is_named_for_it_uses_up_what_may_be_unavailable():
    away = node_with_image("b", "worker-1", ready="False")
    assert "node.not_ready" in ids(judge([away], BUILT))


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
def test_an_older_build_that_is_not_taken_is_no_finding(builds):
    assert ids(judge([node_with_image("a")], EDITED, builds, version="4.20.3")) == []


def test_an_older_build_is_no_finding_once_every_node_is_done():
    assert ids(judge([node_with_image("b")], EDITED, BOTH, version="4.20.3")) == []


def test_the_target_is_the_pools_rendered_config_with_the_image_of_the_config():
    config, build = MachineOSConfig.from_api(BUILT), MachineOSBuild.from_api(BUILD)
    image = pool_image(Pool.from_api(machine_config_pool()), config, [build])
    assert image.target == Target(RENDERED, image_of("a"))


# What holds it up ----------------------------------------------------------------------------------------------------

TOLD = {"desiredImage": image_of("a"), "state": "Working"}
REFUSED = (
    f"failed to update OS to {image_of('a')}: error running rpm-ostree rebase --experimental "
    f"ostree-unverified-registry:{image_of('a')}: error: Creating importer: failed to invoke method OpenImage: "
    "reading manifest: unauthorized: authentication required: exit status 1"
)


def degraded(name: str = "worker-0", reason: str = REFUSED) -> dict:
    return node(name, annotations={**TOLD, "state": "Degraded", "reason": reason})


def later(rollout: Rollout, seconds: float, *nodes: dict, **more: t.Any) -> Rollout:
    """The same nodes, or others, some seconds after a look at time 0."""
    return judge(nodes, now=seconds, history=rollout.history, **more)


def test_a_refused_image_is_told_at_once_and_ends_the_wait_once_the_daemon_has_tried_again():
    first = judge([degraded()])
    assert ids(first) == ["node.degraded"]
    (found,) = later(first, RETRIED, degraded()).findings
    assert found.id == "node.image_pull_denied"
    assert found.message == (
        "Node worker-0 is refused the image: Creating importer: failed to invoke method OpenImage: reading manifest: "
        "unauthorized: authentication required"
    )
    assert found.evidence == REFUSED
    assert found.fatal


@pytest.mark.parametrize(
    "reason",
    [
        "failed to drain node: worker-0 after 1 hour",
        f"failed to update OS to {image_of('a')}: error: pinging registry: connection refused",
        "unexpected on-disk state: permission denied",
    ],
)
def test_what_may_pass_is_no_refusal(reason):
    assert ids(later(judge([degraded(reason=reason)]), RETRIED, degraded(reason=reason))) == ["node.degraded"]


def test_a_node_that_does_not_come_back_is_named():
    away = node("worker-0", annotations=TOLD, ready="Unknown")
    first = judge([away])
    assert ids(later(first, RETURN - 1, away)) == []
    back_late = later(first, RETURN, away)
    assert ids(back_late) == ["node.not_returned"]
    assert "Node worker-0 has not been Ready for more than 10 minutes" in back_late.line


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
        (None, [node("worker-0", annotations=TOLD, ready="False")], False),
    ],
)
def test_nodes_that_get_nowhere_use_up_what_may_be_unavailable(max_unavailable, out, named):
    limit = {} if max_unavailable is None else {"maxUnavailable": max_unavailable}
    rollout = judge([*out, WAITING_1], pool=machine_config_pool(**limit))
    assert ("pool.max_unavailable_reached" in ids(rollout)) is named


WAITING_1 = node("worker-1")


def test_who_takes_the_places_is_named_with_the_reason():
    (found,) = [f for f in judge([degraded(reason="cannot pull"), WAITING_1]).findings if f.id.startswith("pool.")]
    assert found.message == (
        "MachineConfigPool layered: no other node begins, for maxUnavailable (1) is used up: worker-0 degraded "
        "(cannot pull)"
    )


def test_places_are_no_matter_once_nobody_waits_for_one():
    assert ids(judge([degraded(reason="cannot pull"), node_with_image("a", "worker-1")])) == ["node.degraded"]


def test_a_node_that_is_not_waited_for_takes_a_place_as_well():
    others = [NodeState.from_api(degraded("worker-9", "cannot pull"))]
    assert ids(judge([WAITING_1], others=others)) == ["pool.max_unavailable_reached"]


DRAINING = node("worker-0", annotations={**TOLD, "desiredDrain": "drain-x"}, unschedulable=True)
HELD = Drains(
    [Pod.from_api(pod())],
    [PodDisruptionBudget.from_api(budget(allowed=0, healthy=1, desired=1, expected=1))],
    unseen="",
)


def test_what_blocks_a_drain_is_in_the_line():
    rollout = judge([DRAINING], drains=HELD)
    assert ids(rollout) == ["node.drain_impossible"]
    assert rollout.line == (
        "pool layered: 0 of 1 nodes done, updating: worker-0 draining; Node worker-0 does not drain: "
        "PodDisruptionBudget shop/db can allow no eviction of Pod shop/db-0"
    )


def test_pods_are_no_matter_once_the_node_is_drained():
    drained = node("worker-0", annotations={**TOLD, "desiredDrain": "drain-x", "lastAppliedDrain": "drain-x"})
    rollout = judge([drained], drains=HELD)
    assert (ids(rollout), rollout.draining(0.0, 0.0)) == ([], [])


def test_what_cannot_be_seen_is_said_only_while_it_matters():
    blind = Drains(unseen="pods is forbidden")
    assert ids(judge([DRAINING], drains=blind)) == ["cluster.drains_not_readable"]
    assert ids(judge([node("worker-0", annotations=TOLD)], drains=blind)) == []


def test_the_node_that_drains_for_the_longest_comes_first():
    second = node("a", annotations={**TOLD, "desiredDrain": "drain-x"}, unschedulable=True)
    rollout = later(judge([DRAINING]), 60, DRAINING, second)
    assert rollout.draining(0.0, 60.0) == ["worker-0", "a"]
    assert rollout.draining(15.0, 60.0) == ["worker-0"]


def test_what_is_left_is_not_guessed_while_something_holds_the_rollout():
    history = History({}, (100.0,), True)
    assert judge([WAITING_1], history=history).remaining == 100
    assert judge([WAITING_1, degraded(reason="cannot pull")], history=history).remaining is None
    assert judge([WAITING_1], history=history, pool=machine_config_pool(paused=True)).remaining is None
    assert judge([node_with_image("a")], history=history).remaining is None


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (node("worker-0"), node("worker-0", annotations=TOLD), True),
        (node("worker-0", annotations=TOLD), DRAINING, True),
        (node("worker-0", annotations=TOLD), node("worker-0", annotations=TOLD, ready="False"), True),
        (node("worker-0", annotations=TOLD), node_with_image("a"), True),
        (degraded(reason="one"), degraded(reason="another"), False),
        (node("worker-0"), node("worker-0", labels={"zone": "b"}), False),
    ],
)
def test_a_node_that_goes_on_has_moved_and_a_daemon_that_complains_has_not(before, after, moved):
    assert (judge([before]).mark != judge([after]).mark) is moved


def test_a_node_that_comes_or_goes_is_a_movement():
    assert judge([WAITING_1]).mark != judge([WAITING_1, node("worker-2")]).mark
