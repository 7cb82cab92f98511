# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.label_nodes import (
    LabelNodesRequest,
    label_nodes,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.select_nodes import Selection
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    all_pools,
    machine_config_pool,
    node,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import refusal

LAYERED = "node-role.kubernetes.io/layered"


def ask(
    *names: str, present: bool = True, pool: str = "layered", selector: str = "", check: bool = False
) -> LabelNodesRequest:
    return LabelNodesRequest(present, pool, Selection(names, selector), check)


@pytest.fixture
def cluster(api):
    api.keep(MACHINE_CONFIG_POOL, *all_pools(), machine_config_pool("gpu"))
    api.keep(NODE, *(node(f"worker-{n}", roles=["worker"], labels={"zone": "ab"[n % 2]}) for n in range(4)))
    api.keep(NODE, node("member-0"), node("gpu-0", roles=["worker", "gpu"]), node("master-0", roles=["master"]))
    return api


def labels(api, name: str) -> dict[str, str]:
    return api.kept(NODE, name)["metadata"]["labels"]


def changes(done: dict[str, t.Any]) -> dict[str, bool]:
    return {entry["name"]: entry["changed"] for entry in done["nodes"]}


def test_nodes_join_by_the_label_that_the_selector_wants(cluster, session):
    done = label_nodes(session, ask("worker-1", "worker-0", "member-0"))
    assert done["changed"]
    assert changes(done) == {"member-0": False, "worker-0": True, "worker-1": True}
    assert labels(cluster, "worker-0")[LAYERED] == ""
    assert sorted(r.path.rpartition("/")[2] for r in cluster.writes) == ["worker-0", "worker-1"]
    assert done["diff"]["before"] == {"worker-0": {LAYERED: None}, "worker-1": {LAYERED: None}}
    assert done["diff"]["after"] == {"worker-0": {LAYERED: ""}, "worker-1": {LAYERED: ""}}


def test_nodes_are_chosen_by_a_selector_too(cluster, session):
    assert changes(label_nodes(session, ask(selector="zone in (a)"))) == {"worker-0": True, "worker-2": True}


def test_nodes_leave_and_keep_their_other_labels(cluster, session):
    done = label_nodes(session, ask("member-0", "worker-0", present=False))
    assert changes(done) == {"member-0": True, "worker-0": False}
    assert labels(cluster, "member-0") == {"node-role.kubernetes.io/worker": ""}


def test_a_second_run_changes_nothing(cluster, session):
    label_nodes(session, ask("worker-0"))
    cluster.requests.clear()
    assert not label_nodes(session, ask("worker-0"))["changed"]
    assert len(cluster.requests) == 2


def test_check_mode_asks_the_server_and_writes_nothing(cluster, session):
    assert label_nodes(session, ask("worker-0", check=True))["changed"]
    assert cluster.writes == []
    assert LAYERED not in labels(cluster, "worker-0")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (ask("worker-0", "gone"), "Node gone does not exist"),
        (ask("worker-0", "gpu-0"), "Node gpu-0 is in MachineConfigPool gpu"),
        (ask("worker-0", "master-0"), "Node master-0 is a control-plane node"),
        (ask("worker-0", pool="gone"), "MachineConfigPool gone does not exist"),
        (ask("worker-0", pool="worker"), "the role of a node determines its built-in pool"),
        (ask("worker-0", pool="master", present=False), "the role of a node determines its built-in pool"),
        (ask(), "no node is given"),
        (ask(selector="zone=c"), "no Node matches zone=c"),
        (ask(selector="zone=="), "no Node matches zone=="),
        (ask(selector="a b"), "label_selector is invalid"),
    ],
)
def test_every_node_is_checked_before_the_first_is_written(asked, reason, cluster, session):
    with pytest.raises(OperationError, match=reason):
        label_nodes(session, asked)
    assert cluster.writes == []


def test_one_refused_write_does_not_stop_the_others(cluster, session):
    cluster.always_fail("nodes/worker-1", refusal(403, "Forbidden", "not this one"))
    with pytest.raises(
        OperationError, match=r"add nodes to MachineConfigPool layered: Node worker-1: not this one"
    ) as no:
        label_nodes(session, ask("worker-0", "worker-1", "worker-2"))
    assert no.value.result["changed"]
    assert changes(no.value.result) == {"worker-0": True, "worker-1": False, "worker-2": True}
    assert LAYERED in labels(cluster, "worker-2")


def test_hundreds_of_nodes_are_one_task(cluster, session):
    cluster.keep(NODE, *(node(f"many-{n:03}", roles=["worker"]) for n in range(120)))
    done = label_nodes(session, ask(*(f"many-{n:03}" for n in range(120))))
    assert all(changes(done).values())
    assert len(cluster.writes) == 120
