# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import budget as budget_model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import pod as pod_model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import virtualmachine
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.budget import PodDisruptionBudget
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfignode import (
    MachineConfigNode,
    reduced,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.pod import Pod
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.virtualmachine import (
    VirtualMachine,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.rollout.drain_blockers import (
    TERMINATION_MARGIN,
    Blocker,
    DrainSnapshot,
    drain_blockers,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    budget,
    pod,
    virtual_machine,
    virtual_machine_budget,
    virtual_machine_pod,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of

NOW = 1772366400.0  # noon of the first of March 2026
AT_NOON = "2026-03-01T12:00:00Z"
FULL = budget(allowed=0, healthy=1, desired=1, expected=1)
USED_UP = budget(allowed=0, healthy=2, desired=2, expected=3)


def find_blockers(
    pods: t.Sequence[dict[str, t.Any]],
    budgets: t.Sequence[dict[str, t.Any]] = (),
    now: float = NOW,
    reports: t.Mapping[str, MachineConfigNode] | None = None,
    machines: t.Sequence[dict[str, t.Any]] = (),
) -> list[Blocker]:
    drains = DrainSnapshot(
        pods=[Pod.from_api(p) for p in pods],
        budgets=[PodDisruptionBudget.from_api(b) for b in budgets],
        machine_config_nodes=reports or {},
        virtual_machines=[VirtualMachine.from_api(m) for m in machines],
    )
    return drain_blockers("worker-0", drains, now)


def find(*args: t.Any, **more: t.Any) -> list[Finding]:
    return [blocker.finding for blocker in find_blockers(*args, **more)]


def ids(*args: t.Any, **more: t.Any) -> list[str]:
    return ids_of(find(*args, **more))


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


def test_pods_of_many_nodes_are_found_by_their_node():
    pods = [pod(f"db-{n}", node=f"worker-{n}") for n in range(3)]
    drains = DrainSnapshot([Pod.from_api(p) for p in pods], [PodDisruptionBudget.from_api(FULL)])
    assert [[b.node for b in drain_blockers(f"worker-{n}", drains, NOW)] for n in range(4)] == [
        ["worker-0"],
        ["worker-1"],
        ["worker-2"],
        [],
    ]


# Budgets whose status is not computed -------------------------------------------------------------------------------


def not_computed(reason: str = "SyncFailed", message: str = "found no controllers for pod", **more: t.Any) -> dict:
    one = budget(**{"allowed": 0, "healthy": 0, "desired": 0, "expected": 0, **more})
    condition = {"type": "DisruptionAllowed", "status": "False", "reason": reason, "message": message}
    return {**one, "status": {**one["status"], "conditions": [{"type": "Other", "status": "False"}, condition]}}


@pytest.mark.parametrize("read", [lambda obj: obj, budget_model.reduced], ids=["as served", "reduced"])
def test_problem_of_the_disruption_controller_is_quoted(read):
    (found,) = find([pod()], [read(not_computed(message='found no controllers for pod "db-0"'))])
    assert found.id == "node.drain_blocked"
    assert found.message == (
        "Node worker-0 cannot be drained: PodDisruptionBudget shop/db does not currently allow the eviction of Pod "
        'shop/db-0 (SyncFailed: found no controllers for pod "db-0")'
    )
    assert found.evidence.endswith('expectedPods 0, SyncFailed: found no controllers for pod "db-0"')


def test_counts_that_are_not_computed_any_more_do_not_prove_that_no_eviction_is_ever_allowed():
    assert ids([pod()], [not_computed(healthy=1, desired=1, expected=1)]) == ["node.drain_blocked"]


@pytest.mark.parametrize(
    ("reason", "message", "shown"),
    [
        ("SyncFailed", "", " (SyncFailed)"),
        ("", "who knows", " (who knows)"),
        ("NewReason", "of a later release", " (NewReason: of a later release)"),
        ("InsufficientPods", "", ""),
        ("SufficientPods", "x", ""),
        ("", "", ""),
        (7, ["x"], ""),
    ],
)
def test_reason_that_says_more_than_the_counts_is_quoted(reason, message, shown):
    (found,) = find([pod()], [not_computed(reason, message)])
    assert found.id == "node.drain_blocked"
    assert found.message == (
        "Node worker-0 cannot be drained: PodDisruptionBudget shop/db does not currently allow the eviction of Pod "
        f"shop/db-0{shown}"
    )


def test_problem_of_a_budget_that_allows_evictions_is_no_finding():
    assert ids([pod()], [not_computed(allowed=1, healthy=2, desired=1, expected=2)]) == []


def test_problem_is_bounded_and_printable():
    (found,) = find([pod()], [not_computed(message="\x1b[31m" + "x" * 9999)])
    assert len(found.message) < 500
    assert found.message.isprintable()


# Virtual machines ----------------------------------------------------------------------------------------------------

VM_POD, VM_BUDGET = virtual_machine_pod(), virtual_machine_budget()


@pytest.mark.parametrize(
    ("what", "budgets"),
    [
        (VM_POD, [VM_BUDGET]),
        (virtual_machine_pod(owner=False, **{"vm.kubevirt.io/name": "vm1"}), [VM_BUDGET]),
        (VM_POD, [virtual_machine_budget(owner=False)]),
        (pod("other", "vms", labels={"kubevirt.io/created-by": "uid-of-vm1"}), [VM_BUDGET]),
        (VM_POD, [VM_BUDGET, virtual_machine_budget("vm1", owner=False)]),
    ],
    ids=["pod and budget", "pod by its labels", "pod only", "budget only", "two budgets"],
)
@pytest.mark.parametrize("is_reduced", [False, True])
def test_budget_of_a_virtual_machine_lets_it_migrate(what, budgets, is_reduced):
    """The eviction starts a live migration, although the budget never allows an eviction."""
    if is_reduced:
        what, budgets = pod_model.reduced(what), [budget_model.reduced(one) for one in budgets]
    (blocker,) = find_blockers([what], budgets)
    found = blocker.finding
    assert (found.id, found.severity.value) == ("node.vm_migrating", "warning")
    assert str(found.object) == "VirtualMachineInstance vms/vm1"
    assert found.message == ("The drain of Node worker-0 requires the live migration of VirtualMachineInstance vms/vm1")
    assert "kubevirt-disruption-budget-vm1" in found.evidence
    assert "delete" not in found.remedy.lower()
    assert blocker.summary == "VM vms/vm1 migrates"


@pytest.mark.parametrize(
    ("what", "budgets"),
    [
        (VM_POD, []),
        (VM_POD, [virtual_machine_budget("vm2")]),
        ({**VM_POD, "status": {"phase": "Succeeded"}}, [VM_BUDGET]),
    ],
    ids=["no budget", "budget of another machine", "the machine has stopped"],
)
def test_virtual_machine_that_is_evicted_at_once_blocks_nothing(what, budgets):
    assert ids([what], budgets) == []


def test_virtual_machine_without_a_name_has_the_name_of_its_pod():
    (found,) = find([virtual_machine_pod(owner=False)], [virtual_machine_budget(owner=False)])
    assert str(found.object) == "VirtualMachineInstance vms/virt-launcher-vm1-abcde"


def test_pod_that_only_claims_another_owner_of_that_name_is_no_virtual_machine():
    other = pod(owner="VirtualMachineInstance")
    other["metadata"]["ownerReferences"][0]["apiVersion"] = "example.com/v1"
    assert ids([other], [FULL]) == ["node.drain_impossible"]


@pytest.mark.parametrize("is_reduced", [False, True])
def test_virtual_machine_that_cannot_migrate_is_named_with_the_reason(is_reduced):
    machine = virtual_machine(reason="DisksNotLiveMigratable", message="PVC data is not shared")
    read = virtualmachine.reduced if is_reduced else dict
    (blocker,) = find_blockers([VM_POD], [VM_BUDGET], machines=[read(machine)])
    found = blocker.finding
    assert (found.id, found.fatal) == ("node.vm_not_migratable", False)
    assert str(found.object) == "VirtualMachineInstance vms/vm1"
    assert found.message == (
        "Node worker-0 cannot be drained: VirtualMachineInstance vms/vm1 cannot migrate (DisksNotLiveMigratable: PVC "
        "data is not shared)"
    )
    assert blocker.summary == "VM vms/vm1 cannot migrate (DisksNotLiveMigratable: PVC data is not shared)"


@pytest.mark.parametrize("is_reduced", [False, True])
@pytest.mark.parametrize(
    ("migration", "target"),
    [
        (None, ""),
        ({"targetNode": "worker-3"}, " to worker-3"),
        ({"targetNode": "worker-3", "completed": False}, " to worker-3"),
        ({"targetNode": "worker-3", "completed": True}, ""),
        ({"targetNode": "worker-3", "failed": True}, ""),
        ({"targetNode": ["worker-3"]}, ""),
    ],
)
def test_target_of_a_migration_is_named(migration, target, is_reduced):
    read = virtualmachine.reduced if is_reduced else dict
    (blocker,) = find_blockers([VM_POD], [VM_BUDGET], machines=[read(virtual_machine(migration=migration))])
    assert blocker.finding.message.endswith(f"of VirtualMachineInstance vms/vm1{target}")
    assert blocker.summary == f"VM vms/vm1 migrates{target}"


def test_other_virtual_machine_that_cannot_migrate_is_another_matter():
    other = virtual_machine("vm2", reason="DisksNotLiveMigratable")
    elsewhere = virtual_machine("vm1", reason="DisksNotLiveMigratable")
    elsewhere["metadata"]["namespace"] = "other"
    assert ids([VM_POD], [VM_BUDGET], machines=[other, elsewhere]) == ["node.vm_migrating"]


@pytest.mark.parametrize(
    "conditions",
    [
        [{"type": "LiveMigratable", "status": "Unknown", "reason": "x"}],
        [{"type": "LiveMigratable", "status": "True"}],
        "no list",
        ["no object"],
        None,
    ],
)
def test_virtual_machine_migrates_unless_kubevirt_states_that_it_cannot(conditions):
    machine = virtual_machine()
    machine["status"]["conditions"] = conditions
    assert VirtualMachine.from_api(machine).why_not_migratable == ""


def test_virtual_machine_that_cannot_migrate_for_no_stated_reason():
    machine = virtual_machine()
    machine["status"]["conditions"] = [{"type": "LiveMigratable", "status": "False", "reason": 7, "message": ["x"]}]
    assert VirtualMachine.from_api(machine).why_not_migratable == "no reason given"


def test_reason_of_a_virtual_machine_is_bounded_and_printable():
    machine = virtual_machine(reason="X", message="\x1b" + "y" * 9999)
    shown = VirtualMachine.from_api(machine).why_not_migratable
    assert (len(shown), shown.isprintable()) == (300, True)
    assert VirtualMachine.from_api(virtualmachine.reduced(machine)).why_not_migratable == shown


def test_virtual_machine_that_has_not_terminated_is_a_pod_that_has_not():
    late = {**VM_POD, "metadata": {**VM_POD["metadata"], "deletionTimestamp": AT_NOON}}
    assert ids([late], [VM_BUDGET], now=NOW + TERMINATION_MARGIN + 1) == ["node.pod_not_terminating"]


# Objects that no API server stores -----------------------------------------------------------------------------------

ODD: list[t.Any] = [None, 7, True, "x", ["x"], {"x": 1}, [{"x": 1}]]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("field", ["nodeName", "containers"])
def test_pod_with_a_field_of_another_type_is_read(field, odd):
    what = pod()
    what["spec"] = {**what["spec"], field: odd}
    for obj in (what, pod_model.reduced(what)):
        assert isinstance(Pod.from_api(obj).node, str)
        find([obj], [FULL])


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize(
    "field", ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods", "observedGeneration"]
)
def test_count_of_another_type_is_zero(field, odd):
    one = budget(allowed=1, healthy=2, desired=1, expected=2, generation=1)
    one["status"][field] = odd
    for obj in (one, budget_model.reduced(one)):
        assert ids([pod()], [obj]) in ([], ["node.drain_blocked"])


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("part", ["selector", "matchLabels", "matchExpressions", "unhealthyPodEvictionPolicy"])
def test_budget_with_a_selector_of_another_type_selects_no_pod(part, odd):
    one = budget(allowed=0)
    if part.startswith("match"):
        one["spec"]["selector"] = {"matchLabels": {"app": "db"}, part: odd}
    else:
        one["spec"][part] = odd
    for obj in (one, budget_model.reduced(one)):
        find([pod()], [obj])


def test_time_of_another_form_never_comes():
    assert ids([pod(deleted="tomorrow")], [FULL], now=NOW * 9) == []
