# SPDX-License-Identifier: GPL-3.0-or-later
"""The wait for a build as a pure function: snapshots are folded over ``observe``, without I/O."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.attempts import (
    Attempt,
    Container,
    attempts,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.log_needs import (
    BuildRun,
    FinishedLogs,
    FinishLogs,
    FollowLogs,
    LogProgress,
    ReadLogText,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.run_spec import RunSpec
from ansible_collections.imagemode.openshift.plugins.module_utils._model.build.wait import (
    BuildObservation,
    BuildWaitOptions,
    BuildWaitState,
    build_wait,
    observe,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.findings import FINDINGS, FindingId
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineconfigpool import Pool
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosbuild import (
    BuildState,
    MachineOSBuild,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.machineosconfig import MachineOSConfig
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.readers import CONFIGS
from ansible_collections.imagemode.openshift.plugins.module_utils._model.objects.resources import (
    CLUSTER_OPERATOR,
    CLUSTER_VERSION,
    JOB,
    MACHINE_CONFIG_POOL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    OPERATOR_NAMESPACE,
    SECRET,
)
from ansible_collections.imagemode.openshift.plugins.module_utils._model.observation import (
    Need,
    Outcome,
    ReadObject,
    ReadResult,
    Snapshot,
    WaitError,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.api_objects import (
    NOON,
    build_pod,
    cluster_version,
    container_status,
    image_of,
    machine_config_pool,
    machine_os_build,
    machine_os_config,
)
from ansible_collections.imagemode.openshift.tests.unit.plugins.complete_findings import ids_of

OPTIONS = BuildWaitOptions("layered")
CONFIG = machine_os_config(build="layered-a")
PUBLISHED = machine_os_config(build="layered-a", image=image_of("a"), observed_generation=1)
RUN = BuildRun("layered-a", "uid-of-layered-a", NOON)
FOLLOW = FollowLogs(RUN)
CONFIRM = ReadObject(MACHINE_OS_BUILD, "layered-a", by_list=True, retried=False)
READ_CONFIG = ReadObject(MACHINE_OS_CONFIG, "layered", by_list=True)
READ_BUILD = ReadObject(MACHINE_OS_BUILD, "layered-a", by_list=True)
READ_JOB = ReadObject(JOB, "build-layered-a", OPERATOR_NAMESPACE)
MISSING, UNKNOWN = ReadResult(), ReadResult(known=False)

Results = dict[Need[t.Any], t.Any]


def snapshot(
    config: t.Any = ...,
    *builds: dict[str, t.Any],
    results: Results | None = None,
    pool: dict[str, t.Any] | None = None,
    **more: t.Any,
) -> Snapshot:
    """Return a snapshot, with CONFIG unless another MachineOSConfig, or None, is given."""
    config = CONFIG if config is ... else config
    pools = (Pool.from_api(pool or machine_config_pool()),)
    objects = {
        "MachineConfigPool": pools,
        "MachineOSConfig": (MachineOSConfig.from_api(config),) if config else (),
        "MachineOSBuild": tuple(map(MachineOSBuild.from_api, builds)),
    }
    return Snapshot(objects, results or {}, **more)


class Wait:
    """Folds snapshots over ``observe`` and fetches needs from the given results."""

    def __init__(self, options: BuildWaitOptions = OPTIONS, results: Results | None = None) -> None:
        self.options = options
        self.results: Results = results or {}
        self.state = BuildWaitState()
        self.fetched: list[Need[t.Any]] = []

    def see(self, seen: Snapshot) -> BuildObservation:
        results = dict(seen.results)
        while True:
            self.state, last = observe(self.options, replace(seen, results=results), self.state, 0.0)
            missing = [need for need in last.needs if need.once and need not in results]
            if not missing:
                return last
            self.fetched += missing
            # A test that does not name a log has an empty one.
            results.update(
                {n: self.results.get(n, "") if isinstance(n, ReadLogText) else self.results[n] for n in missing}
            )
            seen = replace(seen, resumed=False)


def ids(last: BuildObservation) -> list[str]:
    return ids_of(last.findings)


def progress_of(*statuses: dict[str, t.Any], **more: t.Any) -> LogProgress:
    return LogProgress(RUN.identity, attempts_of(*statuses), **more)


def attempts_of(*statuses: dict[str, t.Any]) -> tuple[Attempt, ...]:
    return tuple(attempts([build_pod("build-layered-a-x7k2p", *statuses)])) if statuses else ()


def test_wait_names_its_subjects_and_its_goal():
    wait = build_wait(OPTIONS)
    assert wait.goal == "await the build of MachineConfigPool layered"
    assert [(s.key, s.field_selector, s.label_selector) for s in wait.subjects] == [
        ("MachineConfigPool", "", ""),
        ("MachineOSConfig", "", ""),
        ("MachineOSBuild", "", "machineconfiguration.openshift.io/target-machine-config-pool=layered"),
    ]
    state, last = wait.observe(snapshot(CONFIG, machine_os_build(state="Building")), wait.first_state, 0.0)
    assert (last.outcome, last.progress) == (Outcome.WAITING, "build layered-a: building")
    assert isinstance(state, BuildWaitState)


# Nothing to wait for -------------------------------------------------------------------------------------------------


def test_missing_pool_is_an_error():
    last = Wait().see(Snapshot())
    assert last.error == WaitError(
        "MachineConfigPool layered does not exist",
        "Check the name, or create the pool (machineconfigpool, or image_mode_create_pool in the playbooks)",
    )
    assert (last.outcome, last.mark, last.config) == (Outcome.WAITING, "", None)


def test_pool_without_config_is_an_error():
    last = Wait().see(snapshot(None))
    assert last.error == WaitError(
        "MachineConfigPool layered has no MachineOSConfig", "Create one first (machineosconfig)"
    )


def test_config_of_another_pool_does_not_count():
    assert Wait().see(snapshot(machine_os_config(pool="gpu"))).error


@pytest.mark.parametrize("seen", [Snapshot(), snapshot(None)])
def test_check_mode_tolerates_that_nothing_exists(seen):
    last = Wait(replace(OPTIONS, check_mode=True)).see(seen)
    assert (last.outcome, last.error, last.build) == (Outcome.WAITING, None, None)
    assert last.progress == "check mode: a build would start here"


def test_check_mode_reads_and_follows_nothing():
    wait = Wait(replace(OPTIONS, check_mode=True))
    for build in (machine_os_build(state="Failed"), machine_os_build(state="Building")):
        assert wait.see(snapshot(CONFIG, build)).needs == ()
    last = wait.see(snapshot(CONFIG, machine_os_build(state="Failed")))
    assert (last.outcome, ids(last)) == (Outcome.FAILED, ["build.failed"])


# Success -------------------------------------------------------------------------------------------------------------


def test_success_is_confirmed_by_a_direct_read():
    wait = Wait(results={CONFIRM: ReadResult(machine_os_build())})
    last = wait.see(snapshot(PUBLISHED, machine_os_build()))
    assert (last.outcome, last.state) == (Outcome.SUCCEEDED, BuildState.SUCCEEDED)
    assert last.build
    assert last.build.name == "layered-a"
    assert last.config
    assert last.config.current_image_pull_spec == image_of("a")
    assert wait.fetched == [CONFIRM]


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (MISSING, "build layered-a: deleted, waiting for a replacement"),
        (UNKNOWN, "build layered-a: succeeded, confirming by a direct read"),
        (ReadResult(machine_os_build(uid="other")), "build layered-a: deleted, waiting for a replacement"),
        (ReadResult(machine_os_build(state="Failed")), "build layered-a: deleted, waiting for a replacement"),
    ],
)
def test_success_that_is_not_confirmed_is_waited_for(result, line):
    wait = Wait(results={CONFIRM: result})
    last = wait.see(snapshot(PUBLISHED, machine_os_build()))
    assert (last.outcome, last.progress) == (Outcome.WAITING, line)
    wait.results[CONFIRM] = ReadResult(machine_os_build())
    assert wait.see(snapshot(PUBLISHED, machine_os_build())).outcome is Outcome.SUCCEEDED


def test_logs_that_were_followed_are_read_to_their_end_after_success():
    followed = progress_of(container_status(exit_code=0), mark="12 1")
    finish = FinishLogs(RUN, 1.0)
    end = replace(followed, unwritten="disk full")
    wait = Wait(results={CONFIRM: ReadResult(machine_os_build()), finish: FinishedLogs(end)})
    last = wait.see(snapshot(PUBLISHED, machine_os_build(), results={FOLLOW: followed}))
    assert (last.outcome, last.logs, ids(last)) == (Outcome.SUCCEEDED, end, ["build.log_not_saved"])
    assert [n for n in wait.fetched if not isinstance(n, ReadLogText)] == [CONFIRM, finish]


def test_logs_that_are_saved_are_read_after_success_even_if_they_were_not_followed():
    finish = FinishLogs(RUN, 30.0)
    wait = Wait(replace(OPTIONS, saves_logs=True))
    wait.results = {CONFIRM: ReadResult(machine_os_build()), finish: FinishedLogs(LogProgress())}
    assert wait.see(snapshot(PUBLISHED, machine_os_build())).outcome is Outcome.SUCCEEDED
    assert finish in wait.fetched


def test_boot_error_in_the_log_of_a_pushed_image_is_a_warning_until_the_wait_ends():
    building, pushed = machine_os_build(state="Building"), progress_of(container_status(exit_code=0))
    need = ReadLogText(pushed.attempts[0], pushed.attempts[0].containers[0])
    wait = Wait(results={need: "dracut: FAILED: cp x\nInstalled:\ndepmod: ERROR: y\n"})
    first = wait.see(snapshot(CONFIG, building, results={FOLLOW: pushed}))
    assert (first.outcome, ids(first)) == (Outcome.WAITING, ["build.suspicious_success"])
    assert need in wait.fetched
    (finding,) = first.findings
    assert str(finding.object) == "MachineOSBuild layered-a"
    assert finding.message == (
        "MachineOSBuild layered-a pushed its image, and its log has an error of the boot files: dracut: FAILED: cp x"
    )
    assert finding.evidence == "dracut: FAILED: cp x\ndepmod: ERROR: y"
    wait.results = {CONFIRM: ReadResult(machine_os_build())}
    last = wait.see(snapshot(PUBLISHED, machine_os_build()))
    assert (last.outcome, ids(last)) == (Outcome.SUCCEEDED, ["build.suspicious_success"])
    other = wait.see(snapshot(CONFIG, machine_os_build(state="Building", uid="other")))
    assert ids(other) == []


def test_log_of_a_pushed_image_is_read_once():
    pushed = progress_of(container_status(exit_code=0))
    need = ReadLogText(pushed.attempts[0], pushed.attempts[0].containers[0])
    wait = Wait(results={need: ""})
    for dummy in range(2):
        seen = snapshot(CONFIG, machine_os_build(state="Building"), results={FOLLOW: pushed})
        assert ids(wait.see(seen)) == []
    assert wait.fetched.count(need) == 1


# Logs while the build runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["", "Prepared", "Building"])
def test_logs_of_a_running_build_are_followed(state):
    assert Wait().see(snapshot(CONFIG, machine_os_build(state=state))).needs == (FOLLOW,)


def test_logs_of_an_ended_build_are_followed_only_if_they_were_before():
    ended = machine_os_build(state="Succeeded")
    assert Wait().see(snapshot(CONFIG, ended)).needs == ()
    assert Wait().see(snapshot(CONFIG, ended, results={FOLLOW: progress_of()})).needs == (FOLLOW,)


def test_mark_changes_with_build_state_and_log():
    building = machine_os_build(state="Building")
    marks = [
        Wait().see(snapshot(CONFIG, machine_os_build(state="Prepared"))).mark,
        Wait().see(snapshot(CONFIG, building)).mark,
        Wait().see(snapshot(CONFIG, machine_os_build(state="Building", uid="other"))).mark,
        Wait().see(snapshot(CONFIG, building, results={FOLLOW: progress_of(mark="12 1")})).mark,
        Wait().see(snapshot(CONFIG, building, results={FOLLOW: progress_of(mark="12 2")})).mark,
    ]
    assert len(set(marks)) == len(marks)


def test_problems_with_logs_are_findings_that_do_not_end_the_wait():
    followed = progress_of(unreadable="pods is forbidden", unwritten="disk full")
    last = Wait().see(snapshot(CONFIG, machine_os_build(state="Building"), results={FOLLOW: followed}))
    assert last.outcome is Outcome.WAITING
    assert ids(last) == ["build.log_not_readable", "build.log_not_saved"]
    assert not any(finding.fatal for finding in last.findings)
    assert "pods is forbidden" in last.findings[0].message
    assert str(last.findings[0].object) == f"Pod {OPERATOR_NAMESPACE}/build-layered-a"


def test_pushed_image_is_remembered_and_fails_after_the_grace_period():
    wait = Wait()
    building = machine_os_build(state="Building")
    pushed = progress_of(container_status(exit_code=0))
    first = wait.see(snapshot(CONFIG, building, results={FOLLOW: pushed}, watched=10.0, resumed=True))
    assert first.progress.endswith("image pushed, waiting for the operator to record it")
    waiting = wait.see(snapshot(CONFIG, building, watched=129.0))
    assert waiting.outcome is Outcome.WAITING
    wait.results = {FinishLogs(RUN, 30.0): FinishedLogs(LogProgress())}
    late = wait.see(snapshot(CONFIG, building, watched=130.0))
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.result_not_recorded"])


def test_attempt_that_failed_pushed_nothing():
    last = attempts_wait(0, container_status()).see(building(container_status()))
    assert last.progress.startswith("build layered-a: building, attempt 1 of 4 failed")


# Pending -------------------------------------------------------------------------------------------------------------


def test_replacement_grace_is_an_option():
    wait = Wait(replace(OPTIONS, replacement_grace=5.0))
    interrupted = snapshot(CONFIG, machine_os_build(state="Interrupted"), resumed=True)
    assert wait.see(interrupted).outcome is Outcome.WAITING
    assert wait.see(replace(interrupted, watched=4.0, resumed=False)).outcome is Outcome.WAITING
    late = wait.see(replace(interrupted, watched=5.0, resumed=False))
    assert (late.outcome, ids(late)) == (Outcome.FAILED, ["build.interrupted"])


def test_failure_without_a_build_reads_nothing():
    wait = Wait()
    last = wait.see(snapshot(machine_os_config(pool="layered"), pool=machine_config_pool()))
    assert last.outcome is Outcome.WAITING
    deleted = Wait(replace(OPTIONS, replacement_grace=0.0)).see(snapshot(CONFIG))
    assert (deleted.outcome, ids(deleted), deleted.needs) == (Outcome.FAILED, ["build.deleted"], ())


# Why no build was started --------------------------------------------------------------------------------------------


UNSTARTED = machine_os_config()
NO_BUILD = snapshot(UNSTARTED)
READ_POOL = ReadObject(MACHINE_CONFIG_POOL, "layered", by_list=True)
READ_OPERATOR = ReadObject(CLUSTER_OPERATOR, "machine-config", retried=False)
READ_VERSION = ReadObject(CLUSTER_VERSION, "version", retried=False)
READ_PUSH_SECRET = ReadObject(SECRET, "push", OPERATOR_NAMESPACE)
HEALTHY: Results = {
    READ_POOL: ReadResult(machine_config_pool()),
    READ_OPERATOR: UNKNOWN,
    READ_VERSION: ReadResult(cluster_version("4.20.1")),
    READ_PUSH_SECRET: ReadResult({"metadata": {"name": "push"}}),
}
DEGRADED = {
    "metadata": {"name": "machine-config"},
    "status": {"conditions": [{"type": "Degraded", "status": "True", "message": "no such luck"}]},
}


def at(seconds: float, seen: Snapshot = NO_BUILD, **more: t.Any) -> Snapshot:
    return replace(seen, watched=seconds, **more)


def test_causes_are_read_after_15_seconds_and_then_once_a_minute():
    wait = Wait(results=HEALTHY)
    reads = []
    for second in range(140):
        before = len(wait.fetched)
        assert ids(wait.see(at(second, resumed=second == 0))) == ["build.not_started"]
        if len(wait.fetched) > before:
            reads.append(second)
    assert reads == [15, 75, 135]
    assert wait.fetched[:4] == [READ_POOL, READ_OPERATOR, READ_PUSH_SECRET, READ_VERSION]


def test_missing_secret_is_reported_until_the_next_check():
    wait = Wait(results={**HEALTHY, READ_PUSH_SECRET: MISSING})
    wait.see(at(0, resumed=True))
    last = wait.see(at(15))
    assert ids(last) == ["build.secret_missing", "build.not_started"]
    assert last.findings[0].fatal
    assert str(last.findings[0].object) == f"Secret {OPERATOR_NAMESPACE}/push"
    assert ids(wait.see(at(74))) == ids(last)
    wait.results = HEALTHY
    assert ids(wait.see(at(75))) == ["build.not_started"]


def test_secret_that_may_not_be_read_is_not_missing():
    wait = Wait(results={**HEALTHY, READ_PUSH_SECRET: UNKNOWN})
    wait.see(at(0, resumed=True))
    assert ids(wait.see(at(15))) == ["build.not_started"]


def test_both_secrets_are_checked():
    config = machine_os_config(baseImagePullSecret={"name": "pull"})
    pull = ReadObject(SECRET, "pull", OPERATOR_NAMESPACE)
    wait = Wait(results={**HEALTHY, READ_PUSH_SECRET: MISSING, pull: MISSING})
    wait.see(at(0, snapshot(config), resumed=True))
    found = wait.see(at(15, snapshot(config))).findings
    assert [finding.object.name for finding in found[:2]] == ["pull", "push"]


def test_degraded_operator_and_pool_with_nodes_that_joined_early_are_reported():
    unsettled = {**machine_config_pool(), "status": {"machineCount": 1, "configuration": {}}}
    wait = Wait(results={**HEALTHY, READ_OPERATOR: ReadResult(DEGRADED), READ_POOL: ReadResult(unsettled)})
    wait.see(at(0, resumed=True))
    assert ids(wait.see(at(15))) == ["build.operator_degraded", "build.pool_not_updated", "build.not_started"]


def test_causes_are_forgotten_when_the_reason_changes_or_the_api_server_is_away():
    wait = Wait(results={**HEALTHY, READ_PUSH_SECRET: MISSING})
    wait.see(at(0, resumed=True))
    wait.see(at(15))
    assert ids(wait.see(at(16, outage="no connection"))) == ["build.not_started"]
    assert ids(wait.see(at(16))) == ["build.secret_missing", "build.not_started"], "read again after the outage"
    other = machine_config_pool(rendered="rendered-layered-other")
    assert ids(wait.see(at(17, snapshot(UNSTARTED, pool=other)))) == ["build.not_started"]


def test_causes_are_not_read_for_a_build_that_exists():
    wait = Wait()
    for second in (0, 20, 100):
        wait.see(at(second, snapshot(CONFIG, machine_os_build(state="Building")), resumed=second == 0))
    assert wait.fetched == []


# Lost Jobs -----------------------------------------------------------------------------------------------------------


def with_job(state: str = "Building") -> dict[str, t.Any]:
    build = machine_os_build(state=state)
    build["status"]["builder"] = {"job": {"name": "build-layered-a"}}
    return build


def job_checks(wait: Wait, last: int, state: str = "Building", **more: t.Any) -> tuple[list[int], BuildObservation]:
    """Return the seconds in which the Job was read, and the last observation."""
    reads = []
    for second in range(last + 1):
        before = wait.fetched.count(READ_JOB)
        seen = wait.see(at(second, snapshot(CONFIG, with_job(state)), resumed=second == 0, **more))
        if wait.fetched.count(READ_JOB) > before:
            reads.append(second)
    return reads, seen


@pytest.mark.parametrize("result", [ReadResult({"metadata": {"name": "build-layered-a"}}), UNKNOWN])
def test_job_that_exists_or_is_unknown_is_checked_after_a_minute_and_then_every_five(result):
    reads, last = job_checks(Wait(results={READ_JOB: result}), 365)
    assert reads == [60, 360]
    assert last.findings == ()


@pytest.mark.parametrize("state", ["Prepared", "Building"])
def test_job_that_is_missing_twice_is_fatal(state):
    wait = Wait(results={READ_JOB: MISSING, CONFIRM: ReadResult(with_job(state))})
    reads, last = job_checks(wait, 74, state)
    assert (reads, last.findings) == ([60], ())
    last = wait.see(at(75, snapshot(CONFIG, with_job(state))))
    assert ids(last) == ["build.job_deleted"]
    assert last.findings[0].fatal
    assert last.outcome is Outcome.WAITING
    assert "its Job build-layered-a was deleted" in last.findings[0].message


@pytest.mark.parametrize("result", [MISSING, UNKNOWN, ReadResult(machine_os_build(state="Failed"))])
def test_missing_job_of_a_build_that_changed_proves_nothing(result):
    reads, last = job_checks(Wait(results={READ_JOB: MISSING, CONFIRM: result}), 365)
    assert reads == [60, 360]
    assert last.findings == ()


def test_job_is_not_checked_while_the_build_makes_progress():
    wait = Wait()
    for second in range(0, 400, 50):
        seen = snapshot(CONFIG, with_job(), results={FOLLOW: progress_of(mark=str(second))})
        wait.see(at(second, seen, resumed=second == 0))
    assert wait.fetched == []


@pytest.mark.parametrize(
    ("build", "more"),
    [
        (machine_os_build(state="Building"), {}),
        (with_job(""), {}),
        (with_job("Interrupted"), {}),
        (with_job(), {"outage": "no connection"}),
    ],
    ids=["no Job", "pending", "interrupted", "outage"],
)
def test_job_is_checked_only_for_a_build_that_runs(build, more):
    wait = Wait(replace(OPTIONS, replacement_grace=1000.0))
    for second in range(0, 400, 50):
        wait.see(at(second, snapshot(CONFIG, build), resumed=second == 0, **more))
    assert wait.fetched == []


def test_progress_resets_the_checks_of_the_job():
    wait = Wait(results={READ_JOB: MISSING, CONFIRM: ReadResult(with_job())})
    job_checks(wait, 74)
    moved = snapshot(CONFIG, with_job(), results={FOLLOW: progress_of(mark="1")})
    assert wait.see(at(75, moved)).findings == ()
    assert wait.see(at(136, moved)).findings == ()
    assert ids(wait.see(at(151, moved))) == ["build.job_deleted"]


# Failure -------------------------------------------------------------------------------------------------------------

FAILED = machine_os_build(state="Failed")
RUN_FAILED = 'No match for argument: tcpdmp\nError: building at STEP "RUN dnf install -y tcpdmp": exit status 1\n'
WHOLE_CONFIG = ReadResult(
    machine_os_config(build="layered-a", containerfile="FROM configs\nRUN dnf install -y tcpdmp\n")
)


def failed_wait(
    *statuses: dict[str, t.Any], text: str = RUN_FAILED, config: ReadResult = WHOLE_CONFIG, seconds: float = 30.0
) -> Wait:
    made = attempts_of(*statuses)
    results: Results = {FinishLogs(RUN, seconds): FinishedLogs(LogProgress(RUN.identity, made), made)}
    results[READ_CONFIG] = config
    for attempt in made:
        for container in attempt.containers:
            results[ReadLogText(attempt, container)] = text
    return Wait(results=results)


def test_failure_is_explained_by_the_log_of_the_last_attempt():
    wait = failed_wait(container_status(exit_code=1))
    last = wait.see(snapshot(CONFIG, FAILED))
    assert (last.outcome, last.state, ids(last)) == (Outcome.FAILED, BuildState.FAILED, ["build.package_not_found"])
    assert last.failure
    assert (last.failure.line, last.failure.instruction) == (2, "RUN dnf install -y tcpdmp")
    message = last.findings[0].message
    assert message.startswith(
        "MachineOSBuild layered-a failed at line 2 of the Containerfile (RUN dnf install -y tcpdmp)"
    )
    assert "No match for argument: tcpdmp" in message
    assert last.findings[0].object.name == "layered-a"
    assert [attempt.number for attempt in last.logs.attempts] == [1]
    assert READ_BUILD not in wait.fetched


def test_failure_is_explained_once():
    wait = failed_wait(container_status(exit_code=1))
    first = wait.see(snapshot(CONFIG, FAILED))
    fetched = len(wait.fetched)
    again = wait.see(snapshot(CONFIG, FAILED, watched=1.0))
    assert len(wait.fetched) == fetched
    assert (again.findings, again.failure, again.logs) == (first.findings, first.failure, first.logs)


def test_failure_of_another_build_is_explained_again():
    wait = failed_wait(container_status(exit_code=1))
    wait.see(snapshot(CONFIG, FAILED))
    other = BuildRun("layered-a", "other", NOON)
    wait.results[FinishLogs(other, 30.0)] = FinishedLogs(LogProgress(other.identity))
    wait.results[READ_BUILD] = UNKNOWN
    last = wait.see(snapshot(CONFIG, machine_os_build(state="Failed", uid="other")))
    assert ids(last) == ["build.failed"]


def test_failure_without_a_log_is_explained_by_the_message_of_the_container():
    last = failed_wait(container_status(exit_code=1, message=RUN_FAILED), text="").see(snapshot(CONFIG, FAILED))
    assert ids(last) == ["build.package_not_found"]


def test_failure_without_pods_is_explained_by_the_condition_of_the_build():
    wait = failed_wait()
    served = machine_os_build(state="Failed")
    (condition,) = [c for c in served["status"]["conditions"] if c["type"] == "Failed"]
    condition["message"] = 'Error: building at STEP "RUN false": exit status 1'
    wait.results[READ_BUILD] = ReadResult(served)
    assert ids(wait.see(snapshot(CONFIG, FAILED))) == ["build.run_failed"]


def test_failure_that_nothing_explains_is_reported_as_such():
    wait = failed_wait(config=UNKNOWN)
    wait.results[READ_BUILD] = UNKNOWN
    last = wait.see(snapshot(CONFIG, FAILED))
    assert ids(last) == ["build.failed"]
    assert last.findings[0].message == "MachineOSBuild layered-a failed"


def rejected_build(message: str = "Build Failed") -> dict[str, t.Any]:
    """Return a build that failed before the operator created its Job."""
    build = machine_os_build(state="Failed")
    del build["status"]["buildStart"]
    (condition,) = [c for c in build["status"]["conditions"] if c["type"] == "Failed"]
    condition["message"] = message
    return build


def rejected_wait(containerfile: str, build: dict[str, t.Any]) -> BuildObservation:
    wait = failed_wait(config=ReadResult(machine_os_config(build="layered-a", containerfile=containerfile)))
    wait.results[READ_BUILD] = ReadResult(build)
    return wait.see(snapshot(CONFIG, build))


def test_build_that_failed_before_its_job_is_explained_by_the_faults_of_the_containerfile():
    last = rejected_wait("FROM configs AS final\n\nRUNN dnf install -y tcpdump\nCPOY a b\n", rejected_build())
    assert (last.outcome, ids(last)) == (Outcome.FAILED, ["build.containerfile_invalid"])
    assert last.findings[0].message == (
        "MachineOSBuild layered-a failed at line 3 of the Containerfile (RUNN dnf install -y tcpdump): "
        "unknown instruction RUNN"
    )
    assert last.findings[0].evidence == "line 3: unknown instruction RUNN\nline 4: unknown instruction CPOY"
    assert last.failure
    assert last.failure.line == 3


def test_build_that_failed_before_its_job_without_from_has_no_line():
    last = rejected_wait("RUN dnf install -y tcpdump\n", rejected_build())
    assert ids(last) == ["build.containerfile_invalid"]
    assert last.findings[0].message == "MachineOSBuild layered-a failed: no FROM instruction"
    assert last.failure
    assert (last.failure.line, last.failure.instruction) == (None, "")


def test_build_that_failed_before_its_job_without_a_fault_names_where_to_look():
    last = rejected_wait("FROM configs AS final\nCOPY a\n", rejected_build())
    assert ids(last) == ["build.failed"]
    assert last.findings[0].message == (
        "MachineOSBuild layered-a failed: the operator created no Job for it and reports no reason"
    )
    assert last.findings[0].evidence == ""
    assert "machine-os-builder" in last.findings[0].remedy


def test_build_that_failed_before_its_job_is_explained_by_the_message_of_a_later_release():
    last = rejected_wait("FROM configs AS final\nCOPY a\n", rejected_build("COPY requires at least two arguments"))
    assert ids(last) == ["build.containerfile_invalid"]
    assert "COPY requires at least two arguments" in last.findings[0].message


def test_build_that_failed_before_its_job_reports_any_other_message():
    last = rejected_wait("FROM configs AS final\nRUN x\n", rejected_build("could not create ConfigMap: quota"))
    assert ids(last) == ["build.failed"]
    assert last.findings[0].message == "MachineOSBuild layered-a failed: could not create ConfigMap: quota"
    assert last.findings[0].evidence == "could not create ConfigMap: quota"
    assert "machine-os-builder" in last.findings[0].remedy


def test_build_that_failed_before_its_job_has_no_faults_without_its_containerfile():
    build = rejected_build()
    wait = failed_wait(config=UNKNOWN)
    wait.results[READ_BUILD] = ReadResult(build)
    assert ids(wait.see(snapshot(CONFIG, build))) == ["build.failed"]


def test_evicted_builder_is_reported_with_the_message_of_its_pod():
    words = "The node was low on resource: ephemeral-storage."
    made = tuple(attempts([build_pod("build-layered-a-x7k2p", reason="Evicted", message=words)]))
    results: Results = {FinishLogs(RUN, 30.0): FinishedLogs(LogProgress(RUN.identity, made), made)}
    wait = Wait(results={**results, READ_CONFIG: WHOLE_CONFIG, READ_BUILD: UNKNOWN})
    last = wait.see(snapshot(CONFIG, FAILED))
    assert ids(last) == ["build.evicted"]
    assert "low on resource" in last.findings[0].message


def test_logs_that_were_followed_have_less_time_to_end():
    wait = failed_wait(container_status(exit_code=1), seconds=1.0)
    followed = progress_of(container_status(exit_code=1))
    last = wait.see(snapshot(CONFIG, FAILED, results={FOLLOW: followed}))
    assert ids(last) == ["build.package_not_found"]
    assert FOLLOW in last.needs


def test_failure_is_not_explained_during_an_outage():
    wait = failed_wait(container_status(exit_code=1))
    last = wait.see(snapshot(CONFIG, FAILED, outage="no connection"))
    assert (last.outcome, ids(last), wait.fetched) == (Outcome.FAILED, ["build.failed"], [])
    assert ids(wait.see(snapshot(CONFIG, FAILED))) == ["build.package_not_found"]


def test_problems_with_logs_follow_the_cause():
    wait = failed_wait(container_status(exit_code=1))
    (finish,) = [need for need in wait.results if isinstance(need, FinishLogs)]
    ended = wait.results[finish]
    wait.results[finish] = replace(ended, progress=replace(ended.progress, unwritten="disk full"))
    assert ids(wait.see(snapshot(CONFIG, FAILED))) == ["build.package_not_found", "build.log_not_saved"]


def test_interrupted_build_that_was_not_followed_reads_no_logs():
    last = Wait(replace(OPTIONS, replacement_grace=0.0)).see(snapshot(CONFIG, machine_os_build(state="Interrupted")))
    assert (last.outcome, last.needs, last.failure) == (Outcome.FAILED, (), None)


# Failed attempts of a running build -----------------------------------------------------------------------------------

BUILDING = machine_os_build(state="Building")


def attempts_wait(limit: int, *statuses: dict[str, t.Any], log: str = "error: no such package") -> Wait:
    """Return a wait whose log source has the log of each attempt."""
    made = attempts_of(*statuses)
    finished = FinishedLogs(LogProgress(RUN.identity, made), made)
    results: Results = {READ_CONFIG: ReadResult(CONFIG), FinishLogs(RUN, 1.0): finished}
    for attempt in made:
        container = attempt.deciding_container
        assert container
        results[ReadLogText(attempt, container)] = log
    return Wait(replace(OPTIONS, max_build_attempts=limit), results)


def building(*statuses: dict[str, t.Any]) -> Snapshot:
    return snapshot(CONFIG, BUILDING, results={FOLLOW: progress_of(*statuses)})


BUILD_LOG = """\
[3/3] STEP 1/3: FROM 001122 AS final
[3/3] STEP 2/3: RUN dnf install -y tcpdmp
No match for argument: tcpdmp
Error: Unable to find a match: tcpdmp
Error: building at STEP "RUN dnf install -y tcpdmp": while running runtime: exit status 1
"""
BUILT = machine_os_config(containerfile="FROM configs AS final\nRUN dnf install -y tcpdmp\nRUN true\n")


def test_failed_attempt_of_running_build_is_a_finding_with_the_full_diagnosis():
    wait = attempts_wait(0, container_status(exit_code=1), log=BUILD_LOG)
    wait.results[READ_CONFIG] = ReadResult(BUILT)
    last = wait.see(building(container_status(exit_code=1)))
    assert last.outcome is Outcome.WAITING
    assert last.limit is None
    (finding,) = last.findings
    assert str(finding.id) == "build.attempt_failed"
    assert finding.object.kind == "Pod"
    assert finding.message == (
        "MachineOSBuild layered-a: attempt 1 of 4 failed at line 2 of the Containerfile (RUN dnf install -y tcpdmp): "
        "while running runtime: exit status 1: Error: Unable to find a match: tcpdmp (build.package_not_found)"
    )
    assert finding.remedy == FINDINGS[FindingId.BUILD_PACKAGE_NOT_FOUND].remedy
    assert "Unable to find a match: tcpdmp" in finding.evidence


def test_progress_line_names_the_line_of_the_containerfile():
    wait = attempts_wait(0, container_status(exit_code=1), log=BUILD_LOG)
    wait.results[READ_CONFIG] = ReadResult(BUILT)
    last = wait.see(building(container_status(exit_code=1)))
    assert last.progress == (
        "build layered-a: building, attempt 1 of 4 failed at line 2: "
        "while running runtime: exit status 1: Error: Unable to find a match: tcpdmp"
    )


def test_attempt_failed_when_its_builder_failed_although_another_container_never_starts():
    """On 4.20 the builder is an init container. The container after it waits for ever."""
    waiting = {"name": "create-digest-configmap", "state": {"waiting": {"reason": "PodInitializing"}}}
    statuses = (container_status(exit_code=1), waiting)
    assert ids(attempts_wait(0, *statuses).see(building(*statuses))) == ["build.attempt_failed"]


def test_attempt_failed_when_its_builder_failed_although_another_container_runs():
    """On 4.19 the other container waits for the builder."""
    statuses = (container_status(exit_code=1), container_status("wait-for-done", None))
    assert ids(attempts_wait(0, *statuses).see(building(*statuses))) == ["build.attempt_failed"]


def test_attempt_whose_pod_was_deleted_while_it_ran_is_a_failed_one():
    pod = {**build_pod("build-layered-a-x7k2p", container_status(exit_code=None)), "deleted": True}
    made = tuple(attempts([pod]))
    wait = attempts_wait(0)
    wait.results[ReadLogText(made[0], made[0].containers[0])] = "installing packages"
    last = wait.see(snapshot(CONFIG, BUILDING, results={FOLLOW: LogProgress(RUN.identity, made)}))
    assert ids(last) == ["build.attempt_failed"]
    assert "The pod was deleted before its containers ended." in last.findings[0].message
    assert "(build.evicted)" in last.findings[0].message


def test_pod_that_was_deleted_after_its_end_is_no_failed_attempt():
    pod = {**build_pod("build-layered-a-x7k2p", container_status(exit_code=0)), "deleted": True}
    made = tuple(attempts([pod]))
    last = attempts_wait(0).see(snapshot(CONFIG, BUILDING, results={FOLLOW: LogProgress(RUN.identity, made)}))
    assert ids(last) == []


def test_attempt_whose_log_is_gone_is_explained_by_the_message_in_its_status():
    status = container_status(exit_code=1, message=BUILD_LOG)
    wait = attempts_wait(0, status, log="")
    wait.results[READ_CONFIG] = ReadResult(BUILT)
    assert "(build.package_not_found)" in wait.see(building(status)).findings[0].message


def test_log_of_failed_attempt_is_read_once():
    wait = attempts_wait(0, container_status(exit_code=1))
    for dummy in range(3):
        last = wait.see(building(container_status(exit_code=1)))
    assert len(wait.fetched) == 2
    assert ids(last) == ["build.attempt_failed"]


@pytest.mark.parametrize("exit_code", [None, 0])
def test_running_or_succeeded_attempt_is_no_failed_attempt(exit_code):
    wait = attempts_wait(1)
    last = wait.see(building(container_status(exit_code=exit_code)))
    assert (ids(last), last.limit) == ([], None)


@pytest.mark.parametrize(("limit", "ends"), [(0, False), (1, True), (2, False)])
def test_wait_ends_at_max_build_attempts(limit, ends):
    wait = attempts_wait(limit, container_status(exit_code=1))
    found = wait.see(building(container_status(exit_code=1))).limit
    assert (found is not None) is ends
    assert not found or found.message.endswith(". The operator continues with further attempts")


def pods_in_order(*statuses: dict[str, t.Any]) -> tuple[Attempt, ...]:
    hours = range(12, 24)
    return tuple(
        attempts(
            build_pod(f"build-layered-a-{hour}", status, created=f"2026-03-01T{hour}:00:00Z")
            for hour, status in zip(hours, statuses)
        )
    )


def several_attempts_wait(limit: int, made: tuple[Attempt, ...]) -> BuildObservation:
    wait = attempts_wait(limit)
    wait.results[FinishLogs(RUN, 1.0)] = FinishedLogs(LogProgress(RUN.identity, made), made)
    for attempt in made:
        container = t.cast(Container, attempt.deciding_container)
        wait.results[ReadLogText(attempt, container)] = f"error: reason {attempt.number}"
    return wait.see(snapshot(CONFIG, BUILDING, results={FOLLOW: LogProgress(RUN.identity, made)}))


def test_limit_at_the_last_attempt_promises_no_further_one():
    last = several_attempts_wait(4, pods_in_order(*[container_status(exit_code=1)] * 4))
    assert last.limit
    assert last.limit.message.endswith(": error: reason 4 (build.failed)")


def test_attempts_that_failed_while_the_wait_was_away_are_findings_of_their_own():
    running = container_status(exit_code=None)
    last = several_attempts_wait(
        0, pods_in_order(container_status(exit_code=1), container_status(exit_code=1), running)
    )
    assert [finding.message.partition(" (")[0] for finding in last.findings] == [
        "MachineOSBuild layered-a: attempt 1 of 4 failed: error: reason 1",
        "MachineOSBuild layered-a: attempt 2 of 4 failed: error: reason 2",
    ]
    assert last.progress == "build layered-a: building, attempt 2 of 4 failed: error: reason 2"


def test_attempt_of_a_job_that_was_created_again_is_not_counted_beyond_the_last():
    last = several_attempts_wait(0, pods_in_order(*[container_status(exit_code=1)] * 5))
    assert last.progress == "build layered-a: building, attempt 5 failed: error: reason 5"


def test_second_failed_attempt_is_another_finding():
    first = build_pod("build-layered-a-x7k2p", container_status(exit_code=1))
    second = build_pod("build-layered-a-z9q4d", container_status(exit_code=1), created="2026-03-01T13:00:00Z")
    made = tuple(attempts([first, second]))
    wait = attempts_wait(0)
    for attempt in made:
        wait.results[ReadLogText(attempt, t.cast(Container, attempt.deciding_container))] = "error: x"
    last = wait.see(snapshot(CONFIG, BUILDING, results={FOLLOW: LogProgress(RUN.identity, made)}))
    assert len({finding.object for finding in last.findings}) == 2
    assert "attempt 2 of 4 failed" in last.progress


def test_deleted_pod_does_not_make_a_later_attempt_an_explained_one():
    first = build_pod("build-layered-a-x7k2p", container_status(exit_code=1))
    second = build_pod("build-layered-a-z9q4d", container_status(exit_code=1), created="2026-03-01T13:00:00Z")
    wait = attempts_wait(2, container_status(exit_code=1))
    wait.see(building(container_status(exit_code=1)))
    made = tuple(attempts([second]))
    wait.results[ReadLogText(made[0], t.cast(Container, made[0].deciding_container))] = "error: x"
    last = wait.see(snapshot(CONFIG, BUILDING, results={FOLLOW: LogProgress(RUN.identity, made)}))
    assert last.limit is not None
    assert "attempt 2 of 4 failed" in last.progress
    assert first != second


def test_attempts_of_an_earlier_build_do_not_count():
    wait = attempts_wait(1, container_status(exit_code=1))
    wait.see(building(container_status(exit_code=1)))
    rebuilt = machine_os_build(state="Building", uid="another")
    last = wait.see(snapshot(CONFIG, rebuilt))
    assert (ids(last), last.limit) == ([], None)


def test_log_is_not_read_while_the_api_server_is_away():
    wait = attempts_wait(1, container_status(exit_code=1))
    last = wait.see(replace(building(container_status(exit_code=1)), outage="connection refused"))
    assert (wait.fetched, ids(last)) == ([], [])


# The spec of the run ------------------------------------------------------------------------------------------------

BOUND = replace(OPTIONS, run=RunSpec("sha256:other"))


def test_change_of_the_spec_ends_the_wait_of_a_run_and_names_the_client():
    last = Wait(BOUND).see(snapshot(CONFIG, machine_os_build(state="Building")))
    assert last.outcome is Outcome.FAILED
    assert last.error == WaitError(
        "MachineOSConfig layered was changed by imagemode.openshift after this run wrote it",
        "Run again to write the spec of this run, or keep the other change",
    )


def test_deletion_of_the_config_ends_the_wait_of_a_run():
    last = Wait(BOUND).see(snapshot(None))
    assert "was deleted after this run wrote it" in last.error.reason


def test_same_spec_does_not_end_the_wait_of_a_run():
    run = RunSpec(MachineOSConfig.from_api(CONFIG).spec_hash)
    last = Wait(replace(OPTIONS, run=run)).see(snapshot(CONFIG, machine_os_build(state="Building")))
    assert (last.outcome, last.error) == (Outcome.WAITING, None)


def test_check_mode_is_bound_to_no_spec():
    last = Wait(replace(BOUND, check_mode=True)).see(snapshot(CONFIG, machine_os_build(state="Building")))
    assert last.error is None


def test_config_without_its_pool_is_reported_with_each_observation():
    seen = snapshot(CONFIG, machine_os_build(state="Building"))
    gone = MachineOSConfig.from_api(machine_os_config("gone", pool="gone"))
    configs = [gone, *seen.all(CONFIGS)]
    last = Wait().see(replace(seen, objects={**seen.objects, "MachineOSConfig": configs}))
    assert ids(last) == ["cluster.orphaned_machineosconfig"]
