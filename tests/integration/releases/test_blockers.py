# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds a rollout up, on each release of a lab: named by the wait, and gone when its cause is.

What takes less is in test_waits.py: a paused pool, a budget, a cordoned node, an older build.
"""

from __future__ import annotations

import typing as t

import pytest
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.stage import Stage
from pools import ROLLOUT_TIMEOUT, build_pools

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

POOL = "blocked"


@pytest.fixture(scope="session")
def blocked(session_ansible: Ansible, lab: Facts) -> BuiltPool:
    """A pool without nodes whose image is built."""
    return build_pools(session_ansible, lab, POOL)[POOL]


def join(session_ansible: Ansible, *nodes: str) -> None:
    """Bring nodes into the pool."""
    joined, run = session_ansible.run_module("machineconfigpool_nodes", {"pool": POOL, "nodes": list(nodes)})
    assert not joined.failed, run.output


def await_rollout(session_ansible: Ansible, *nodes: str, **options: t.Any) -> TaskResult:
    """Wait for nodes of the pool."""
    wait = {"pool": POOL, "nodes": list(nodes), "timeout": ROLLOUT_TIMEOUT, **options}
    waited, dummy = session_ansible.run_module("machineconfigpool_wait", wait)
    return waited


def await_turn(api: Api, node: str, image: str) -> None:
    """Return when the controller has told a node of its image, so that it is the one whose turn it is."""
    for event in api.follow("/api/v1/nodes", fieldSelector=f"metadata.name={node}"):
        annotations = event.object["metadata"].get("annotations", {})
        if annotations.get("machineconfiguration.openshift.io/desiredImage") == image:
            return


def messages(result: TaskResult) -> dict[str, str]:
    """Return what a task found: id -> message."""
    return {finding["id"]: finding["message"] for finding in result["findings"]}


def test_a_node_that_is_refused_the_image_is_named_and_goes_on_by_itself_when_it_is_not(
    session_ansible: Ansible, lab: Facts, api: Api, blocked: BuiltPool
) -> None:
    refused, stage = SCENARIOS["image-refused"], Stage(lab, api, POOL, "worker-3")
    assert refused.undo is not None
    refused.play(stage)
    try:
        join(session_ansible, "worker-3")
        named = await_rollout(session_ansible, "worker-3")
    finally:
        refused.undo(stage)
    assert named.failed
    told = messages(named)["node.image_pull_denied"]
    assert told.startswith("Node worker-3 is refused the image: ")
    assert "unauthorized" in told
    assert "pull secret" in named.msg
    done = await_rollout(session_ansible, "worker-3")
    assert not done.failed, done.msg
    assert done["nodes"][0]["current_image"] == blocked.image


def test_a_degraded_node_is_quoted_and_said_to_keep_the_others_waiting(
    session_ansible: Ansible, lab: Facts, api: Api, blocked: BuiltPool
) -> None:
    used_up, stage = SCENARIOS["max-unavailable-used-up"], Stage(lab, api, POOL, "worker-4")
    assert used_up.undo is not None
    used_up.play(stage)
    try:
        join(session_ansible, "worker-4")
        degraded = await_rollout(session_ansible, "worker-4", fail_on_findings=["node.degraded"])
        await_turn(api, "worker-4", blocked.image)
        join(session_ansible, "worker-5")
        waiting = await_rollout(session_ansible, "worker-5", fail_on_findings=["pool.max_unavailable_reached"])
    finally:
        used_up.undo(stage)
    assert degraded.failed
    assert "content mismatch for file" in messages(degraded)["node.degraded"]
    assert waiting.failed
    assert "maxUnavailable (1) is used up: worker-4 degraded (" in messages(waiting)["pool.max_unavailable_reached"]
    done = await_rollout(session_ansible, "worker-4", "worker-5")
    assert not done.failed, done.msg
    assert done["rollout"]["done"] == 2


def test_a_node_that_two_pools_select_is_named_at_once_with_both(
    session_ansible: Ansible, lab: Facts, api: Api, blocked: BuiltPool
) -> None:
    torn, stage = SCENARIOS["node-in-two-pools"], Stage(lab, api, POOL, "worker-2")
    assert torn.undo is not None
    torn.play(stage)
    try:
        named = await_rollout(session_ansible, "worker-2")
    finally:
        torn.undo(stage)
    assert named.failed
    assert f"Node worker-2 is in the MachineConfigPools {POOL} and {POOL}-too" in messages(named)["node.in_two_pools"]
    done = await_rollout(session_ansible, "worker-2")
    assert not done.failed, done.msg
