# SPDX-License-Identifier: GPL-3.0-or-later
"""machineosbuild_wait against real builds: those that succeed, fail, are interrupted, or look like another one."""

from __future__ import annotations

import typing as t

import pytest
from lab.faults import Fault, FaultProxy
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.scenario import WaitCase
from lab.scenarios.stage import BUILDS, CONFIGS, JOBS, SECRETS, Stage
from polling import wait_until
from pools import PoolPlan, build_wait_task, containerfile, create_tasks, edit_task, wait_for_build

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from conftest import During, NewAnsible
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import Pools

FAILING = PoolPlan(config={"containerfile": containerfile("echo no such luck >&2; exit 7")})
REBUILT = "rebuilt"


def finding_ids(result: TaskResult) -> list[str]:
    """Return the ids of the findings of a task."""
    return [finding["id"] for finding in result["findings"]]


def current_image(api: Api, pool: str) -> str:
    """Return the image that the status of a MachineOSConfig names."""
    return str(api.get(f"{CONFIGS}/{pool}")["status"]["currentImagePullSpec"])


def test_finished_build_is_returned_at_once_with_the_digest_of_the_config(
    ansible: Ansible, api: Api, pools: Pools
) -> None:
    pool = pools.built("rolled-out")
    waited, dummy = ansible.run_module("machineosbuild_wait", {"pool": pool.name})
    assert not waited.failed, waited.msg
    assert waited["finished"]
    assert waited["build"]["state"] == "succeeded"
    assert waited["build"]["digested_image_push_spec"] == current_image(api, pool.name)


def test_progress_lines_name_the_state_of_the_build_and_can_be_turned_off(ansible: Ansible, pools: Pools) -> None:
    pool = pools.built("rolled-out")
    dummy, verbose = ansible.run_module("machineosbuild_wait", {"pool": pool.name})
    assert f"build {pool.build['build']['name']}: succeeded" in verbose.stdout
    dummy, silent = ansible.run_module("machineosbuild_wait", {"pool": pool.name, "progress": "none"})
    assert "succeeded" not in silent.stdout


@pytest.mark.wait_case(WaitCase.PREVIOUS_BUILD_EXISTS)
def test_wait_after_an_edit_returns_the_build_of_the_edit(ansible: Ansible, lab: Facts, api: Api, pools: Pools) -> None:
    first = pools.built("edited")
    run = ansible.run_tasks([edit_task(lab, "edited", "echo again > /etc/pool"), build_wait_task("edited")])
    assert run.rc == 0, run.output
    second = run.of("Build")
    assert second["build"]["name"] != first.build["build"]["name"]
    assert second["build"]["digested_image_push_spec"] != first.image
    assert current_image(api, "edited") == second["build"]["digested_image_push_spec"]


@pytest.mark.wait_case(WaitCase.BUILD_FAILED)
def test_failed_build_is_reported_with_the_output_of_the_builder(ansible: Ansible, lab: Facts) -> None:
    run = ansible.run_tasks([*create_tasks(lab, "failing", FAILING), build_wait_task("failing")], "-vvv")
    assert run.rc != 0
    failed = run.of("Build")
    assert failed["build"]["state"] == "failed"
    assert failed.msg.startswith("Could not await the build of MachineConfigPool failing: MachineOSBuild failing-")
    assert "exit status 7" in failed.msg
    assert finding_ids(failed)[0] == "build.run_failed"
    assert "Traceback" not in run.output


def test_timeout_reports_how_long_the_wait_took(ansible: Ansible, lab: Facts) -> None:
    run = ansible.run_tasks([*create_tasks(lab, "timed-out"), build_wait_task("timed-out", timeout=3)])
    late = run.of("Build")
    assert late.failed
    assert late.msg.startswith("Could not await the build of MachineConfigPool timed-out: not done after 3 s")
    assert not late["finished"]


@pytest.mark.wait_case(WaitCase.API_INTERRUPTED)
def test_wait_survives_503_410_and_closed_watches(ansible: Ansible, lab: Facts, new_ansible: NewAnsible) -> None:
    pool = "interrupted-api"
    assert ansible.run_tasks(create_tasks(lab, pool)).rc == 0
    faults = (
        Fault("answer", status=503, verbs=("list",), requests=2),
        Fault("answer", status=410, verbs=("watch",), requests=2),
        Fault("cut", verbs=("watch",), after_bytes=2000, seconds=15),
    )
    with FaultProxy(lab).having(*faults):
        run = new_ansible(lab.kubeconfig_through_faults).run_tasks([build_wait_task(pool)])
    assert run.rc == 0, run.output
    assert run.of("Build")["build"]["state"] == "succeeded"


@pytest.mark.wait_case(WaitCase.BUILD_NAME_REUSED)
def test_build_with_reused_name_is_not_mistaken_for_previous_build(
    session_ansible: Ansible, api: Api, play: t.Callable[..., str], pools: Pools
) -> None:
    before = pools.built(REBUILT).build["build"]
    play("build-again", REBUILT)
    again = wait_for_build(session_ansible, REBUILT).build["build"]
    assert again["name"] == before["name"]
    assert again["uid"] != before["uid"]
    assert again["digested_image_push_spec"] != before["digested_image_push_spec"]
    assert current_image(api, REBUILT) == again["digested_image_push_spec"]


@pytest.mark.wait_case(WaitCase.ANNOTATION_STALE)
def test_annotation_that_names_a_missing_build_does_not_mislead_the_wait(
    session_ansible: Ansible, play: t.Callable[..., str], pools: Pools
) -> None:
    current = pools.built(REBUILT)
    play("stale-annotation", REBUILT)
    # The operator corrects the annotation; a wait that believed it would find no build, or the wrong one.
    assert wait_for_build(session_ansible, REBUILT).build["build"]["uid"] == current.build["build"]["uid"]


@pytest.mark.wait_case(WaitCase.TWO_BUILDS)
def test_second_build_after_the_builder_was_evicted_is_not_mistaken_for_the_first(
    session_ansible: Ansible, during: During, pools: Pools
) -> None:
    current = pools.built(REBUILT)
    with during("two-builds", REBUILT):
        assert wait_for_build(session_ansible, REBUILT).build["build"]["uid"] == current.build["build"]["uid"]


@pytest.mark.wait_case(WaitCase.BUILD_INTERRUPTED)
def test_interrupted_build_is_reported_and_the_build_of_an_edit_replaces_it(
    ansible: Ansible, lab: Facts, api: Api
) -> None:
    stage = Stage(lab, api, "interrupted")
    SCENARIOS["build-hangs"].play(stage)
    wait_until(lambda: stage.named_build() and stage.find(JOBS, f"build-{stage.named_build()}"))
    SCENARIOS["build-interrupted"].play(stage)
    named = ansible.run_tasks([build_wait_task(stage.pool, replacement_grace=5)]).of("Build")
    assert named.failed
    assert finding_ids(named) == ["build.interrupted"]

    run = ansible.run_tasks([edit_task(lab, stage.pool, "echo found > /etc/pool"), build_wait_task(stage.pool)])
    assert run.rc == 0, run.output
    assert run.of("Build")["build"]["uid"] != named["build"]["uid"]


@pytest.mark.wait_case(WaitCase.PUSH_DENIED)
def test_denied_push_is_reported_and_a_corrected_secret_with_a_deleted_build_repairs_it(
    ansible: Ansible, lab: Facts, api: Api
) -> None:
    stage = Stage(lab, api, "expired")
    SCENARIOS["push-denied"].play(stage)
    denied = ansible.run_tasks([build_wait_task(stage.pool)]).of("Build")
    assert denied.failed
    assert denied["build"]["state"] == "failed"
    assert "unauthorized: authentication required" in denied.msg
    assert finding_ids(denied)[0] == "build.push_denied"
    assert "then delete the MachineOSBuild" in denied["findings"][0]["remedy"]

    secret = stage.config()["spec"]["renderedImagePushSecret"]["name"]
    api.patch(f"{SECRETS}/{secret}", {"data": api.get(f"{SECRETS}/push")["data"]})
    api.delete(f"{BUILDS}/{denied['build']['name']}")
    repaired = wait_for_build(ansible, stage.pool).build["build"]
    assert (repaired["name"], repaired["state"]) == (denied["build"]["name"], "succeeded")
    assert repaired["uid"] != denied["build"]["uid"]
