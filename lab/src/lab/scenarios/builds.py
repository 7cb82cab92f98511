# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds that fail, hang, are interrupted, or look like another build."""

from __future__ import annotations

from lab.api_time import now
from lab.errors import LabError
from lab.node_annotations import PREFIX
from lab.scenarios.scenario import Scenario, Subject, WaitCase
from lab.scenarios.stage import (
    BUILDS,
    CONFIGS,
    CURRENT_BUILD,
    JOBS,
    PODS,
    POOLS,
    SECRETS,
    Stage,
    build_conditions,
    is_true,
)

_REFUSED = "push-refused"
_LONG = "a-pool-of-22-character"


def _fails(stage: Stage) -> str:
    return stage.apply_config("RUN echo no such luck >&2; exit 7") + "; its RUN ends with 7, and so do four attempts"


def _hangs(stage: Stage) -> str:
    return stage.apply_config("RUN sleep 86400") + "; its RUN sleeps for a day"


def _edited(stage: Stage) -> str:
    return stage.apply_config(f"RUN echo {now()} > /etc/edited") + "; another build begins in five seconds"


def _evicted(stage: Stage) -> str:
    build = stage.current_build()["metadata"]["name"]
    pods = stage.api.get(PODS, labelSelector=f"job-name=build-{build}")["items"]
    running = [pod["metadata"]["name"] for pod in pods if pod["status"].get("phase") == "Running"]
    if not running:
        raise LabError(f"Could not evict the pod of MachineOSBuild {build}: none runs. Play build-hangs first.")
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": running[0]}}
    stage.api.create(f"{PODS}/{running[0]}/eviction", eviction)
    return f"evicted Pod {running[0]} of MachineOSBuild {build}; its Job makes another"


def _interrupted(stage: Stage) -> str:
    build = stage.current_build()["metadata"]["name"]
    if not stage.remove(JOBS, f"build-{build}"):
        raise LabError(f"Could not interrupt MachineOSBuild {build}: it has no Job. Play build-hangs first.")
    return f"deleted Job build-{build}; MachineOSBuild {build} is Interrupted in five seconds"


def _vanishes(stage: Stage) -> str:
    build = stage.current_build()["metadata"]["name"]
    stage.remove(BUILDS, build)
    return f"deleted MachineOSBuild {build}; the operator creates one with the same name and another uid"


def _rebuilt(stage: Stage) -> str:
    stage.current_build()
    stage.api.patch(f"{CONFIGS}/{stage.pool}", {"metadata": {"annotations": {f"{PREFIX}rebuild": ""}}})
    return f"requested a rebuild of MachineOSConfig {stage.pool}: same name, another uid, another digest"


def _stays_building(stage: Stage) -> str:
    spec = f"{stage.facts.registry_host}/lab/two/segments/{stage.pool}:latest"
    done = stage.apply_config("RUN true", renderedImagePushSpec=spec)
    return f"{done} to push to {spec}: it is built and pushed, and its build stays Building for ever"


def _push_denied(stage: Stage) -> str:
    stage.write_secret(SECRETS, _REFUSED, stage.refused_login())
    done = stage.apply_config("RUN true", renderedImagePushSecret={"name": _REFUSED})
    return f"{done} to push with Secret {_REFUSED}, which the registry denies"


def _push_allowed(stage: Stage) -> str:
    done = stage.restore_config()
    stage.remove(SECRETS, _REFUSED)
    return f"{done} and deleted Secret {_REFUSED}"


def _secret_missing(stage: Stage) -> str:
    done = stage.apply_config("RUN true", renderedImagePushSecret={"name": "not-there"})
    return f"{done} to push with Secret not-there: its build gets no conditions"


def _restored(stage: Stage) -> str:
    return stage.restore_config()


def _too_long(stage: Stage) -> str:
    long = Stage(stage.facts, stage.api, _LONG)
    return long.apply_config("RUN true") + ": no build can be labelled with the name of its rendered config"


def _long_gone(stage: Stage) -> str:
    Stage(stage.facts, stage.api, _LONG).restore_config()
    # The builder would retry the deleted config.
    stage.evict_builder()
    return f"deleted MachineOSConfig {_LONG} and ended machine-os-builder, which would retry for ever; another starts"


def _first_of_the_list(stage: Stage) -> str:
    return f"{stage.pool}-{'0' * 32}"


def _older(stage: Stage) -> str:
    repository = stage.config()["spec"]["renderedImagePushSpec"].rpartition(":")[0]
    name = _first_of_the_list(stage)
    status = {
        "conditions": build_conditions("Succeeded"),
        "digestedImagePushSpec": f"{repository}@sha256:{'0' * 64}",
    }
    with stage.builder_away():
        stage.write_build(name, status)
    return (
        f"wrote MachineOSBuild {name}, Succeeded, for the same rendered config and first in the list, "
        "while machine-os-builder was stopped"
    )


def _older_gone(stage: Stage) -> str:
    name = _first_of_the_list(stage)
    stage.remove(BUILDS, name)
    return f"deleted MachineOSBuild {name}; touch the pool, and its rollout goes on"


def _recorded(stage: Stage, place: int) -> str:
    """Write the oldest or the newest build that succeeded as the operator does: annotation first, then status."""
    config, done = stage.config(), [build for build in stage.builds() if is_true(build, "Succeeded")]
    if len(done) < 2:
        raise LabError(f"Could not record an older build of MachineOSConfig {stage.pool}: fewer than two succeeded.")
    name = str(done[place]["metadata"]["name"])
    stage.api.patch(f"{CONFIGS}/{stage.pool}", {"metadata": {"annotations": {CURRENT_BUILD: name}}})
    status = {
        "currentImagePullSpec": done[place]["status"]["digestedImagePushSpec"],
        "observedGeneration": config["metadata"]["generation"],
    }
    stage.api.patch(f"{CONFIGS}/{stage.pool}/status", {"status": status})
    return f"let annotation and status of MachineOSConfig {stage.pool} name MachineOSBuild {name}"


def _last_of_the_list(stage: Stage) -> str:
    return f"{stage.pool}-{'f' * 32}"


def _two(stage: Stage) -> str:
    name = _last_of_the_list(stage)
    with stage.builder_away():
        stage.write_build(name, {"conditions": build_conditions("Building"), "buildStart": now()})
    return f"wrote MachineOSBuild {name}, Building, and ended machine-os-builder, as when it is evicted; another starts"


def _two_gone(stage: Stage) -> str:
    name = _last_of_the_list(stage)
    stage.remove(BUILDS, name)
    return f"deleted MachineOSBuild {name}"


def _stale(stage: Stage) -> str:
    name = f"{stage.pool}-{'e' * 32}"
    stage.api.patch(f"{CONFIGS}/{stage.pool}", {"metadata": {"annotations": {CURRENT_BUILD: name}}})
    return f"let MachineOSConfig {stage.pool} name MachineOSBuild {name}, which does not exist"


def _without_pool(stage: Stage) -> Stage:
    return Stage(stage.facts, stage.api, f"{stage.pool[:15]}-gone")


def _orphaned(stage: Stage) -> str:
    other = _without_pool(stage)
    done = other.apply_config("RUN true")
    build = other.wait_for(f"build of MachineOSConfig {other.pool}", other.named_build)
    stage.remove(POOLS, other.pool)
    return (
        f"{done} and deleted its MachineConfigPool. The operator's sync fails at MachineOSBuild {build} now, and it "
        "repeats all that it writes about builds which end from here on"
    )


def _orphan_gone(stage: Stage) -> str:
    other = _without_pool(stage)
    stage.remove(CONFIGS, other.pool)
    return (
        f"deleted MachineOSConfig {other.pool} with its builds. The operator repeats each write once more: a "
        "MachineOSConfig of several builds may end with an older one"
    )


def _edited_at_end(stage: Stage) -> str:
    known = {build["metadata"]["uid"] for build in stage.builds()} if stage.find(CONFIGS, stage.pool) else set()
    stage.apply_config(f"RUN echo {now()} > /etc/edited")

    def ended() -> str:
        new = (build for build in stage.builds() if build["metadata"]["uid"] not in known)
        return next((str(build["metadata"]["name"]) for build in new if is_true(build, "Succeeded")), "")

    build = stage.wait_for(f"build of MachineOSConfig {stage.pool} that succeeds", ended)
    done = stage.apply_config(f"RUN echo {now()} > /etc/edited-again")
    return f"{done} as soon as MachineOSBuild {build} was Succeeded: its status names that build for the new generation"


def _layer_only(stage: Stage) -> str:
    config = {
        "apiVersion": "machineconfiguration.openshift.io/v1",
        "kind": "MachineConfig",
        "metadata": {"name": f"99-{stage.pool}-file", "labels": {f"{PREFIX}role": stage.pool}},
        "spec": {
            "config": {
                "ignition": {"version": "3.4.0"},
                "storage": {
                    "files": [
                        {
                            "path": "/etc/lab-file",
                            "mode": 420,
                            "contents": {"source": f"data:,{now()}"},
                            "overwrite": True,
                        }
                    ]
                },
            }
        },
    }
    stage.ensure("/apis/machineconfiguration.openshift.io/v1/machineconfigs", config)
    return f"created MachineConfig 99-{stage.pool}-file: a file alone, for which 4.20 builds no image"


def _layer_only_gone(stage: Stage) -> str:
    stage.remove("/apis/machineconfiguration.openshift.io/v1/machineconfigs", f"99-{stage.pool}-file")
    return f"deleted MachineConfig 99-{stage.pool}-file"


BUILD_SCENARIOS = (
    Scenario(
        "build-fails",
        Subject.POOL,
        "A RUN of the Containerfile fails.",
        _fails,
        _restored,
        cases=(WaitCase.BUILD_FAILED,),
    ),
    Scenario(
        "build-hangs",
        Subject.POOL,
        "A RUN of the Containerfile never ends.",
        _hangs,
        _restored,
        cases=(WaitCase.POOL_IDLE_DURING_BUILD,),
    ),
    Scenario(
        "build-evicted",
        Subject.POOL,
        "The running pod of the current build is evicted.",
        _evicted,
        undone_by="the Job's next pod",
    ),
    Scenario(
        "build-interrupted",
        Subject.POOL,
        "The Job of the current build is deleted.",
        _interrupted,
        undone_by="lab scenario build-vanishes, or any edit",
        cases=(WaitCase.BUILD_INTERRUPTED,),
    ),
    Scenario(
        "build-vanishes",
        Subject.POOL,
        "The current build is deleted and created again.",
        _vanishes,
        undone_by="the operator",
        cases=(WaitCase.BUILD_NAME_REUSED, WaitCase.API_INTERRUPTED),
    ),
    Scenario(
        "build-again",
        Subject.POOL,
        "A rebuild is requested: same name, new uid.",
        _rebuilt,
        undone_by="the operator",
        cases=(WaitCase.BUILD_NAME_REUSED,),
    ),
    Scenario(
        "build-stays-building",
        Subject.POOL,
        "The image is pushed, and its build stays Building: two namespace segments in the push spec.",
        _stays_building,
        _restored,
    ),
    Scenario(
        "push-denied",
        Subject.POOL,
        "The registry denies the push secret, as with an expired token.",
        _push_denied,
        _push_allowed,
        cases=(WaitCase.PUSH_DENIED,),
    ),
    Scenario("push-secret-missing", Subject.POOL, "The push secret does not exist.", _secret_missing, _restored),
    Scenario(
        "config-edited",
        Subject.POOL,
        "The Containerfile is edited; --undo brings the text before back, and with it the build before.",
        _edited,
        _restored,
        cases=(WaitCase.PREVIOUS_BUILD_EXISTS, WaitCase.POOL_IDLE_DURING_BUILD),
    ),
    Scenario(
        "config-edited-at-end",
        Subject.POOL,
        "The Containerfile is edited within the five seconds between the end of a build and its record.",
        _edited_at_end,
        _restored,
        cases=(WaitCase.PREVIOUS_BUILD_RECORDED,),
    ),
    Scenario(
        "config-orphaned",
        Subject.LAB,
        "The pool of another MachineOSConfig is deleted: the operator repeats what it wrote of older builds.",
        _orphaned,
        _orphan_gone,
        cases=(WaitCase.OLDER_BUILDS_RETURN,),
    ),
    Scenario(
        "pool-name-too-long",
        Subject.LAB,
        f"A pool named {_LONG}, one character more than a build can be labelled with.",
        _too_long,
        _long_gone,
    ),
    Scenario(
        "older-build-first",
        Subject.POOL,
        "An older build for the same rendered config comes first in the list.",
        _older,
        _older_gone,
        cases=(WaitCase.PREVIOUS_BUILD_EXISTS,),
        scripted=True,
    ),
    Scenario(
        "older-build-recorded",
        Subject.POOL,
        "The MachineOSConfig names its oldest build, with the present generation.",
        lambda stage: _recorded(stage, 0),
        lambda stage: _recorded(stage, -1),
        scripted=True,
    ),
    Scenario(
        "two-builds",
        Subject.POOL,
        "The builder is evicted, and a second build is running.",
        _two,
        _two_gone,
        cases=(WaitCase.TWO_BUILDS,),
        scripted=True,
    ),
    Scenario(
        "stale-annotation",
        Subject.POOL,
        "The MachineOSConfig names a build that does not exist.",
        _stale,
        undone_by="the operator, which names its own build again within seconds",
        cases=(WaitCase.ANNOTATION_STALE,),
        scripted=True,
    ),
    Scenario(
        "file-added",
        Subject.POOL,
        "A MachineConfig adds a file: a new rendered config that needs no new image.",
        _layer_only,
        _layer_only_gone,
    ),
)
