# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a MachineOSConfig in fields of v1alpha1, and in fields of v1."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import (
    MachineOSConfig,
    WantedConfig,
    new_object,
    secrets_to_check,
    shown,
    spec_patch,
    starts_build,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1, as_v1alpha1
from ansible_collections.imagemode.openshift.tests.unit.plugins import api_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import machine_os_config

COPY = "global-pull-secret-copy"


def wanted(**options: t.Any) -> WantedConfig:
    """Return what the documented MachineOSConfig has, in fields of v1alpha1."""
    described = {
        "pool": "layered",
        "containerfile": "FROM configs AS final\n",
        "rendered_image_push_spec": "registry.example.com/os/layered:latest",
        "rendered_image_push_secret": "os-push",
        "base_image_pull_secret": COPY,
        "current_image_pull_secret": "os-pull",
    }
    return WantedConfig(**{**described, **options}).for_version(is_v1alpha1=True)


def config(**inputs: t.Any) -> dict[str, t.Any]:
    return as_v1(machine_os_config(**inputs))


def test_new_object_is_the_documented_one() -> None:
    assert as_v1alpha1(new_object("layered", wanted()))["spec"] == machine_os_config()["spec"]


@pytest.mark.parametrize("given", [None, ""])
def test_new_object_has_the_copy_of_the_global_pull_secret_unless_another_one_is_given(given: str | None) -> None:
    spec = new_object("layered", wanted(base_image_pull_secret=given).for_creation())["spec"]
    assert spec["baseImagePullSecret"] == {"name": COPY}
    assert wanted(base_image_pull_secret="os-base").for_creation().base_image_pull_secret == "os-base"


def test_nothing_is_added_to_a_new_object_of_v1() -> None:
    later = WantedConfig("layered", None, "r.example.com/os:t", "push", None, "os-pull").for_version(is_v1alpha1=False)
    assert later.for_creation() == WantedConfig("layered", None, "r.example.com/os:t", "push")
    assert new_object("layered", later)["spec"].keys() == {
        "machineConfigPool",
        "imageBuilder",
        "renderedImagePushSpec",
        "renderedImagePushSecret",
    }


def test_secret_of_the_nodes_is_required_in_v1alpha1_only() -> None:
    assert wanted(current_image_pull_secret="").missing_for_creation() == ["current_image_pull_secret"]
    assert WantedConfig("layered", None, "r.example.com/os:t", "push").missing_for_creation() == []


def test_all_secrets_are_named_once() -> None:
    assert wanted().secrets() == ["os-push", COPY, "os-pull"]
    assert wanted(base_image_pull_secret="os-pull").secrets() == ["os-push", "os-pull"]


@pytest.mark.parametrize(
    ("options", "patch"),
    [
        ({}, {}),
        ({"base_image_pull_secret": None, "current_image_pull_secret": None}, {}),
        ({"rendered_image_push_secret": "os-push-canonical"}, {}),
        ({"rendered_image_push_secret": "other"}, {"renderedImagePushSecret": {"name": "other"}}),
        ({"base_image_pull_secret": "other"}, {"baseImagePullSecret": {"name": "other"}}),
        ({"base_image_pull_secret": ""}, {}),
        ({"current_image_pull_secret": ""}, {}),
        ({"current_image_pull_secret": "other"}, {"currentImagePullSecret": {"name": "other"}}),
        ({"current_image_pull_secret": "os-pull-canonical"}, {"currentImagePullSecret": {"name": "os-pull-canonical"}}),
    ],
)
def test_patch_has_only_what_differs_in_meaning(options: dict[str, t.Any], patch: dict[str, t.Any]) -> None:
    assert spec_patch(config(), wanted(**options)) == patch


def test_empty_text_restores_the_default_of_the_base_image_secret() -> None:
    other = config(baseImagePullSecret={"name": "os-base"})
    assert spec_patch(other, wanted(base_image_pull_secret="")) == {"baseImagePullSecret": {"name": COPY}}
    assert spec_patch(other, wanted(base_image_pull_secret=None)) == {}


def test_names_that_the_operator_replaced_are_no_difference() -> None:
    push, base = {"name": "os-push-canonical"}, {"name": f"{COPY}-canonical"}
    assert spec_patch(config(renderedImagePushSecret=push, baseImagePullSecret=base), wanted()) == {}


def test_secret_of_the_nodes_is_never_written_to_v1() -> None:
    asked = WantedConfig("layered", current_image_pull_secret="os-pull")
    assert spec_patch(api_objects.machine_os_config(), asked) == {}


def test_only_inputs_of_a_build_start_one() -> None:
    assert not starts_build({"currentImagePullSecret": {"name": "other"}})
    assert starts_build({"currentImagePullSecret": {"name": "other"}, "containerFile": []})
    assert not starts_build({})


def test_change_that_starts_a_build_needs_all_secrets_by_their_original_names() -> None:
    rewritten = config(renderedImagePushSecret={"name": "os-push-canonical"})
    assert secrets_to_check(rewritten, {"containerFile": []}) == ["os-push", COPY, "os-pull"]
    assert secrets_to_check(rewritten, {"currentImagePullSecret": {"name": "new"}}) == ["new"]


def test_change_in_v1_needs_the_secrets_that_it_brings_and_the_one_to_push_with() -> None:
    current = api_objects.machine_os_config()
    assert secrets_to_check(current, {"containerFile": []}) == ["push"]
    patch = {"baseImagePullSecret": None, "renderedImagePushSecret": {"name": "new"}}
    assert secrets_to_check(current, patch) == ["new"]


def test_diff_shows_the_fields_of_the_served_version() -> None:
    inputs = shown(config())["spec"]["buildInputs"]
    assert inputs["renderedImagePushspec"] == "registry.example.com/os/layered:latest"
    assert inputs["containerFile"] == [{"containerfileArch": "noarch", "content": ["FROM configs AS final"]}]
    assert shown(api_objects.machine_os_config())["spec"]["containerFile"][0]["content"][0] == "FROM configs AS final"


def changed_by(manager: str, *fields: str) -> dict[str, t.Any]:
    owned = {"f:spec": {f"f:{field}": {} for field in fields}}
    return {"manager": manager, "time": "2026-03-01T13:00:00Z", "fieldsV1": owned}


def test_change_of_the_secret_of_the_nodes_is_no_change_of_what_is_built() -> None:
    obj = config()
    obj["metadata"] = {**obj["metadata"], "managedFields": [changed_by("imagemode.openshift", "buildOutputs")]}
    assert MachineOSConfig.from_api(obj).spec_changed_at == ""
    obj["metadata"]["managedFields"].append(changed_by("oc", "buildInputs", "buildOutputs"))
    assert MachineOSConfig.from_api(obj).spec_changed_by == "oc"
