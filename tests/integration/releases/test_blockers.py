# SPDX-License-Identifier: GPL-3.0-or-later
"""States that block a rollout, on each release: the wait reports them, and the rollout continues without them.

test_machineconfigpool_wait.py has those that are alike on all releases: a paused pool, a budget, a cordoned node.
"""

from __future__ import annotations

import typing as t

import pytest
from pools import ROLLOUT_TIMEOUT, build_pools

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

POOL = "blocked"


@pytest.fixture(scope="session")
def blocked(session_ansible: Ansible, lab: Facts) -> BuiltPool:
    """A pool without nodes whose image is built."""
    return build_pools(session_ansible, lab, POOL)[POOL]


def join(session_ansible: Ansible, *nodes: str) -> None:
    """Add nodes to the pool."""
    joined, run = session_ansible.run_module("machineconfigpool_nodes", {"pool": POOL, "nodes": list(nodes)})
    assert not joined.failed, run.output


def wait_for_rollout(session_ansible: Ansible, *nodes: str, **options: t.Any) -> TaskResult:
    """Wait until nodes of the pool have booted its image."""
    wait = {"pool": POOL, "nodes": list(nodes), "timeout": ROLLOUT_TIMEOUT, **options}
    waited, dummy = session_ansible.run_module("machineconfigpool_wait", wait)
    return waited


def wait_for_desired_image(api: Api, node: str, image: str) -> None:
    """Return when the controller has set the desired image of a node."""
    for event in api.follow("/api/v1/nodes", fieldSelector=f"metadata.name={node}"):
        annotations = event.object["metadata"].get("annotations", {})
        if annotations.get("machineconfiguration.openshift.io/desiredImage") == image:
            return


def messages(result: TaskResult) -> dict[str, str]:
    """Return the findings of a task: id -> message."""
    return {finding["id"]: finding["message"] for finding in result["findings"]}


def test_node_that_the_registry_denies_the_image_is_reported_and_continues_after_the_secret_is_corrected(
    session_ansible: Ansible, during: During, blocked: BuiltPool
) -> None:
    with during("image-refused", POOL, "worker-3"):
        join(session_ansible, "worker-3")
        named = wait_for_rollout(session_ansible, "worker-3")
    assert named.failed
    message = messages(named)["node.image_pull_denied"]
    assert message.startswith("Node worker-3 cannot pull the image: ")
    assert "unauthorized" in message
    assert "pull secret" in named.msg
    done = wait_for_rollout(session_ansible, "worker-3")
    assert not done.failed, done.msg
    assert done["nodes"][0]["current_image"] == blocked.image


def test_degraded_node_is_reported_as_the_reason_why_other_nodes_wait(
    session_ansible: Ansible, api: Api, during: During, blocked: BuiltPool
) -> None:
    with during("max-unavailable-used-up", POOL, "worker-4"):
        join(session_ansible, "worker-4")
        degraded = wait_for_rollout(session_ansible, "worker-4", fail_on_findings=["node.degraded"])
        wait_for_desired_image(api, "worker-4", blocked.image)
        join(session_ansible, "worker-5")
        waiting = wait_for_rollout(session_ansible, "worker-5", fail_on_findings=["pool.max_unavailable_reached"])
    assert degraded.failed
    assert "content mismatch for file" in messages(degraded)["node.degraded"]
    assert waiting.failed
    assert "maxUnavailable (1) is reached by worker-4 degraded (" in messages(waiting)["pool.max_unavailable_reached"]
    done = wait_for_rollout(session_ansible, "worker-4", "worker-5")
    assert not done.failed, done.msg
    assert done["rollout"]["done"] == 2


def test_node_in_two_custom_pools_is_reported_with_both_pools(
    session_ansible: Ansible, during: During, blocked: BuiltPool
) -> None:
    with during("node-in-two-pools", POOL, "worker-2"):
        named = wait_for_rollout(session_ansible, "worker-2")
    assert named.failed
    assert f"Node worker-2 is in MachineConfigPools {POOL} and {POOL}-too" in messages(named)["node.in_two_pools"]
    done = wait_for_rollout(session_ansible, "worker-2")
    assert not done.failed, done.msg
