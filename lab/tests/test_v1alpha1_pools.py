# SPDX-License-Identifier: GPL-3.0-or-later
"""The decisions of the scripted node controller and daemon of v1alpha1, without a lab."""

from __future__ import annotations

from typing import Any

import pytest
from v1alpha1_objects import IMAGE, OTHER_IMAGE, R1, R2, build, config, cordoned, node, pool, secret, with_image

from lab.node_annotations import NodeView, Target
from lab.oci_registry import Credentials
from lab.v1alpha1.node_rules import overlaid, pull_secret_of, rejection, secret_credentials
from lab.v1alpha1.objects import config_for
from lab.v1alpha1.pool_status import pool_status
from lab.v1alpha1.pool_update import (
    BuildFailed,
    Layering,
    desired_annotations,
    hold_reason,
    max_unavailable,
    members,
    next_nodes,
    pool_names,
    relevant,
    taints,
    target,
    target_event,
)

NOW = "2024-08-30T00:01:00Z"
PLAIN = Layering(None, None)
BUILT = Layering(config(image=IMAGE), build("Succeeded"))


def names(nodes: list[Any]) -> list[str]:
    return [one["metadata"]["name"] for one in nodes]


def condition(status: dict[str, Any], kind: str) -> tuple[str, str]:
    (found,) = [item for item in status["conditions"] if item["type"] == kind]
    return found["status"], found["message"]


@pytest.mark.parametrize(
    ("layering", "reason"),
    [
        (PLAIN, ""),
        (BUILT, ""),
        (Layering(config(image=IMAGE), None), "No MachineOSConfig or Build for this pool"),
        (Layering(config(), build("Prepared")), "Image is not ready yet"),
        (Layering(config(image=IMAGE), build("Building")), "Image build pending"),
        (Layering(config(), build("Failed")), "Image is not ready yet"),
    ],
)
def test_a_layered_pool_is_held_until_the_build_of_its_rendered_config_has_succeeded(
    layering: Layering, reason: str
) -> None:
    assert hold_reason(layering) == reason


def test_a_failed_build_of_a_pool_with_an_image_is_an_error() -> None:
    with pytest.raises(BuildFailed, match="image build for MachineConfigPool layered-"):
        hold_reason(Layering(config(image=IMAGE), build("Failed")))


def test_the_target_is_the_present_image_whichever_build_it_is_of() -> None:
    back = Layering(config(image=OTHER_IMAGE), build("Succeeded", R1))

    assert target(pool(rendered=R1), back) == Target(R1, OTHER_IMAGE)
    assert desired_annotations(target(pool(), PLAIN))["machineconfiguration.openshift.io/desiredImage"] is None


def test_as_many_nodes_are_updated_as_may_be_unavailable_oldest_first() -> None:
    nodes = [node(f"worker-{number}") for number in (2, 1, 0)]

    assert names(next_nodes(pool(), nodes, BUILT)) == ["worker-0"]
    assert names(next_nodes(pool(maxUnavailable=2), nodes, BUILT)) == ["worker-0", "worker-1"]


@pytest.mark.parametrize(
    "busy",
    [
        cordoned(with_image(IMAGE, name="worker-0")),
        node("worker-0", state="Working", desiredImage=IMAGE),
        node("worker-0", state="Degraded", currentImage=OTHER_IMAGE, desiredImage=IMAGE),
    ],
)
def test_a_cordoned_working_or_failed_node_with_the_image_uses_the_capacity_up(busy: dict[str, Any]) -> None:
    assert next_nodes(pool(), [busy, node("worker-1")], BUILT) == []


def test_nothing_is_left_to_do_where_every_node_has_its_target() -> None:
    assert next_nodes(pool(), [with_image(IMAGE)], BUILT) == []


def test_a_deleted_config_takes_the_image_from_one_node_after_the_other() -> None:
    nodes = [with_image(IMAGE, name="worker-0"), with_image(IMAGE, name="worker-1")]
    assert names(next_nodes(pool(), nodes, PLAIN)) == ["worker-0"]

    degraded = node("worker-0", state="Degraded", currentImage=IMAGE)

    assert next_nodes(pool(), [degraded, nodes[1]], PLAIN) == []


def test_a_node_that_failed_without_the_image_gets_the_image_of_a_new_config() -> None:
    degraded = node("worker-0", state="Degraded", currentImage=OTHER_IMAGE)

    assert names(next_nodes(pool(), [degraded, node("worker-1")], BUILT)) == ["worker-0"]


@pytest.mark.parametrize(("limit", "machines", "expected"), [("50%", 4, 2), ("10%", 3, 1), (3, 10, 3), (0, 10, 1)])
def test_max_unavailable_is_a_number_or_a_share_and_at_least_one(limit: Any, machines: int, expected: int) -> None:
    assert max_unavailable(pool(maxUnavailable=limit), machines) == expected


def test_the_taint_of_an_update_stays_on_a_layered_node_and_leaves_a_plain_one() -> None:
    in_progress = {"key": "UpdateInProgress", "effect": "PreferNoSchedule"}
    assert taints(pool(), with_image(IMAGE), BUILT) == [in_progress]
    tainted = with_image(IMAGE)
    tainted["spec"]["taints"] = [in_progress]
    assert taints(pool(), tainted, BUILT) is None

    plain = node()
    plain["spec"]["taints"] = [in_progress]

    assert taints(pool(), plain, PLAIN) == []


def test_the_event_names_config_and_image() -> None:
    reason, message = target_event(pool(), [node()], BUILT)

    assert reason == "SetDesiredConfigAndOSImage"
    assert message == f"Targeted node worker-0 to MachineConfig: {R1} / Image: {IMAGE}"


def test_a_node_is_of_its_custom_pool_first_and_of_none_with_two() -> None:
    pools = [pool("master"), pool("worker"), pool("layered"), pool("other")]

    assert pool_names(node(roles=("worker", "layered")), pools) == ["layered", "worker"]
    assert pool_names(node(roles=("master", "worker")), pools) == ["master"]
    assert pool_names(node(roles=("worker", "layered", "other")), pools) == []
    assert members("worker", [node(roles=("worker", "layered"))], pools) == []


def test_a_heartbeat_is_no_event() -> None:
    one = node()
    beat = {**one, "status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": NOW}]}}

    assert relevant(one) == relevant(beat)
    assert relevant(one) != relevant(cordoned(one))


def test_nothing_counts_as_updated_while_the_build_has_not_succeeded() -> None:
    status = pool_status(pool(), [with_image(IMAGE)], Layering(config(image=IMAGE), build("Building")), NOW)

    assert (status["machineCount"], status["updatedMachineCount"], status["readyMachineCount"]) == (1, 0, 0)
    assert condition(status, "Updating") == (
        "True",
        f"All nodes are updating to MachineConfig {R1} / Image {IMAGE}",
    )


def test_a_pool_without_nodes_is_updated_all_the_time() -> None:
    status = pool_status(pool(), [], Layering(config(), build("Failed")), NOW)

    assert condition(status, "Updated")[0] == "True"


def test_a_pool_on_its_image_is_updated_and_has_its_configuration() -> None:
    status = pool_status(pool(), [with_image(IMAGE)], BUILT, NOW)

    assert condition(status, "Updated") == (
        "True",
        f"All nodes are updated with MachineConfig {R1} / Image {IMAGE}",
    )
    assert status["configuration"]["name"] == R1


def test_a_paused_pool_says_what_it_will_not_do() -> None:
    status = pool_status(pool(paused=True), [node()], BUILT, NOW)

    assert condition(status, "Updating") == (
        "False",
        f"Pool is paused; will not update to MachineConfig {R1} / Image {IMAGE}",
    )


def test_a_degraded_node_degrades_its_pool_with_its_reason() -> None:
    status = pool_status(pool(), [node(state="Degraded", reason='no "image"')], BUILT, NOW)

    assert condition(status, "Degraded") == ("True", 'Node worker-0 is reporting: "no \\"image\\""')
    assert status["degradedMachineCount"] == 1


def test_conditions_of_other_controllers_are_kept() -> None:
    status = pool_status(pool(true="RenderDegraded"), [], PLAIN, NOW)

    assert next(item["type"] for item in status["conditions"]) == "RenderDegraded"
    assert condition(status, "Degraded")[0] == "True"


def test_of_two_configs_for_a_pool_the_first_by_name_counts() -> None:
    found = config_for("layered", [config("b"), config("a"), config("0", pool="other")])

    assert found is not None
    assert found["metadata"]["name"] == "a"


def view(image: str = "") -> NodeView:
    one = with_image(image) if image else node()
    return NodeView.of({**one, "metadata": {**one["metadata"], "uid": "1", "resourceVersion": "1"}})


def test_there_is_no_way_back_from_an_image_to_none() -> None:
    assert rejection(view(IMAGE), Target(R1, "")).startswith("rolling back from a layered")
    assert not rejection(view(IMAGE), Target(R2, OTHER_IMAGE))
    assert not rejection(view(), Target(R2, ""))


def test_the_secret_of_a_nodes_first_role_with_a_config_overlays_the_global_one() -> None:
    configs = [config(pool="worker"), config("other", pool="other")]
    assert pull_secret_of(node(roles=("infra", "worker")), configs) == "pull"
    assert pull_secret_of(node(roles=("infra",)), configs) == ""

    everywhere = Credentials({"one.example.com": "a:1", "two.example.com": "b:2"})
    of_pool = secret_credentials(secret("pull", "kubernetes.io/dockercfg", {"two.example.com": {"auth": "Yzoz"}}))

    assert overlaid(everywhere, of_pool).logins == {"one.example.com": "a:1", "two.example.com": "c:3"}
