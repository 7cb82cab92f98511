# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfignode import (
    MachineConfigNode,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    image_of,
    machine_config_node,
)


def test_configuration_is_read_and_with_the_feature_gate_the_image():
    reported = MachineConfigNode.from_api(machine_config_node("worker-0", image=image_of("a")))
    assert reported == MachineConfigNode("worker-0", RENDERED, image_of("a"))
    without = MachineConfigNode.from_api(machine_config_node("worker-0"))
    assert without == MachineConfigNode("worker-0", RENDERED, "")


@pytest.mark.parametrize(
    "status",
    [
        None,
        {},
        {"configVersion": None, "configImage": None},
        {"configVersion": {}, "configImage": {}},
        {"configVersion": {"current": "not-yet-set"}, "configImage": {"currentImage": "not-yet-set"}},
        {"configVersion": {"current": None}, "configImage": {"currentImage": ""}},
    ],
)
def test_missing_value_is_empty(status):
    reported = MachineConfigNode.from_api({"metadata": {"name": "worker-0"}, "status": status})
    assert reported == MachineConfigNode("worker-0", "", "")
