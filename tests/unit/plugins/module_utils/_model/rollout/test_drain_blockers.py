# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import budget as budget_model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import pod as pod_model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.budget import PodDisruptionBudget
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfignode import (
    MachineConfigNode,
    reduced,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.pod import Pod
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.drain_blockers import (
    TERMINATION_MARGIN,
    Blocker,
    DrainSnapshot,
    drain_blockers,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import budget, pod

NOW = 1772366400.0  # noon of the first of March 2026
AT_NOON = "2026-03-01T12:00:00Z"
FULL = budget(allowed=0, healthy=1, desired=1, expected=1)
USED_UP = budget(allowed=0, healthy=2, desired=2, expected=3)


def find_blockers(
    pods: t.Sequence[dict[str, t.Any]],
    budgets: t.Sequence[dict[str, t.Any]] = (),
    now: float = NOW,
    reports: t.Mapping[str, MachineConfigNode] | None = None,
) -> list[Blocker]:
    read_budgets = [PodDisruptionBudget.from_api(b) for b in budgets]
    return drain_blockers("worker-0", DrainSnapshot([Pod.from_api(p) for p in pods], read_budgets, reports or {}), now)


def find(*args: t.Any, **more: t.Any) -> list[Finding]:
    return [blocker.finding for blocker in find_blockers(*args, **more)]


def ids(*args: t.Any, **more: t.Any) -> list[str]:
    return [finding.id for finding in find(*args, **more)]


def test_budget_that_never_allows_an_eviction_is_named_with_pod_and_node():
    (found,) = find([pod()], [FULL])
    assert found.id == "node.drain_impossible"
    assert str(found.object) == "Pod shop/db-0"
    assert found.message == (
        "Node worker-0 cannot be drained: PodDisruptionBudget shop/db never allows the eviction of Pod shop/db-0"
    )
    assert found.evidence == (
        "PodDisruptionBudget shop/db: disruptionsAllowed 0, currentHealthy 1, desiredHealthy 1, expectedPods 1"
    )


def test_budget_that_allows_no_eviction_now_may_allow_it_later():
    (found,) = find([pod()], [USED_UP])
    assert found.id == "node.drain_blocked"
    assert "does not currently allow the eviction of Pod shop/db-0" in found.message


@pytest.mark.parametrize(
    ("what", "budgets"),
    [
        (pod(), []),
        (pod(), [budget(allowed=1, healthy=2, desired=1, expected=2)]),
        (pod(namespace="other"), [FULL]),
        (pod(labels={"app": "web"}), [FULL]),
        (pod(), [budget(selector=None, allowed=0)]),
        (pod(phase="Succeeded"), [FULL]),
        (pod(phase="Pending"), [FULL]),
        (pod(deleted=AT_NOON), [FULL]),
        (pod(owner="DaemonSet"), [FULL]),
        (pod(static=True), [FULL]),
        (pod(node="worker-1"), [FULL]),
        (pod(ready=False), [budget(allowed=0, healthy=1, desired=1, expected=2)]),
        (pod(ready=False), [budget(allowed=0, healthy=0, desired=1, expected=1, policy="AlwaysAllow")]),
    ],
    ids=[
        "no budget",
        "the budget allows one",
        "budget of another namespace",
        "budget of other pods",
        "budget without a selector",
        "the pod has ended",
        "the pod has not started",
        "the pod is evicted already",
        "pod of a DaemonSet",
        "static pod",
        "pod on another node",
        "the pod is not ready and not needed",
        "the pod is not ready and may always be evicted",
    ],
)
def test_pod_that_the_api_server_evicts_blocks_nothing(what, budgets):
    assert ids([what], budgets) == []


@pytest.mark.parametrize(
    ("what", "one"),
    [
        (pod(), budget(selector={}, allowed=0, desired=2, expected=3)),
        (pod(), budget(selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}, allowed=0, expected=3)),
        (pod(), budget(allowed=1, desired=1, expected=2, observed=1, generation=2)),
        (pod(ready=False), budget(allowed=0, healthy=0, desired=1, expected=2)),
    ],
    ids=["budget of the namespace", "budget by an expression", "outdated status", "the pod is not ready but counted"],
)
def test_pod_that_the_api_server_does_not_evict_now_is_a_finding(what, one):
    assert ids([what], [one]) == ["node.drain_blocked"]


def test_pod_with_two_budgets_is_never_evicted():
    generous = {"allowed": 5, "healthy": 9, "desired": 1, "expected": 9}
    (found,) = find([pod()], [budget(**generous), budget("second", **generous)])
    assert found.id == "node.drain_impossible"
    assert "shop/db and shop/second" in found.message


@pytest.mark.parametrize(
    ("late", "named"), [(TERMINATION_MARGIN - 1, []), (TERMINATION_MARGIN + 1, ["node.pod_not_terminating"])]
)
def test_pod_that_exists_after_its_grace_period_is_a_finding(late, named):
    assert ids([pod(deleted=AT_NOON)], [FULL], now=NOW + late) == named


DRAIN_REPORT = "Error: Node Drain has not succeeded. Error is: global timeout reached: 1m30s"


@pytest.mark.parametrize("read", [lambda obj: obj, reduced], ids=["as served", "reduced"])
def test_report_of_the_drain_controller_counts_if_nothing_else_is_found(read):
    condition = {"type": "Drained", "status": "Unknown", "message": DRAIN_REPORT}
    obj = {"metadata": {"name": "worker-0"}, "status": {"conditions": [condition]}}
    reports = {"worker-0": MachineConfigNode.from_api(read(obj))}
    (found,) = find([], reports=reports)
    assert (found.id, found.evidence) == ("node.drain_failing", "global timeout reached: 1m30s")
    assert ids([pod()], [FULL], reports=reports) == ["node.drain_impossible"]


def test_drain_in_progress_is_no_error():
    condition = {"type": "Drained", "status": "Unknown", "message": "Draining node. The drain will not be complete"}
    obj = {"metadata": {"name": "worker-0"}, "status": {"conditions": [condition]}}
    assert MachineConfigNode.from_api(obj).drain_error == ""


@pytest.mark.parametrize(
    "what", [pod(), pod(ready=False), pod(owner="DaemonSet"), pod(static=True), pod(deleted=AT_NOON)]
)
def test_reduced_pod_reads_as_the_full_pod(what):
    whole, small = Pod.from_api(what), Pod.from_api(pod_model.reduced(what))
    assert (small.ignored_by_drain, small.ready, small.deletion_deadline, small.phase) == (
        whole.ignored_by_drain,
        whole.ready,
        whole.deletion_deadline,
        whole.phase,
    )
    assert whole.ignored_by_drain or small == whole


@pytest.mark.parametrize("one", [FULL, USED_UP, budget(selector=None), budget(policy="AlwaysAllow", generation=3)])
def test_reduced_budget_reads_as_the_full_budget(one):
    assert PodDisruptionBudget.from_api(budget_model.reduced(one)) == PodDisruptionBudget.from_api(one)


@pytest.mark.parametrize(
    ("pods", "budgets", "now", "summary"),
    [
        ([pod()], [FULL], NOW, "PDB shop/db blocks eviction of shop/db-0"),
        ([pod()], [FULL, budget("second")], NOW, "PDBs shop/db and shop/second block eviction of shop/db-0"),
        ([pod(deleted=AT_NOON)], [], NOW + TERMINATION_MARGIN + 1, "shop/db-0 is not terminating"),
    ],
)
def test_summary_names_budget_and_pod(pods, budgets, now, summary):
    (blocker,) = find_blockers(pods, budgets, now)
    assert (blocker.node, blocker.summary) == ("worker-0", summary)


def test_every_pod_that_blocks_the_drain_is_a_finding():
    found = find([pod("db-0"), pod("db-1"), pod("db-2", labels={"app": "web"})], [FULL])
    assert [str(finding.object) for finding in found] == ["Pod shop/db-0", "Pod shop/db-1"]
