# SPDX-License-Identifier: GPL-3.0-or-later
"""What machineosbuild_superseded and the deletion of a MachineOSConfig delete on OpenShift 4.16 and 4.17."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import WantedConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    MACHINE_CONFIG_POOL,
    OPERATOR_NAMESPACE,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.apply_machineosconfig import (
    MachineOSConfigRequest,
    apply_machineosconfig,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.delete_superseded import (
    SupersededRequest,
    delete_superseded,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import machine_config_pool
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import forbidden
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_operator import (
    POOL,
    PodOperator,
    cluster,
    keep_secret,
    rendered,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    OLDER_BUILD,
    OLDER_CONFIG,
    machine_os_config,
)

TEXT = "FROM configs AS final\nRUN true"
FAILING = "FROM configs AS final\nRUN false"
LONG = 200.0


@pytest.fixture(params=["4.16", "4.17"])
def operator(api, request) -> PodOperator:
    """The operator of a cluster with a pool."""
    return cluster(api, request.param)


def session(operator: PodOperator) -> Session:
    connection = connect({"host": operator.api.url, "api_key": "sha256~token"})
    return Session(connection, patience=5, sleep=operator.sleep, clock=operator.clock)


def superseded(operator: PodOperator, check: bool = False) -> dict[str, t.Any]:
    return delete_superseded(session(operator), SupersededRequest(POOL, False, check))


class Removal:
    """Deletes the MachineOSConfig, and keeps the warnings."""

    def __init__(self, operator: PodOperator) -> None:
        self.operator = operator
        self.warnings: list[str] = []

    def __call__(self, name: str = "", check: bool = False) -> dict[str, t.Any]:
        request = MachineOSConfigRequest(False, name, WantedConfig(POOL), True, check)
        return apply_machineosconfig(session(self.operator), request, self.warnings.append)


@pytest.fixture
def remove(operator) -> Removal:
    return Removal(operator)


def builds(operator: PodOperator) -> list[str]:
    return [build["metadata"]["name"] for build in operator.api.all_kept(OLDER_BUILD)]


def name_of(number: int) -> str:
    return f"{POOL}-{rendered(number)}-builder"


def built_twice(operator: PodOperator) -> None:
    """Build two rendered configs, of which the second is the one of the pool."""
    operator.create(TEXT)
    operator.sleep(LONG)
    operator.render(2)
    operator.sleep(LONG)


def failed_before(operator: PodOperator) -> None:
    """Leave the pod of a failed build, and build another rendered config."""
    operator.registry_works = False
    operator.create(TEXT)
    operator.sleep(LONG)
    operator.registry_works = True
    operator.render(2)
    operator.sleep(9.0)


# machineosbuild_superseded -------------------------------------------------------------------------------------------


def test_build_of_another_rendered_config_is_deleted(operator):
    built_twice(operator)
    done = superseded(operator)
    assert (done["changed"], done["deleted"], done["reboots"]) == (True, [name_of(1)], [])
    assert done["deletions"] == [f"MachineOSBuild {name_of(1)}"]
    assert done["diff"] == {"before": {"superseded": done["deletions"]}, "after": {"superseded": []}}
    assert builds(operator) == [name_of(2)]
    assert operator.state == "Succeeded"


def test_second_run_changes_nothing(operator):
    built_twice(operator)
    superseded(operator)
    written = len(operator.api.writes)
    again = superseded(operator)
    assert (again["changed"], again["deleted"], again["deletions"]) == (False, [], [])
    assert len(operator.api.writes) == written


def test_failed_pod_is_deleted_before_it_marks_the_running_build_as_failed(operator):
    failed_before(operator)
    uid = operator.build["metadata"]["uid"]
    done = superseded(operator)
    assert done["deleted"] == [name_of(1)]
    assert done["deletions"] == [
        f"ConfigMap {OPERATOR_NAMESPACE}/mc-{rendered(1)}",
        f"ConfigMap {OPERATOR_NAMESPACE}/dockerfile-{rendered(1)}",
        f"Pod {OPERATOR_NAMESPACE}/build-{rendered(1)}",
        f"MachineOSBuild {name_of(1)}",
    ]
    operator.sleep(LONG)
    assert (operator.built, operator.build["metadata"]["uid"], operator.left) == (TEXT, uid, [])


def test_pool_that_returns_to_the_rendered_config_builds_it_again(operator):
    built_twice(operator)
    superseded(operator)
    operator.render(1)
    operator.sleep(LONG)
    assert operator.built == TEXT


def test_check_mode_of_the_cleanup_lists_objects_and_writes_nothing(operator):
    failed_before(operator)
    done = superseded(operator, check=True)
    assert (done["changed"], done["deleted"]) == (True, [name_of(1)])
    assert f"Pod {OPERATOR_NAMESPACE}/build-{rendered(1)}" in done["deletions"]
    assert operator.api.writes == []


def test_missing_right_of_the_cleanup_is_an_error_before_the_first_deletion(operator):
    failed_before(operator)
    operator.api.denied.add("delete configmaps")
    with pytest.raises(OperationError, match="the account may not delete configmaps in namespace"):
        superseded(operator)
    assert operator.api.writes == []


def test_pool_without_a_rendered_config_is_an_error(operator):
    built_twice(operator)
    operator.api.keep(MACHINE_CONFIG_POOL, machine_config_pool(rendered=""))
    with pytest.raises(OperationError, match="pool layered is not rendered yet"):
        superseded(operator)
    assert not superseded(operator, check=True)["changed"]
    assert operator.api.writes == []


def test_pool_without_a_machineosconfig_is_an_error_here_too(operator):
    with pytest.raises(OperationError, match="pool layered has no MachineOSConfig"):
        superseded(operator)


# state: absent of machineosconfig ------------------------------------------------------------------------------------


def test_deletion_during_a_build_leaves_nothing(operator, remove):
    operator.create(TEXT)
    operator.sleep(9.0)
    done = remove()
    assert done["changed"]
    assert f"ConfigMap {OPERATOR_NAMESPACE}/mc-{rendered(1)}" in done["deletions"]
    assert done["diff"]["after"] == {"build_objects": []}
    operator.sleep(LONG)
    assert (builds(operator), operator.left) == ([], [])


def test_deletion_also_deletes_builds_of_other_rendered_configs(operator, remove):
    built_twice(operator)
    remove()
    operator.sleep(LONG)
    assert (builds(operator), operator.left) == ([], [])


def test_deletion_without_a_build_controller_leaves_nothing_that_blocks_the_next_one(operator, remove):
    operator.create(FAILING)
    operator.sleep(LONG)
    operator.stop()
    remove()
    assert (builds(operator), operator.left) == ([], [])
    operator.create(TEXT)
    operator.start()
    operator.sleep(LONG)
    assert operator.built == TEXT


def test_what_an_earlier_deletion_left_is_deleted(operator, remove):
    operator.create(FAILING)
    operator.sleep(LONG)
    operator.stop()
    operator.api.drop(OLDER_CONFIG, POOL)
    assert remove()["changed"]
    assert (builds(operator), operator.left) == ([], [])
    assert not remove()["changed"]


def test_deletion_of_nothing_only_warns_of_a_missing_right(operator, remove):
    operator.api.denied.add("delete pods")
    assert not remove()["changed"]
    assert remove.warnings == [
        "Objects of earlier builds were not searched for: the account may not delete pods in namespace "
        + OPERATOR_NAMESPACE
    ]


def test_missing_right_of_a_deletion_is_an_error_before_the_first_one(operator, remove):
    built_twice(operator)
    operator.api.denied.add("delete configmaps")
    with pytest.raises(OperationError, match="Could not delete MachineOSConfig layered: the account may not delete"):
        remove()
    assert operator.api.writes == []


def test_check_mode_of_a_deletion_lists_objects_and_writes_nothing(operator, remove):
    built_twice(operator)
    done = remove(check=True)
    assert done["deletions"] == [f"MachineOSBuild {name_of(1)}", f"MachineOSBuild {name_of(2)}"]
    assert operator.api.writes == []


def test_builds_stay_if_another_machineosconfig_serves_the_pool(operator, remove):
    built_twice(operator)
    assert not remove(name="second")["changed"]
    assert builds(operator) == [name_of(1), name_of(2)]


def test_copy_of_a_secret_is_deleted_and_the_pull_secret_stays(operator, remove):
    keep_secret(operator.api, "os-push", kind="kubernetes.io/dockercfg")
    operator.create(TEXT)
    operator.sleep(LONG)
    done = remove()
    assert f"Secret {OPERATOR_NAMESPACE}/os-push-canonical" in done["deletions"]
    names = {secret["metadata"]["name"] for secret in operator.api.all_kept(SECRET, OPERATOR_NAMESPACE)}
    assert names == {"os-push", "os-pull", "global-pull-secret-copy"}


@pytest.mark.parametrize(
    "use",
    [
        {"renderedImagePushSecret": {"name": "os-push-canonical"}},
        {"baseImagePullSecret": {"name": "os-push-canonical"}},
    ],
)
def test_copy_of_a_secret_that_another_machineosconfig_uses_stays(operator, remove, use: dict[str, t.Any]):
    keep_secret(operator.api, "os-push", kind="kubernetes.io/dockercfg")
    operator.create(TEXT)
    operator.sleep(LONG)
    operator.stop()
    operator.api.keep(OLDER_CONFIG, machine_os_config("gpu", **use))
    assert f"Secret {OPERATOR_NAMESPACE}/os-push-canonical" not in remove()["deletions"]


def test_secret_of_the_user_with_the_name_of_a_copy_stays(operator, remove):
    keep_secret(operator.api, "os-push-canonical")
    operator.create(TEXT, renderedImagePushSecret={"name": "os-push-canonical"})
    operator.sleep(LONG)
    remove()
    assert operator.api.kept(SECRET, "os-push-canonical", OPERATOR_NAMESPACE)


def test_copy_that_may_not_be_read_is_a_warning(operator, remove):
    keep_secret(operator.api, "os-push", kind="kubernetes.io/dockercfg")
    operator.create(TEXT)
    operator.sleep(LONG)
    operator.api.always_fail("secrets/os-push-canonical", forbidden("secrets"))
    assert remove()["changed"]
    assert "os-push-canonical, a copy by the operator, was not deleted" in remove.warnings[0]


def test_builds_with_jobs_are_deleted_by_the_operator(operator, remove):
    operator.create(TEXT)
    operator.sleep(LONG)
    build = operator.build
    operator.api.drop(OLDER_BUILD, build["metadata"]["name"])
    operator.api.keep(OLDER_BUILD, {**build, "metadata": {**build["metadata"], "name": f"{POOL}-966b8892"}})
    assert remove()["deletions"] == []
    assert [request.method for request in operator.api.writes] == ["DELETE"]
