# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator does on its way from an edit to a rollout, on each release of a lab, and what a wait makes of it.

The releases differ in what they do with an older build, a rebuild and a deleted Job; the answer of a wait is the same:
the build of the present spec, or a finding that says why there is none.
"""

from __future__ import annotations

import base64
import json
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab.kube_rest import ApiError
from lab.scenarios.catalogue import SCENARIOS
from lab.scenarios.stage import BUILDS as BUILDS_PATH
from lab.scenarios.stage import CONFIGS, JOBS, NODES, POOLS, SECRETS, Stage
from pools import BUILD_TIMEOUT, ROLLOUT_TIMEOUT, build_pools, build_wait_task, config_options, containerfile

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

EDITED, REBUILT, LEFT, HELD = "edited", "rebuilt", "left", "held"
REBUILD = "machineconfiguration.openshift.io/rebuild"


@pytest.fixture(scope="session")
def built(session_ansible: Ansible, lab: Facts) -> t.Mapping[str, BuiltPool]:
    """The pools that the tests begin with, by name: their images are built side by side."""
    return build_pools(session_ansible, lab, EDITED, REBUILT, LEFT)


def finding_ids(result: TaskResult) -> list[str]:
    """Return what a task found."""
    return [finding["id"] for finding in result["findings"]]


def edit(lab: Facts, pool: str, line: str) -> dict[str, t.Any]:
    """Return the task ``Edit``, which changes the image of a pool by one line."""
    return {
        "name": "Edit",
        "imagemode.openshift.machineosconfig": config_options(lab, pool, containerfile=containerfile(line)),
    }


def image_of(api: Api, pool: str) -> str:
    """Return the image that a MachineOSConfig carries."""
    return str(api.get(f"{CONFIGS}/{pool}")["status"]["currentImagePullSpec"])


def create_config(api: Api, lab: Facts, pool: str, **spec: t.Any) -> None:
    """Create a pool and its MachineOSConfig as somebody does who does not use the collection."""
    stage = Stage(lab, api, pool)
    stage.apply_config(f"RUN echo {pool} > /etc/pool", **spec)


def test_a_b_an_edit_has_its_own_build_and_the_edit_back_has_the_one_before_again(
    session_ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    first = built[EDITED].build["build"]
    forward = session_ansible.run_tasks([edit(lab, EDITED, "echo forward > /etc/pool"), build_wait_task(EDITED)])
    assert forward.rc == 0, forward.output
    second = forward.of("Build")["build"]
    assert second["name"] != first["name"]
    assert image_of(api, EDITED) == second["digested_image_push_spec"] != first["digested_image_push_spec"]

    back = session_ansible.run_tasks([edit(lab, EDITED, f"echo {EDITED} > /etc/pool"), build_wait_task(EDITED)])
    assert back.rc == 0, back.output
    assert back.of("Build")["build"]["uid"] == first["uid"]
    assert image_of(api, EDITED) == first["digested_image_push_spec"]


def test_c_a_wait_that_began_before_an_edit_ends_with_the_build_of_the_edit(
    session_ansible: Ansible, ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    known = {build["metadata"]["name"] for build in api.get(BUILDS_PATH)["items"]}
    began = session_ansible.run_tasks([edit(lab, EDITED, "sleep 60; echo slow > /etc/pool")])
    assert began.rc == 0, began.output
    slow = await_new_build(api, EDITED, known)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(ansible.run_tasks, [build_wait_task(EDITED)])
        await_condition(api, slow, "Building")
        edited = session_ansible.run_tasks([edit(lab, EDITED, "echo quick > /etc/pool")])
        assert edited.rc == 0, edited.output
        run = waiting.result()
    assert run.rc == 0, run.output
    quick = run.of("Build")["build"]
    assert quick["name"] != slow
    assert image_of(api, EDITED) == quick["digested_image_push_spec"]
    assert not exists(api, f"{BUILDS_PATH}/{slow}")


def test_d_a_rebuild_is_answered_by_another_build_of_the_same_name_or_called_interrupted(
    session_ansible: Ansible, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    """On 4.19 some rebuilds end Interrupted: a clean-up by name, five seconds late, hits the new Job."""
    before = built[REBUILT].build["build"]
    api.patch(f"{CONFIGS}/{REBUILT}", {"metadata": {"annotations": {REBUILD: ""}}})
    patient = {"pool": REBUILT, "timeout": BUILD_TIMEOUT, "replacement_grace": 20}
    run = session_ansible.run_tasks([{"name": "Build", "imagemode.openshift.machineosbuild_wait": patient}])
    again = run.of("Build")
    assert again["build"]["name"] == before["name"], run.output
    assert again["build"]["uid"] != before["uid"], run.output
    if not again.failed:
        assert image_of(api, REBUILT) == again["build"]["digested_image_push_spec"]
        assert again["build"]["digested_image_push_spec"] != before["digested_image_push_spec"]
        return
    assert finding_ids(again) == ["build.interrupted"], run.output
    # The remedy that the finding names.
    api.delete(f"{BUILDS_PATH}/{before['name']}")
    mended = session_ansible.run_tasks([build_wait_task(REBUILT)])
    assert mended.rc == 0, mended.output
    assert mended.of("Build")["build"]["uid"] not in (before["uid"], again["build"]["uid"])


def test_d_a_rebuild_that_the_operator_did_not_hear_of_is_told_and_begins_when_it_is_asked_for_again(
    session_ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    config, before = f"{CONFIGS}/{EDITED}", session_ansible.run_tasks([build_wait_task(EDITED)]).of("Build")["build"]
    with Stage(lab, api, EDITED).builder_away():
        api.patch(config, {"metadata": {"annotations": {REBUILD: ""}}})
    impatient = {"pool": EDITED, "timeout": BUILD_TIMEOUT, "replacement_grace": 20}
    run = session_ansible.run_tasks([{"name": "Build", "imagemode.openshift.machineosbuild_wait": impatient}])
    assert finding_ids(run.of("Build")) == ["build.rebuild_not_started"], run.output
    assert "take the annotation away and write it again" in run.of("Build").msg
    api.patch(config, {"metadata": {"annotations": {REBUILD: None}}})
    api.patch(config, {"metadata": {"annotations": {REBUILD: ""}}})
    begun = session_ansible.run_tasks([{"name": "Build", "imagemode.openshift.machineosbuild_wait": impatient}]).of(
        "Build"
    )
    assert begun["build"]["uid"] != before["uid"], begun.msg
    assert not begun.failed or finding_ids(begun) == ["build.interrupted"]


def test_e_a_missing_push_secret_is_named_and_the_build_starts_once_it_is_there(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    create_config(api, lab, "secretless", renderedImagePushSecret={"name": "not-there"})
    wait = {
        "name": "Build",
        "imagemode.openshift.machineosbuild_wait": {"pool": "secretless", "timeout": BUILD_TIMEOUT},
    }
    named = session_ansible.run_tasks([wait]).of("Build")
    assert named.failed
    assert finding_ids(named)[0] == "build.secret_missing"
    assert "Secret not-there does not exist" in named.msg
    Stage(lab, api, "secretless").write_secret(SECRETS, "not-there", pusher(api))
    assert session_ansible.run_tasks([wait]).rc == 0


def pusher(api: Api) -> dict[str, t.Any]:
    """Return the credentials that push."""
    data = api.get(f"{SECRETS}/push")["data"][".dockerconfigjson"]
    parsed: dict[str, t.Any] = json.loads(base64.b64decode(data))
    return parsed


def test_f_a_build_whose_image_the_operator_cannot_take_is_named(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    SCENARIOS["build-stays-building"].play(Stage(lab, api, "segments"))
    named = session_ansible.run_tasks([build_wait_task("segments")]).of("Build")
    assert named.failed
    assert finding_ids(named) == ["build.result_not_recorded"]
    assert named["build"]["state"] == "building"
    mend = {
        "name": "Mend",
        "imagemode.openshift.machineosconfig": {
            "pool": "segments",
            "rendered_image_push_spec": f"{lab.registry_host}/lab/segments:latest",
        },
    }
    mended = session_ansible.run_tasks([mend, build_wait_task("segments")])
    assert mended.rc == 0, mended.output


def test_g_a_pool_whose_name_is_too_long_is_named(session_ansible: Ansible, lab: Facts, api: Api) -> None:
    scenario = SCENARIOS["pool-name-too-long"]
    scenario.play(Stage(lab, api, ""))
    long = "a-pool-of-22-character"
    try:
        named = session_ansible.run_tasks([build_wait_task(long)]).of("Build")
    finally:
        assert scenario.undo is not None
        scenario.undo(Stage(lab, api, ""))  # or the operator tries it for ever, and everything else waits
    assert named.failed
    assert finding_ids(named) == ["build.pool_name_too_long"]


def test_h_a_build_whose_job_was_deleted_is_interrupted_until_it_is_made_again(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    stage = Stage(lab, api, "jobless")
    SCENARIOS["build-hangs"].play(stage)
    name = await_new_build(api, "jobless", set())
    await_condition(api, name, "Building")
    api.delete(f"{JOBS}/build-{name}?propagationPolicy=Background")
    impatient = {"pool": "jobless", "timeout": BUILD_TIMEOUT, "replacement_grace": 5}
    run = session_ansible.run_tasks([{"name": "Build", "imagemode.openshift.machineosbuild_wait": impatient}])
    assert finding_ids(run.of("Build")) == ["build.interrupted"], run.output
    edited = session_ansible.run_tasks([edit(lab, "jobless", "echo done > /etc/pool"), build_wait_task("jobless")])
    assert edited.rc == 0, edited.output
    assert edited.of("Build")["build"]["name"] != name


def test_a_file_alone_is_answered_by_a_build_that_needs_no_job_or_by_one_that_runs(
    session_ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    """As of 4.20 a rendered config that needs no other image has a build that is Succeeded at once, with that image."""
    before = session_ansible.run_tasks([build_wait_task(REBUILT)]).of("Build")["build"]
    rendered = api.get(f"{POOLS}/{REBUILT}")["spec"]["configuration"]["name"]
    SCENARIOS["file-added"].play(Stage(lab, api, REBUILT))
    for event in api.follow(POOLS, fieldSelector=f"metadata.name={REBUILT}"):
        if event.object["spec"]["configuration"]["name"] != rendered:
            break
    after = session_ansible.run_tasks([build_wait_task(REBUILT)]).of("Build")
    assert not after.failed, after.msg
    assert after["build"]["name"] != before["name"]
    assert image_of(api, REBUILT) == after["build"]["digested_image_push_spec"]
    same = after["build"]["digested_image_push_spec"] == before["digested_image_push_spec"]
    assert same is not lab.release.startswith("4.19")


GONE = {"4.19": "build.job_deleted", "4.20": "build.interrupted"}
"""What a wait says of a Job that was deleted after a failed attempt, by release: 4.19 takes it for one that runs."""


SETTLED = 12
"""Seconds after which the operator has nothing more to do for a build that has begun. What it does later than five
seconds after an event finds no Job where one was just deleted, and starts another."""


def test_h_a_build_whose_job_was_deleted_after_a_failed_attempt_is_named_though_it_stays_building(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    pool = "jobless-too"
    stage = Stage(lab, api, pool)
    SCENARIOS["build-hangs"].play(stage)
    name = await_new_build(api, pool, set())
    await_condition(api, name, "Building")
    SCENARIOS["build-evicted"].play(stage)
    await_job(api, name, lambda status: status.get("failed") == 1 and status.get("active") == 1)
    time.sleep(SETTLED)
    api.delete(f"{JOBS}/build-{name}?propagationPolicy=Background")
    impatient = {"pool": pool, "timeout": BUILD_TIMEOUT, "replacement_grace": 5}
    run = session_ansible.run_tasks([{"name": "Build", "imagemode.openshift.machineosbuild_wait": impatient}])
    assert finding_ids(run.of("Build")) == [GONE[lab.release.rpartition(".")[0]]], run.output
    stage.restore_config()
    api.delete(f"{POOLS}/{pool}")


def rollout_wait(pool: str, **options: t.Any) -> dict[str, t.Any]:
    """Return the task ``Roll``, which waits for the nodes of a pool."""
    wait = {"pool": pool, "timeout": ROLLOUT_TIMEOUT, **options}
    return {"name": "Roll", "imagemode.openshift.machineconfigpool_wait": wait}


def join(pool: str, node: str) -> dict[str, t.Any]:
    """Return the task ``Join``, which brings a node into a pool."""
    return {"name": "Join", "imagemode.openshift.machineconfigpool_nodes": {"pool": pool, "nodes": [node]}}


def test_i_a_removed_config_is_a_rollout_of_its_own_back_to_the_image_of_the_cluster(
    session_ansible: Ansible, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    run = session_ansible.run_tasks([join(LEFT, "worker-0"), rollout_wait(LEFT)])
    assert run.rc == 0, run.output
    assert run.of("Roll")["nodes"][0]["current_image"] == built[LEFT].image
    remove = {"pool": LEFT, "state": "absent"}
    back = session_ansible.run_tasks(
        [{"name": "Remove", "imagemode.openshift.machineosconfig": remove}, rollout_wait(LEFT)]
    )
    assert back.rc == 0, back.output
    (node,) = back.of("Roll")["nodes"]
    assert (node["phase"], node["current_image"], node["desired_image"]) == ("done", None, None)
    annotations = api.get(f"{NODES}/worker-0")["metadata"]["annotations"]
    assert "machineconfiguration.openshift.io/currentImage" not in annotations


def test_j_a_paused_pool_builds_and_its_rollout_is_named_as_paused_until_it_is_released(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    created = {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": HELD}}
    arrived = session_ansible.run_tasks([created, join(HELD, "worker-1"), rollout_wait(HELD)])
    assert arrived.rc == 0, arrived.output
    await_settled(api, HELD)
    hold = {"name": "Hold", "imagemode.openshift.machineconfigpool": {"pool": HELD, "paused": True}}
    config = {"name": "Config", "imagemode.openshift.machineosconfig": config_options(lab, HELD)}
    held = session_ansible.run_tasks([hold, config, build_wait_task(HELD), rollout_wait(HELD)])
    assert held.of("Build")["build"]["state"] == "succeeded"
    assert held.of("Roll").failed
    assert finding_ids(held.of("Roll")) == ["pool.paused"]
    annotations = api.get(f"{NODES}/worker-1")["metadata"]["annotations"]
    assert "machineconfiguration.openshift.io/desiredImage" not in annotations
    release = {"name": "Release", "imagemode.openshift.machineconfigpool": {"pool": HELD, "paused": False}}
    done = session_ansible.run_tasks([release, rollout_wait(HELD)])
    assert done.rc == 0, done.output
    assert done.of("Roll")["nodes"][0]["current_image"] == image_of(api, HELD)


def test_a_build_that_does_not_start_since_nodes_came_too_early_is_told_and_starts_without_them(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    """As of 4.20; 4.19 builds."""
    pool = "too-early"
    paused = {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": pool, "paused": True}}
    config = {"name": "Config", "imagemode.openshift.machineosconfig": config_options(lab, pool)}
    run = session_ansible.run_tasks([paused, join(pool, "worker-2"), config, build_wait_task(pool)])
    if lab.release.startswith("4.19"):
        assert run.rc == 0, run.output
        return
    assert finding_ids(run.of("Build")) == ["build.pool_not_updated", "build.not_started"], run.output
    out = {"pool": pool, "nodes": ["worker-2"], "state": "absent"}
    mended = session_ansible.run_tasks(
        [{"name": "Out", "imagemode.openshift.machineconfigpool_nodes": out}, build_wait_task(pool)]
    )
    assert mended.rc == 0, mended.output


def await_settled(api: Api, pool: str) -> None:
    """Return when the status of a pool names its configuration, as it does once all its nodes have it."""
    for event in api.follow(POOLS, fieldSelector=f"metadata.name={pool}"):
        if event.object["status"].get("configuration", {}).get("name"):
            return


def exists(api: Api, path: str) -> bool:
    """Whether there is an object."""
    try:
        api.get(path)
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True


def await_new_build(api: Api, pool: str, known: t.Collection[str]) -> str:
    """Return the name of a pool's build as soon as there is one beside those that are known."""
    target = "machineconfiguration.openshift.io/target-machine-config-pool"
    for event in api.follow(BUILDS_PATH, labelSelector=f"{target}={pool}"):
        if event.name not in known:
            return event.name
    raise AssertionError


def await_job(api: Api, build: str, is_reached: t.Callable[[t.Mapping[str, t.Any]], bool]) -> None:
    """Return when the status of a build's Job is as it should be."""
    for event in api.follow(JOBS, fieldSelector=f"metadata.name=build-{build}"):
        if is_reached(event.object.get("status") or {}):
            return


def await_condition(api: Api, build: str, condition: str) -> None:
    """Return when a condition of a build is True."""
    for event in api.follow(BUILDS_PATH, fieldSelector=f"metadata.name={build}"):
        conditions = (event.object.get("status") or {}).get("conditions") or []
        if any(c["type"] == condition and c["status"] == "True" for c in conditions):
            return
