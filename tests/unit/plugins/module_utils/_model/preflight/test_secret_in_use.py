# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.rejection import Rejection
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.secret_in_use import (
    reject_deletion_of_mounted,
    reject_deletion_of_named,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins import v1alpha1_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_os_config


def config(name: str = "layered", **fields: str) -> MachineOSConfig:
    """Return a MachineOSConfig of v1 with Secrets in fields of its spec."""
    obj = machine_os_config(**{field: {"name": secret} for field, secret in fields.items()})
    return MachineOSConfig.from_api({**obj, "metadata": {**obj["metadata"], "name": name}})


def older_config(**inputs: t.Any) -> MachineOSConfig:
    """Return a MachineOSConfig of v1alpha1, whose nodes pull with Secret os-pull."""
    return MachineOSConfig.from_api(as_v1(v1alpha1_objects.machine_os_config(**inputs)))


def test_each_config_is_named_with_the_options_that_name_the_secret():
    both = config("both", baseImagePullSecret="push", renderedImagePushSecret="push")
    one = config("one", renderedImagePushSecret="push")
    other = config("other", renderedImagePushSecret="another")
    assert reject_deletion_of_named("push", [one, other, both]) == Rejection(
        "MachineOSConfigs both (rendered_image_push_secret, base_image_pull_secret), one (rendered_image_push_secret) "
        "use it",
        "Delete the MachineOSConfigs first, or set base_image_pull_secret and rendered_image_push_secret to another "
        "Secret",
    )
    assert reject_deletion_of_named("pull", [one, other, both]) is None


@pytest.mark.parametrize("named", ["os-push", "os-push-canonical"])
@pytest.mark.parametrize("deleted", ["os-push", "os-push-canonical"])
def test_a_copy_by_the_operator_of_v1alpha1_counts_as_its_original(named: str, deleted: str):
    rejection = reject_deletion_of_named(deleted, [older_config(renderedImagePushSecret={"name": named})])
    assert rejection is not None
    assert "(rendered_image_push_secret) uses it" in rejection.reason


def test_a_name_that_only_looks_like_a_copy_is_another_secret_in_v1():
    assert reject_deletion_of_named("push-canonical", [config(renderedImagePushSecret="push")]) is None


def test_the_secret_with_which_nodes_pull_is_kept_because_the_daemons_mount_it():
    rejection = reject_deletion_of_named("os-pull", [older_config()])
    assert rejection is not None
    assert rejection.reason.endswith("uses it, and no pod of the machine-config-daemon can start without it")
    assert rejection.remedy.startswith("Keep it. To withdraw its credentials, revoke them")


@pytest.mark.parametrize(
    "daemon_set",
    [None, {}, {"spec": {"template": {"spec": {"volumes": [{"name": "os-pull", "hostPath": {"path": "/"}}]}}}}],
)
def test_a_secret_that_is_not_mounted_may_be_deleted(daemon_set: dict[str, t.Any] | None):
    assert reject_deletion_of_mounted("os-pull", daemon_set) is None
    assert reject_deletion_of_mounted("", daemon_set) is None
