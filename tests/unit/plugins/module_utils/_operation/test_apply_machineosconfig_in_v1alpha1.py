# SPDX-License-Identifier: GPL-3.0-or-later
"""A MachineOSConfig on an API server of OpenShift 4.16: what is written, and what is refused before."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import (
    MachineOSConfig,
    WantedConfig,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_CONFIG,
    NODE,
    SECRET,
    V1ALPHA1,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.v1alpha1 import as_v1
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.apply_machineosconfig import (
    MachineOSConfigRequest,
    apply_machineosconfig,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins import api_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    RENDERED,
    all_pools,
    image_of,
    machine_config_pool,
    node,
    node_with_image,
    render_degraded,
    secret,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, forbidden
from ansible_collections.imagemode.openshift.tests.unit.plugins.conftest import Nap
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    NOT_SERVED,
    OLDER_BUILD,
    OLDER_CONFIG,
    machine_os_build,
    machine_os_config,
)

OPERATOR = "openshift-machine-config-operator"
COPY = "global-pull-secret-copy"
CONTAINERFILE = "FROM configs AS final\n"
PUSH = "registry.example.com/os/layered:latest"


def machine_config(**spec: t.Any) -> dict[str, t.Any]:
    return {"metadata": {"name": RENDERED}, "spec": spec}


class Apply:
    """Applies a MachineOSConfig with all options, and keeps the warnings."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.warnings: list[str] = []

    def __call__(
        self, present: bool = True, name: str = "", consent: bool = False, check: bool = False, **wanted: t.Any
    ) -> dict[str, t.Any]:
        options = {
            "pool": "layered",
            "containerfile": CONTAINERFILE,
            "rendered_image_push_spec": PUSH,
            "rendered_image_push_secret": "os-push",
            "current_image_pull_secret": "os-pull",
        }
        config = WantedConfig(**{**options, **wanted} if present else {"pool": "layered"})
        request = MachineOSConfigRequest(present, name, config, consent, check)
        return apply_machineosconfig(self.session, request, self.warnings.append)

    def refused(self, **options: t.Any) -> str:
        """Return the error."""
        with pytest.raises(OperationError) as error:
            self(**options)
        assert "\n" not in str(error.value)
        return str(error.value)


@pytest.fixture
def apply(session: Session) -> Apply:
    return Apply(session)


@pytest.fixture
def older(api: ApiServer) -> ApiServer:
    """A cluster of OpenShift 4.16 with a custom pool without nodes, and all Secrets."""
    api.not_served.update(NOT_SERVED)
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(MACHINE_CONFIG, machine_config())
    api.keep(NODE, node("worker-0", ["worker"]))
    api.keep(SECRET, *(secret(name) for name in ("os-push", "os-pull", COPY)))
    return api


@pytest.fixture
def configured(older: ApiServer) -> ApiServer:
    """The pool has the MachineOSConfig that all options describe, and its build succeeded."""
    older.keep(OLDER_CONFIG, machine_os_config(image=image_of("a")))
    older.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, image=image_of("a")))
    return older


@pytest.fixture
def later(api: ApiServer) -> ApiServer:
    """A cluster with v1."""
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(NODE, node("worker-0", ["worker"]))
    api.keep(SECRET, secret("os-push"))
    return api


# The same options for both versions ----------------------------------------------------------------------------------


def test_new_one_is_written_as_the_documentation_of_the_release_shows_it(older: ApiServer, apply: Apply) -> None:
    done = apply()
    spec = older.kept(OLDER_CONFIG, "layered")["spec"]
    assert spec == machine_os_config()["spec"]
    assert done["resource"]["spec"] == spec
    assert done["resource"]["apiVersion"] == V1ALPHA1
    assert done["diff"]["after"]["spec"]["buildInputs"]["renderedImagePushspec"] == PUSH
    assert done["diff"]["after"]["spec"]["buildInputs"]["containerFile"][0]["content"] == ["FROM configs AS final"]
    assert done["machineosconfig"]["rendered_image_push_spec"] == PUSH
    assert apply.warnings == []


def test_second_run_changes_nothing(older: ApiServer, apply: Apply) -> None:
    apply()
    older.keep(OLDER_CONFIG, {**older.kept(OLDER_CONFIG, "layered"), "status": {"currentImagePullspec": image_of("a")}})
    older.keep(OLDER_BUILD, machine_os_build(rendered=RENDERED, image=image_of("a")))
    older.requests.clear()
    assert not apply()["changed"]
    assert older.writes == []


def test_copies_of_secrets_that_the_operator_made_are_equal_to_the_secrets(configured: ApiServer, apply: Apply) -> None:
    copies = {
        "renderedImagePushSecret": {"name": "os-push-canonical"},
        "baseImagePullSecret": {"name": f"{COPY}-canonical"},
    }
    configured.keep(OLDER_CONFIG, machine_os_config(image=image_of("a"), **copies))
    assert not apply(base_image_pull_secret=COPY)["changed"]
    assert not apply(rendered_image_push_secret="os-push-canonical")["changed"]


def test_secret_of_the_nodes_has_no_field_in_v1_and_one_warning_says_so(later: ApiServer, apply: Apply) -> None:
    done = apply()
    assert done["changed"]
    assert "currentImagePullSecret" not in str(later.kept(MACHINE_OS_CONFIG, "layered")["spec"])
    (warning,) = apply.warnings
    assert warning.startswith("current_image_pull_secret is not used: this cluster serves v1")
    assert "global pull secret" in warning
    assert not apply()["changed"]


def test_v1_gets_no_more_requests_than_without_the_option(later: ApiServer, apply: Apply) -> None:
    apply(current_image_pull_secret=None)
    assert apply.warnings == []
    first = [request.path for request in later.requests]
    later.drop(MACHINE_OS_CONFIG, "layered")
    later.requests.clear()
    apply(current_image_pull_secret="os-pull")
    assert [request.path for request in later.requests] == first


def test_warning_is_given_once_if_a_conflict_repeats_the_work(later: ApiServer, apply: Apply) -> None:
    later.keep(MACHINE_OS_CONFIG, api_objects.machine_os_config(renderedImagePushSecret={"name": "os-push"}))
    writes = []

    def change_first(request: t.Any) -> None:
        if request.method == "PATCH" and request.query.get("dryRun") and not writes:
            writes.append(request)
            later.keep(MACHINE_OS_CONFIG, later.kept(MACHINE_OS_CONFIG, "layered"))

    later.before_each(change_first)
    assert apply(containerfile="FROM configs AS final\nRUN true\nRUN false\n")["changed"]
    assert writes
    assert len(apply.warnings) == 1


# The Secret of the nodes ---------------------------------------------------------------------------------------------


def test_creation_needs_the_secret_of_the_nodes(older: ApiServer, apply: Apply) -> None:
    assert apply.refused(current_image_pull_secret="").endswith(
        "current_image_pull_secret is not set, and this cluster serves v1alpha1, which requires it. "
        "Set current_image_pull_secret."
    )
    assert older.writes == []


def test_another_secret_of_the_nodes_starts_no_build_and_needs_no_consent(configured: ApiServer, apply: Apply) -> None:
    configured.keep(NODE, node_with_image("a"))
    configured.keep(SECRET, secret("os-nodes"))
    done = apply(current_image_pull_secret="os-nodes")
    (write,) = configured.writes
    assert write.body["spec"] == {"buildOutputs": {"currentImagePullSecret": {"name": "os-nodes"}}}
    assert (done["changed"], done["reboots"]) == (True, [])
    kept = MachineOSConfig.from_api(as_v1(configured.kept(OLDER_CONFIG, "layered")))
    assert kept.current_image_pull_secret == "os-nodes"
    assert kept.edit is not None, "the builds before the change are builds of the same inputs"
    assert kept.edit.builds == frozenset()


def test_missing_secret_of_the_nodes_is_refused_for_a_change_too(configured: ApiServer, apply: Apply) -> None:
    assert f"Secret {OPERATOR}/gone does not exist" in apply.refused(current_image_pull_secret="gone")
    assert configured.writes == []


def test_config_without_build_outputs_is_refused_until_the_secret_is_named(configured: ApiServer, apply: Apply) -> None:
    incomplete = machine_os_config(image=image_of("a"))
    del incomplete["spec"]["buildOutputs"]
    configured.keep(OLDER_CONFIG, incomplete)
    assert "has no buildOutputs.currentImagePullSecret" in apply.refused(current_image_pull_secret=None)
    assert apply()["changed"]
    assert configured.kept(OLDER_CONFIG, "layered")["spec"]["buildOutputs"]["currentImagePullSecret"] == {
        "name": "os-pull"
    }


# Secrets -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["os-push", "os-pull", COPY])
def test_each_secret_must_exist_before_the_creation(missing: str, older: ApiServer, apply: Apply) -> None:
    older.drop(SECRET, missing, OPERATOR)
    error = apply.refused()
    assert f"Could not create MachineOSConfig layered: Secret {OPERATOR}/{missing} does not exist" in error
    assert older.writes == []


def test_missing_copy_of_the_global_pull_secret_is_refused_with_the_command(older: ApiServer, apply: Apply) -> None:
    older.drop(SECRET, COPY, OPERATOR)
    assert f"oc create secret docker-registry {COPY} -n {OPERATOR}" in apply.refused()
    older.keep(SECRET, secret("os-base"))
    apply(base_image_pull_secret="os-base")
    inputs = older.kept(OLDER_CONFIG, "layered")["spec"]["buildInputs"]
    assert inputs["baseImagePullSecret"] == {"name": "os-base"}


def test_change_needs_all_secrets_of_the_spec(configured: ApiServer, apply: Apply) -> None:
    configured.drop(SECRET, COPY, OPERATOR)
    assert f"{COPY} does not exist" in apply.refused(containerfile="FROM configs AS final\nRUN true\n")
    assert configured.writes == []


def test_secrets_that_cannot_be_read_are_a_warning(older: ApiServer, apply: Apply) -> None:
    older.always_fail("secrets", forbidden("secrets"))
    assert apply()["changed"]
    assert [warning.partition(" was not checked")[0] for warning in apply.warnings] == [
        f"Secret {OPERATOR}/{name}" for name in ("os-push", COPY, "os-pull")
    ]


# Push spec, pools and MachineOSConfigs -------------------------------------------------------------------------------


@pytest.mark.parametrize("push_spec", ["registry.example.com:5000/os/layered:latest", "registry.example.com/os/l:a_b"])
def test_push_spec_that_only_v1_accepts_is_refused(push_spec: str, older: ApiServer, apply: Apply) -> None:
    assert "v1alpha1 accepts only" in apply.refused(rendered_image_push_spec=push_spec)
    assert older.writes == []


def test_push_spec_with_a_port_is_accepted_where_v1_is_served(later: ApiServer, apply: Apply) -> None:
    assert apply(rendered_image_push_spec="registry.example.com:5000/os/layered:latest")["changed"]


def test_second_machineosconfig_is_refused_until_one_is_deleted(configured: ApiServer, apply: Apply) -> None:
    second = machine_os_config()
    second["metadata"] = {**second["metadata"], "name": "second", "uid": "uid-of-second"}
    configured.keep(OLDER_CONFIG, second)
    configured.keep(NODE, node_with_image("a"))
    error = apply.refused()
    assert "MachineConfigPool layered has 2 MachineOSConfigs (layered, second)" in error
    assert "has 2 MachineOSConfigs" in apply.refused(present=False)
    assert apply(present=False, name="second", consent=True)["changed"], "the other one keeps the image of the nodes"
    assert not apply()["changed"]


def test_new_pool_is_awaited_until_it_is_rendered(older: ApiServer, apply: Apply, nap: Nap) -> None:
    older.keep(MACHINE_CONFIG_POOL, machine_config_pool(rendered=""))
    nap.after(2, lambda: older.keep(MACHINE_CONFIG_POOL, machine_config_pool()))
    assert apply()["changed"]


def test_pool_that_is_never_rendered_is_refused(older: ApiServer, apply: Apply) -> None:
    older.keep(MACHINE_CONFIG_POOL, machine_config_pool(rendered=""))
    assert "MachineConfigPool layered is not rendered. Wait until it is rendered" in apply.refused()
    assert older.writes == []


def test_pool_that_cannot_be_rendered_is_refused_with_the_reason(older: ApiServer, apply: Apply) -> None:
    older.keep(MACHINE_CONFIG_POOL, render_degraded(machine_config_pool(rendered=""), "no such key"))
    assert "MachineConfigPool layered cannot be rendered (no such key)" in apply.refused()


def test_check_mode_tolerates_what_earlier_tasks_would_bring(older: ApiServer, apply: Apply) -> None:
    older.keep(MACHINE_CONFIG_POOL, machine_config_pool(rendered=""))
    older.drop(SECRET, "os-pull", OPERATOR)
    assert apply(check=True)["changed"]
    assert older.writes == []
    assert len(apply.warnings) == 2


def test_extensions_of_the_pool_are_refused_until_the_containerfile_mentions_them(
    older: ApiServer, apply: Apply
) -> None:
    older.keep(MACHINE_CONFIG, machine_config(extensions=["usbguard"], kernelType="realtime"))
    assert "has extension usbguard and kernel type realtime, which v1alpha1 does not install" in apply.refused()
    assert older.writes == []
    assert apply(containerfile="FROM configs AS final\nRUN dnf install -y usbguard kernel-rt-core\n")["changed"]


def test_change_is_refused_for_extensions_too(configured: ApiServer, apply: Apply) -> None:
    configured.keep(MACHINE_CONFIG, machine_config(extensions=["usbguard"]))
    assert "extension usbguard" in apply.refused(rendered_image_push_spec="registry.example.com/os/other:latest")
    assert not apply()["changed"], "what is built already is left alone"


def test_machineconfigs_that_cannot_be_read_are_a_warning(older: ApiServer, apply: Apply) -> None:
    older.always_fail("machineconfigs/", forbidden("machineconfigs"))
    assert apply()["changed"]
    (warning,) = apply.warnings
    assert warning.startswith("The extensions and the kernel type of MachineConfigPool layered were not checked: ")


def test_machineconfigs_are_not_read_where_v1_is_served(later: ApiServer, apply: Apply) -> None:
    apply(current_image_pull_secret=None)
    assert not [request for request in later.requests if "/machineconfigs/" in request.path]


# Deletion ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [False, True], ids=["for real", "in check mode"])
def test_deletion_is_refused_while_a_node_runs_the_image(check: bool, configured: ApiServer, apply: Apply) -> None:
    configured.keep(NODE, node_with_image("a", "worker-1"), node("worker-2"))
    error = apply.refused(present=False, consent=True, check=check)
    assert (
        "Could not delete MachineOSConfig layered: nodes of MachineConfigPool layered run an image (worker-1)" in error
    )
    assert configured.writes == []


def test_config_whose_nodes_run_no_image_is_deleted(configured: ApiServer, apply: Apply) -> None:
    configured.keep(NODE, node("worker-1"))
    assert apply(present=False, consent=True)["changed"]
    first, *left = [(write.method, write.path) for write in configured.writes]
    assert first == ("DELETE", OLDER_CONFIG.path("layered"))
    assert ("DELETE", OLDER_BUILD.path(f"layered-{RENDERED}-builder")) in left


def test_deletion_returns_nodes_to_the_image_of_the_cluster_where_v1_is_served(later: ApiServer, apply: Apply) -> None:
    later.keep(MACHINE_OS_CONFIG, api_objects.machine_os_config())
    later.keep(NODE, node_with_image("a"))
    assert apply(present=False, consent=True)["reboots"] == ["worker-0"]
