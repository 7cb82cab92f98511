# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.push_namespace import (
    namespace_to_check,
    reject_missing_namespace,
)

SERVICE = "image-registry.openshift-image-registry.svc"


@pytest.mark.parametrize(
    "push_spec",
    [f"{SERVICE}:5000/images/os:latest", f"{SERVICE}/images/os:latest", f"{SERVICE}.cluster.local:5000/images/os:t"],
)
def test_internal_registry_needs_the_namespace_of_the_image(push_spec):
    assert namespace_to_check(push_spec) == "images"


@pytest.mark.parametrize(
    "push_spec",
    [
        f"{SERVICE}:5000/openshift-machine-config-operator/os:latest",
        f"{SERVICE}:5000/os:latest",
        f"{SERVICE}x:5000/images/os:latest",
        f"registry.example.com/{SERVICE}/os:latest",
        "registry.example.com/images/os:latest",
        "",
        "no name",
    ],
)
def test_other_registries_and_the_namespace_of_the_operator_are_not_checked(push_spec):
    assert namespace_to_check(push_spec) == ""


def test_remedy_is_a_namespace_that_exists():
    rejection = reject_missing_namespace(f"{SERVICE}:5000/images/os:latest", "images")
    assert "namespace images, which does not exist" in rejection.reason
    assert "use openshift-machine-config-operator, from which the nodes can pull" in rejection.remedy
