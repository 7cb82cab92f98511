# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import machineconfignode as model
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


def drained(status: str, **parts: str) -> dict:
    obj = machine_config_node("worker-0")
    obj["status"]["conditions"] = [
        {
            "type": "Drained",
            "status": status,
            "lastTransitionTime": "2026-11-24T09:00:00Z",
            "reason": "Drained",
            **parts,
        }
    ]
    return obj


@pytest.mark.parametrize(
    ("status", "since"), [("Unknown", "2026-11-24T09:00:00Z"), ("True", ""), ("False", ""), ("", "")]
)
def test_start_of_a_drain_is_known_while_it_is_in_progress(status, since):
    assert MachineConfigNode.from_api(drained(status)).drain_since == since


@pytest.mark.parametrize("message", ["", "Error: Node Drain has not succeeded. Error is: evicting pod shop/web-0"])
def test_reduced_object_has_the_drain_that_is_in_progress(message):
    whole = MachineConfigNode.from_api(drained("Unknown", message=message))
    reduced = MachineConfigNode.from_api(model.reduced(drained("Unknown", message=message)))
    assert (reduced.drain_since, reduced.drain_error) == (whole.drain_since, whole.drain_error)
    assert "status" not in model.reduced(drained("True"))
