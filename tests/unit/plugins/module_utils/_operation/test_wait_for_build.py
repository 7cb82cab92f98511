# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import time
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._errors import OperationError
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.wait import BuildWaitState
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_OPERATOR,
    CLUSTER_VERSION,
    JOB,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    OPERATOR_NAMESPACE,
    POD,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._operation.wait_for_build import (
    BuildWaitRequest,
    wait_for_build,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.cursor import Cursor, Progress, read_cursor
from ansible_collections.imagemode.openshift.plugins.module_utils._wait.window import Limits
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    NOON,
    all_pools,
    build_pod,
    cluster_version,
    container_status,
    image_of,
    machine_os_build,
    machine_os_config,
    secret,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_server import Reply, forbidden, refusal


def ask(cursor: str = "", timeout: float = 0, window: float = 30, check: bool = False) -> BuildWaitRequest:
    return BuildWaitRequest("layered", Limits(timeout, window), cursor, check)


@pytest.fixture
def cluster(api):
    api.keep(CLUSTER_VERSION, cluster_version("4.20.1"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a"))
    return api


def failed_pod(message: str) -> dict[str, t.Any]:
    return build_pod("build-layered-a-x7k2p", container_status("image-build", 1, message))


def succeed(api) -> None:
    api.keep(MACHINE_OS_BUILD, machine_os_build("layered-a"))
    api.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1))


def test_successful_build_ends_the_wait_at_once(cluster, session):
    succeed(cluster)
    done = wait_for_build(session, ask())
    assert done["finished"]
    assert (done["build"]["name"], done["build"]["state"]) == ("layered-a", "succeeded")
    assert done["build"]["digested_image_push_spec"] == image_of("a")
    assert done["machineosconfig"]["current_image_pull_spec"] == image_of("a")
    assert done["cluster"]["version"] == "4.20.1"
    assert not done["changed"]
    assert done["findings"] == []


def test_build_that_was_deleted_before_the_watch_reports_it_is_not_a_success(cluster, session):
    succeed(cluster)
    known = wait_for_build(session, ask())
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    seen = wait_for_build(session, ask(known["cursor"]))
    assert not seen["finished"]
    assert "layered-a: deleted, waiting for a replacement" in seen["progress"]


def test_outage_during_the_confirmation_is_waited_for(cluster, session):
    succeed(cluster)
    known = wait_for_build(session, ask())
    cluster.fail("machineosbuilds?", *[Reply(503, "starting")] * 3)
    seen = wait_for_build(session, ask(known["cursor"]))
    while not seen["finished"]:
        seen = wait_for_build(session, ask(seen["cursor"]))
    assert seen["build"]["state"] == "succeeded"


def test_requested_rebuild_that_never_starts_fails_although_the_request_was_removed(cluster, session):
    succeed(cluster)
    asked = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
    asked["metadata"]["annotations"]["machineconfiguration.openshift.io/rebuild"] = ""
    cluster.keep(MACHINE_OS_CONFIG, asked)
    now = Clock()
    first = wait_for_build(session, ask(), now)
    assert "waiting for the requested rebuild to start" in first["progress"]
    succeed(cluster)
    now.pace = 5
    with pytest.raises(OperationError, match=r"the requested rebuild of .* has not started") as refused:
        wait_for_build(session, ask(first["cursor"]), now)
    assert [f["id"] for f in refused.value.result["findings"]] == ["build.rebuild_not_started"]


def test_each_window_returns_with_a_new_line(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Prepared"))
    first = wait_for_build(session, ask())
    assert (first["finished"], first["progress"]) == (False, "build layered-a: preparing")
    assert first["build"]["state"] == "preparing"
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    second = wait_for_build(session, ask(first["cursor"]))
    assert (second["finished"], second["progress"]) == (False, "build layered-a: building")
    succeed(cluster)
    last = second
    while not last["finished"]:
        last = wait_for_build(session, ask(last["cursor"]))
    assert image_of("a") in last["progress"]


def test_nothing_is_listed_twice(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Prepared"))
    first = wait_for_build(session, ask())
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    wait_for_build(session, ask(first["cursor"]))
    kinds = ("machineconfigpools", "machineosconfigs", "machineosbuilds", "pods")
    lists = [r.path.rpartition("/")[2] for r in cluster.requests if "limit" in r.query]
    assert sorted(lists) == sorted(kinds)


def test_line_is_not_reported_twice(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    first = wait_for_build(session, ask())
    quiet = wait_for_build(session, ask(first["cursor"], window=0.3))
    assert not quiet["finished"]
    assert quiet["progress"] == first["progress"]


def failure(session, **asked: t.Any) -> OperationError:
    with pytest.raises(OperationError) as refused:
        wait_for_build(session, ask(**asked))
    return refused.value


RUN_FAILED = """\
[3/3] STEP 2/2: RUN dnf install -y tcpdmp
No match for argument: tcpdmp
Error: building at STEP "RUN dnf install -y tcpdmp": exit status 1
+ return 1
"""
FROM_AND_RUN = "FROM configs AS final\nRUN dnf install -y tcpdmp\n"


@pytest.fixture
def failed(cluster):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", containerfile=FROM_AND_RUN))
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    return cluster


def test_failed_build_fails_with_cause_line_and_error_from_the_log(failed, session):
    failed.keep(POD, failed_pod(""))
    failed.logs["build-layered-a-x7k2p/image-build"] = [f"{NOON} {line}" for line in RUN_FAILED.splitlines()]
    refused = failure(session)
    assert str(refused) == (
        "Could not await the build of MachineConfigPool layered: MachineOSBuild layered-a failed at line 2 of the "
        "Containerfile (RUN dnf install -y tcpdmp): exit status 1: No match for argument: tcpdmp. Correct the "
        "name of the package, or enable the repository that contains it, and apply again."
    )
    result = refused.result
    assert result["finished"]
    (finding,) = result["findings"]
    assert (finding["id"], finding["severity"]) == ("build.package_not_found", "fatal")
    assert finding["evidence"] == "\n".join(RUN_FAILED.splitlines()[1:3])
    assert result["build"]["state"] == "failed"
    assert result["build"]["failure"] == {
        "finding": "build.package_not_found",
        "containerfile_line": 2,
        "instruction": "RUN dnf install -y tcpdmp",
        "excerpt": finding["evidence"],
    }
    assert [a["exit_code"] for a in result["build"]["attempts"]] == [1]
    assert result["build"]["log_paths"] == []


def test_message_of_the_container_is_used_if_the_log_was_deleted(failed, session):
    failed.keep(POD, failed_pod(RUN_FAILED))
    failed.always_fail("/log", refusal(404, "NotFound", "pod not found", name="x"))
    assert failure(session).result["findings"][0]["id"] == "build.package_not_found"


def test_message_of_the_condition_is_used_if_log_and_pods_were_deleted(failed, session):
    build = machine_os_build("layered-a", state="Failed")
    (condition,) = [c for c in build["status"]["conditions"] if c["type"] == "Failed"]
    condition["message"] = 'Error: building at STEP "RUN dnf install -y tcpdmp": exit status 1'
    failed.keep(MACHINE_OS_BUILD, build)
    refused = failure(session)
    assert "exit status 1" in str(refused)
    assert refused.result["findings"][0]["id"] == "build.run_failed"


def test_build_failed_in_fail_on_findings_means_all_causes(failed, session):
    failed.keep(POD, failed_pod(RUN_FAILED))
    asked = BuildWaitRequest("layered", Limits(0, 30, fail_on=("build.failed",)), "", False)
    with pytest.raises(OperationError, match="tcpdmp"):
        wait_for_build(session, asked)


def test_logs_of_a_failed_build_are_saved(failed, session, tmp_path):
    failed.keep(POD, failed_pod(""))
    failed.logs["build-layered-a-x7k2p/image-build"] = [f"{NOON} {line}" for line in RUN_FAILED.splitlines()]
    with pytest.raises(OperationError) as refused:
        wait_for_build(session, BuildWaitRequest("layered", Limits(0, 30), "", False, log_dir=str(tmp_path)))
    (path,) = refused.value.result["build"]["log_paths"]
    with open(path, encoding="utf-8") as file:
        assert "No match for argument" in file.read()
    assert [str(each) for each in tmp_path.iterdir()] == [path]


def test_log_that_cannot_be_saved_is_reported_after_the_cause(failed, session, tmp_path):
    failed.keep(POD, failed_pod(RUN_FAILED))
    (tmp_path / "file").touch()
    with pytest.raises(OperationError, match="tcpdmp") as refused:
        wait_for_build(session, BuildWaitRequest("layered", Limits(0, 30), "", False, log_dir=str(tmp_path / "file")))
    assert [f["id"] for f in refused.value.result["findings"]] == ["build.package_not_found", "build.log_not_saved"]


def test_evicted_builder_is_reported(failed, session):
    words = "The node was low on resource: ephemeral-storage."
    failed.keep(POD, build_pod("build-layered-a-x7k2p", reason="Evicted", message=words))
    refused = failure(session)
    assert refused.result["findings"][0]["id"] == "build.evicted"
    assert "low on resource: ephemeral-storage" in str(refused)


def test_interrupted_build_without_a_replacement_fails(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Interrupted"))
    now = Clock()
    first = wait_for_build(session, ask(), now)
    assert first["build"]["state"] == "interrupted"
    now.seconds += 500
    second = wait_for_build(session, ask(first["cursor"], window=0.1), now)
    assert not second["finished"], "nobody looked meanwhile"
    now.pace = 10
    with pytest.raises(OperationError, match="MachineOSBuild layered-a was interrupted"):
        wait_for_build(session, ask(second["cursor"]), now)


def test_replacement_of_an_interrupted_build_is_waited_for(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", uid="1", state="Interrupted"))
    now = Clock()
    first = wait_for_build(session, ask(), now)
    cluster.drop(MACHINE_OS_BUILD, "layered-a")
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", uid="2", state="Building"))
    now.seconds += 500
    second = first
    while second["build"] is None or second["build"]["uid"] == "1":
        second = wait_for_build(session, ask(second["cursor"], window=2), now)
    assert (second["finished"], second["build"]["uid"]) == (False, "2")


def test_missing_secret_is_reported_if_no_build_starts(cluster, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    now = Clock()
    first = wait_for_build(session, ask(), now)
    assert [f["id"] for f in first["findings"]] == ["build.not_started"]
    assert not [path for path in cluster.said if "/secrets/" in path], "nothing is asked before its time"
    now.pace = 1
    with pytest.raises(OperationError, match=r"Secret push does not exist.* Create the Secret") as refused:
        wait_for_build(session, ask(first["cursor"]), now)
    assert [f["id"] for f in refused.value.result["findings"]] == ["build.secret_missing", "build.not_started"]


def test_degraded_operator_is_reported_if_no_build_starts_and_read_once_a_minute(cluster, session):
    degraded = {"type": "Degraded", "status": "True", "message": "no such luck"}
    operator = {"metadata": {"name": "machine-config"}, "status": {"conditions": [degraded]}}
    cluster.keep(CLUSTER_OPERATOR, operator)
    cluster.keep(SECRET, secret())
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    now = Clock()
    first = wait_for_build(session, ask(), now)
    now.pace = 1
    second = wait_for_build(session, ask(first["cursor"]), now)
    now.pace = 0
    assert [f["id"] for f in second["findings"]] == ["build.not_started", "build.operator_degraded"]
    assert "no such luck" in second["findings"][1]["message"]
    third = wait_for_build(session, ask(second["cursor"], window=1), now)
    assert third["findings"] == second["findings"]
    asked = [path for path in cluster.said if "clusteroperators" in path]
    assert len(asked) == 1


def test_secret_that_may_not_be_read_is_not_reported_as_missing(cluster, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    cluster.always_fail("secrets", forbidden("secrets"))
    now = Clock()
    first = wait_for_build(session, ask(), now)
    now.pace = 1
    second = wait_for_build(session, ask(first["cursor"], window=5), now)
    assert [path for path in cluster.said if "/secrets/" in path]
    assert [f["id"] for f in second["findings"]] == ["build.not_started"]


def building_by(job: str) -> dict[str, t.Any]:
    """A build that is under way, by the Job of that name."""
    build = machine_os_build("layered-a", state="Building")
    build["status"]["builder"] = {"job": {"name": job}}
    return build


def test_build_without_progress_and_job_ends_the_wait(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, building_by("build-layered-a"))
    now = Clock()
    first = wait_for_build(session, ask(), now)
    now.pace = 1
    with pytest.raises(
        OperationError, match=r"is still building, but its Job build-layered-a was deleted\. Delete the"
    ) as refused:
        wait_for_build(session, ask(first["cursor"]), now)
    assert [f["id"] for f in refused.value.result["findings"]] == ["build.job_deleted"]
    assert len([path for path in cluster.said if "/jobs/" in path]) == 2, "one that is not there once proves nothing"
    assert now.seconds - Clock.seconds > 60


def test_job_that_was_deleted_after_its_build_ended_is_not_reported(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, building_by("build-layered-a"))
    now = Clock()
    first = wait_for_build(session, ask(), now)
    succeed(cluster)
    cluster.fail("watch", *[Reply(503, "starting")] * 3)
    now.pace = 20
    last = wait_for_build(session, ask(first["cursor"]), now)
    while not last["finished"]:
        last = wait_for_build(session, ask(last["cursor"]), now)
    assert last["build"]["state"] == "succeeded"


def test_build_without_progress_continues_if_its_job_exists_and_the_job_is_read_every_five_minutes(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, building_by("build-layered-a"))
    cluster.keep(JOB, {"metadata": {"name": "build-layered-a", "namespace": OPERATOR_NAMESPACE}})
    now = Clock()
    first = wait_for_build(session, ask(), now)
    now.pace = 30
    second = wait_for_build(session, ask(first["cursor"], window=2), now)
    now.pace = 0
    assert (second["finished"], second["findings"]) == (False, [])
    looked = len([path for path in cluster.said if "/jobs/" in path])
    assert 1 <= looked <= 1 + (now.seconds - Clock.seconds) / 300


def test_job_that_may_not_be_read_is_not_reported_as_deleted(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, building_by("build-layered-a"))
    cluster.always_fail("jobs", forbidden("jobs"))
    now = Clock()
    first = wait_for_build(session, ask(), now)
    now.pace = 30
    second = wait_for_build(session, ask(first["cursor"], window=2), now)
    assert [path for path in cluster.said if "/jobs/" in path]
    assert (second["finished"], second["findings"]) == (False, [])


class Clock:
    """A time that goes on when the test says so."""

    seconds = 1_000_000.0
    pace = 0.0
    """Seconds that pass whenever somebody looks at it."""

    def __call__(self) -> float:
        self.seconds += self.pace
        return self.seconds


def test_check_mode_saves_and_explains_nothing(failed, session, tmp_path):
    seen = wait_for_build(session, BuildWaitRequest("layered", Limits(0, 30), "", True, log_dir=str(tmp_path / "logs")))
    assert seen["findings"][0]["id"] == "build.failed"
    assert list(tmp_path.iterdir()) == []
    assert not [path for path in failed.said if "/pods" in path]


def stall_mark(result: dict[str, t.Any]) -> str:
    return read_cursor(result["cursor"], BuildWaitState).progress.stall.mark


def test_output_of_the_builder_is_progress(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    cluster.keep(POD, build_pod("build-layered-a-x7k2p", container_status("image-build", None)))
    cluster.growing.add("build-layered-a-x7k2p/image-build")
    first = wait_for_build(session, ask())
    quiet = wait_for_build(session, ask(first["cursor"], window=3))
    assert [a["pod"] for a in quiet["build"]["attempts"]] == ["build-layered-a-x7k2p"]
    before = stall_mark(quiet)
    cluster.says("build-layered-a-x7k2p/image-build", "2026-03-01T12:00:00.1Z one more line")
    heard = wait_for_build(session, ask(quiet["cursor"], window=3))
    cluster.falls_silent("build-layered-a-x7k2p/image-build")
    assert heard["progress"] == quiet["progress"]
    assert stall_mark(heard) != before


def test_next_window_knows_that_the_image_was_pushed(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    cluster.keep(POD, build_pod("build-layered-a-x7k2p", container_status("image-build", 0)))
    seen = wait_for_build(session, ask())
    while not seen["progress"].endswith("image pushed, waiting for the operator to record it"):
        seen = wait_for_build(session, ask(seen["cursor"]))
    following = wait_for_build(session, ask(seen["cursor"], window=0.2))
    assert following["progress"] == seen["progress"]


def test_attempts_of_a_build_that_ends_between_two_calls_are_part_of_its_result(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    failed = build_pod("build-layered-a-00001", container_status("image-build", 1))
    running = build_pod("build-layered-a-00002", container_status("image-build", None))
    cluster.keep(POD, failed, running)
    first = wait_for_build(session, ask())
    second = wait_for_build(session, ask(first["cursor"], window=3))
    cluster.keep(POD)
    succeed(cluster)
    ended = second
    while not ended["finished"]:
        ended = wait_for_build(session, ask(ended["cursor"]))
    assert [(a["pod"], a["state"]) for a in ended["build"]["attempts"]] == [
        ("build-layered-a-00001", "failed"),
        ("build-layered-a-00002", "succeeded"),
    ]


def test_unreadable_logs_do_not_change_the_outcome(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    cluster.always_fail("pods", forbidden("pods"))
    with pytest.raises(OperationError, match=r"MachineOSBuild layered-a failed\. ") as refused:
        wait_for_build(session, ask())
    assert [f["id"] for f in refused.value.result["findings"]] == ["build.failed", "build.log_not_readable"]


def test_failed_build_before_an_edit_does_not_end_the_wait(cluster, session):
    morning = "2026-03-01T08:00:00Z"
    edited = machine_os_config(build="layered-a", generation=2, observed_generation=1, builds_before=["layered-a/1"])
    cluster.keep(MACHINE_OS_CONFIG, edited)
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", uid="1", state="Failed", created=morning))
    waiting = wait_for_build(session, ask())
    assert not waiting["finished"]
    assert waiting["build"] is None
    assert "the operator has started no build yet" in waiting["progress"]


def test_timeout_error_contains_the_last_state(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    began = str(
        Cursor(Progress(started=time.time() - 61, reported="build layered-a: building"), state=BuildWaitState())
    )
    with pytest.raises(OperationError, match=r"not done after 60 s \(build layered-a: building\)\. ") as refused:
        wait_for_build(session, ask(began, timeout=60))
    assert not refused.value.result["finished"]
    assert refused.value.result["elapsed"] >= 61


def test_timeout_error_contains_the_first_finding(cluster, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config())
    first = wait_for_build(session, ask())
    with pytest.raises(
        OperationError, match=r"the operator has started no build.*Check ClusterOperator machine-config"
    ):
        wait_for_build(session, ask(first["cursor"], timeout=0.5))


@pytest.mark.parametrize(
    ("missing", "reason"),
    [
        (MACHINE_CONFIG_POOL, "MachineConfigPool layered does not exist"),
        (MACHINE_OS_CONFIG, "MachineConfigPool layered has no MachineOSConfig"),
    ],
)
def test_missing_pool_or_config_is_an_error(missing, reason, cluster, session):
    cluster.drop(missing, "layered")
    with pytest.raises(OperationError, match=f"^Could not await the build of MachineConfigPool layered: {reason}"):
        wait_for_build(session, ask())


def test_check_mode_does_not_wait_and_accepts_missing_objects(cluster, session):
    for kind in (MACHINE_CONFIG_POOL, MACHINE_OS_CONFIG):
        done = wait_for_build(session, ask(check=True))
        assert (done["finished"], done["changed"]) == (True, False)
        cluster.drop(kind, "layered")
    assert wait_for_build(session, ask(check=True))["build"] is None


def test_check_mode_does_not_fail_for_a_failed_build(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Failed"))
    assert wait_for_build(session, ask(check=True))["build"]["state"] == "failed"


def test_outage_is_reported_once(cluster, session, nap):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    first = wait_for_build(session, ask())
    cluster.stop()
    away = wait_for_build(session, ask(first["cursor"]))
    assert away["progress"].startswith("API server away: no connection to ")

    def come_back() -> None:
        cluster.start()
        succeed(cluster)

    nap.after(10, come_back)
    back = wait_for_build(session, ask(away["cursor"]))
    assert "away" not in back["progress"]


def test_outage_that_continues_in_the_next_window_is_not_reported_again(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    first = wait_for_build(session, ask())
    cluster.stop()
    away = wait_for_build(session, ask(first["cursor"]))
    still = wait_for_build(session, ask(away["cursor"], window=1))
    assert still["progress"] == away["progress"]
    assert not still["finished"]
    assert still["elapsed"] > away["elapsed"]


def test_cluster_without_image_mode_is_an_error(api, session):
    api.not_served.update(("machineosconfigs", "machineosbuilds"))
    api.keep(MACHINE_CONFIG_POOL, *all_pools())
    with pytest.raises(OperationError, match=r"does not serve machineosconfigs|does not serve machineosbuilds"):
        wait_for_build(session, ask())


# A cursor that Ansible masked ---------------------------------------------------------------------------------------


def masked_ask(waited: float = 0, window: float = 0.5, timeout: float = 60) -> BuildWaitRequest:
    return BuildWaitRequest("layered", Limits(timeout, window, waited=waited), "⡸⣚********", False)


def test_masked_cursor_does_not_prolong_the_wait(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    with pytest.raises(OperationError, match=r"not done after 60 s \(build layered-a: building\)\. ") as refused:
        wait_for_build(session, masked_ask(waited=59.8))
    assert refused.value.result["elapsed"] >= 60


def test_unreadable_cursor_is_a_warning(cluster, session):
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    warnings: list[str] = []
    seen = wait_for_build(session, masked_ask(), warn=warnings.append)
    assert [w.partition(":")[0] for w in warnings] == ["Could not read the cursor"]
    assert read_cursor(seen["cursor"], BuildWaitState)
    wait_for_build(session, ask(seen["cursor"], window=0.2), warn=warnings.append)
    assert len(warnings) == 1


def test_call_with_an_unreadable_cursor_lasts_for_its_window(cluster, session):
    """It knows of no news before, so it would end at once, and so would each of the calls that follow."""
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    cluster.always_fail("pods", forbidden("pods"))
    moments: list[float] = []

    def clock() -> float:
        moments.append(time.time())
        return moments[-1]

    seen = wait_for_build(session, masked_ask(window=4), clock)
    assert moments[-1] - moments[0] >= 4
    assert seen["progress"] == "build layered-a: building"
    assert [f["id"] for f in seen["findings"]] == ["build.log_not_readable"]


def test_call_with_an_unreadable_cursor_ends_with_the_wait(cluster, session):
    succeed(cluster)
    assert wait_for_build(session, masked_ask(window=30))["finished"]


def wait_through(session, request: BuildWaitRequest) -> None:
    """Wait through any number of windows."""
    while True:
        request = replace(request, cursor=wait_for_build(session, request)["cursor"])


def test_failed_attempt_of_a_running_build_ends_the_wait_at_its_limit_with_build_and_cause(cluster, session):
    cluster.keep(MACHINE_OS_CONFIG, machine_os_config(build="layered-a", containerfile=FROM_AND_RUN))
    cluster.keep(MACHINE_OS_BUILD, machine_os_build("layered-a", state="Building"))
    cluster.keep(POD, failed_pod(""))
    cluster.logs["build-layered-a-x7k2p/image-build"] = [f"{NOON} {line}" for line in RUN_FAILED.splitlines()]
    with pytest.raises(OperationError) as raised:
        wait_through(session, BuildWaitRequest("layered", Limits(0, 30), "", False, max_build_attempts=1))
    assert "attempt 1 of 4 failed at line 2 of the Containerfile (RUN dnf install -y tcpdmp)" in str(raised.value)
    done = raised.value.result
    assert done["build"]["name"] == "layered-a"
    assert done["build"]["attempts"][0]["exit_code"] == 1
    assert [found["id"] for found in done["findings"]] == ["build.attempt_failed"]
