# SPDX-License-Identifier: GPL-3.0-or-later
"""What a forecast shows and refuses on an API server of OpenShift 4.16."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import WantedPool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import WantedConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_VERSION,
    MACHINE_CONFIG,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POD,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.forecast_inputs import ForecastRequest
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.forecast_rollout import forecast
from ansible_collections.imagemode.openshift.tests.unit.plugins import api_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    all_pools,
    cluster_version,
    image_of,
    machine_config_pool,
    node_with_image,
    render_degraded,
    secret,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, forbidden
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import pod
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    NOT_SERVED,
    OLDER_BUILD,
    OLDER_CONFIG,
    machine_os_build,
    machine_os_config,
)

OTHER = "FROM configs AS final\nRUN true\n"
BUILD = f"layered-{RENDERED}-builder"


class Forecast:
    """Makes forecasts. Nothing may ever be written."""

    def __init__(self, session: Session, api: ApiServer) -> None:
        self.session, self.api = session, api
        self.warnings: list[str] = []

    def __call__(
        self, details: bool = True, create_pool: bool = False, consent: bool = True, **wanted: t.Any
    ) -> dict[str, t.Any]:
        options = {
            "pool": "layered",
            "containerfile": "FROM configs AS final\n",
            "rendered_image_push_spec": "registry.example.com/os/layered:latest",
            "rendered_image_push_secret": "os-push",
            "current_image_pull_secret": "os-pull",
        }
        config = WantedConfig(**{**options, **wanted})
        request = ForecastRequest(config, WantedPool(config.pool), create_pool, (), ("new",), consent, False, details)
        try:
            return forecast(self.session, request, self.warnings.append)
        finally:
            assert self.api.writes == []

    def refused(self, **options: t.Any) -> str:
        """Return the error, which a check without details gives too."""
        errors = []
        for details in (True, False):
            with pytest.raises(OperationError) as error:
                self(details=details, **options)
            errors.append(str(error.value))
        assert errors[0] == errors[1]
        return errors[0]


@pytest.fixture
def run(session: Session, api: ApiServer) -> Forecast:
    return Forecast(session, api)


@pytest.fixture
def older(api: ApiServer) -> ApiServer:
    """A pool of OpenShift 4.16 whose node runs the image of its build."""
    api.not_served.update(NOT_SERVED)
    api.keep(CLUSTER_VERSION, cluster_version("4.16.20"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {}})
    api.keep(SECRET, *(secret(name) for name in ("os-push", "os-pull", "global-pull-secret-copy")))
    api.keep(NODE, node_with_image("a", "worker-0"))
    api.keep(OLDER_CONFIG, machine_os_config(image=image_of("a")))
    api.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, image=image_of("a")))
    return api


def test_edit_deletes_the_build_of_the_rendered_config_first(older: ApiServer, run: Forecast) -> None:
    older.keep(OLDER_BUILD, machine_os_build(rendered="rendered-layered-0"))
    found = run(containerfile=OTHER)["forecast"]
    assert found["deletions"] == [f"MachineOSBuild {BUILD}"]
    assert found["build"] == {"expected": "start", "name": None}
    assert found["lines"][0] == "the MachineOSConfig would be changed, and a build would start"
    why = "because an edit alone starts no build here"
    assert found["lines"][1] == f"before the build these would be deleted, {why}: MachineOSBuild {BUILD}"
    assert found["rollout"]["batches"] == [["worker-0"]]
    assert "older" not in str(found["lines"]), "an older build blocks no rollout of this generation"


def test_unchanged_spec_deletes_nothing(older: ApiServer, run: Forecast) -> None:
    found = run()["forecast"]
    assert (found["changes"], found["deletions"]) == (False, [])


@pytest.mark.parametrize("true", ["Failed", "Interrupted", ""])
def test_build_that_failed_is_made_again_without_a_change(true: str, older: ApiServer, run: Forecast) -> None:
    older.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, true=true))
    found = run()["forecast"]
    assert (found["changes"], found["machineosconfig"]) == (True, "unchanged")
    assert found["build"] == {"expected": "start", "name": BUILD}
    assert found["lines"][0].startswith("the build would be made again")
    assert found["deletions"] == [f"MachineOSBuild {BUILD}"]
    assert found["rollout"]["batches"] == [["worker-0"]]


def test_success_that_a_left_pod_marked_as_failed_is_built_again(older: ApiServer, run: Forecast) -> None:
    failed = machine_os_build(rendered=RENDERED, true="Failed")
    failed["status"]["finalImagePullspec"] = image_of("a")
    older.keep(OLDER_BUILD, failed)
    found = run()["forecast"]
    assert (found["build"]["expected"], found["deletions"]) == ("start", [f"MachineOSBuild {BUILD}"])
    assert found["lines"][0] == f"the build would be made again: MachineOSBuild {BUILD} failed"
    assert found["rollout"]["batches"] == [["worker-0"]]


def test_edit_of_another_client_is_built_by_the_next_run(older: ApiServer, run: Forecast) -> None:
    obj = machine_os_config(image=image_of("a"))
    fields = {"f:spec": {"f:buildInputs": {}}}
    edit = {"manager": "kubectl-edit", "time": "2026-03-01T12:30:00Z", "fieldsV1": fields}
    obj["metadata"].update({"generation": 2, "managedFields": [edit]})
    older.keep(OLDER_CONFIG, obj)
    found = run()["forecast"]
    assert found["build"]["expected"] == "start"
    assert found["lines"][0].endswith(f"MachineOSBuild {BUILD} may belong to an earlier spec")


@pytest.mark.parametrize("true", ["Prepared", "Building"])
def test_build_that_runs_is_waited_for(true: str, older: ApiServer, run: Forecast) -> None:
    older.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, true=true))
    older.keep(POD, pod())
    found = run()["forecast"]
    assert (found["build"]["expected"], found["deletions"]) == ("running", [])


def test_build_whose_own_pod_runs_is_waited_for_although_another_pod_marked_it_as_failed(
    older: ApiServer, run: Forecast
) -> None:
    older.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, true="Failed"))
    older.keep(POD, pod())
    found = run()["forecast"]
    assert (found["build"]["expected"], found["deletions"]) == ("running", [])


def test_build_that_lost_its_pod_is_made_again(older: ApiServer, run: Forecast) -> None:
    older.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, true="Building"))
    found = run()["forecast"]
    assert found["build"]["expected"] == "start"
    assert found["lines"][0].endswith(f"the pod of MachineOSBuild {BUILD} was deleted before its end")


def test_build_that_is_made_again_reboots_nodes_only_with_consent(older: ApiServer, run: Forecast) -> None:
    older.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, true="Failed"))
    with pytest.raises(OperationError, match=r"would drain and reboot.*worker-0\. Set allow_node_reboots=true"):
        run(consent=False)


def test_creation_deletes_nothing(older: ApiServer, run: Forecast) -> None:
    older.drop(OLDER_CONFIG, "layered")
    found = run()["forecast"]
    assert (found["machineosconfig"], found["deletions"]) == ("created", [])


def test_secret_of_the_nodes_changes_without_a_build_and_without_reboots(older: ApiServer, run: Forecast) -> None:
    found = run(current_image_pull_secret="new")["forecast"]
    assert (found["changes"], found["machineosconfig"], found["deletions"]) == (True, "changed", [])
    assert found["rollout"]["total"] == 0


def test_build_by_a_job_is_edited_as_with_later_releases(older: ApiServer, run: Forecast) -> None:
    older.drop(OLDER_BUILD, BUILD)
    job = machine_os_build(rendered=RENDERED)
    job["metadata"] = {**job["metadata"], "name": "layered-0123456789abcdef"}
    older.keep(OLDER_BUILD, job)
    found = run(containerfile=OTHER)["forecast"]
    assert (found["build"]["expected"], found["deletions"]) == ("start", [])


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rendered_image_push_spec": "registry.example.com:5000/os/layered:t"}, "has a port, which v1alpha1 accepts"),
        ({"current_image_pull_secret": "gone"}, "gone does not exist. Create it first"),
        ({"base_image_pull_secret": "gone"}, "gone does not exist. Create it first"),
    ],
)
def test_options_that_cannot_work_are_refused(
    options: dict[str, t.Any], reason: str, older: ApiServer, run: Forecast
) -> None:
    assert reason in run.refused(**options)
    older.drop(OLDER_CONFIG, "layered")
    assert reason in run.refused(**options)


def test_creation_needs_the_secret_of_the_nodes(older: ApiServer, run: Forecast) -> None:
    older.drop(OLDER_CONFIG, "layered")
    assert "current_image_pull_secret is not set" in run.refused(current_image_pull_secret=None)


def test_creation_needs_the_copy_of_the_global_pull_secret(older: ApiServer, run: Forecast) -> None:
    older.drop(OLDER_CONFIG, "layered")
    older.drop(SECRET, "global-pull-secret-copy", "openshift-machine-config-operator")
    assert "oc create secret docker-registry global-pull-secret-copy" in run.refused()
    assert run(base_image_pull_secret="new")["forecast"]["machineosconfig"] == "created"


def test_second_machineosconfig_of_the_pool_is_refused(older: ApiServer, run: Forecast) -> None:
    second = machine_os_config()
    second["metadata"] = {**second["metadata"], "name": "second"}
    older.keep(OLDER_CONFIG, second)
    assert "has 2 MachineOSConfigs (layered, second)" in run.refused()


def test_pool_that_cannot_be_rendered_is_refused_and_a_new_one_is_left_to_the_run(
    older: ApiServer, run: Forecast
) -> None:
    older.keep(MACHINE_CONFIG_POOL, render_degraded(machine_config_pool(rendered=""), "no such key"))
    assert "cannot be rendered (no such key)" in run.refused(containerfile=OTHER)
    older.keep(MACHINE_CONFIG_POOL, machine_config_pool(rendered=""))
    assert run(containerfile=OTHER)["forecast"]["machineosconfig"] == "changed"
    assert run(pool="new", create_pool=True)["forecast"]["pool"] == "created"


def test_extensions_that_the_image_would_not_have_are_refused(older: ApiServer, run: Forecast) -> None:
    older.keep(MACHINE_CONFIG, {"metadata": {"name": RENDERED}, "spec": {"extensions": ["usbguard"]}})
    assert "extension usbguard" in run.refused(containerfile=OTHER)
    assert run(containerfile="FROM configs AS final\nRUN dnf install -y usbguard\n")["forecast"]["changes"]
    assert not run()["forecast"]["changes"], "what is built already is left alone"


def test_machineconfigs_that_cannot_be_read_are_left_to_the_step_that_warns(older: ApiServer, run: Forecast) -> None:
    older.always_fail("machineconfigs/", forbidden("machineconfigs"))
    assert run(containerfile=OTHER)["forecast"]["changes"]


def test_option_without_a_field_in_v1_changes_no_forecast_there(api: ApiServer, run: Forecast) -> None:
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(NODE, node_with_image("a", "worker-0"))
    api.keep(SECRET, secret("os-push"))
    config = {"renderedImagePushSecret": {"name": "os-push"}, "containerfile": "FROM configs AS final\n"}
    api.keep(MACHINE_OS_CONFIG, api_objects.machine_os_config(build="layered-a", image=image_of("a"), **config))
    api.keep(MACHINE_OS_BUILD, api_objects.machine_os_build("layered-a"))
    found = run(rendered_image_push_spec=f"{api_objects.REPOSITORY}:latest")["forecast"]
    assert (found["complete"], found["deletions"]) == (True, [])
