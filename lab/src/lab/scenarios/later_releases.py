# SPDX-License-Identifier: GPL-3.0-or-later
"""What later releases write and the lab's do not: written into the objects by hand, beside the controllers."""

from __future__ import annotations

from lab.api_time import now
from lab.errors import LabError
from lab.node_annotations import PREFIX
from lab.scenarios.scenario import Scenario, Subject
from lab.scenarios.stage import BEFORE, BUILDS, CONFIGS, CURRENT_BUILD, POOLS, Stage, build_conditions

LAST_WORDS = 'Error: building at STEP "RUN dnf install -y no-such-package": while running runtime: exit status 1'


def _begun(stage: Stage) -> str:
    config, build = stage.config(), stage.current_build()["metadata"]["name"]
    status = {
        "observedGeneration": config["metadata"]["generation"],
        "machineOSBuild": {"name": build, "group": "machineconfiguration.openshift.io", "resource": "machineosbuilds"},
    }
    stage.api.patch(f"{CONFIGS}/{stage.pool}/status", {"status": status})
    return f"wrote status of MachineOSConfig {stage.pool}: generation {status['observedGeneration']}, build {build}"


def _forgotten(stage: Stage) -> str:
    stage.api.patch(f"{CONFIGS}/{stage.pool}/status", {"status": {"machineOSBuild": None}})
    return f"took the build out of the status of MachineOSConfig {stage.pool}"


def _written(stage: Stage, letter: str, status: dict[str, object], labels: dict[str, str] | None = None) -> str:
    """Write a build, let the MachineOSConfig name it, and note on it which one was named before."""
    name, before = f"{stage.pool}-{letter * 32}", stage.named_build()
    with stage.builder_away():
        stage.write_build(name, status, labels)
        stage.api.patch(f"{BUILDS}/{name}", {"metadata": {"annotations": {BEFORE: before}}})
        stage.api.patch(f"{CONFIGS}/{stage.pool}", {"metadata": {"annotations": {CURRENT_BUILD: name}}})
    return name


def _told(stage: Stage) -> str:
    conditions = build_conditions("Failed", message=LAST_WORDS)
    name = _written(stage, "c", {"conditions": conditions, "buildStart": now()})
    return f"wrote MachineOSBuild {name}, Failed, with the builder's last words, and let the config name it"


def _unparsed(stage: Stage) -> str:
    name = f"{stage.pool}-{'b' * 32}"
    stage.stop_builder()
    done = stage.apply_config("RUNN echo misspelt")
    edited = now()
    # The operator creates the build five seconds later. The API records whole seconds.
    stage.wait_for("later second", lambda: now() > edited)
    stage.write_build(name, {"conditions": build_conditions("Failed")})
    return (
        f"{done}; its second line is no instruction. Stopped machine-os-builder, and wrote MachineOSBuild {name}, "
        "Failed without Job or start, which no MachineOSConfig names"
    )


def _parsed(stage: Stage) -> str:
    done = stage.restore_config()
    stage.remove(BUILDS, f"{stage.pool}-{'b' * 32}")
    stage.start_builder()
    return f"{done}, deleted the failed MachineOSBuild, and started machine-os-builder"


def _seeded(stage: Stage) -> str:
    image = stage.config().get("status", {}).get("currentImagePullSpec", "")
    if not image:
        raise LabError(f"Could not seed MachineOSConfig {stage.pool}: it has no image yet. Wait for its first build.")
    name = _written(stage, "a", _seeded_status(image), {f"{PREFIX}pre-built-image": "true"})
    stage.api.patch(f"{CONFIGS}/{stage.pool}/status", {"status": {"conditions": [_seeded_condition()]}})
    return f"wrote MachineOSBuild {name} that never had a Job, for {image}, and let the config name it"


def _new_and_seeded(stage: Stage) -> str:
    if stage.find(CONFIGS, stage.pool):
        raise LabError(f"Could not seed MachineOSConfig {stage.pool}: it exists already. Use later-image-seeded.")
    stage.ensure_pool()
    stage.wait_for(
        f"rendered config of MachineConfigPool {stage.pool}",
        lambda: stage.read(POOLS, "MachineConfigPool", stage.pool).get("spec", {}).get("configuration", {}).get("name"),
    )
    name, image = f"{stage.pool}-{'a' * 32}", stage.facts.base_image
    with stage.builder_away():
        stage.apply_config("RUN echo from the Containerfile > /etc/origin")
        stage.write_build(name, _seeded_status(image), {f"{PREFIX}pre-built-image": "true"})
        stage.api.patch(f"{CONFIGS}/{stage.pool}", {"metadata": {"annotations": {CURRENT_BUILD: name}}})
        status = {"currentImagePullSpec": image, "observedGeneration": 1, "conditions": [_seeded_condition()]}
        stage.api.patch(f"{CONFIGS}/{stage.pool}/status", {"status": status})
    return f"created MachineOSConfig {stage.pool}, and wrote MachineOSBuild {name} that never had a Job, for {image}"


def _seeded_status(image: str) -> dict[str, object]:
    conditions = build_conditions("Succeeded", reason="PreBuiltImageSeeded", message="Pre-built image seeded")
    return {"conditions": conditions, "digestedImagePushSpec": image}


def _seeded_condition() -> dict[str, str]:
    return {
        "type": "Seeded",
        "status": "True",
        "reason": "PreBuiltImageSeeded",
        "message": "",
        "lastTransitionTime": now(),
    }


def _image_build_degraded(stage: Stage) -> str:
    pool = stage.read(POOLS, "MachineConfigPool", stage.pool)
    build = stage.current_build()["metadata"]["name"]
    condition = {
        "type": "ImageBuildDegraded",
        "status": "True",
        "reason": "BuildFailed",
        "message": f"Failed to build OS image for pool {stage.pool} (MachineOSBuild: {build}): Failed: Build Failed",
        "lastTransitionTime": now(),
    }
    others = [item for item in pool["status"].get("conditions", []) if item["type"] != condition["type"]]
    stage.api.patch(f"{POOLS}/{stage.pool}/status", {"status": {"conditions": [*others, condition]}})
    return f"wrote condition ImageBuildDegraded of MachineConfigPool {stage.pool}: {condition['message']}"


def _not_degraded(stage: Stage) -> str:
    pool = stage.read(POOLS, "MachineConfigPool", stage.pool)
    others = [item for item in pool["status"].get("conditions", []) if item["type"] != "ImageBuildDegraded"]
    stage.api.patch(f"{POOLS}/{stage.pool}/status", {"status": {"conditions": others}})
    return f"took condition ImageBuildDegraded off MachineConfigPool {stage.pool}"


def _without(stage: Stage, letter: str) -> str:
    build = stage.read(BUILDS, "MachineOSBuild", f"{stage.pool}-{letter * 32}")
    name, before = build["metadata"]["name"], build["metadata"]["annotations"][BEFORE]
    stage.api.patch(f"{CONFIGS}/{stage.pool}", {"metadata": {"annotations": {CURRENT_BUILD: before}}})
    stage.remove(BUILDS, name)
    # The operator may have been about to name it; then it finds it gone, and builds the present spec anew.
    return f"let MachineOSConfig {stage.pool} name {before} again, and deleted MachineOSBuild {name}"


LATER_SCENARIOS = (
    Scenario(
        "later-status-at-start",
        Subject.POOL,
        "4.21: the MachineOSConfig's status names build and generation when the build starts.",
        _begun,
        _forgotten,
        scripted=True,
    ),
    Scenario(
        "later-failure-told",
        Subject.POOL,
        "Late 4.19 and on: the Failed condition carries the builder's last words.",
        _told,
        lambda stage: _without(stage, "c"),
        scripted=True,
    ),
    Scenario(
        "later-syntax-refused",
        Subject.POOL,
        "4.23: a Containerfile that cannot be parsed fails without any Job, and no MachineOSConfig names its build.",
        _unparsed,
        _parsed,
        scripted=True,
    ),
    Scenario(
        "later-image-seeded",
        Subject.POOL,
        "4.21: a build is seeded with an image that is there, and never had a Job.",
        _seeded,
        lambda stage: _without(stage, "a"),
        scripted=True,
    ),
    Scenario(
        "later-config-seeded",
        Subject.POOL,
        "4.21: a new MachineOSConfig is seeded with an image, and nothing is built from its Containerfile.",
        _new_and_seeded,
        lambda stage: stage.restore_config(),
        scripted=True,
    ),
    Scenario(
        "later-build-degraded",
        Subject.POOL,
        "4.20 as released: the pool's condition ImageBuildDegraded tells of a failed build.",
        _image_build_degraded,
        _not_degraded,
        scripted=True,
    ),
)
