# SPDX-License-Identifier: GPL-3.0-or-later
"""The session asks the API server for v1, and for v1alpha1 where v1 is not served."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.watch import Changed, Listed, watch
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.readers import BUILDS
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    POOL_LABEL,
    V1ALPHA1,
    Object,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins import api_objects
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, forbidden
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    NOT_SERVED,
    OLDER_BUILD,
    OLDER_CONFIG,
    machine_os_build,
    machine_os_config,
)

V1 = MACHINE_OS_CONFIG.path()
ALPHA = OLDER_CONFIG.path()


@pytest.fixture
def older(api: ApiServer) -> ApiServer:
    """An API server of OpenShift 4.16."""
    api.not_served.update(NOT_SERVED)
    return api


def test_v1_takes_one_request(api: ApiServer, session: Session) -> None:
    api.keep(MACHINE_OS_CONFIG, api_objects.machine_os_config())
    session.list(MACHINE_OS_CONFIG)
    assert api.said == [f"GET {V1}"]


def test_v1alpha1_takes_one_more_request_in_a_session(older: ApiServer, session: Session) -> None:
    older.keep(OLDER_CONFIG, machine_os_config())
    for dummy in range(2):
        (config,) = session.list(MACHINE_OS_CONFIG).items
    assert MachineOSConfig.from_api(config).rendered_image_push_secret == "os-push"
    assert session.get(MACHINE_OS_CONFIG, "layered")["spec"] == config["spec"]
    assert older.said == [f"GET {V1}", f"GET {ALPHA}", f"GET {ALPHA}", f"GET {ALPHA}/layered"]


def test_missing_object_of_v1alpha1_is_none(older: ApiServer, session: Session) -> None:
    assert session.find(MACHINE_OS_CONFIG, "layered") is None
    assert older.said == [f"GET {V1}/layered", f"GET {ALPHA}/layered"]


def test_missing_object_of_v1_is_not_looked_for_in_v1alpha1(api: ApiServer, session: Session) -> None:
    assert session.find(MACHINE_OS_CONFIG, "layered") is None
    assert api.said == [f"GET {V1}/layered"]


def test_object_is_created_as_v1alpha1(older: ApiServer, session: Session) -> None:
    wanted = machine_os_config()
    spec = {
        "machineConfigPool": {"name": "layered"},
        "renderedImagePushSpec": "registry.example.com/os/layered:latest",
        "containerFile": [{"containerfileArch": "NoArch", "content": "FROM configs AS final\n"}],
        "currentImagePullSecret": {"name": "os-pull"},
    }
    body = {"apiVersion": MACHINE_OS_CONFIG.api_version, "kind": "MachineOSConfig", "metadata": {"name": "layered"}}
    created = session.create(MACHINE_OS_CONFIG, {**body, "spec": spec})
    kept = older.kept(OLDER_CONFIG, "layered")
    assert kept["apiVersion"] == V1ALPHA1
    assert kept["spec"]["buildOutputs"] == wanted["spec"]["buildOutputs"]
    assert kept["spec"]["buildInputs"]["containerFile"] == wanted["spec"]["buildInputs"]["containerFile"]
    assert created["spec"] == spec


def test_object_is_changed_as_v1alpha1(older: ApiServer, session: Session) -> None:
    older.keep(OLDER_CONFIG, machine_os_config())
    changed = session.patch(MACHINE_OS_CONFIG, "layered", {"spec": {"renderedImagePushSpec": "r.example.com/a/b:c"}})
    assert changed["spec"]["renderedImagePushSpec"] == "r.example.com/a/b:c"
    inputs = older.kept(OLDER_CONFIG, "layered")["spec"]["buildInputs"]
    assert inputs["renderedImagePushspec"] == "r.example.com/a/b:c"
    assert inputs["renderedImagePushSecret"] == {"name": "os-push"}


def test_object_of_v1alpha1_is_deleted(older: ApiServer, session: Session) -> None:
    older.keep(OLDER_CONFIG, machine_os_config())
    session.delete(MACHINE_OS_CONFIG, "layered", uid="uid-of-layered")
    assert [request.path for request in older.writes][-1] == f"{ALPHA}/layered"
    assert session.find(MACHINE_OS_CONFIG, "layered") is None


def test_builds_without_labels_are_selected_by_their_pool(older: ApiServer, session: Session) -> None:
    older.keep(OLDER_BUILD, machine_os_build("layered"), machine_os_build("other"))
    found = session.list(MACHINE_OS_BUILD, label_selector=f"{POOL_LABEL}=layered").items
    assert [build["metadata"]["name"] for build in found] == ["layered-rendered-layered-1-builder"]
    assert all("labelSelector" not in request.query for request in older.requests[1:])


def test_builds_are_watched_as_v1alpha1(older: ApiServer, session: Session) -> None:
    older.keep(OLDER_BUILD, machine_os_build("layered", true="Building"), machine_os_build("other"))
    subject = BUILDS.subject(label_selector=f"{POOL_LABEL}=layered")
    seen: list[Object] = []
    for event in watch(session, [subject], {}, 30):
        if isinstance(event, Listed):
            seen += event.items
            older.keep(OLDER_BUILD, machine_os_build("other", true="Failed"), machine_os_build("layered"))
        if isinstance(event, Changed):
            seen.append(event.item)
            break
    before, after = (BUILDS.parse(item) for item in seen)
    assert (before.name, before.state.value) == ("layered-rendered-layered-1-builder", "building")
    assert (after.name, after.state.value) == ("layered-rendered-layered-1-builder", "succeeded")


def test_cluster_that_serves_neither_version_is_named(api: ApiServer, session: Session) -> None:
    api.not_served.add("machineosconfigs")
    with pytest.raises(OperationError) as caught:
        session.list(MACHINE_OS_CONFIG)
    assert str(caught.value) == (
        f"Could not list MachineOSConfigs: {session.api_url} does not serve "
        "machineosconfigs.machineconfiguration.openshift.io, neither as v1 nor as v1alpha1. Image mode needs OpenShift "
        "4.16 or later, on 4.16 and 4.17 with the feature set TechPreviewNoUpgrade; check that this is the right "
        "cluster."
    )


def test_version_that_may_not_be_read_is_the_served_one(older: ApiServer, session: Session) -> None:
    older.always_fail(ALPHA, forbidden("machineosconfigs"))
    for dummy in range(2):
        with pytest.raises(OperationError, match="forbidden"):
            session.list(MACHINE_OS_CONFIG)
    assert older.said == [f"GET {V1}", f"GET {ALPHA}", f"GET {ALPHA}"]


def test_cluster_that_is_updated_to_v1_is_followed(older: ApiServer, session: Session) -> None:
    older.keep(OLDER_CONFIG, machine_os_config())
    session.list(MACHINE_OS_CONFIG)
    older.not_served.clear()
    older.not_served.update({"v1alpha1/machineosconfigs"})
    older.keep(MACHINE_OS_CONFIG, api_objects.machine_os_config("other"))
    older.requests.clear()
    names: list[t.Any] = [[obj["metadata"]["name"] for obj in session.list(MACHINE_OS_CONFIG).items] for dummy in "ab"]
    assert len(names) == 2
    assert names[0] == names[1]
    assert older.said == [f"GET {ALPHA}", f"GET {V1}", f"GET {V1}"]
