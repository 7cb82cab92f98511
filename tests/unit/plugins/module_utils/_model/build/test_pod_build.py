# SPDX-License-Identifier: GPL-3.0-or-later
"""The current build of OpenShift 4.16 and 4.17, where the operator builds in single pods."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.current import (
    BuildMatch,
    CurrentBuild,
    current_build,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.edit_record import (
    edit_patch,
    reaction_left,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.pod_build import is_built_by_pod
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import MachineOSBuild
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import EDIT, V1ALPHA1
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import (
    ProvenBuild,
    read_spec_edit,
    spec_hash,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.tests.unit.plugins import api_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import OLD_RENDERED, RENDERED
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import (
    BUILD,
    MORNING,
    NOON,
    build,
    config,
    read_builds,
    read_config,
)

IDENTITY = f"{BUILD}/uid-of-{BUILD}"
EARLIER = "2026-03-01T11:59:59Z"
LATER = "2026-03-01T12:00:01Z"


def current(obj: dict[str, t.Any], *builds: dict[str, t.Any], rendered: str = RENDERED) -> CurrentBuild:
    return current_build(read_config(obj), read_builds(*builds), rendered)


def test_build_of_the_pools_rendered_config_is_current() -> None:
    found = current(config(), build("Building", OLD_RENDERED, creationTimestamp=LATER), build())
    assert (found.match, found.build and found.build.name) == (BuildMatch.PROVEN, BUILD)


def test_builds_of_other_rendered_configs_are_ignored() -> None:
    found = current(config(), build("Succeeded", OLD_RENDERED))
    assert (found.match, found.build) == (BuildMatch.NONE_YET, None)


def test_name_of_the_pool_decides_not_the_name_of_the_machineosconfig() -> None:
    own = build()
    own["spec"]["machineOSConfig"]["name"] = "gpu-config"
    obj = config(name="gpu-config")
    assert current(obj, own).match is BuildMatch.PROVEN


def test_build_that_was_created_in_the_second_of_its_machineosconfig_is_proven() -> None:
    assert current(config(created=NOON), build()).match is BuildMatch.PROVEN


def test_build_of_a_deleted_machineosconfig_is_not_proven() -> None:
    assert current(config(created=LATER), build()).match is BuildMatch.UNPROVEN


def test_build_of_a_deleted_machineosconfig_is_not_proven_by_the_record_of_a_creation() -> None:
    obj = config(created=LATER)
    record = f'{{"generation":1,"specHash":"{spec_hash(as_v1(obj)["spec"])}","builds":[],"image":"","proven":[],'
    obj["metadata"]["annotations"] = {EDIT: record + '"uid":"","settled":true}'}
    assert read_config(obj).edit is not None
    assert current(obj, build()).match is BuildMatch.UNPROVEN


@pytest.mark.parametrize(
    ("edited", "match"),
    [(EARLIER, BuildMatch.PROVEN), (NOON, BuildMatch.UNPROVEN), (LATER, BuildMatch.UNPROVEN)],
    ids=["built after the edit", "same second", "built before the edit"],
)
def test_edit_of_another_client_is_built_only_by_a_younger_build(edited: str, match: BuildMatch) -> None:
    assert current(config(edited=edited), build()).match is match


def test_edit_without_a_recorded_time_proves_nothing() -> None:
    obj = config(edited=EARLIER)
    del obj["metadata"]["managedFields"]
    assert current(obj, build()).match is BuildMatch.UNPROVEN


def test_later_change_of_the_pull_secret_is_no_change_of_what_is_built() -> None:
    obj = config(edited=EARLIER)
    fields = {"f:spec": {"f:buildOutputs": {}}}
    obj["metadata"]["managedFields"].append({"manager": "kubectl-patch", "time": LATER, "fieldsV1": fields})
    assert current(obj, build()).match is BuildMatch.PROVEN


def test_replaced_names_of_secrets_are_no_edit() -> None:
    obj = config()
    obj["spec"]["buildInputs"]["renderedImagePushSecret"]["name"] = "builder-dockercfg-7lzwl-canonical"
    obj["metadata"]["generation"] = 2
    fields = {"f:spec": {"f:buildInputs": {}}}
    obj["metadata"]["managedFields"].append({"manager": "machine-os-builder", "time": LATER, "fieldsV1": fields})
    assert current(obj, build()).match is BuildMatch.PROVEN


def test_build_in_the_record_of_our_edit_was_not_built_from_it() -> None:
    assert current(config(builds_before=[IDENTITY]), build()).match is BuildMatch.UNPROVEN


def test_build_after_our_edit_is_proven_although_the_record_is_not_settled() -> None:
    before = [f"{BUILD}/uid-of-the-deleted-one"]
    found = current(config(builds_before=before, edited=NOON), build())
    assert (found.match, found.created_after_edit) == (BuildMatch.PROVEN, True)


def test_build_that_was_proven_for_a_text_is_current_when_the_text_returns() -> None:
    hashed = spec_hash(as_v1(config())["spec"])
    obj = config(builds_before=[IDENTITY], proven=[ProvenBuild(hashed, IDENTITY)])
    found = current(obj, build())
    assert (found.match, found.created_after_edit) == (BuildMatch.PROVEN, False)


# Which generation of the operator ------------------------------------------------------------------------------------


def job_build() -> MachineOSBuild:
    """Return a build as the first z-streams of 4.18 name it."""
    return MachineOSBuild.from_api({**api_objects.machine_os_build(), "apiVersion": V1ALPHA1})


def test_builds_of_early_418_are_no_builds_in_single_pods() -> None:
    obj = read_config(config())
    assert is_built_by_pod(obj, [])
    assert is_built_by_pod(obj, read_builds(build()))
    assert not is_built_by_pod(obj, [job_build()])
    assert not is_built_by_pod(obj, [job_build(), *read_builds(build(rendered=OLD_RENDERED))])


def test_annotation_of_the_current_build_shows_builds_with_jobs() -> None:
    obj = config()
    obj["metadata"]["annotations"] = {api_objects.MCO + "current-machine-os-build": "layered-a"}
    assert not is_built_by_pod(read_config(obj), [])


def test_v1_has_no_builds_in_single_pods() -> None:
    assert not is_built_by_pod(MachineOSConfig.from_api(api_objects.machine_os_config()), [])


def test_build_with_a_job_is_current_beside_an_older_one_in_a_pod() -> None:
    found = current_build(read_config(config()), [*read_builds(build()), job_build()], RENDERED)
    assert found.build is not None
    assert found.build.name == "layered-a"


# The record of an edit -----------------------------------------------------------------------------------------------


def recorded(obj: dict[str, t.Any], *builds: dict[str, t.Any]) -> t.Any:
    served = as_v1(obj)
    served = {**served, "metadata": {**served["metadata"], "resourceVersion": "1"}}
    patch = edit_patch(served, {"renderedImagePushSpec": "r.example.com/a/b:c"}, [as_v1(b) for b in builds], NOON)
    record = read_spec_edit(patch["metadata"]["annotations"][EDIT])
    assert record is not None
    return record


def test_edit_waits_only_until_the_operator_has_started_the_build_before() -> None:
    obj = config(edited=NOON)
    assert reaction_left(as_v1(obj), [as_v1(build("Building"))], NOON) == 5
    assert recorded(obj, build("Building")).is_settled


def test_record_names_the_builds_that_are_proven_whatever_the_record_before_reports() -> None:
    before = [f"{BUILD}/uid-of-the-deleted-one"]
    record = recorded(config(builds_before=before, edited=MORNING), build())
    assert [proven.build for proven in record.proven] == [IDENTITY]
    assert recorded(config(edited=LATER), build()).proven == ()
