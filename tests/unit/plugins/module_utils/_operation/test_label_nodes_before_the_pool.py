# SPDX-License-Identifier: GPL-3.0-or-later
"""In check mode the pool may be one that a task before this one would have created."""

from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
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
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_config_pool, node
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer


@pytest.fixture(autouse=True)
def cluster(api: ApiServer) -> None:
    """A worker, a node of the control plane, and one of another custom pool; no pool named layered."""
    api.keep(MACHINE_CONFIG_POOL, *(machine_config_pool(name) for name in ("infra", "master", "worker")))
    api.keep(NODE, node("worker-0", ["worker"]), node("master-0", ["master"]), node("infra-0", ["worker", "infra"]))


def ask_for(*names: str, check_mode: bool = True) -> LabelNodesRequest:
    """Return what brings nodes into the pool that is not there."""
    return LabelNodesRequest(present=True, pool="layered", selection=Selection(names), check_mode=check_mode)


def test_a_node_that_could_join_is_told_and_nothing_is_written(api: ApiServer, session: Session) -> None:
    told = label_nodes(session, ask_for("worker-0"))

    assert (told["changed"], told["nodes"]) == (True, [{"name": "worker-0", "changed": True}])
    assert told["diff"]["after"] == {"worker-0": {"node-role.kubernetes.io/layered": ""}}
    assert api.writes == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("worker-9", "Node worker-9 does not exist"),
        ("master-0", "Node master-0 is a control-plane node"),
        ("infra-0", "Node infra-0 is in MachineConfigPool infra"),
    ],
)
def test_a_node_that_could_not_join_is_refused(session: Session, name: str, reason: str) -> None:
    with pytest.raises(OperationError, match=reason):
        label_nodes(session, ask_for("worker-0", name))


def test_without_check_mode_a_missing_pool_is_refused(api: ApiServer, session: Session) -> None:
    with pytest.raises(OperationError, match="MachineConfigPool layered does not exist"):
        label_nodes(session, ask_for("worker-0", check_mode=False))

    assert api.writes == []
