# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import (
    BuildState,
    MachineOSBuild,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.readers import BUILDS, CONFIGS
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CONFIG_LABEL,
    EDIT,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    NODE,
    POOL_LABEL,
    V1ALPHA1,
    labels_of,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.spec_edit import SpecEdit
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import (
    as_served,
    as_v1,
    as_v1alpha1,
    older_kind,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import image_of
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    ALL_CONDITIONS,
    machine_os_build,
    machine_os_config,
)


def test_documented_machineosconfig_is_read() -> None:
    config = MachineOSConfig.from_api(as_v1(machine_os_config(image=image_of("a"))))
    assert config.pool == "layered"
    assert config.containerfile == "FROM configs AS final\n"
    assert config.rendered_image_push_spec == "registry.example.com/os/layered:latest"
    assert config.rendered_image_push_secret == "os-push"
    assert config.base_image_pull_secret == "global-pull-secret-copy"
    assert config.current_image_pull_spec == image_of("a")


@pytest.mark.parametrize(
    ("true", "state"),
    [
        ("Prepared", BuildState.PREPARING),
        ("Building", BuildState.BUILDING),
        ("Succeeded", BuildState.SUCCEEDED),
        ("Interrupted", BuildState.INTERRUPTED),
        ("Failed", BuildState.FAILED),
        ("", BuildState.PENDING),
    ],
)
def test_states_of_a_build_are_read(true: str, state: BuildState) -> None:
    assert MachineOSBuild.from_api(as_v1(machine_os_build(true=true))).state is state


def test_order_of_conditions_means_nothing() -> None:
    build = machine_os_build(true="Building")
    build["status"]["conditions"].reverse()
    assert MachineOSBuild.from_api(as_v1(build)).state is BuildState.BUILDING
    assert len(ALL_CONDITIONS) == len(build["status"]["conditions"])


def test_documented_machineosbuild_is_read() -> None:
    build = MachineOSBuild.from_api(as_v1(machine_os_build(image=image_of("b"))))
    assert build.name == "layered-rendered-layered-1-builder"
    assert build.config == "layered"
    assert build.rendered_config == "rendered-layered-1"
    assert build.digested_image_push_spec == image_of("b")
    assert build.started == "2026-03-01T12:00:00Z"


@pytest.mark.parametrize("true", ["Prepared", "Succeeded", ""])
def test_only_a_build_whose_start_failed_lacks_conditions(true: str) -> None:
    obj = as_v1(machine_os_build(true=true))
    for build in (MachineOSBuild.from_api(obj), BUILDS.parse(BUILDS.reduced(obj))):
        assert build.is_pod_build
        assert build.has_all_conditions is bool(true)
        assert build.pod == ("build-rendered-layered-1" if true else "")


def test_build_of_another_name_is_no_pod_build() -> None:
    obj = machine_os_build(name="layered-0123456789abcdef")
    assert not MachineOSBuild.from_api(as_v1(obj)).is_pod_build


def test_replaced_names_of_secrets_mean_the_same() -> None:
    before = machine_os_config()
    after = machine_os_config(renderedImagePushSecret={"name": "os-push-canonical"})
    after["metadata"]["generation"] = 2
    for read in (lambda obj: obj, CONFIGS.reduced):
        was, now = (MachineOSConfig.from_api(read(as_v1(obj))) for obj in (before, after))
        assert now.rendered_image_push_secret == "os-push"
        assert now.spec_hash == was.spec_hash
        assert was.is_never_edited
        assert now.is_never_edited
        assert (was.secrets_rewritten, now.secrets_rewritten) == (False, True)


def test_record_of_an_edit_stays_valid_when_the_operator_replaces_names() -> None:
    config = machine_os_config(renderedImagePushSecret={"name": "os-push-canonical"})
    written = MachineOSConfig.from_api(as_v1(config)).spec_hash
    config["metadata"].update(
        generation=5, annotations={EDIT: SpecEdit(4, written, config_uid="uid-of-layered").annotation()}
    )
    assert MachineOSConfig.from_api(as_v1(config)).edit is not None
    config["metadata"]["generation"] = 6
    assert MachineOSConfig.from_api(as_v1(config)).edit is None


def test_pull_secret_of_the_nodes_changes_no_build() -> None:
    other = machine_os_config()
    other["spec"]["buildOutputs"]["currentImagePullSecret"]["name"] = "other"
    one, two = (MachineOSConfig.from_api(as_v1(obj)) for obj in (machine_os_config(), other))
    assert (one.current_image_pull_secret, two.current_image_pull_secret) == ("os-pull", "other")
    assert one.spec_hash == two.spec_hash


def test_operator_is_not_the_one_who_changed_the_spec() -> None:
    config = machine_os_config()
    fields = {"f:spec": {"f:buildInputs": {}}}
    config["metadata"]["managedFields"] = [
        {"manager": "kubectl", "time": "2026-03-01T12:00:00Z", "fieldsV1": fields},
        {"manager": "machine-os-builder", "time": "2026-03-01T12:00:01Z", "fieldsV1": fields},
    ]
    read = MachineOSConfig.from_api(as_v1(config))
    assert (read.spec_changed_at, read.spec_changed_by) == ("2026-03-01T12:00:00Z", "kubectl")


@pytest.mark.parametrize(("pool", "config"), [("layered", "layered"), ("worker", "workers"), ("a-b", "b")])
def test_builds_get_the_labels_by_which_later_releases_select_them(pool: str, config: str) -> None:
    build = machine_os_build(pool)
    build["spec"]["machineOSConfig"]["name"] = config
    assert labels_of(as_v1(build)) == {CONFIG_LABEL: config, POOL_LABEL: pool}


def test_labels_of_the_server_take_precedence() -> None:
    build = machine_os_build(labels={POOL_LABEL: "other", "own": "1"})
    assert labels_of(as_v1(build)) == {CONFIG_LABEL: "layered", POOL_LABEL: "other", "own": "1"}


@pytest.mark.parametrize("arch", ["noarch", "arm64", "amd64", "ppc64le", "s390x", "aarch64", "x86_64"])
def test_translation_of_a_machineosconfig_loses_nothing(arch: str) -> None:
    config = machine_os_config(
        image=image_of("a"),
        baseOSImagePullspec=image_of("b"),
        baseOSExtensionsImagePullspec=image_of("c"),
        releaseVersion="4.16.0",
        containerFile=[{"containerfileArch": arch, "content": "FROM configs AS final"}],
    )
    assert as_served(as_v1(config)) == config


def test_object_of_v1_is_served_as_it_is() -> None:
    config = {"apiVersion": "machineconfiguration.openshift.io/v1", "spec": {"renderedImagePushSpec": "x"}}
    assert as_served(config) is config


def test_patch_changes_only_what_it_names() -> None:
    patch = {"spec": {"renderedImagePushSpec": "r.example.com/a/b:c"}, "metadata": {"resourceVersion": "7"}}
    assert as_v1alpha1(patch) == {
        "spec": {"buildInputs": {"renderedImagePushspec": "r.example.com/a/b:c"}},
        "metadata": {"resourceVersion": "7"},
    }


def test_patch_of_the_pull_secret_changes_no_build_input() -> None:
    patch = {"spec": {"currentImagePullSecret": {"name": "os-pull"}}}
    assert as_v1alpha1(patch) == {"spec": {"buildOutputs": {"currentImagePullSecret": {"name": "os-pull"}}}}


def test_patch_without_a_spec_stays_as_it_is() -> None:
    patch = {"metadata": {"annotations": {"a": None}}}
    assert as_v1alpha1(patch) == patch


@pytest.mark.parametrize(
    "spec",
    [
        None,
        [],
        {"buildInputs": None},
        {"buildInputs": []},
        {"buildInputs": {"containerFile": {}}},
        {"buildInputs": {"containerFile": [1, {"containerfileArch": 1}, {}]}},
        {"desiredConfig": None},
        {"desiredConfig": [], "machineOSConfig": {"name": 1}},
    ],
)
def test_fields_of_a_wrong_type_are_no_error(spec: t.Any) -> None:
    as_served(as_v1({"metadata": {"name": "layered"}, "spec": spec}))


def test_only_the_kinds_of_image_mode_have_an_older_version() -> None:
    for kind in (MACHINE_OS_CONFIG, MACHINE_OS_BUILD):
        older = older_kind(kind)
        assert older is not None
        assert older.path("layered") == f"/apis/{V1ALPHA1}/{kind.plural}/layered"
    assert older_kind(NODE) is None
