# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.not_started import (
    NotStartedCheck,
    check_not_started,
    why_not_started,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.progress import build_progress
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import REBUILD_POD_BUILD, Finding
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.release import Release
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import ReadResult, Snapshot
from ansible_collections.imagemode.openshift.tests.unit.plugins import pod_builds, v1alpha1_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    machine_config_pool,
    machine_os_config,
)


def having(**conditions: str) -> dict[str, t.Any]:
    return {
        "status": {"conditions": [{"type": name, "status": "True", "message": m} for name, m in conditions.items()]}
    }


def reasons(
    pool: t.Any = None, operator: t.Any = None, missing: t.Collection[str] = (), release: str = "4.20.0"
) -> tuple[Finding, ...]:
    config = MachineOSConfig.from_api(machine_os_config())
    return why_not_started(config, pool, operator, missing, Release.from_version(release))


def test_missing_secret_prevents_a_build():
    (finding,) = reasons(missing=["push"])
    assert (finding.id, finding.fatal) == ("build.secret_missing", True)
    assert str(finding.object) == "Secret openshift-machine-config-operator/push"


def test_message_of_a_degraded_operator_is_reported():
    message = "Failed to resync 4.20.4 because:\n could not validate renderedImagePushSecret"
    (finding,) = reasons(operator=having(Degraded=message))
    assert (finding.id, finding.fatal) == ("build.operator_degraded", False)
    assert "because: could not validate renderedImagePushSecret" in finding.message


def test_degraded_pool_prevents_a_build():
    (finding,) = reasons(pool=having(NodeDegraded="Node worker-0 is reporting: ...", Updating=""))
    assert finding.id == "build.pool_degraded"
    assert "Node worker-0 is reporting" in finding.message


REJECTED = (
    "Failed to resync 4.16.0 because: invalid MachineOSConfig second: could not validate renderedImagePushSecret "
    '"nosuch" for MachineOSConfig second: secret nosuch from second is not found. Did you use the right secret name?'
)


def older_reasons(operator: t.Any) -> tuple[Finding, ...]:
    config = MachineOSConfig.from_api(as_v1(v1alpha1_objects.machine_os_config()))
    return why_not_started(config, None, operator, (), Release.from_version("4.16.9"))


def test_machineosconfig_that_the_operator_rejects_prevents_all_builds():
    (finding,) = older_reasons(having(Degraded=REJECTED))
    assert (finding.id, finding.fatal) == ("build.machineosconfig_rejected", True)
    assert "secret nosuch from second is not found" in finding.message


def test_other_problem_of_the_operator_may_clear():
    (finding,) = older_reasons(having(Degraded="Failed to resync 4.16.0 because: timed out waiting for the condition"))
    assert (finding.id, finding.fatal) == ("build.operator_degraded", False)


def test_rejected_machineosconfig_is_retried_by_later_releases():
    (finding,) = reasons(operator=having(Degraded=REJECTED))
    assert finding.id == "build.operator_degraded"


FAILED_BUILD = having(ImageBuildDegraded="Failed to build OS image", Degraded="Failed to build OS image")


@pytest.mark.parametrize("release", ["4.20.0", "4.21.3", "5.1.0", ""])
def test_pool_that_is_degraded_by_a_failed_build_prevents_no_build(release):
    assert reasons(pool=FAILED_BUILD, release=release) == ()


@pytest.mark.parametrize("release", ["4.18.22", "4.19.9"])
def test_pool_that_is_degraded_for_any_reason_prevents_a_build_up_to_419(release):
    (finding,) = reasons(pool=FAILED_BUILD, release=release)
    assert (finding.id, "Failed to build OS image" in finding.message) == ("build.pool_degraded", True)


@pytest.mark.parametrize("condition", ["RenderDegraded", "PinnedImageSetsDegraded", "PoolSynchronizerDegraded"])
def test_each_degradation_without_a_build_prevents_a_build(condition):
    (finding,) = reasons(pool=having(**{condition: "broken"}))
    assert finding.message == "MachineConfigPool layered is degraded: broken"


def test_healthy_or_unknown_objects_are_not_a_cause():
    healthy = {"status": {"conditions": [{"type": "Degraded", "status": "False", "message": "old"}]}}
    assert reasons(machine_config_pool(), healthy) == ()
    assert reasons({"status": None}, {}) == ()


def test_causes_of_a_build_that_exists_without_its_pod_end_with_a_rebuild():
    """It does not start by itself when the cause is gone."""
    wanted = pod_builds.config()
    waiting = build_progress(pod_builds.read_config(wanted), pod_builds.read_builds(pod_builds.build("")), RENDERED)
    absent, release = ReadResult(None), ReadResult({"status": {"desired": {"version": "4.16.9"}}})
    results = {
        need: release if need.kind is CLUSTER_VERSION else absent if need.kind is SECRET else ReadResult({})
        for need in check_not_started(Snapshot(), pod_builds.read_config(wanted), waiting, NotStartedCheck(), 60.0)[1]
    }
    checked, dummy = check_not_started(
        Snapshot(results=results), pod_builds.read_config(wanted), waiting, NotStartedCheck(), 60.0
    )
    assert {finding.id for finding in checked.findings} == {"build.secret_missing"}
    for finding in checked.findings:
        begin = "Create the Secret in openshift-machine-config-operator (registry_secret). "
        assert finding.remedy == begin + REBUILD_POD_BUILD


UNSETTLED = {"status": {"machineCount": 1, "configuration": {}}}
SETTLED = {"status": {"machineCount": 1, "configuration": {"name": "rendered-layered-1"}}}


def test_nodes_that_joined_before_the_pool_was_rendered_prevent_a_build():
    (finding,) = reasons(pool=UNSETTLED)
    assert (finding.id, finding.fatal) == ("build.pool_not_updated", True)
    assert str(finding.object) == "MachineConfigPool layered"


@pytest.mark.parametrize(
    ("pool", "release"),
    [
        pytest.param(UNSETTLED, "4.19.9", id="a release that does not mind"),
        pytest.param(UNSETTLED, "", id="an unknown release"),
        pytest.param(SETTLED, "4.20.0", id="a pool that is settled"),
        pytest.param({"status": {"machineCount": 0, "configuration": {}}}, "4.20.0", id="a pool without nodes"),
        pytest.param(None, "4.20.0", id="a pool that is not known"),
    ],
)
def test_pool_that_does_not_prevent_a_build_is_not_reported(pool, release):
    assert reasons(pool=pool, release=release) == ()
