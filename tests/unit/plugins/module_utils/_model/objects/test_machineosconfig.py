# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects import machineosconfig as model
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import (
    MachineOSConfig,
    WantedConfig,
    new_object,
    spec_patch,
    that_serves,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    LATER,
    MCO,
    NOON,
    OWN,
    REPOSITORY,
    image_of,
    machine_os_config,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.merge_patch import merged
from hypothesis import given
from hypothesis import strategies as st

CURRENT = machine_os_config(containerfile="FROM configs AS final\n", baseImagePullSecret={"name": "pull"})
ARM = {"containerfileArch": "ARM64", "content": "FROM configs AS final\nRUN arm\n"}


def wanted(**options: str) -> WantedConfig:
    return WantedConfig(pool="layered", **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"containerfile": "FROM configs AS final\n"},
        {"containerfile": "FROM configs AS final"},
        {"containerfile": "FROM configs AS final\n\n"},
        {"rendered_image_push_spec": f"{REPOSITORY}:latest"},
        {"rendered_image_push_secret": "push"},
        {"base_image_pull_secret": "pull"},
    ],
)
def test_a_spec_that_means_the_same_is_not_written(options):
    assert spec_patch(CURRENT, wanted(**options)) == {}


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        (
            {"containerfile": "FROM configs AS final\nRUN x"},
            {"containerFile": [{"containerfileArch": "NoArch", "content": "FROM configs AS final\nRUN x"}]},
        ),
        (
            {"containerfile": " FROM configs AS final\n"},
            {"containerFile": [{"containerfileArch": "NoArch", "content": " FROM configs AS final\n"}]},
        ),
        ({"containerfile": ""}, {"containerFile": []}),
        ({"rendered_image_push_spec": f"{REPOSITORY}:next"}, {"renderedImagePushSpec": f"{REPOSITORY}:next"}),
        ({"rendered_image_push_secret": "other"}, {"renderedImagePushSecret": {"name": "other"}}),
        ({"base_image_pull_secret": "other"}, {"baseImagePullSecret": {"name": "other"}}),
        ({"base_image_pull_secret": ""}, {"baseImagePullSecret": None}),
    ],
)
def test_only_what_differs_is_written(options, patch):
    assert spec_patch(CURRENT, wanted(**options)) == patch


def test_an_optional_secret_that_is_not_there_needs_no_removal():
    assert spec_patch(machine_os_config(), wanted(base_image_pull_secret="")) == {}


@pytest.mark.parametrize(
    ("containerfile", "entries"),
    [
        ("FROM x", [ARM, {"containerfileArch": "NoArch", "content": "FROM x"}]),
        ("", [ARM]),
    ],
)
def test_the_entries_of_other_architectures_stay(containerfile, entries):
    current = machine_os_config(containerFile=[{"containerfileArch": "NoArch", "content": "FROM configs"}, ARM])
    assert spec_patch(current, wanted(containerfile=containerfile)) == {"containerFile": entries}


def test_an_entry_without_an_architecture_is_the_one_for_all():
    current = machine_os_config(containerFile=[{"content": "FROM configs"}])
    assert MachineOSConfig.from_api(current).containerfile == "FROM configs"
    assert spec_patch(current, wanted(containerfile="FROM configs")) == {}
    (entry,) = spec_patch(current, wanted(containerfile="FROM x"))["containerFile"]
    assert entry["content"] == "FROM x"


_OPTIONAL = st.none() | st.sampled_from(["", "push", "pull", "other"])


@given(
    st.none() | st.sampled_from(["", "FROM a", "FROM a\n", "FROM b\n"]),
    st.none() | st.sampled_from([f"{REPOSITORY}:latest", f"{REPOSITORY}:next"]),
    st.none() | st.sampled_from(["push", "other"]),
    _OPTIONAL,
    st.sampled_from([None, "FROM a\n", "FROM b"]),
)
def test_a_second_run_writes_nothing(containerfile, push_spec, push_secret, base_secret, before):
    current = machine_os_config(containerfile=before, baseImagePullSecret={"name": "pull"})
    asked = WantedConfig("layered", containerfile, push_spec, push_secret, base_secret)
    patched = merged(current, {"spec": spec_patch(current, asked)})
    assert spec_patch(patched, asked) == {}
    now = MachineOSConfig.from_api(patched)
    assert push_spec in (None, now.rendered_image_push_spec)
    assert push_secret in (None, now.rendered_image_push_secret)
    assert base_secret in (None, now.base_image_pull_secret)
    assert containerfile is None or containerfile.rstrip("\n") == now.containerfile.rstrip("\n")


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ({}, ["rendered_image_push_spec", "rendered_image_push_secret"]),
        ({"rendered_image_push_spec": "x"}, ["rendered_image_push_secret"]),
        ({"rendered_image_push_spec": "", "rendered_image_push_secret": "push"}, ["rendered_image_push_spec"]),
        ({"rendered_image_push_spec": "x", "rendered_image_push_secret": "push"}, []),
    ],
)
def test_what_is_missing_for_a_new_one_is_named_by_its_option(options, missing):
    assert wanted(**options).missing_for_creation() == missing


def test_the_secrets_that_it_refers_to_are_known():
    assert wanted(rendered_image_push_secret="push", base_image_pull_secret="pull").secrets() == ["push", "pull"]
    assert wanted(rendered_image_push_secret="push", base_image_pull_secret="").secrets() == ["push"]


def test_a_new_one_holds_what_was_asked_for_and_nothing_else():
    asked = wanted(rendered_image_push_spec=f"{REPOSITORY}:t", rendered_image_push_secret="push")
    created = new_object("layered", asked)
    del created["metadata"]["annotations"][OWN + "edit"]
    assert created == {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineOSConfig",
        "metadata": {"name": "layered", "annotations": {OWN + "created-by": "imagemode.openshift"}},
        "spec": {
            "machineConfigPool": {"name": "layered"},
            "imageBuilder": {"imageBuilderType": "Job"},
            "renderedImagePushSpec": f"{REPOSITORY}:t",
            "renderedImagePushSecret": {"name": "push"},
        },
    }


def test_a_new_one_needs_no_second_run():
    asked = wanted(
        containerfile="FROM configs",
        rendered_image_push_spec=f"{REPOSITORY}:t",
        rendered_image_push_secret="push",
        base_image_pull_secret="pull",
    )
    assert spec_patch(new_object("layered", asked), asked) == {}


def test_the_first_in_list_order_serves_a_pool_whatever_its_name():
    configs = [machine_os_config("a", pool="other"), machine_os_config("b"), machine_os_config("c")]
    assert that_serves("layered", configs) is configs[1]
    assert that_serves("worker", configs) is None


@pytest.mark.parametrize(
    ("edits", "changed_at"),
    [
        ((), ""),
        ((("imagemode.openshift", NOON),), NOON),
        ((("imagemode.openshift", LATER), ("kubectl-edit", NOON)), LATER),
        ((("imagemode.openshift", NOON), ("kubectl-edit", LATER)), LATER),
    ],
)
def test_the_last_change_of_the_spec_is_by_any_manager(edits, changed_at):
    assert MachineOSConfig.from_api(machine_os_config(edits=edits)).spec_changed_at == changed_at


@pytest.mark.parametrize(
    "entry",
    [
        {"manager": "machine-os-builder", "time": LATER, "subresource": "status", "fieldsV1": {"f:spec": {}}},
        {"manager": "machine-os-builder", "time": LATER, "fieldsV1": {"f:metadata": {"f:annotations": {}}}},
        {"manager": "unknown", "time": LATER},
    ],
)
def test_annotations_and_status_are_no_change_of_the_spec(entry):
    config = machine_os_config()
    config["metadata"]["managedFields"].append(entry)
    assert MachineOSConfig.from_api(config).spec_changed_at == NOON


def test_last_manager_of_the_spec_is_known():
    config = machine_os_config(edits=[("imagemode.openshift", NOON), ("argocd", LATER), ("kubectl", NOON)])
    assert MachineOSConfig.from_api(config).spec_changed_by == "argocd"


def test_record_of_our_edit_is_valid_for_its_generation_and_spec_only():
    ours = machine_os_config(generation=3, builds_before=["layered-a/1"])
    assert MachineOSConfig.from_api(ours).edit.builds == {"layered-a/1"}
    later = {**ours, "metadata": {**ours["metadata"], "generation": 4}}
    assert MachineOSConfig.from_api(later).edit is None
    other = {**ours, "spec": {**ours["spec"], "renderedImagePushSpec": "registry.example.com/other:latest"}}
    assert MachineOSConfig.from_api(other).edit is None


@given(
    st.sampled_from(["FROM a\n", None]),
    st.integers(1, 9),
    st.none() | st.integers(0, 9),
    st.sampled_from(["", image_of("a")]),
    st.sampled_from(["", "layered-a"]),
    st.sampled_from([None, [], ["layered-a/1"]]),
    st.lists(
        st.tuples(st.sampled_from(["imagemode.openshift", "kubectl"]), st.sampled_from([NOON, LATER])), max_size=3
    ),
)
def test_a_reduced_config_reads_as_the_whole_one_but_for_its_containerfile(
    containerfile, generation, observed, image, build, before, edits
):
    whole = machine_os_config(
        containerfile=containerfile, generation=generation, observed_generation=observed, image=image, build=build,
        builds_before=before, edits=edits, baseImagePullSecret={"name": "pull"},
    )  # fmt: skip
    expected = replace(MachineOSConfig.from_api(whole), containerfile="")
    assert MachineOSConfig.from_api(model.reduced(whole)) == expected


def test_a_reduced_config_holds_no_containerfile_wherever_it_stood():
    whole = machine_os_config(containerfile="RUN long")
    whole["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json.dumps(whole)
    assert "RUN long" not in json.dumps(model.reduced(whole))


def test_an_object_with_nothing_but_a_name_can_be_read():
    config = MachineOSConfig.from_api({"metadata": {"name": "bare"}})
    assert (config.pool, config.containerfile, config.current_build, config.spec_changed_at) == ("", "", "", "")


def test_every_field_is_read_from_where_the_api_keeps_it():
    config = MachineOSConfig.from_api(
        machine_os_config("one", pool="two", generation=3, observed_generation=2, image=image_of("a"))
    )
    assert (config.name, config.uid, config.pool) == ("one", "uid-of-one", "two")
    assert (config.generation, config.observed_generation) == (3, 2)
    assert config.current_image_pull_spec == image_of("a")


def test_a_diff_shows_the_spec_without_bookkeeping():
    assert model.shown(None) == {}
    found = model.shown(CURRENT)
    without = {name: value for name, value in CURRENT["spec"].items() if name != "containerFile"}
    assert found["metadata"] == {"name": "layered"}
    assert {name: value for name, value in found["spec"].items() if name != "containerFile"} == without


def test_the_build_that_the_operator_names_stands_in_an_annotation():
    config = machine_os_config(build="layered-a")
    assert config["metadata"]["annotations"] == {MCO + "current-machine-os-build": "layered-a"}
    assert MachineOSConfig.from_api(config).current_build == "layered-a"


def test_diff_shows_a_containerfile_as_its_lines():
    config = machine_os_config(containerfile="FROM configs AS final\nRUN true\n")
    assert model.shown(config)["spec"]["containerFile"] == [
        {"containerfileArch": "NoArch", "content": ["FROM configs AS final", "RUN true"]}
    ]
    assert config["spec"]["containerFile"][0]["content"].startswith("FROM"), "the object itself stays as it is"
