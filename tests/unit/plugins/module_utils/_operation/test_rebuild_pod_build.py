# SPDX-License-Identifier: GPL-3.0-or-later
"""Edits and repairs on OpenShift 4.16 and 4.17.

The simulated operator knows from which Containerfile each image was built.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.connection import connect
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import WantedPool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import WantedConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_OPERATOR,
    CONFIG_MAP,
    MACHINE_CONFIG_POOL,
    NODE,
    OPERATOR_NAMESPACE,
    POD,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.apply_machineosconfig import (
    MachineOSConfigRequest,
    apply_machineosconfig,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.forecast_inputs import ForecastRequest
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.forecast_rollout import forecast
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import OWN, machine_config_pool, node
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import (
    LOSE_ANSWER,
    ApiServer,
    Request,
    forbidden,
    refusal,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_operator import (
    POOL,
    PodOperator,
    cluster,
    keep_secret,
    rendered,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import OLDER_BUILD, OLDER_CONFIG

OLD, NEW = "FROM configs AS final\nRUN true", "FROM configs AS final\nRUN echo"
FAILING = "FROM configs AS final\nRUN false"
LONG = 200.0
"""Seconds in which everything that the operator does by itself has happened."""


class Killed(BaseException):
    """The process ends without a cleanup."""


@dataclass
class Cluster:
    """A cluster with its operator, and the runs of a user."""

    api: ApiServer
    operator: PodOperator
    warnings: list[str] = field(default_factory=list)

    def session(self) -> Session:
        connection = connect({"host": self.api.url, "api_key": "sha256~token"})
        return Session(connection, patience=5, sleep=self.operator.sleep, clock=self.operator.clock)

    def apply(
        self,
        text: str,
        consent: bool = True,
        check: bool = False,
        kill_at: t.Callable[[], bool] | None = None,
        **wanted: t.Any,
    ) -> dict[str, t.Any]:
        """Run machineosconfig.

        :param kill_at: whether the process ends when the API server has answered a request
        """
        session = self.session()
        if kill_at:
            _kill(session, kill_at)
        request = MachineOSConfigRequest(True, "", WantedConfig(POOL, text, **wanted), consent, check)
        return apply_machineosconfig(session, request, self.warnings.append)

    def forecast(self, text: str, details: bool = True, consent: bool = True) -> dict[str, t.Any]:
        """Run rollout_forecast."""
        wanted = WantedConfig(POOL, text)
        request = ForecastRequest(wanted, WantedPool(POOL), False, (), (), consent, False, details)
        return forecast(self.session(), request, self.warnings.append)

    def add_nodes(self) -> None:
        self.api.keep(NODE, node("worker-0"), node("worker-1"))
        self.operator.has_nodes = True

    @property
    def is_paused(self) -> bool:
        return bool(self.operator.pool["spec"].get("paused"))

    @property
    def uid(self) -> str:
        return str(self.operator.build["metadata"]["uid"]) if self.operator.build else ""

    def deletions(self) -> list[str]:
        return [request.path.rpartition("/")[2] for request in self.api.writes if request.method == "DELETE"]


def _kill(session: Session, at: t.Callable[[], bool]) -> None:
    """Let the process end at a request that the API server has answered."""
    send = session.open

    def send_and_die(*what: t.Any, **how: t.Any) -> t.Any:
        try:
            return send(*what, **how)
        finally:
            if at():
                raise Killed

    session.open = send_and_die  # type: ignore[method-assign]


def built(api: ApiServer, text: str = OLD, release: str = "4.16") -> Cluster:
    """Return a cluster whose pool has an image of the text, and whose nodes run it."""
    operator = cluster(api, release)
    operator.create(text)
    operator.sleep(LONG)
    return Cluster(api, operator)


# Situations: each returns a cluster and the Containerfile that the user asks for --------------------------------------


def edited_after_success(api: ApiServer) -> tuple[Cluster, str]:
    return built(api), NEW


def edited_after_success_on_4_17(api: ApiServer) -> tuple[Cluster, str]:
    return built(api, release="4.17"), NEW


def edited_during_build(api: ApiServer) -> tuple[Cluster, str]:
    found = Cluster(api, cluster(api))
    found.operator.create(OLD)
    found.operator.sleep(9.0)
    return found, NEW


def edited_after_failure(api: ApiServer) -> tuple[Cluster, str]:
    return built(api, FAILING), NEW


def failed_and_cause_removed(api: ApiServer) -> tuple[Cluster, str]:
    operator = cluster(api)
    operator.registry_works = False
    operator.create(NEW)
    operator.sleep(LONG)
    operator.registry_works = True
    return Cluster(api, operator), NEW


def failure_edited_away(api: ApiServer) -> tuple[Cluster, str]:
    found, text = failed_and_cause_removed(api)
    found.operator.edit(NEW + "\n\n\n")
    found.operator.sleep(20.0)
    return found, text


def missing_secret_created(api: ApiServer) -> tuple[Cluster, str]:
    operator = cluster(api)
    api.drop(SECRET, "os-push", OPERATOR_NAMESPACE)
    operator.create(NEW)
    operator.sleep(LONG)
    keep_secret(api, "os-push")
    return Cluster(api, operator), NEW


def stale_build(api: ApiServer) -> tuple[Cluster, str]:
    found = built(api)
    found.operator.stop()
    api.drop(OLDER_CONFIG, POOL)
    found.operator.sleep(5.0)
    found.operator.create(NEW)
    found.operator.start()
    found.operator.sleep(LONG)
    return found, NEW


def left_config_maps(api: ApiServer) -> tuple[Cluster, str]:
    found = Cluster(api, cluster(api))
    found.operator.create(OLD)
    found.operator.sleep(9.0)
    api.drop(OLDER_CONFIG, POOL)
    found.operator.sleep(LONG)
    found.operator.create(NEW)
    found.operator.sleep(LONG)
    return found, NEW


def lost_pod(api: ApiServer) -> tuple[Cluster, str]:
    found = Cluster(api, cluster(api))
    found.operator.create(NEW)
    found.operator.sleep(9.0)
    found.operator.evict()
    found.operator.sleep(LONG)
    return found, NEW


def edited_by_hand(api: ApiServer) -> tuple[Cluster, str]:
    found = built(api)
    found.operator.edit(NEW)
    found.operator.sleep(LONG)
    return found, NEW


def build_deleted_by_hand_during_build(api: ApiServer) -> tuple[Cluster, str]:
    found = Cluster(api, cluster(api))
    found.operator.create(OLD)
    found.operator.sleep(9.0)
    api.drop(OLDER_BUILD, found.operator.build["metadata"]["name"])
    found.operator.sleep(LONG)
    return found, NEW


def build_deleted_by_hand_after_success(api: ApiServer) -> tuple[Cluster, str]:
    found = built(api, NEW)
    api.drop(OLDER_BUILD, found.operator.build["metadata"]["name"])
    found.operator.sleep(LONG)
    return found, NEW


def failed_pod_of_another_rendered_config(api: ApiServer) -> tuple[Cluster, str]:
    """The current build has succeeded, and the pod of another one marked it as failed."""
    found, text = failed_and_cause_removed(api)
    found.operator.render(2)
    found.operator.sleep(LONG)
    return found, text


def back_to_an_older_rendered_config(api: ApiServer) -> tuple[Cluster, str]:
    found = built(api, NEW)
    found.operator.render(2)
    found.operator.sleep(LONG)
    found.operator.render(1)
    found.operator.sleep(LONG)
    return found, NEW


def old_secret(api: ApiServer) -> tuple[Cluster, str]:
    operator = cluster(api)
    keep_secret(api, "os-push", kind="kubernetes.io/dockercfg")
    operator.create(OLD)
    operator.sleep(LONG)
    return Cluster(api, operator), NEW


SITUATIONS = [
    edited_after_success,
    edited_after_success_on_4_17,
    edited_during_build,
    edited_after_failure,
    failed_and_cause_removed,
    failure_edited_away,
    missing_secret_created,
    stale_build,
    left_config_maps,
    lost_pod,
    edited_by_hand,
    build_deleted_by_hand_during_build,
    build_deleted_by_hand_after_success,
    failed_pod_of_another_rendered_config,
    back_to_an_older_rendered_config,
    old_secret,
]
Situation = t.Callable[[ApiServer], "tuple[Cluster, str]"]


def require_built(found: Cluster, text: str) -> None:
    """Check that the wanted image was built, that nothing is left, and that another run changes nothing."""
    found.operator.sleep(LONG)
    assert found.operator.built == text
    assert found.operator.state == "Succeeded"
    assert found.operator.left == []
    written = len(found.api.writes)
    assert not found.apply(text)["changed"]
    assert len(found.api.writes) == written


REASONS = {
    edited_after_success: "the spec changes",
    edited_after_success_on_4_17: "the spec changes",
    edited_during_build: "the spec changes",
    edited_after_failure: "the spec changes",
    failed_and_cause_removed: "{build} failed",
    failure_edited_away: "{build} may belong to an earlier spec",
    missing_secret_created: "{build} has no pod, so its start failed",
    stale_build: "{build} may belong to an earlier spec",
    left_config_maps: "{build} has no pod, so its start failed",
    lost_pod: "the pod of {build} was deleted before its end",
    edited_by_hand: "{build} may belong to an earlier spec",
    build_deleted_by_hand_during_build: "the spec changes",
    build_deleted_by_hand_after_success: "{build} does not exist",
    failed_pod_of_another_rendered_config: "{build} failed",
    back_to_an_older_rendered_config: "the MachineOSConfig does not have the image of {build}",
    old_secret: "the spec changes",
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_wanted_text_is_built_and_nothing_is_left(api, situation: Situation):
    found, text = situation(api)
    build = f"MachineOSBuild {POOL}-{found.operator.pool['spec']['configuration']['name']}-builder"
    before = found.uid
    done = found.apply(text)
    assert done["changed"]
    assert done["rebuild_reason"] == REASONS[situation].format(build=build)
    assert found.uid not in ("", before), "the operator has started another build when the run ends"
    require_built(found, text)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_forecast_lists_what_the_run_deletes(api, situation: Situation):
    found, text = situation(api)
    foreseen = found.forecast(text)["forecast"]
    assert api.writes == []
    assert (foreseen["build"]["expected"], foreseen["changes"]) == ("start", True)
    existing = {*found.operator.left, *(build["metadata"]["name"] for build in api.all_kept(OLDER_BUILD))}
    deleted = found.apply(text)["deletions"]
    # A builder that runs can create its last ConfigMap after the forecast.
    known = [name for name in deleted if name.replace("/", " ").split()[-1] in existing]
    assert sorted(foreseen["deletions"]) == sorted(known)


# What needs no rebuild ------------------------------------------------------------------------------------------------


def test_published_build_of_the_spec_needs_nothing(api):
    found = built(api, NEW)
    found.add_nodes()
    began = len(api.requests)
    done = found.apply(NEW, consent=False)
    assert (done["changed"], done["deletions"], done["rebuild_reason"]) == (False, [], None)
    assert [r.path.rpartition("/")[2] for r in api.requests[began:]] == [
        "machineosconfigs",
        "machineosconfigs",  # v1 is tried first
        "machineosbuilds",
        "machineconfigpools",
    ]


@pytest.mark.parametrize("seconds", [1.0, 4.0, 9.0, 13.0, 17.4])
def test_running_build_of_the_spec_is_left_alone(api, seconds: float):
    found = Cluster(api, cluster(api))
    found.operator.create(NEW)
    found.operator.sleep(seconds)
    uid = found.uid
    assert not found.apply(NEW, consent=False)["changed"]
    found.operator.sleep(LONG)
    assert (found.operator.built, found.uid) == (NEW, uid)


def test_build_that_succeeds_during_the_run_is_left_alone(api):
    found = Cluster(api, cluster(api))
    found.operator.create(NEW)
    found.operator.sleep(16.9)

    def succeed_before_the_pods_are_listed(request: Request) -> None:
        if request.path.endswith("/pods") and found.operator.state == "Building":
            found.operator.sleep(1.0)

    api.before_each(succeed_before_the_pods_are_listed)
    assert not found.apply(NEW)["changed"]
    assert found.operator.built == NEW
    assert api.writes == []


@pytest.mark.parametrize("seconds", [0.0, 0.2])
def test_build_that_is_about_to_start_is_awaited(api, seconds: float):
    """At first it does not exist, then it has no status."""
    found = Cluster(api, cluster(api))
    found.operator.create(NEW)
    found.operator.sleep(seconds)
    assert not found.apply(NEW, consent=False)["changed"]
    assert found.operator.built in ("", NEW)
    found.operator.sleep(LONG)
    assert found.operator.built == NEW


def test_builds_with_jobs_are_left_to_the_operator(api):
    """An early 4.18 serves v1alpha1 too. It builds an edit by itself."""
    found = built(api)
    build = found.operator.build
    api.drop(OLDER_BUILD, build["metadata"]["name"])
    meta = {**build["metadata"], "name": f"{POOL}-966b8892b0c378291caf890a998624e7"}
    api.keep(OLDER_BUILD, {**build, "metadata": meta})
    assert found.apply(NEW)["deletions"] == []
    assert [request.method for request in api.writes] == ["PATCH"]


def test_pool_without_a_rendered_config_is_only_edited(api):
    found = built(api)
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(rendered=""))
    assert found.apply(NEW)["changed"]
    assert [request.method for request in api.writes] == ["PATCH"]


# Failed pods of other rendered configs --------------------------------------------------------------------------------


def failed_pod_beside_a_running_build(api: ApiServer) -> tuple[Cluster, str]:
    found, text = failed_and_cause_removed(api)
    found.operator.render(2)
    found.operator.sleep(9.0)
    return found, text


def test_failed_pod_of_another_build_is_deleted_and_the_running_build_stays(api):
    found, text = failed_pod_beside_a_running_build(api)
    found.add_nodes()
    uid = found.uid
    done = found.apply(text, consent=False)
    assert done["changed"]
    assert found.deletions().count(f"build-{rendered(1)}") == 1
    assert done["deletions"] == [
        f"ConfigMap {OPERATOR_NAMESPACE}/mc-{rendered(1)}",
        f"ConfigMap {OPERATOR_NAMESPACE}/dockerfile-{rendered(1)}",
        f"Pod {OPERATOR_NAMESPACE}/build-{rendered(1)}",
        f"MachineOSBuild {POOL}-{rendered(1)}-builder",
    ]
    require_built(found, text)
    assert found.uid == uid


def test_forecast_lists_the_failed_pod_that_is_deleted_beside_a_running_build(api):
    found, text = failed_pod_beside_a_running_build(api)
    foreseen = found.forecast(text, consent=False)["forecast"]
    assert api.writes == []
    assert (foreseen["build"]["expected"], foreseen["changes"]) == ("running", True)
    assert foreseen["lines"][1].startswith("these would be deleted, because a failed pod can mark the current build")
    assert sorted(foreseen["deletions"]) == sorted(found.apply(text)["deletions"])


def test_failed_pod_that_may_not_be_deleted_is_a_warning(api):
    found, text = failed_pod_beside_a_running_build(api)
    api.denied.add("delete pods")
    foreseen = found.forecast(text)["forecast"]
    assert (foreseen["changes"], foreseen["deletions"]) == (False, [])
    assert not found.apply(text)["changed"]
    assert api.writes == []
    assert "can mark the current build as failed" in found.warnings[0]
    assert "may not delete pods in namespace" in found.warnings[0]


# Consent, pause and rights --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", [edited_after_success, failed_and_cause_removed])
def test_rebuild_without_consent_names_the_nodes_and_changes_nothing(api, situation: Situation):
    found, text = situation(api)
    found.add_nodes()
    with pytest.raises(OperationError, match=r"worker-0, worker-1\. Set allow_node_reboots=true") as error:
        found.apply(text, consent=False)
    assert error.value.result["reboots"] == ["worker-0", "worker-1"]
    assert api.writes == []


@pytest.mark.parametrize("situation", [edited_after_success, edited_during_build, lost_pod])
def test_pool_is_paused_while_it_has_no_build(api, situation: Situation):
    found, text = situation(api)
    found.add_nodes()
    done = found.apply(text)
    assert done["reboots"] == ["worker-0", "worker-1"]
    assert found.operator.unprotected == 0
    assert not found.is_paused
    assert OWN + "paused-for" not in found.operator.pool["metadata"]["annotations"]
    assert OWN + "paused-by" not in found.operator.pool["metadata"]["annotations"]


def test_pool_without_nodes_is_not_paused(api):
    found, text = edited_after_success(api)
    found.apply(text)
    assert [r for r in api.writes if "machineconfigpools" in r.path] == []


@pytest.mark.parametrize("by", [{}, {OWN + "paused-by": "imagemode.openshift"}], ids=["oc", "machineconfigpool"])
def test_pause_of_the_user_stays_and_needs_no_consent(api, by: dict[str, str]):
    found, text = edited_after_success(api)
    found.add_nodes()
    api.keep(MACHINE_CONFIG_POOL, machine_config_pool(rendered=rendered(1), paused=True, annotations=by))
    assert found.apply(text, consent=False)["reboots"] == []
    require_built(found, text)
    assert found.is_paused
    assert [r for r in api.writes if "machineconfigpools" in r.path] == []


def killed_while_paused(api: ApiServer) -> tuple[Cluster, str]:
    found, text = edited_after_success(api)
    found.add_nodes()
    with pytest.raises(Killed):
        found.apply(text, kill_at=lambda: "machineconfigpools" in (api.writes[-1].path if api.writes else ""))
    assert found.is_paused
    return found, text


def test_pause_of_a_killed_run_is_no_consent(api):
    found, text = killed_while_paused(api)
    with pytest.raises(OperationError, match="Set allow_node_reboots=true"):
        found.apply(text, consent=False)
    assert found.is_paused


def test_pause_of_a_killed_run_ends_only_with_consent(api):
    found, dummy = killed_while_paused(api)
    with pytest.raises(OperationError, match="Set allow_node_reboots=true"):
        found.apply(OLD, consent=False)
    assert found.is_paused
    done = found.apply(OLD)
    assert (done["changed"], done["deletions"], done["reboots"]) == (True, [], ["worker-0", "worker-1"])
    assert not found.is_paused


def test_pause_that_the_user_took_over_stays(api):
    found, text = killed_while_paused(api)
    pool = found.operator.pool
    entry = {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:paused": {}}}}
    api.keep(MACHINE_CONFIG_POOL, {**pool, "metadata": {**pool["metadata"], "managedFields": [entry]}})
    found.apply(text, consent=False)
    assert found.is_paused
    assert any("stays paused: it was paused by another client" in warning for warning in found.warnings)


def test_pool_that_may_not_be_paused_is_a_warning(api):
    found, text = edited_after_success(api)
    found.add_nodes()
    api.denied.add("patch machineconfigpools")
    assert found.apply(text)["changed"]
    assert any("is not paused during the rebuild" in warning for warning in found.warnings)
    require_built(found, text)


@pytest.mark.parametrize(
    ("right", "named"),
    [
        ("delete machineosbuilds", "delete machineosbuilds"),
        ("delete pods", f"delete pods in namespace {OPERATOR_NAMESPACE}"),
        ("delete configmaps", f"delete configmaps in namespace {OPERATOR_NAMESPACE}"),
    ],
)
@pytest.mark.parametrize("check", [False, True], ids=["for real", "in check mode"])
def test_missing_right_is_an_error_before_the_first_write(api, right: str, named: str, check: bool):
    found, text = edited_after_failure(api)
    found.add_nodes()
    api.denied.add(right)
    what = "Could not change MachineOSConfig layered: the account may not"
    with pytest.raises(OperationError, match=rf"^{what} {named}\. Grant the account that right"):
        found.apply(text, check=check)
    for details in (True, False):
        with pytest.raises(OperationError, match=f"the account may not {named}"):
            found.forecast(text, details)
    assert api.writes == []


def test_pods_that_may_not_be_listed_are_an_error_of_a_rebuild_only(api):
    found = built(api, NEW)
    api.always_fail("/pods", forbidden("pods"))
    api.denied.add("list pods")
    assert not found.apply(NEW)["changed"]
    with pytest.raises(OperationError, match="the account may not list pods in namespace"):
        found.apply(OLD)
    with pytest.raises(OperationError, match="the account may not list pods in namespace"):
        found.forecast(OLD)
    assert not found.forecast(NEW)["forecast"]["changes"]
    assert api.writes == []


def test_missing_secret_is_an_error_before_the_first_write(api):
    found, text = edited_after_failure(api)
    api.drop(SECRET, "os-pull", OPERATOR_NAMESPACE)
    for run in (found.apply, found.forecast):
        with pytest.raises(OperationError, match=f"Secret {OPERATOR_NAMESPACE}/os-pull does not exist"):
            run(text)
    assert api.writes == []


def test_change_that_the_api_server_rejects_is_an_error_before_the_first_write(api):
    found, text = edited_after_failure(api)
    api.fail("dryRun", refusal(422, "Invalid", "long", causes=[{"field": "spec.x", "message": "no"}]))
    with pytest.raises(OperationError, match=r"spec\.x: no"):
        found.apply(text)
    api.fail("dryRun", refusal(422, "Invalid", "long", causes=[{"field": "spec.x", "message": "no"}]))
    with pytest.raises(OperationError, match=r"spec\.x: no"):
        found.forecast(text)
    assert api.writes == []


# Check mode -----------------------------------------------------------------------------------------------------------


def test_check_mode_lists_what_would_be_deleted_and_writes_nothing(api):
    found, text = edited_after_failure(api)
    found.add_nodes()
    done = found.apply(text, check=True)
    expected = [
        f"Pod {OPERATOR_NAMESPACE}/build-{rendered(1)}",
        f"ConfigMap {OPERATOR_NAMESPACE}/mc-{rendered(1)}",
        f"ConfigMap {OPERATOR_NAMESPACE}/dockerfile-{rendered(1)}",
        f"MachineOSBuild {POOL}-{rendered(1)}-builder",
    ]
    assert (done["changed"], done["deletions"], done["reboots"]) == (True, expected, ["worker-0", "worker-1"])
    assert done["diff"]["before"]["build_objects"] == expected
    assert done["diff"]["after"]["build_objects"] == []
    assert done["diff"]["after"]["spec"] != done["diff"]["before"]["spec"]
    assert api.writes == []
    assert not found.is_paused


def test_check_mode_of_a_published_build_changes_nothing(api):
    done = built(api, NEW).apply(NEW, check=True)
    assert (done["changed"], done["deletions"]) == (False, [])


def test_check_mode_shows_the_repair_of_a_spec_that_is_as_wanted(api):
    found, text = lost_pod(api)
    done = found.apply(text, check=True)
    assert done["changed"]
    assert done["rebuild_reason"].startswith("the pod of MachineOSBuild")
    assert f"MachineOSBuild {POOL}-{rendered(1)}-builder" in done["deletions"]
    assert api.writes == []


# What goes wrong ------------------------------------------------------------------------------------------------------


def operator_is_degraded(api: ApiServer) -> str:
    text = "could not validate renderedImagePushSecret"
    condition = {"type": "Degraded", "status": "True", "reason": "RenderConfigFailed", "message": text}
    api.keep(CLUSTER_OPERATOR, {"metadata": {"name": "machine-config"}, "status": {"conditions": [condition]}})
    return text


def test_operator_that_starts_no_build_is_an_error_with_its_reason(api):
    found, text = edited_after_success(api)
    found.add_nodes()
    found.operator.stop()
    problem = operator_is_degraded(api)
    with pytest.raises(OperationError, match=f"does not exist.*machine-config is degraded: {problem}") as error:
        found.apply(text)
    assert error.value.result["deletions"] == [f"MachineOSBuild {POOL}-{rendered(1)}-builder"]
    assert not found.is_paused
    found.operator.start()
    found.apply(text)
    require_built(found, text)


def test_build_whose_start_fails_again_is_an_error(api):
    found, text = missing_secret_created(api)
    api.drop(SECRET, "os-push", OPERATOR_NAMESPACE)
    api.always_fail("secrets/", forbidden("secrets"))  # so that the missing one is not noticed before
    with pytest.raises(
        OperationError, match=r"the operator has not started the build \(MachineOSBuild .* has no pod\)"
    ):
        found.apply(text)


def test_first_build_that_does_not_start_is_left_to_the_wait(api):
    """The operator creates its build controller with the first MachineOSConfig, and it builds what exists then."""
    found = Cluster(api, cluster(api))
    found.operator.stop()
    found.operator.create(NEW)
    found.operator.sleep(LONG)
    assert found.apply(NEW)["changed"]
    assert any("has started no build of MachineOSConfig layered yet" in warning for warning in found.warnings)
    found.operator.start()
    require_built(found, NEW)


def test_pod_that_does_not_end_is_an_error(api):
    found, text = edited_after_failure(api)
    found.add_nodes()
    found.operator.grace = 1e9
    pod = f"Pod {OPERATOR_NAMESPACE}/build-{rendered(1)}"
    with pytest.raises(OperationError, match=f"{pod} still exists 120 s after its deletion") as error:
        found.apply(text)
    assert pod in error.value.result["deletions"]
    assert found.operator.config["spec"]["buildInputs"]["containerFile"][0]["content"] == FAILING
    assert not found.is_paused


def test_full_containerfile_cannot_be_built_again_without_a_change(api):
    text = "FROM configs AS final\n#".ljust(4096, "x")
    found = built(api, text)
    found.operator.evict()
    api.drop(OLDER_BUILD, found.operator.build["metadata"]["name"])
    with pytest.raises(OperationError, match=r"4096 characters.*Shorten the Containerfile by one character"):
        found.apply(text)
    assert api.writes == []


# Other clients --------------------------------------------------------------------------------------------------------


def once(api: ApiServer, is_moment: t.Callable[[Request], bool], action: t.Callable[[], None]) -> None:
    """Let another client act before the first request of a kind is answered."""
    pending = [action]

    def act(request: Request) -> None:
        if pending and is_moment(request):
            pending.pop()()

    api.before_each(act)


def is_write_of(plural: str, method: str) -> t.Callable[[Request], bool]:
    return lambda request: request.writes and request.method == method and f"/{plural}/" in request.path


@pytest.mark.parametrize("other", ["FROM configs AS final\nRUN other", NEW])
def test_edit_of_another_client_at_the_same_time_is_replaced(api, other: str):
    found, text = edited_after_success(api)
    once(api, is_write_of("machineosconfigs", "PATCH"), lambda: found.operator.edit(other))
    assert found.apply(text)["changed"]
    require_built(found, text)


def test_build_that_another_client_causes_between_deletion_and_edit_is_replaced(api):
    found, text = edited_after_success(api)

    def restart() -> None:
        found.operator.stop()
        found.operator.start()
        found.operator.sleep(3.0)

    once(api, is_write_of("machineosconfigs", "PATCH"), restart)
    assert found.apply(text)["changed"]
    require_built(found, text)


def test_another_rendered_config_during_the_run_is_built(api):
    found, text = edited_after_success(api)
    found.add_nodes()
    once(api, is_write_of("machineosconfigs", "PATCH"), lambda: found.operator.render(2))
    assert found.apply(text)["changed"]
    require_built(found, text)


@pytest.mark.parametrize(
    "part",
    [
        f"/machineosconfigs/{POOL}?fieldManager=imagemode.openshift",
        f"/machineosbuilds/{POOL}-{rendered(1)}-builder?",
        f"/configmaps/mc-{rendered(1)}?",
        f"/pods/build-{rendered(1)}?",
        f"/machineconfigpools/{POOL}?",
    ],
)
def test_lost_response_of_a_write_changes_nothing_of_the_result(api, part: str):
    found, text = edited_after_failure(api)
    found.add_nodes()
    api.fail(part, LOSE_ANSWER)
    done = found.apply(text)
    assert done["changed"]
    assert f"ConfigMap {OPERATOR_NAMESPACE}/mc-{rendered(1)}" in done["deletions"]
    require_built(found, text)
    assert not found.is_paused


def test_objects_of_other_pools_stay(api):
    found, text = edited_after_failure(api)
    label = "machineconfiguration.openshift.io/"
    other = f"rendered-{POOL}-b-1"
    labels = {label + "targetMachineConfigPool": f"{POOL}-b", label + "desiredConfig": other}
    pod = {"metadata": {"name": f"build-{other}", "namespace": OPERATOR_NAMESPACE, "uid": "other", "labels": labels}}
    api.keep(POD, {**pod, "status": {"phase": "Running"}})
    api.keep(CONFIG_MAP, {"metadata": {"name": f"mc-{other}", "namespace": OPERATOR_NAMESPACE, "labels": labels}})
    found.apply(text)
    assert not [name for name in found.deletions() if other in name]


# Killed runs ----------------------------------------------------------------------------------------------------------


def killed_at_each(situation: Situation, is_point: t.Callable[[Request], bool], later: float) -> int:
    """Kill a run after each of its requests at which it may be killed, and check that the next run completes it.

    :param later: seconds between the two
    :return: how many runs were killed
    """
    for count in range(1, 500):
        api = ApiServer()
        try:
            found, text = situation(api)
            found.add_nodes()
            began = len(api.requests)
            try:
                found.apply(text, kill_at=lambda: sum(map(is_point, api.requests[began:])) == count)  # noqa: B023
            except Killed:
                found.operator.sleep(later)
                found.apply(text)
                require_built(found, text)
                assert not found.is_paused, f"killed at point {count}: {api.said[began:]}"
            else:
                return count - 1
        finally:
            api.stop()
    raise AssertionError("the run does not end")


@pytest.mark.parametrize("situation", SITUATIONS)
def test_run_that_was_killed_after_any_write_is_completed_by_the_next(situation: Situation):
    assert killed_at_each(situation, lambda request: request.writes, later=0.0) >= 6


@pytest.mark.parametrize("situation", [edited_after_success, failed_and_cause_removed])
def test_run_that_was_killed_after_any_request_is_completed_by_a_later_one(situation: Situation):
    assert killed_at_each(situation, lambda request: True, later=LONG) >= 30
