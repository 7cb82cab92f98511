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
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.drain import (
    ENDING,
    Drains,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import budget, pod

NOW = 1772366400.0  # noon of the first of March 2026
AT_NOON = "2026-03-01T12:00:00Z"
FULL = budget(allowed=0, healthy=1, desired=1, expected=1)
USED_UP = budget(allowed=0, healthy=2, desired=2, expected=3)


def find(
    pods: t.Sequence[dict[str, t.Any]],
    budgets: t.Sequence[dict[str, t.Any]] = (),
    now: float = NOW,
    reports: t.Mapping[str, MachineConfigNode] | None = None,
) -> list[Finding]:
    drains = Drains([Pod.from_api(p) for p in pods], [PodDisruptionBudget.from_api(b) for b in budgets], reports or {})
    return drains.findings("worker-0", now)


def ids(*args: t.Any, **more: t.Any) -> list[str]:
    return [finding.id for finding in find(*args, **more)]


def test_a_budget_that_can_never_allow_an_eviction_is_named_with_pod_and_node():
    (found,) = find([pod()], [FULL])
    assert found.id == "node.drain_impossible"
    assert str(found.object) == "Pod shop/db-0"
    assert found.message == (
        "Node worker-0 does not drain: PodDisruptionBudget shop/db can allow no eviction of Pod shop/db-0"
    )
    assert found.evidence == (
        "PodDisruptionBudget shop/db: disruptionsAllowed 0, currentHealthy 1, desiredHealthy 1, expectedPods 1"
    )


def test_a_budget_that_is_used_up_now_may_allow_it_later():
    (found,) = find([pod()], [USED_UP])
    assert found.id == "node.drain_blocked"
    assert "allows no eviction now of Pod shop/db-0" in found.message


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
        "none",
        "it allows one",
        "of another namespace",
        "of other pods",
        "of nobody",
        "the pod has ended",
        "the pod has not begun",
        "the pod is evicted already",
        "a drain leaves a DaemonSet's alone",
        "a drain leaves a static one alone",
        "the pod is elsewhere",
        "the pod is not ready and not needed",
        "the pod is not ready and may always go",
    ],
)
def test_what_the_api_server_evicts_is_no_finding(what, budgets):
    assert ids([what], budgets) == []


@pytest.mark.parametrize(
    ("what", "one"),
    [
        (pod(), budget(selector={}, allowed=0, desired=2, expected=3)),
        (pod(), budget(selector={"matchExpressions": [{"key": "app", "operator": "Exists"}]}, allowed=0, expected=3)),
        (pod(), budget(allowed=1, desired=1, expected=2, observed=1, generation=2)),
        (pod(ready=False), budget(allowed=0, healthy=0, desired=1, expected=2)),
    ],
    ids=["of the whole namespace", "by an expression", "its status is old", "the pod is not ready but counted"],
)
def test_what_the_api_server_refuses_now_is_named(what, one):
    assert ids([what], [one]) == ["node.drain_blocked"]


def test_two_budgets_of_one_pod_never_allow_its_eviction():
    generous = {"allowed": 5, "healthy": 9, "desired": 1, "expected": 9}
    (found,) = find([pod()], [budget(**generous), budget("second", **generous)])
    assert found.id == "node.drain_impossible"
    assert "shop/db and shop/second" in found.message


@pytest.mark.parametrize(("late", "named"), [(ENDING - 1, []), (ENDING + 1, ["node.pod_not_terminating"])])
def test_a_pod_that_stays_beyond_its_grace_period_is_named(late, named):
    assert ids([pod(deleted=AT_NOON)], [FULL], now=NOW + late) == named


CONTROLLERS_WORDS = "Error: Node Drain has not succeeded. Error is: global timeout reached: 1m30s"


@pytest.mark.parametrize("read", [lambda obj: obj, reduced], ids=["as served", "reduced"])
def test_the_controllers_own_words_are_told_when_nothing_better_is_known(read):
    condition = {"type": "Drained", "status": "Unknown", "message": CONTROLLERS_WORDS}
    obj = {"metadata": {"name": "worker-0"}, "status": {"conditions": [condition]}}
    reports = {"worker-0": MachineConfigNode.from_api(read(obj))}
    (found,) = find([], reports=reports)
    assert (found.id, found.evidence) == ("node.drain_failing", "global timeout reached: 1m30s")
    assert ids([pod()], [FULL], reports=reports) == ["node.drain_impossible"]


def test_a_drain_that_goes_on_is_no_error():
    condition = {"type": "Drained", "status": "Unknown", "message": "Draining node. The drain will not be complete"}
    obj = {"metadata": {"name": "worker-0"}, "status": {"conditions": [condition]}}
    assert MachineConfigNode.from_api(obj).drain_error == ""


@pytest.mark.parametrize(
    "what", [pod(), pod(ready=False), pod(owner="DaemonSet"), pod(static=True), pod(deleted=AT_NOON)]
)
def test_a_reduced_pod_is_judged_as_the_whole_one(what):
    whole, small = Pod.from_api(what), Pod.from_api(pod_model.reduced(what))
    assert (small.ignored_by_drain, small.ready, small.deletion_deadline, small.phase) == (
        whole.ignored_by_drain,
        whole.ready,
        whole.deletion_deadline,
        whole.phase,
    )
    assert whole.ignored_by_drain or small == whole


@pytest.mark.parametrize("one", [FULL, USED_UP, budget(selector=None), budget(policy="AlwaysAllow", generation=3)])
def test_a_reduced_budget_is_judged_as_the_whole_one(one):
    assert PodDisruptionBudget.from_api(budget_model.reduced(one)) == PodDisruptionBudget.from_api(one)
