# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and rollouts of the API generation v1alpha1 that a user cannot tell from good ones, or that block others."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from lab.api_time import now
from lab.build import OPERATOR_NAMESPACE
from lab.errors import LabError
from lab.release import V1ALPHA1
from lab.scenarios.scenario import Scenario, Subject
from lab.scenarios.stage import BEFORE, Stage, is_true
from lab.v1alpha1.objects import (
    BUILD_POD_LABEL,
    BUILDS,
    CONFIG_MAPS,
    CONFIGS,
    GROUP,
    MACHINE_CONFIGS,
    PODS,
    POOL_LABEL,
    POOLS,
    RENDERED_LABEL,
    SECRETS,
    Object,
    build_name,
    digest_map,
    name_of,
    pod_name,
    rendered_of,
)

_NOTHING = ""
"""What a MachineOSConfig was before, if a scenario created it."""
_COPY = "global-pull-secret-copy"
_REFUSED = "registry-refused"
_FILE = "99-{pool}-file"


def _rendered(stage: Stage) -> str:
    def named() -> str:
        return rendered_of(stage.read(POOLS, "MachineConfigPool", stage.pool))

    return stage.wait_for(f"rendered config of MachineConfigPool {stage.pool}", named)


def _build(stage: Stage) -> Object | None:
    return stage.find(BUILDS, build_name(stage.pool, _rendered(stage)))


def _becomes(stage: Stage, condition: str) -> str:
    """Wait until the current build has a condition, and return its name."""

    def found() -> str:
        build = _build(stage)
        return name_of(build) if build is not None and is_true(build, condition) else ""

    return stage.wait_for(f"build of MachineConfigPool {stage.pool} that is {condition}", found)


def _apply(stage: Stage, run: str, **inputs: Object) -> str:
    """Create the pool with its MachineOSConfig, or change its build inputs. What they were is kept on the object."""
    stage.ensure_pool()
    present = stage.find(CONFIGS, stage.pool)
    # Each text is another one, so that each change is one to the builder.
    content = f"FROM configs AS final\n# {now()}\nRUN {run}\n"
    changed = {"containerFile": [{"containerfileArch": "noarch", "content": content}], **inputs}
    if present is None:
        made = _config(stage, stage.pool, changed)
        stage.api.create(CONFIGS, {**made, "metadata": {**made["metadata"], "annotations": {BEFORE: _NOTHING}}})
        return f"created MachineOSConfig {stage.pool}"
    patch = {"metadata": {"annotations": {BEFORE: _before(present)}}, "spec": {"buildInputs": changed}}
    stage.api.patch(f"{CONFIGS}/{stage.pool}", patch)
    return f"changed MachineOSConfig {stage.pool}"


def _before(config: Object) -> str:
    """What a MachineOSConfig was before the first scenario changed it."""
    kept = (config["metadata"].get("annotations") or {}).get(BEFORE)
    return json.dumps(config["spec"]) if kept is None else str(kept)


def _config(stage: Stage, name: str, inputs: Object) -> Object:
    return {
        "apiVersion": f"{GROUP}/{V1ALPHA1}",
        "kind": "MachineOSConfig",
        "metadata": {"name": name},
        "spec": {
            "machineConfigPool": {"name": stage.pool},
            "buildInputs": {
                "imageBuilder": {"imageBuilderType": "PodImageBuilder"},
                "baseImagePullSecret": {"name": _COPY},
                "renderedImagePushSecret": {"name": "push"},
                "renderedImagePushspec": f"{stage.facts.registry_host}/{OPERATOR_NAMESPACE}/os-{stage.pool}:latest",
                **inputs,
            },
            "buildOutputs": {"currentImagePullSecret": {"name": _COPY}},
        },
    }


def _clean(stage: Stage) -> None:
    """Delete what blocks or falsifies the next build: pods, ConfigMaps and the current build of the pool."""
    rendered, ours = _rendered(stage), f"{POOL_LABEL}={stage.pool}"
    left = {rendered}
    for path in (PODS, CONFIG_MAPS):
        for item in stage.api.get(path, labelSelector=f"{BUILD_POD_LABEL},{ours}")["items"]:
            left.add(item["metadata"]["labels"][RENDERED_LABEL])
            stage.remove(path, item["metadata"]["name"])
    for name in left:
        stage.remove(CONFIG_MAPS, digest_map(name))
        stage.remove(BUILDS, build_name(stage.pool, name))
    stage.wait_for("end of the build pods", lambda: not any(stage.find(PODS, pod_name(name)) for name in left))


def _rebuild(stage: Stage, run: str, **inputs: Object) -> str:
    """Have the pool's image built, whatever was built before: clean first, edit last."""
    stage.ensure_pool()
    _clean(stage)
    return _apply(stage, run, **inputs)


def _add_file(stage: Stage) -> str:
    """Create a MachineConfig for the pool, and return the rendered config before."""
    before = _rendered(stage)
    file = {"path": "/etc/lab-file", "mode": 420, "contents": {"source": f"data:,{now()}"}, "overwrite": True}
    metadata = {"name": _FILE.format(pool=stage.pool), "labels": {f"{GROUP}/role": stage.pool}}
    spec = {"config": {"ignition": {"version": "3.4.0"}, "storage": {"files": [file]}}}
    stage.ensure(
        MACHINE_CONFIGS,
        {"apiVersion": f"{GROUP}/v1", "kind": "MachineConfig", "metadata": metadata, "spec": spec},
    )
    stage.wait_for("new rendered config", lambda: _rendered(stage) != before)
    return before


def _remove_file(stage: Stage) -> None:
    name = _FILE.format(pool=stage.pool)
    if not stage.remove(MACHINE_CONFIGS, name):
        return

    def gone() -> bool:
        sources = stage.read(POOLS, "MachineConfigPool", stage.pool)["spec"]["configuration"]["source"]
        return name not in {source["name"] for source in sources}

    stage.wait_for(f"rendered config without MachineConfig {name}", gone)


def _undone(stage: Stage) -> str:
    """Leave a pool with the MachineOSConfig that it had, built again, or without one where it had none."""
    _remove_file(stage)
    present = stage.read(CONFIGS, "MachineOSConfig", stage.pool)
    before = (present["metadata"].get("annotations") or {}).get(BEFORE)
    if before is None:
        raise LabError(f"Could not undo: no scenario changed MachineOSConfig {stage.pool}. Name the pool of one.")
    if before == _NOTHING:
        stage.remove(CONFIGS, stage.pool)
        stage.wait_for("end of the MachineOSConfig", lambda: stage.find(CONFIGS, stage.pool) is None)
        _clean(stage)
        for build in stage.api.get(BUILDS)["items"]:
            if build["spec"]["machineOSConfig"]["name"] == stage.pool:
                stage.remove(BUILDS, build["metadata"]["name"])
        return f"deleted MachineOSConfig {stage.pool} with what its builds left"
    _clean(stage)
    patch = {"metadata": {"annotations": {BEFORE: None}}, "spec": json.loads(before)}
    stage.api.patch(f"{CONFIGS}/{stage.pool}", patch)
    return f"gave MachineOSConfig {stage.pool} its spec back, which is built again"


def _fails(stage: Stage) -> str:
    done = _rebuild(stage, "echo no such luck >&2; exit 7")
    return f"{done}; its RUN ends with 7, its pod stays Running, and nothing is retried"


def _hangs(stage: Stage) -> str:
    return f"{_rebuild(stage, 'sleep 86400')}; its RUN sleeps for a day"


def _edited(stage: Stage) -> str:
    if stage.find(CONFIGS, stage.pool) is None:
        _apply(stage, "true")
    _becomes(stage, "Succeeded")
    return f"{_apply(stage, 'true')} after its build had succeeded: nothing is built"


def _secret_missing(stage: Stage) -> str:
    done = _rebuild(stage, "true", renderedImagePushSecret={"name": "not-there"})
    return f"{done} to push with Secret not-there: the operator is Degraded, and a build gets one condition"


def _push_denied(stage: Stage) -> str:
    stage.write_secret(SECRETS, _REFUSED, stage.refused_login())
    done = _rebuild(stage, "true", renderedImagePushSecret={"name": _REFUSED})
    return f"{done} to push with Secret {_REFUSED}, which the registry denies"


def _pull_denied(stage: Stage) -> str:
    present = stage.read(CONFIGS, "MachineOSConfig", stage.pool)
    before = _before(present)
    stage.write_secret(SECRETS, _REFUSED, stage.refused_login())
    outputs = {"currentImagePullSecret": {"name": _REFUSED}}
    patch = {"metadata": {"annotations": {BEFORE: before}}, "spec": {"buildOutputs": outputs}}
    stage.api.patch(f"{CONFIGS}/{stage.pool}", patch)
    return f"let the nodes of MachineConfigPool {stage.pool} pull with Secret {_REFUSED}, which the registry denies"


def _failed_pod_left(stage: Stage) -> str:
    _rebuild(stage, "exit 7")
    old = _rendered(stage)
    _becomes(stage, "Failed")
    _apply(stage, "true")
    _add_file(stage)
    build = _becomes(stage, "Succeeded")
    return f"left failed Pod {pod_name(old)}: within a minute MachineOSBuild {build}, which succeeded, is Failed"


def _create_again(stage: Stage, deleted: Mapping[str, Any]) -> None:
    """Create a deleted MachineOSConfig, with the spec that it is to get back."""
    metadata = {"name": stage.pool, "annotations": deleted["metadata"].get("annotations", {})}
    stage.api.create(CONFIGS, {**_config(stage, stage.pool, {}), "metadata": metadata, "spec": deleted["spec"]})


def _build_stale(stage: Stage) -> str:
    _rebuild(stage, "true")
    build = _becomes(stage, "Succeeded")
    present = stage.read(CONFIGS, "MachineOSConfig", stage.pool)
    with stage.builder_away():
        stage.remove(CONFIGS, stage.pool)
        stage.wait_for("end of the MachineOSConfig", lambda: stage.find(CONFIGS, stage.pool) is None)
        _create_again(stage, present)
    return (
        f"deleted MachineOSConfig {stage.pool} and created it again while machine-os-builder was stopped: "
        f"MachineOSBuild {build} is in the way, and the new MachineOSConfig has no image"
    )


def _config_maps_left(stage: Stage) -> str:
    _rebuild(stage, "sleep 86400")
    _becomes(stage, "Building")
    present = stage.read(CONFIGS, "MachineOSConfig", stage.pool)
    stage.remove(CONFIGS, stage.pool)
    stage.wait_for("end of the MachineOSBuild", lambda: _build(stage) is None)
    _create_again(stage, present)
    return f"deleted MachineOSConfig {stage.pool} during its build and created it again: its ConfigMaps block a build"


def _evicted(stage: Stage) -> str:
    _rebuild(stage, "sleep 86400")
    build, pod = _becomes(stage, "Building"), pod_name(_rendered(stage))
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    stage.api.create(f"{PODS}/{pod}/eviction", eviction)
    return f"evicted Pod {pod}: MachineOSBuild {build} stays Building without a pod"


def _config_back(stage: Stage) -> str:
    _rebuild(stage, "true")
    _becomes(stage, "Succeeded")
    before = _add_file(stage)
    _becomes(stage, "Succeeded")
    _remove_file(stage)
    return f"MachineConfigPool {stage.pool} is back on {before}: its nodes get the newest image under the older config"


def _config_deleted(stage: Stage) -> str:
    spec = stage.read(CONFIGS, "MachineOSConfig", stage.pool)["spec"]
    stage.remove(CONFIGS, stage.pool)
    stage.wait_for("end of the MachineOSBuild", lambda: _build(stage) is None)
    # The pool's next event takes the image from its first node.
    stage.api.patch(f"{POOLS}/{stage.pool}", {"metadata": {"annotations": {BEFORE: json.dumps(spec)}}})
    return (
        f"deleted MachineOSConfig {stage.pool} and touched its pool: the first node loses its desired image, "
        "which its daemon does not support"
    )


def _config_created_again(stage: Stage) -> str:
    pool = stage.read(POOLS, "MachineConfigPool", stage.pool)
    before = pool["metadata"].get("annotations", {}).get(BEFORE)
    if before is None:
        raise LabError(f"Could not undo: no scenario deleted the MachineOSConfig of MachineConfigPool {stage.pool}.")
    stage.ensure(CONFIGS, {**_config(stage, stage.pool, {}), "spec": json.loads(before)})
    stage.api.patch(f"{POOLS}/{stage.pool}", {"metadata": {"annotations": {BEFORE: None}}})
    return f"created MachineOSConfig {stage.pool} again, which is built"


def _second(stage: Stage) -> str:
    return f"{stage.pool}-too"


def _two_configs(stage: Stage) -> str:
    present = stage.read(CONFIGS, "MachineOSConfig", stage.pool)
    stage.api.create(CONFIGS, {**_config(stage, _second(stage), {}), "spec": present["spec"]})
    return f"created MachineOSConfig {_second(stage)} for MachineConfigPool {stage.pool} too: it gets no build"


def _one_config(stage: Stage) -> str:
    stage.remove(CONFIGS, _second(stage))
    stage.wait_for("end of the MachineOSBuild", lambda: _build(stage) is None)
    done = _apply(stage, "true")
    return f"deleted MachineOSConfig {_second(stage)}, with which the pool's build was deleted, and {done}"


def _superseded(stage: Stage) -> str:
    _rebuild(stage, "sleep 86400")
    build = _becomes(stage, "Building")
    # The running build continues with the text that it was started with.
    _apply(stage, "true")
    _add_file(stage)
    return f"created a MachineConfig during MachineOSBuild {build}: it stays Building, and another build runs"


def _old(
    name: str,
    sentence: str,
    play: Callable[[Stage], str],
    undo: Callable[[Stage], str] = _undone,
) -> Scenario:
    return Scenario(f"v1alpha1-{name}", Subject.POOL, sentence, play, undo, apis=(V1ALPHA1,))


V1ALPHA1_SCENARIOS = (
    _old("build-fails", "A RUN of the Containerfile fails.", _fails),
    _old("build-hangs", "A RUN of the Containerfile never ends.", _hangs),
    _old("config-edited", "The Containerfile is edited, which builds nothing.", _edited),
    _old("secret-missing", "The push secret does not exist when the build is created.", _secret_missing),
    _old("push-denied", "The registry denies the push secret.", _push_denied),
    _old("pull-denied", "The registry denies the pull secret of the pool's nodes.", _pull_denied),
    _old("failed-pod-left", "A failed pod turns the next success into a failure within a minute.", _failed_pod_left),
    _old("build-stale", "A build of the deleted MachineOSConfig is in the way of its successor.", _build_stale),
    _old("config-maps-left", "ConfigMaps of an interrupted build block the next.", _config_maps_left),
    _old("build-evicted", "The build pod is evicted: its build stays Building.", _evicted),
    _old("config-back", "A MachineConfig is removed: the newest image comes with the older config.", _config_back),
    _old("build-superseded", "A new rendered config leaves the running build Building for ever.", _superseded),
    _old(
        "config-deleted",
        "The MachineOSConfig of a pool with nodes is deleted: the first node is Degraded.",
        _config_deleted,
        _config_created_again,
    ),
    _old("two-configs", "Two MachineOSConfigs name the pool: one gets no build.", _two_configs, _one_config),
)
