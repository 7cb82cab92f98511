# SPDX-License-Identifier: GPL-3.0-or-later
"""With v1alpha1 a node that runs an image stays in pools with a MachineOSConfig."""

from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    MACHINE_OS_CONFIG,
    NODE,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.label_nodes import (
    LabelNodesRequest,
    label_nodes,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.select_nodes import Selection
from ansible_collections.imagemode.openshift.tests.unit.plugins import api_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import all_pools, node, node_with_image
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    NOT_SERVED,
    OLDER_CONFIG,
    machine_os_config,
)


def move(*names: str, joins: bool = False, check: bool = False) -> LabelNodesRequest:
    return LabelNodesRequest(joins, "layered", Selection(names), check)


@pytest.fixture
def older(api: ApiServer) -> ApiServer:
    """A layered pool of OpenShift 4.16, in which one node runs the image and another one none yet."""
    api.not_served.update(NOT_SERVED)
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(NODE, node_with_image("a", "worker-0"), node("worker-1"), node_with_image("a", "spare", roles=["worker"]))
    api.keep(OLDER_CONFIG, machine_os_config())
    return api


@pytest.mark.parametrize("check", [False, True], ids=["for real", "in check mode"])
def test_node_that_runs_an_image_does_not_leave_to_a_pool_without_a_machineosconfig(
    check: bool, older: ApiServer, session: Session
) -> None:
    with pytest.raises(OperationError) as error:
        label_nodes(session, move("worker-0", "worker-1", check=check))
    assert "(worker-0) would be in MachineConfigPool worker, which has no MachineOSConfig" in error.value.reason
    assert "replace the nodes" in error.value.remedy
    assert older.writes == []


def test_node_that_runs_an_image_leaves_to_a_pool_with_a_machineosconfig(older: ApiServer, session: Session) -> None:
    older.keep(OLDER_CONFIG, machine_os_config("worker"))
    assert label_nodes(session, move("worker-0"))["changed"]


def test_node_without_an_image_leaves_at_no_additional_request(older: ApiServer, session: Session) -> None:
    assert label_nodes(session, move("worker-1"))["changed"]
    assert not [request for request in older.requests if "machineosconfigs" in request.path]


def test_node_that_runs_an_image_joins_only_a_pool_with_a_machineosconfig(older: ApiServer, session: Session) -> None:
    assert label_nodes(session, move("spare", joins=True))["changed"]
    older.keep(NODE, node_with_image("a", "spare", roles=["worker"]))
    older.drop(OLDER_CONFIG, "layered")
    assert label_nodes(session, move("spare", joins=True, check=True))["changed"], "an earlier task may create it"
    with pytest.raises(OperationError, match="would be in MachineConfigPool layered, which has no MachineOSConfig"):
        label_nodes(session, move("spare", joins=True))


def test_node_returns_to_the_image_of_the_cluster_where_v1_is_served(api: ApiServer, session: Session) -> None:
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(NODE, node_with_image("a", "worker-0"))
    api.keep(MACHINE_OS_CONFIG, api_objects.machine_os_config())
    assert label_nodes(session, move("worker-0"))["changed"]
