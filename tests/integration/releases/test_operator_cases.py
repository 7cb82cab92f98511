# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator from an edit to a rollout on each release, and the result of a wait.

The releases differ in how they treat an older build, a rebuild and a deleted Job. The wait returns the same on both:
the build of the current spec, or a finding that explains why there is none.
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
from lab.scenarios.stage import BUILDS, CONFIGS, JOBS, NODES, POOLS, SECRETS, Stage
from pools import build_pools, build_wait_task, config_options, edit_task, join_task, rollout_wait_task

if t.TYPE_CHECKING:
    from ansible_run import Ansible, TaskResult
    from conftest import During
    from lab.facts import Facts
    from lab.kube_rest import Api
    from pools import BuiltPool

EDITED, REBUILT, LEFT, HELD = "edited", "rebuilt", "left", "held"
REBUILD = "machineconfiguration.openshift.io/rebuild"


@pytest.fixture(scope="session")
def built(session_ansible: Ansible, lab: Facts) -> t.Mapping[str, BuiltPool]:
    """The pools of the tests by name. Their images are built side by side."""
    return build_pools(session_ansible, lab, EDITED, REBUILT, LEFT)


def finding_ids(result: TaskResult) -> list[str]:
    """Return the ids of the findings of a task."""
    return [finding["id"] for finding in result["findings"]]


def image_of(api: Api, pool: str) -> str:
    """Return the image that the status of a MachineOSConfig names."""
    return str(api.get(f"{CONFIGS}/{pool}")["status"]["currentImagePullSpec"])


def create_config(api: Api, lab: Facts, pool: str, **spec: t.Any) -> None:
    """Create a pool and its MachineOSConfig without the collection."""
    stage = Stage(lab, api, pool)
    stage.apply_config(f"RUN echo {pool} > /etc/pool", **spec)


def test_edit_has_a_build_of_its_own_and_undoing_it_has_the_previous_build(
    session_ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    first = built[EDITED].build["build"]
    forward = session_ansible.run_tasks([edit_task(lab, EDITED, "echo forward > /etc/pool"), build_wait_task(EDITED)])
    assert forward.rc == 0, forward.output
    second = forward.of("Build")["build"]
    assert second["name"] != first["name"]
    assert image_of(api, EDITED) == second["digested_image_push_spec"] != first["digested_image_push_spec"]

    back = session_ansible.run_tasks([edit_task(lab, EDITED, f"echo {EDITED} > /etc/pool"), build_wait_task(EDITED)])
    assert back.rc == 0, back.output
    assert back.of("Build")["build"]["uid"] == first["uid"]
    assert image_of(api, EDITED) == first["digested_image_push_spec"]


def test_wait_that_began_before_an_edit_ends_with_the_build_of_the_edit(
    session_ansible: Ansible, ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    known = {build["metadata"]["name"] for build in api.get(BUILDS)["items"]}
    began = session_ansible.run_tasks([edit_task(lab, EDITED, "sleep 60; echo slow > /etc/pool")])
    assert began.rc == 0, began.output
    slow = wait_for_new_build(api, EDITED, known)
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(ansible.run_tasks, [build_wait_task(EDITED)])
        wait_for_condition(api, slow, "Building")
        edited = session_ansible.run_tasks([edit_task(lab, EDITED, "echo quick > /etc/pool")])
        assert edited.rc == 0, edited.output
        run = waiting.result()
    assert run.rc == 0, run.output
    quick = run.of("Build")["build"]
    assert quick["name"] != slow
    assert image_of(api, EDITED) == quick["digested_image_push_spec"]
    assert not exists(api, f"{BUILDS}/{slow}")


def test_rebuild_is_a_new_build_of_the_same_name_or_is_reported_as_interrupted(
    session_ansible: Ansible, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    """On 4.19 most rebuilds are interrupted: a delayed clean-up by name deletes the new Job."""
    before = built[REBUILT].build["build"]
    api.patch(f"{CONFIGS}/{REBUILT}", {"metadata": {"annotations": {REBUILD: ""}}})
    run = session_ansible.run_tasks([build_wait_task(REBUILT, replacement_grace=20)])
    again = run.of("Build")
    assert again["build"]["name"] == before["name"], run.output
    assert again["build"]["uid"] != before["uid"], run.output
    if not again.failed:
        assert image_of(api, REBUILT) == again["build"]["digested_image_push_spec"]
        assert again["build"]["digested_image_push_spec"] != before["digested_image_push_spec"]
        return
    assert finding_ids(again) == ["build.interrupted"], run.output
    # This is the remedy of the finding.
    api.delete(f"{BUILDS}/{before['name']}")
    mended = session_ansible.run_tasks([build_wait_task(REBUILT)])
    assert mended.rc == 0, mended.output
    assert mended.of("Build")["build"]["uid"] not in (before["uid"], again["build"]["uid"])


def test_rebuild_that_the_operator_missed_is_reported_and_starts_when_it_is_requested_again(
    session_ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    config, before = f"{CONFIGS}/{EDITED}", session_ansible.run_tasks([build_wait_task(EDITED)]).of("Build")["build"]
    with Stage(lab, api, EDITED).builder_away():
        api.patch(config, {"metadata": {"annotations": {REBUILD: ""}}})
    wait = build_wait_task(EDITED, replacement_grace=20)
    run = session_ansible.run_tasks([wait])
    assert finding_ids(run.of("Build")) == ["build.rebuild_not_started"], run.output
    assert "take the annotation away and write it again" in run.of("Build").msg
    api.patch(config, {"metadata": {"annotations": {REBUILD: None}}})
    api.patch(config, {"metadata": {"annotations": {REBUILD: ""}}})
    started = session_ansible.run_tasks([wait]).of("Build")
    assert started["build"]["uid"] != before["uid"], started.msg
    assert not started.failed or finding_ids(started) == ["build.interrupted"]


def test_missing_push_secret_is_reported_and_the_build_starts_when_it_exists(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    create_config(api, lab, "secretless", renderedImagePushSecret={"name": "not-there"})
    wait = build_wait_task("secretless")
    named = session_ansible.run_tasks([wait]).of("Build")
    assert named.failed
    assert finding_ids(named)[0] == "build.secret_missing"
    assert "Secret not-there does not exist" in named.msg
    Stage(lab, api, "secretless").write_secret(SECRETS, "not-there", pusher(api))
    assert session_ansible.run_tasks([wait]).rc == 0


def pusher(api: Api) -> dict[str, t.Any]:
    """Return the credentials of the push secret."""
    data = api.get(f"{SECRETS}/push")["data"][".dockerconfigjson"]
    parsed: dict[str, t.Any] = json.loads(base64.b64decode(data))
    return parsed


def test_build_whose_image_the_operator_did_not_record_is_reported(
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


def test_pool_name_that_is_too_long_is_reported(session_ansible: Ansible, during: During) -> None:
    long = "a-pool-of-22-character"
    # Without the undo, the operator retries this pool for ever and does nothing else.
    with during("pool-name-too-long", ""):
        named = session_ansible.run_tasks([build_wait_task(long)]).of("Build")
    assert named.failed
    assert finding_ids(named) == ["build.pool_name_too_long"]


def test_build_whose_job_was_deleted_is_interrupted_until_an_edit_starts_another(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    stage = Stage(lab, api, "jobless")
    SCENARIOS["build-hangs"].play(stage)
    name = wait_for_new_build(api, "jobless", set())
    wait_for_condition(api, name, "Building")
    api.delete(f"{JOBS}/build-{name}?propagationPolicy=Background")
    run = session_ansible.run_tasks([build_wait_task("jobless", replacement_grace=5)])
    assert finding_ids(run.of("Build")) == ["build.interrupted"], run.output
    edited = session_ansible.run_tasks([edit_task(lab, "jobless", "echo done > /etc/pool"), build_wait_task("jobless")])
    assert edited.rc == 0, edited.output
    assert edited.of("Build")["build"]["name"] != name


def test_machineconfig_with_only_a_file_has_a_build_that_reuses_the_image_or_a_new_image(
    session_ansible: Ansible, lab: Facts, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    """From 4.20 on, the build of a rendered config that needs no new image is Succeeded at once."""
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
"""The finding for a Job that was deleted after a failed attempt, by release: on 4.19 the build stays Building."""


SETTLED = 12
"""Seconds after which the operator has handled the start of a build. An earlier delayed step would find no Job after
its deletion, and create another."""


def test_build_whose_job_was_deleted_after_a_failed_attempt_is_reported(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    pool = "jobless-too"
    stage = Stage(lab, api, pool)
    SCENARIOS["build-hangs"].play(stage)
    name = wait_for_new_build(api, pool, set())
    wait_for_condition(api, name, "Building")
    SCENARIOS["build-evicted"].play(stage)
    wait_for_job(api, name, lambda status: status.get("failed") == 1 and status.get("active") == 1)
    time.sleep(SETTLED)
    api.delete(f"{JOBS}/build-{name}?propagationPolicy=Background")
    run = session_ansible.run_tasks([build_wait_task(pool, replacement_grace=5)])
    assert finding_ids(run.of("Build")) == [GONE[lab.release.rpartition(".")[0]]], run.output
    stage.restore_config()
    api.delete(f"{POOLS}/{pool}")


def test_removed_config_rolls_the_nodes_back_to_the_image_of_the_cluster(
    session_ansible: Ansible, api: Api, built: t.Mapping[str, BuiltPool]
) -> None:
    run = session_ansible.run_tasks([join_task(LEFT, "worker-0"), rollout_wait_task(LEFT)])
    assert run.rc == 0, run.output
    assert run.of("Roll")["nodes"][0]["current_image"] == built[LEFT].image
    remove = {"pool": LEFT, "state": "absent"}
    back = session_ansible.run_tasks(
        [{"name": "Remove", "imagemode.openshift.machineosconfig": remove}, rollout_wait_task(LEFT)]
    )
    assert back.rc == 0, back.output
    (node,) = back.of("Roll")["nodes"]
    assert (node["phase"], node["current_image"], node["desired_image"]) == ("done", None, None)
    annotations = api.get(f"{NODES}/worker-0")["metadata"]["annotations"]
    assert "machineconfiguration.openshift.io/currentImage" not in annotations


def test_paused_pool_builds_and_rolls_out_after_its_release(session_ansible: Ansible, lab: Facts, api: Api) -> None:
    created = {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": HELD}}
    arrived = session_ansible.run_tasks([created, join_task(HELD, "worker-1"), rollout_wait_task(HELD)])
    assert arrived.rc == 0, arrived.output
    wait_for_settled_pool(api, HELD)
    hold = {"name": "Hold", "imagemode.openshift.machineconfigpool": {"pool": HELD, "paused": True}}
    config = {"name": "Config", "imagemode.openshift.machineosconfig": config_options(lab, HELD)}
    held = session_ansible.run_tasks([hold, config, build_wait_task(HELD), rollout_wait_task(HELD)])
    assert held.of("Build")["build"]["state"] == "succeeded"
    assert held.of("Roll").failed
    assert finding_ids(held.of("Roll")) == ["pool.paused"]
    annotations = api.get(f"{NODES}/worker-1")["metadata"]["annotations"]
    assert "machineconfiguration.openshift.io/desiredImage" not in annotations
    release = {"name": "Release", "imagemode.openshift.machineconfigpool": {"pool": HELD, "paused": False}}
    done = session_ansible.run_tasks([release, rollout_wait_task(HELD)])
    assert done.rc == 0, done.output
    assert done.of("Roll")["nodes"][0]["current_image"] == image_of(api, HELD)


def test_build_that_does_not_start_because_of_early_nodes_is_reported_and_starts_without_them(
    session_ansible: Ansible, lab: Facts, api: Api
) -> None:
    """From 4.20 on; 4.19 builds the image."""
    pool = "too-early"
    paused = {"name": "Pool", "imagemode.openshift.machineconfigpool": {"pool": pool, "paused": True}}
    config = {"name": "Config", "imagemode.openshift.machineosconfig": config_options(lab, pool)}
    run = session_ansible.run_tasks([paused, join_task(pool, "worker-2"), config, build_wait_task(pool)])
    if lab.release.startswith("4.19"):
        assert run.rc == 0, run.output
        return
    assert finding_ids(run.of("Build")) == ["build.pool_not_updated", "build.not_started"], run.output
    out = {"pool": pool, "nodes": ["worker-2"], "state": "absent"}
    mended = session_ansible.run_tasks(
        [{"name": "Out", "imagemode.openshift.machineconfigpool_nodes": out}, build_wait_task(pool)]
    )
    assert mended.rc == 0, mended.output


def wait_for_settled_pool(api: Api, pool: str) -> None:
    """Return when the status of a pool names its configuration: all nodes have it."""
    for event in api.follow(POOLS, fieldSelector=f"metadata.name={pool}"):
        if event.object["status"].get("configuration", {}).get("name"):
            return


def exists(api: Api, path: str) -> bool:
    """Whether an object exists."""
    try:
        api.get(path)
    except ApiError as error:
        if error.status == 404:
            return False
        raise
    return True


def wait_for_new_build(api: Api, pool: str, known: t.Collection[str]) -> str:
    """Return the name of the first build of a pool that is not known."""
    target = "machineconfiguration.openshift.io/target-machine-config-pool"
    for event in api.follow(BUILDS, labelSelector=f"{target}={pool}"):
        if event.name not in known:
            return event.name
    raise AssertionError


def wait_for_job(api: Api, build: str, is_reached: t.Callable[[t.Mapping[str, t.Any]], bool]) -> None:
    """Return when the status of the Job of a build fulfils a condition."""
    for event in api.follow(JOBS, fieldSelector=f"metadata.name=build-{build}"):
        if is_reached(event.object.get("status") or {}):
            return


def wait_for_condition(api: Api, build: str, condition: str) -> None:
    """Return when a condition of a build is True."""
    for event in api.follow(BUILDS, fieldSelector=f"metadata.name={build}"):
        conditions = (event.object.get("status") or {}).get("conditions") or []
        if any(c["type"] == condition and c["status"] == "True" for c in conditions):
            return
