# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for a build where the operator builds in single pods (OpenShift 4.16 and 4.17)."""

from __future__ import annotations

import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._cluster.session import Session
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_OPERATOR,
    CLUSTER_VERSION,
    MACHINE_CONFIG_POOL,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import POD as PODS
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.wait_for_build import (
    BuildWaitRequest,
    wait_for_build,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    OLD_RENDERED,
    all_pools,
    cluster_version,
    image_of,
    secret,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import ApiServer, forbidden
from ansible_collections.imagemode.openshift.tests.unit.plugins.pod_builds import (
    BUILD,
    NAMESPACE,
    NOON,
    OTHER_POD,
    POD,
    RELEASES,
    build,
    config,
    ended,
    failed_pod,
    hidden_failure,
    marked_failed,
    pod,
    published,
    running,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.v1alpha1_objects import (
    NOT_SERVED,
    OLDER_BUILD,
    OLDER_CONFIG,
)

RUN_FAILED = [
    "[3/3] STEP 2/2: RUN dnf install -y tcpdmp",
    "No match for argument: tcpdmp",
    'Error: building at STEP "RUN dnf install -y tcpdmp": exit status 1',
]
FROM_AND_RUN = "FROM configs AS final\nRUN dnf install -y tcpdmp\n"


class Clock:
    """The time, to which *pace* seconds are added each time it is read."""

    def __init__(self) -> None:
        self.started = time.time()
        self.added = 0.0
        self.pace = 0.0

    def __call__(self) -> float:
        self.added += self.pace
        return time.time() + self.added

    @property
    def passed(self) -> float:
        """Seconds since the start."""
        return time.time() + self.added - self.started


@pytest.fixture
def cluster(api: ApiServer) -> ApiServer:
    api.not_served.update(NOT_SERVED)
    api.keep(CLUSTER_VERSION, cluster_version("4.16.9"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(OLDER_CONFIG, config())
    api.keep(SECRET, *(secret(name) for name in ("os-push", "os-pull", "global-pull-secret-copy")))
    return api


def request(cursor: str = "", window: float = 30, log_dir: str = "") -> BuildWaitRequest:
    return BuildWaitRequest("layered", Limits(0, window), cursor, False, log_dir=log_dir)


class Wait:
    """Calls of the module until the wait ends."""

    def __init__(self, session: Session, log_dir: str = "") -> None:
        self.session = session
        self.clock = Clock()
        self.log_dir = log_dir
        self.last: dict[str, t.Any] = {"cursor": "", "finished": False}
        self.lines: list[str] = []

    def call(self, window: float = 30) -> dict[str, t.Any]:
        asked = request(self.last["cursor"], window, self.log_dir)
        self.last = wait_for_build(self.session, asked, self.clock)
        self.lines.append(self.last["progress"])
        return self.last

    def until(self, part: str) -> dict[str, t.Any]:
        """Call until the progress line contains a text."""
        while part not in self.call()["progress"]:
            assert not self.last["finished"], self.lines
        return self.last

    def fails(self) -> OperationError:
        """Call until the wait fails."""
        self.clock.pace = 0.5
        with pytest.raises(OperationError) as error:
            self.until("never reported")
        return error.value


def ids(error: OperationError) -> list[str]:
    return [finding["id"] for finding in error.result["findings"]]


def test_build_is_waited_for_and_ends_with_its_image(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Prepared"))
    cluster.keep(PODS, pod())
    wait = Wait(session)
    wait.until("preparing")
    cluster.keep(OLDER_BUILD, build("Building"))
    wait.until("building")
    cluster.keep(PODS, pod(ended("image-build"), ended("wait-for-done"), phase="Succeeded"))
    wait.until("image pushed, waiting for the operator to record it")
    cluster.drop(PODS, POD, NAMESPACE)
    cluster.keep(OLDER_CONFIG, published())
    cluster.keep(OLDER_BUILD, build())
    done = wait.until("succeeded")
    assert done["finished"]
    assert (done["build"]["name"], done["build"]["state"]) == (BUILD, "succeeded")
    assert done["build"]["digested_image_push_spec"] == image_of("a")
    assert done["findings"] == []


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("state", ["Prepared", "Building", "Failed", "cleared"])
def test_failed_pod_fails_with_cause_and_line_from_its_log(
    state: str, release: str, cluster: ApiServer, session: Session, tmp_path: Path
) -> None:
    obj = config()
    obj["spec"]["buildInputs"]["containerFile"][0]["content"] = FROM_AND_RUN
    cluster.keep(OLDER_CONFIG, obj)
    cluster.keep(OLDER_BUILD, hidden_failure() if state == "cleared" else build(state))
    cluster.keep(PODS, failed_pod(1, release=release))
    cluster.logs[f"{POD}/image-build"] = [f"{NOON} {line}" for line in RUN_FAILED]
    cluster.growing.add(f"{POD}/wait-for-done")
    wait = Wait(session, str(tmp_path))
    with pytest.raises(OperationError) as error:
        wait.until("never reported")
    assert str(error.value) == (
        f"Could not await the build of MachineConfigPool layered: MachineOSBuild {BUILD} failed at line 2 of the "
        "Containerfile (RUN dnf install -y tcpdmp): exit status 1: No match for argument: tcpdmp. Correct the name of "
        "the package, or enable the repository that contains it, and apply again."
    )
    result = error.value.result
    assert ids(error.value) == ["build.package_not_found"]
    assert (result["build"]["state"], [a["exit_code"] for a in result["build"]["attempts"]]) == ("failed", [1])
    assert result["build"]["attempts"][0]["pod"] == POD
    assert result["build"]["failure"]["containerfile_line"] == 2
    saved = [path for path in result["build"]["log_paths"] if "image-build" in path]
    assert "No match for argument" in Path(saved[0]).read_text(encoding="utf-8")
    cluster.falls_silent(f"{POD}/wait-for-done")


def test_last_of_three_tries_in_one_log_explains_the_failure(cluster: ApiServer, session: Session) -> None:
    tries = [
        *RUN_FAILED[:1],
        "Error: creating build container: initializing source docker://quay.io/x: unauthorized",
        "Retry 1/3 exited 125, retrying in 15 seconds...",
        *RUN_FAILED,
        "Retry 2/3 exited 1, retrying in 45 seconds...",
        *RUN_FAILED,
        "Retry 3/3 exited 1, no more retries left.",
    ]
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(PODS, failed_pod(1, release="4.17"))
    cluster.logs[f"{POD}/image-build"] = [f"{NOON} {line}" for line in tries]
    error = Wait(session).fails()
    assert ids(error) == ["build.package_not_found"]
    assert "No match for argument: tcpdmp" in str(error)


def test_denied_push_names_a_remedy_that_builds_again(cluster: ApiServer, session: Session) -> None:
    error_line = (
        "Error: pushing image to registry.example.com/os/layered: writing blob: initiating layer upload: denied: "
        "requested access to the resource is denied"
    )
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(PODS, failed_pod(125))
    cluster.logs[f"{POD}/image-build"] = [f"{NOON} {error_line}"]
    error = Wait(session).fails()
    assert ids(error) == ["build.push_denied"]
    assert "run module machineosconfig again with the wanted content" in error.remedy
    assert "delete the MachineOSBuild" not in error.remedy


def test_failure_whose_log_may_not_be_read_is_reported(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(PODS, failed_pod())
    cluster.always_fail("/log", forbidden("pods/log"))
    error = Wait(session).fails()
    assert ids(error) == ["build.failed", "build.log_not_readable"]
    (unreadable,) = [f for f in error.result["findings"] if f["id"] == "build.log_not_readable"]
    assert unreadable["object"]["name"] == POD


def test_failure_without_rights_on_pods_is_believed_after_a_while(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.always_fail("/pods", forbidden("pods"))
    wait = Wait(session)
    assert "marked as failed" in wait.call()["progress"]
    error = wait.fails()
    assert ids(error) == ["build.failed", "build.log_not_readable"]
    assert wait.clock.passed >= 30


@pytest.mark.parametrize("release", RELEASES)
def test_left_pod_of_another_rendered_config_does_not_end_the_wait(
    release: str, cluster: ApiServer, session: Session
) -> None:
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(PODS, pod(release=release), failed_pod(rendered=OLD_RENDERED, release=release))
    wait = Wait(session)
    while not (found := wait.call())["findings"]:
        assert not found["finished"]
    assert [f["id"] for f in found["findings"]] == ["build.pod_left"]
    assert OTHER_POD in found["findings"][0]["message"]
    wait.clock.pace = 5
    assert not wait.call(window=1)["finished"]
    cluster.keep(OLDER_CONFIG, published())
    cluster.keep(OLDER_BUILD, build())
    wait.clock.pace = 0
    assert wait.until("succeeded")["finished"]


@pytest.mark.parametrize("release", RELEASES)
def test_left_pod_that_hides_a_success_is_named(release: str, cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_CONFIG, published())
    cluster.keep(OLDER_BUILD, marked_failed(build()))
    cluster.keep(PODS, failed_pod(rendered=OLD_RENDERED, release=release))
    done = wait_for_build(session, request())
    assert (done["finished"], done["build"]["state"]) == (True, "succeeded")
    (finding,) = done["findings"]
    assert (finding["id"], finding["severity"]) == ("build.success_hidden", "warning")
    assert OTHER_POD in finding["message"]
    assert OTHER_POD in finding["remedy"]


def test_build_that_a_left_pod_marks_and_that_lost_its_own_fails(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(PODS, failed_pod(rendered=OLD_RENDERED))
    error = Wait(session).fails()
    assert ids(error) == ["build.failed_by_other_pod"]
    assert OTHER_POD in str(error)


def test_other_pods_are_read_once_a_minute(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(PODS, pod(), failed_pod(rendered=OLD_RENDERED))
    wait = Wait(session)
    while not wait.call()["findings"]:
        pass
    wait.call(window=3)
    lists = [r for r in cluster.requests if "argetMachineConfigPool" in r.query.get("labelSelector", "")]
    assert len(lists) == 1


def test_evicted_pod_ends_the_wait(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Building"))
    cluster.keep(PODS, pod())
    wait = Wait(session)
    wait.until("building")
    evicted = pod()
    evicted["status"]["conditions"] = [
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}
    ]
    cluster.keep(PODS, evicted)
    cluster.drop(PODS, POD, NAMESPACE)
    wait.until("its pod was evicted from Node worker-1")
    error = wait.fails()
    assert ids(error) == ["build.pod_lost"]
    assert f"Pod {POD} of MachineOSBuild {BUILD} was evicted from Node worker-1" in str(error)
    assert error.result["build"]["state"] == "building"


def test_pod_that_was_gone_before_the_wait_ends_it(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Building"))
    error = Wait(session).fails()
    assert ids(error) == ["build.pod_lost"]


def test_edit_that_was_not_built_ends_the_wait(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_CONFIG, config(image=image_of("a"), edited="2026-03-01T12:30:00Z"))
    cluster.keep(OLDER_BUILD, build())
    error = Wait(session).fails()
    assert ids(error) == ["build.edit_not_built"]
    assert "Run module machineosconfig again" in str(error)


def test_start_that_failed_names_the_missing_secret(cluster: ApiServer, session: Session) -> None:
    cluster.drop(SECRET, "os-push", NAMESPACE)
    cluster.keep(OLDER_BUILD, build(""))
    error = Wait(session).fails()
    assert ids(error) == ["build.secret_missing"]
    assert (
        "Create the Secret in openshift-machine-config-operator (registry_secret). Run module machineosconfig"
        in str(error)
    )


def test_start_that_failed_without_a_missing_secret_ends_the_wait(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build(""))
    error = Wait(session).fails()
    assert ids(error) == ["build.start_failed"]


def test_missing_build_names_a_machineosconfig_that_is_rejected(cluster: ApiServer, session: Session) -> None:
    text = (
        "Failed to resync 4.16.0 because: invalid MachineOSConfig layered: could not validate currentImagePullSecret "
        '"" for MachineOSConfig layered: no secret name provided'
    )
    degraded = {"type": "Degraded", "status": "True", "reason": "RenderConfigFailed", "message": text}
    cluster.keep(CLUSTER_OPERATOR, {"metadata": {"name": "machine-config"}, "status": {"conditions": [degraded]}})
    error = Wait(session).fails()
    assert ids(error) == ["build.machineosconfig_rejected", "build.not_started"]
    assert "no secret name provided" in str(error)
    assert "The operator then continues automatically" in str(error)
    cluster.keep(OLDER_BUILD, build(""))
    error = Wait(session).fails()
    assert ids(error) == ["build.machineosconfig_rejected"]
    assert "Correct what the message names. Run module machineosconfig again" in str(error)


def test_missing_build_names_the_missing_pull_secret_of_the_nodes(cluster: ApiServer, session: Session) -> None:
    cluster.drop(SECRET, "os-pull", NAMESPACE)
    error = Wait(session).fails()
    assert ids(error) == ["build.secret_missing", "build.not_started"]
    assert "Secret os-pull does not exist" in str(error)
    assert "the build then starts automatically" in str(error)


def test_deleted_build_is_not_replaced(cluster: ApiServer, session: Session) -> None:
    cluster.keep(OLDER_BUILD, build("Building"))
    cluster.keep(PODS, pod())
    wait = Wait(session)
    wait.until("building")
    cluster.drop(OLDER_BUILD, BUILD)
    wait.until("deleted, waiting for a replacement")
    assert ids(wait.fails()) == ["build.deleted"]


def test_builder_whose_image_cannot_be_pulled_is_reported(cluster: ApiServer, session: Session) -> None:
    cannot = {"name": "image-build", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no route"}}}
    cluster.keep(OLDER_BUILD, build("Failed"))
    cluster.keep(PODS, pod(cannot, running("wait-for-done"), phase="Pending"))
    wait = Wait(session)
    while not (found := wait.call())["findings"]:
        pass
    assert [f["id"] for f in found["findings"]] == ["build.builder_not_started"]
    assert "cannot start (ImagePullBackOff)" in found["progress"]
