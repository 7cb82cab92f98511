# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator of v1alpha1 accepts and never completes, or cannot undo."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.node import NodeState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.extensions import reject_extensions
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.one_config import (
    reject_second_config,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.one_way import (
    reject_deletion,
    reject_move,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.pull_secret import (
    reject_without_pull_secret,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.push_spec import reject_push_spec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.push_spec_v1alpha1 import (
    reject_push_spec_in_v1alpha1,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.registry_secret import reject_secret
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.rejection import Rejection
from ansible_collections.imagemode.openshift.plugins.module_utils._model.preflight.unrendered_pool import (
    reject_unrendered_pool,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.text import listed
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    image_of,
    machine_config_pool,
    node,
    node_with_image,
    render_degraded,
    secret,
)

DOCKERCFG = "kubernetes.io/dockercfg"


def text(rejection: Rejection | None) -> str:
    """Return reason and remedy, or an empty text. Each is one line without a full stop."""
    if rejection is None:
        return ""
    assert "\n" not in rejection.reason + rejection.remedy
    assert not rejection.reason.endswith(".")
    assert not rejection.remedy.endswith(".")
    return f"{rejection.reason}. {rejection.remedy}"


# Push spec -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "push_spec",
    [
        "h.io/org/os:latest",
        "h.io/org/os:v1.2",
        "h.io/os:latest",
        "h.io/my_org/os_layered:t-1",
        "a.b.svc:5000/x/y:t",
        "image-registry.openshift-image-registry.svc:5000/openshift-machine-config-operator/os:my_tag",
    ],
)
def test_push_spec_that_v1alpha1_accepts(push_spec: str) -> None:
    assert reject_push_spec(push_spec) is None
    assert reject_push_spec_in_v1alpha1(push_spec) is None


@pytest.mark.parametrize(
    ("push_spec", "why"),
    [
        ("h.io:443/org/os:t", "h.io:443/org/os:t has a port, which v1alpha1 accepts only in the form image-registry."),
        ("reg.example.com:5000/os:t", "has a port"),
        ("a.b.svc:5000/y:t", "has a port"),
        ("a.b.svc.cluster.local:5000/x/y:t", "has a port"),
        ("h.io/org/os:my_tag", "has the tag my_tag, and v1alpha1 accepts only letters, digits, . and - in a tag"),
        ("h.io/my.org/os:t", "has the namespace my.org, and v1alpha1 accepts only letters, digits, _ and -"),
        (f"h.io/{'n' * 62}/os:t", "in a namespace, at most 61"),
    ],
)
def test_push_spec_that_only_v1_accepts_is_rejected_with_its_wrong_part(push_spec: str, why: str) -> None:
    assert reject_push_spec(push_spec) is None, "v1 accepts it"
    assert why in text(reject_push_spec_in_v1alpha1(push_spec))


def test_what_is_no_image_is_left_to_the_rule_of_all_versions() -> None:
    assert reject_push_spec_in_v1alpha1("not an image") is None
    assert reject_push_spec("not an image") is not None


# Secrets -------------------------------------------------------------------------------------------------------------


def test_missing_secret_cannot_be_created_later_in_v1alpha1() -> None:
    assert text(reject_secret("os-push", None)).endswith("does not exist. Create it, for example with registry_secret")
    assert text(reject_secret("os-push", None, is_v1alpha1=True)) == (
        "Secret openshift-machine-config-operator/os-push does not exist. Create it first, for example with "
        "registry_secret: in v1alpha1 a Secret that is created later starts no build"
    )


def test_missing_copy_of_the_global_pull_secret_is_reported_with_the_command_that_creates_it() -> None:
    found = text(reject_secret("global-pull-secret-copy", None, is_v1alpha1=True))
    assert "Copy the global pull secret (oc create secret docker-registry global-pull-secret-copy -n " in found
    assert found.endswith("), or set base_image_pull_secret")
    assert "registry_secret" in text(reject_secret("global-pull-secret-copy", None)), "later releases create it"


def test_secret_of_another_type_is_rejected_with_the_type_to_prefer() -> None:
    wrong = secret("push", kind="Opaque")
    assert text(reject_secret("push", wrong)).endswith("kubernetes.io/dockerconfigjson or kubernetes.io/dockercfg")
    assert text(reject_secret("push", wrong, is_v1alpha1=True)).endswith("of type kubernetes.io/dockerconfigjson")


def test_secret_of_the_older_type_with_the_layout_of_the_newer_one_cannot_be_mounted() -> None:
    auths = {"auths": {"registry.example.com": {"auth": "eDp5"}}}
    mixed = secret("push", auths, kind=DOCKERCFG)
    assert "the layout of kubernetes.io/dockerconfigjson (auths)" in text(reject_secret("push", mixed, True))
    assert reject_secret("push", mixed) is None, "later releases convert it"


@pytest.mark.parametrize("kind", ["kubernetes.io/dockerconfigjson", DOCKERCFG])
def test_secret_of_either_type_with_its_own_layout_is_accepted(kind: str) -> None:
    assert reject_secret("push", secret("push", kind=kind), is_v1alpha1=True) is None


def test_secret_whose_content_cannot_be_parsed_is_no_mixed_layout() -> None:
    broken = {**secret("push", kind=DOCKERCFG), "data": {".dockercfg": "bm90IGpzb24="}}
    assert reject_secret("push", broken, is_v1alpha1=True) is None


def test_config_without_the_secret_of_the_nodes_needs_the_option() -> None:
    found = text(reject_without_pull_secret("layered", "", None))
    assert found.startswith("MachineOSConfig layered has no buildOutputs.currentImagePullSecret")
    assert found.endswith("Set current_image_pull_secret")
    assert reject_without_pull_secret("layered", "os-pull", None) is None
    assert reject_without_pull_secret("layered", "", "os-pull") is None


# Pools ---------------------------------------------------------------------------------------------------------------


def test_second_machineosconfig_of_a_pool_is_rejected_with_the_names_of_both() -> None:
    assert "has 2 MachineOSConfigs (first, second)" in text(reject_second_config("layered", ["first", "second"]))
    assert reject_second_config("layered", ["first"]) is None
    assert reject_second_config("layered", []) is None


def test_pool_without_a_rendered_config_is_rejected_with_its_error() -> None:
    unrendered = machine_config_pool(rendered="")
    assert text(reject_unrendered_pool(Pool.from_api(unrendered))) == (
        "MachineConfigPool layered is not rendered. Wait until it is rendered"
    )
    failing = render_degraded(unrendered, "kernelType is wrong")
    assert "cannot be rendered (kernelType is wrong)" in text(reject_unrendered_pool(Pool.from_api(failing)))
    assert reject_unrendered_pool(Pool.from_api(render_degraded(machine_config_pool(), "late"))) is None


# One way -------------------------------------------------------------------------------------------------------------


def states(*nodes: dict[str, t.Any]) -> list[NodeState]:
    return [NodeState.from_api(obj) for obj in nodes]


def test_config_whose_nodes_run_an_image_cannot_be_deleted() -> None:
    found = text(reject_deletion("layered", states(node("b"), node_with_image("a", "worker-1"))))
    assert "nodes of MachineConfigPool layered run an image (worker-1)" in found
    assert "cannot return from an image" in found
    for way_out in ("Keep it", "move the nodes to another pool with a MachineOSConfig", "replace the nodes"):
        assert way_out in found


def test_node_that_is_being_updated_to_an_image_counts_as_one_that_runs_it() -> None:
    updating = node("worker-0", annotations={"desiredImage": image_of("a")})
    assert "(worker-0)" in text(reject_deletion("layered", states(updating)))


def test_config_whose_nodes_run_no_image_can_be_deleted() -> None:
    assert reject_deletion("layered", states(node("a"), node("b"))) is None
    assert reject_deletion("layered", []) is None


def test_nodes_with_an_image_move_only_to_a_pool_with_a_machineosconfig() -> None:
    assert reject_move({"a": "worker", "b": "layered"}, {"worker", "layered"}) is None
    assert reject_move({}, set()) is None
    found = text(reject_move({"c": "worker", "a": "worker", "b": "layered"}, {"layered"}))
    assert "(a, c) would be in MachineConfigPool worker, which has no MachineOSConfig" in found
    assert "first create a MachineOSConfig for MachineConfigPool worker" in found


def test_many_nodes_are_named_in_part() -> None:
    assert listed([str(n) for n in range(12)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"


# Extensions ----------------------------------------------------------------------------------------------------------


def rendered(**spec: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": RENDERED}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "containerfile", "what", "packages"),
    [
        ({"extensions": ["usbguard"]}, "FROM configs AS final\n", "extension usbguard", "usbguard"),
        ({"extensions": ["kerberos"]}, "", "extension kerberos", "krb5-workstation, libkadm5"),
        ({"kernelType": "realtime"}, "RUN dnf install -y tcpdump", "kernel type realtime", "kernel-rt"),
        ({"kernelType": "64k-pages"}, "", "kernel type 64k-pages", "kernel-64k"),
        ({"extensions": ["a"], "kernelType": "realtime"}, "", "extension a and kernel type realtime", "a, kernel-rt"),
        ({"extensions": ["ipsec", "sysstat"]}, "RUN dnf install -y libreswan", "extension sysstat", "sysstat"),
        ({"extensions": ["wasm"]}, "RUN touch /etc/webwasm", "extension wasm", "crun-wasm"),
    ],
)
def test_extension_that_the_containerfile_does_not_mention_is_rejected(
    spec: dict[str, t.Any], containerfile: str, what: str, packages: str
) -> None:
    found = text(reject_extensions("layered", rendered(**spec), containerfile))
    assert f"MachineConfig {RENDERED} of MachineConfigPool layered has {what}, which v1alpha1 does not install" in found
    assert f"Install {packages} in the Containerfile" in found


@pytest.mark.parametrize(
    ("spec", "containerfile"),
    [
        ({}, ""),
        ({"extensions": None, "kernelType": "default"}, ""),
        ({"extensions": ["usbguard"]}, "RUN dnf install -y usbguard-1.0"),
        ({"extensions": ["kerberos"]}, "RUN dnf install -y krb5-workstation"),
        ({"extensions": ["kerberos"]}, "# kerberos: /usr/share/install.sh does it"),
        ({"kernelType": "realtime"}, "RUN rpm-ostree override replace kernel-rt-core"),
    ],
)
def test_extension_that_the_containerfile_mentions_is_left_to_it(spec: dict[str, t.Any], containerfile: str) -> None:
    assert reject_extensions("layered", rendered(**spec), containerfile) is None
