# SPDX-License-Identifier: GPL-3.0-or-later
"""Rollouts that something blocks: each blocker that a wait reports."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from lab.node_annotations import degraded
from lab.node_state import NodeFolder
from lab.scenarios.scenario import EVERY_API, Scenario, Subject, WaitCase
from lab.scenarios.stage import BEFORE, NODES, POOLS, Stage

NAMESPACE = "lab-scenario"
_PULL_SECRETS = "/api/v1/namespaces/openshift-config/secrets"
_GUARDED = f"/api/v1/namespaces/{NAMESPACE}/pods"
_BUDGETS = f"/apis/policy/v1/namespaces/{NAMESPACE}/poddisruptionbudgets"
REASON = 'unexpected on-disk state validating against {config}: content mismatch for file "/etc/lab-drift"'


def _paused(stage: Stage) -> str:
    stage.api.patch(f"{POOLS}/{stage.pool}", {"spec": {"paused": True}})
    return f"paused MachineConfigPool {stage.pool}"


def _released(stage: Stage) -> str:
    stage.api.patch(f"{POOLS}/{stage.pool}", {"spec": {"paused": False}})
    return f"released MachineConfigPool {stage.pool}"


def _joined(stage: Stage) -> str:
    stage.api.patch(f"{NODES}/{stage.node}", {"metadata": {"labels": {stage.role(): ""}}})
    return f"put Node {stage.node} into MachineConfigPool {stage.pool}, which counts it five seconds later"


def _left(stage: Stage) -> str:
    stage.api.patch(f"{NODES}/{stage.node}", {"metadata": {"labels": {stage.role(): None}}})
    return f"took Node {stage.node} out of MachineConfigPool {stage.pool}"


def _emptied(stage: Stage) -> str:
    members = stage.members()
    stage.api.patch(f"{POOLS}/{stage.pool}", {"metadata": {"annotations": {BEFORE: json.dumps(members)}}})
    for node in members:
        stage.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {stage.role(): None}}})
    return f"took {', '.join(members) or 'no node'} out of MachineConfigPool {stage.pool}: it says Updated, of no node"


def _filled(stage: Stage) -> str:
    pool = stage.read(POOLS, "MachineConfigPool", stage.pool)
    members = json.loads(pool["metadata"].get("annotations", {}).get(BEFORE, "[]"))
    for node in members:
        stage.api.patch(f"{NODES}/{node}", {"metadata": {"labels": {stage.role(): ""}}})
    stage.api.patch(f"{POOLS}/{stage.pool}", {"metadata": {"annotations": {BEFORE: None}}})
    return f"put {', '.join(members) or 'no node'} into MachineConfigPool {stage.pool} again"


def _guarded(stage: Stage) -> str:
    name, labels = f"guarded-{stage.node}", {"app": f"guarded-{stage.node}"}
    _put_on_node(stage, name, {"labels": labels})
    budget = {"metadata": {"name": name}, "spec": {"minAvailable": 1, "selector": {"matchLabels": labels}}}
    _put_budget(stage, budget)
    return f"put Pod {NAMESPACE}/{name} on Node {stage.node}, whose eviction PodDisruptionBudget {name} blocks"


def _put_on_node(stage: Stage, name: str, metadata: Mapping[str, Any]) -> None:
    """Run a pod on the node, in the namespace of the scenarios."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    stage.ensure("/api/v1/namespaces", namespace)
    # Without it no pod is let in; the controller makes it a moment later.
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    stage.ensure(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, **metadata},
        "spec": {
            "nodeName": stage.node,
            "automountServiceAccountToken": False,
            "containers": [{"name": "app", "image": stage.facts.base_image}],
        },
    }
    stage.ensure(_GUARDED, pod)


def _put_budget(stage: Stage, budget: Mapping[str, Any]) -> None:
    stage.ensure(_BUDGETS, {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", **budget})


def _with_machine(stage: Stage) -> str:
    name, machine, budget = _names_of_machine(stage)
    labels = {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": machine}
    _put_on_node(stage, name, {"labels": labels, "ownerReferences": [_owner(machine)]})
    _put_budget(
        stage,
        {
            "metadata": {"name": budget, "ownerReferences": [_owner(machine)]},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"kubevirt.io/created-by": machine}}},
        },
    )
    return (
        f"put Pod {NAMESPACE}/{name} of a virtual machine on Node {stage.node}, whose eviction KubeVirt's own "
        f"PodDisruptionBudget {budget} blocks. KubeVirt would migrate the machine; the lab has none"
    )


def _migrated(stage: Stage) -> str:
    name, dummy, budget = _names_of_machine(stage)
    stage.remove(_BUDGETS, budget)
    stage.remove(_GUARDED, name)
    return f"deleted PodDisruptionBudget {budget} and Pod {NAMESPACE}/{name}, as if the machine had migrated"


def _names_of_machine(stage: Stage) -> tuple[str, str, str]:
    """Return the names of the pod, the uid of its machine, and the name of the budget."""
    machine = str(uuid.uuid5(uuid.NAMESPACE_DNS, stage.node))
    return f"virt-launcher-vm-{stage.node}", machine, f"kubevirt-disruption-budget-{stage.node}"


def _owner(machine: str) -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "name": "vm",
        "uid": machine,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _unguarded(stage: Stage) -> str:
    name = f"guarded-{stage.node}"
    stage.remove(_BUDGETS, name)
    stage.remove(_GUARDED, name)
    return f"deleted PodDisruptionBudget and Pod {NAMESPACE}/{name}"


def _cordoned(stage: Stage) -> str:
    stage.api.patch(f"{NODES}/{stage.node}", {"spec": {"unschedulable": True}})
    return f"cordoned Node {stage.node}, as another user would"


def _uncordoned(stage: Stage) -> str:
    stage.api.patch(f"{NODES}/{stage.node}", {"spec": {"unschedulable": None}})
    return f"uncordoned Node {stage.node}"


def _degraded(stage: Stage) -> str:
    folder = NodeFolder(stage.facts.nodes_dir, stage.node)
    config = stage.read(NODES, "Node", stage.node)["metadata"]["annotations"]
    reason = REASON.format(config=config.get("machineconfiguration.openshift.io/desiredConfig", ""))
    folder.refuse_updates(reason)
    stage.api.patch(f"{NODES}/{stage.node}", {"metadata": {"annotations": degraded(reason)}})
    return f"let the daemon of Node {stage.node} reject every update: {reason}"


def _well(stage: Stage) -> str:
    NodeFolder(stage.facts.nodes_dir, stage.node).refuse_updates("")
    return f"let the daemon of Node {stage.node} work again; it retries within 15 seconds"


def _used_up(stage: Stage) -> str:
    stage.api.patch(f"{POOLS}/{stage.pool}", {"spec": {"maxUnavailable": 1}})
    return f"set maxUnavailable of MachineConfigPool {stage.pool} to 1, and {_degraded(stage)}"


def _lost(stage: Stage) -> str:
    NodeFolder(stage.facts.nodes_dir, stage.node).hold_boot(True)
    return f"keep Node {stage.node} from coming back after its next reboot"


def _found(stage: Stage) -> str:
    NodeFolder(stage.facts.nodes_dir, stage.node).hold_boot(False)
    return f"let Node {stage.node} come back"


def _refused(stage: Stage) -> str:
    stage.write_secret(_PULL_SECRETS, "pull-secret", stage.refused_login())
    return "changed the global pull secret: the registry denies every node the image from now on"


def _accepted(stage: Stage) -> str:
    stage.write_secret(_PULL_SECRETS, "pull-secret", stage.pull_secret())
    return "restored the login of the global pull secret; a degraded node retries within 15 seconds"


def _second_pool(stage: Stage) -> str:
    return f"{stage.pool[:16]}-too"


def _torn(stage: Stage) -> str:
    other = _second_pool(stage)
    stage.ensure_pool(other)
    labels = {stage.role(): "", stage.role(other): ""}
    stage.api.patch(f"{NODES}/{stage.node}", {"metadata": {"labels": labels}})
    return f"let MachineConfigPool {stage.pool} and {other} both select Node {stage.node}"


def _mended(stage: Stage) -> str:
    other = _second_pool(stage)
    stage.api.patch(f"{NODES}/{stage.node}", {"metadata": {"labels": {stage.role(other): None}}})
    stage.remove(POOLS, other)
    return f"deleted MachineConfigPool {other} and took its label off Node {stage.node}"


ROLLOUT_SCENARIOS = (
    Scenario(
        "pool-paused",
        Subject.POOL,
        "The pool is paused.",
        _paused,
        _released,
        cases=(WaitCase.POOL_PAUSED,),
        apis=EVERY_API,
    ),
    Scenario(
        "pool-empty",
        Subject.POOL,
        "All nodes leave the pool.",
        _emptied,
        _filled,
        cases=(WaitCase.POOL_EMPTY,),
        apis=EVERY_API,
    ),
    Scenario(
        "node-joins",
        Subject.NODE,
        "A node joins the pool.",
        _joined,
        _left,
        cases=(WaitCase.ROLLOUT_NOT_STARTED, WaitCase.NODES_JOIN_AND_LEAVE),
        apis=EVERY_API,
    ),
    Scenario(
        "node-leaves",
        Subject.NODE,
        "A node leaves the pool.",
        _left,
        _joined,
        cases=(WaitCase.NODES_JOIN_AND_LEAVE,),
        apis=EVERY_API,
    ),
    Scenario(
        "drain-blocked",
        Subject.NODE,
        "A PodDisruptionBudget blocks the eviction of a pod of the node.",
        _guarded,
        _unguarded,
        cases=(WaitCase.EVICTION_BLOCKED,),
        apis=EVERY_API,
    ),
    Scenario(
        "drain-waits-for-machine",
        Subject.NODE,
        "KubeVirt's own PodDisruptionBudget keeps the pod of a virtual machine from eviction.",
        _with_machine,
        _migrated,
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "node-cordoned",
        Subject.NODE,
        "Another user cordoned the node.",
        _cordoned,
        _uncordoned,
        apis=EVERY_API,
    ),
    Scenario(
        "node-degraded",
        Subject.NODE,
        "The daemon of the node rejects every update with a reason.",
        _degraded,
        _well,
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "max-unavailable-used-up",
        Subject.NODE,
        "maxUnavailable is 1, and a degraded node uses it up.",
        _used_up,
        _well,
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "node-lost",
        Subject.NODE,
        "The node stays NotReady after its next reboot.",
        _lost,
        _found,
        scripted=True,
        apis=EVERY_API,
    ),
    Scenario(
        "image-refused",
        Subject.LAB,
        "The registry denies the nodes the image.",
        _refused,
        _accepted,
        cases=(WaitCase.PUSH_DENIED,),
    ),
    Scenario(
        "node-in-two-pools",
        Subject.NODE,
        "Two custom pools select the node.",
        _torn,
        _mended,
        apis=EVERY_API,
    ),
)
