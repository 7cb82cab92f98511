# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import Finding
from ansible_collections.imagemode.openshift.plugins.module_utils._model.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.missing_build import why_no_build
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    machine_config_pool,
    machine_os_config,
)


def having(**conditions: str) -> dict[str, t.Any]:
    return {
        "status": {"conditions": [{"type": name, "status": "True", "message": m} for name, m in conditions.items()]}
    }


def reasons(pool: t.Any = None, operator: t.Any = None, missing: t.Collection[str] = ()) -> tuple[Finding, ...]:
    return why_no_build(MachineOSConfig.from_api(machine_os_config()), pool, operator, missing)


def test_a_secret_that_is_missing_is_the_proof_that_none_can_start():
    (finding,) = reasons(missing=["push"])
    assert (finding.id, finding.fatal) == ("build.secret_missing", True)
    assert str(finding.object) == "Secret openshift-machine-config-operator/push"


def test_the_operator_is_quoted_when_it_is_degraded():
    message = "Failed to resync 4.20.4 because:\n could not validate renderedImagePushSecret"
    (finding,) = reasons(operator=having(Degraded=message))
    assert (finding.id, finding.fatal) == ("build.operator_degraded", False)
    assert "because: could not validate renderedImagePushSecret" in finding.message


def test_a_pool_that_is_degraded_keeps_builds_from_starting():
    (finding,) = reasons(pool=having(NodeDegraded="Node worker-0 is reporting: ...", Updating=""))
    assert finding.id == "build.pool_degraded"
    assert "Node worker-0 is reporting" in finding.message


def test_what_is_healthy_or_unknown_is_no_reason():
    healthy = {"status": {"conditions": [{"type": "Degraded", "status": "False", "message": "old"}]}}
    assert reasons(machine_config_pool(), healthy) == ()
    assert reasons({"status": None}, {}) == ()
