# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine-os-builder of this generation, scripted: ``python -m lab.v1alpha1.builder FOLDER``.

It works while a pod of its Deployment runs, as the operator decides, and ends with that pod; the lab starts it again.
All that it keeps is in the API. Changes are worked on one after another.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from lab.api_time import now
from lab.build import OPERATOR_NAMESPACE
from lab.facts import Facts
from lab.kube_rest import Api, ApiError, Change
from lab.v1alpha1 import build_status
from lab.v1alpha1.build_objects import (
    OPTIONAL_MOUNTS,
    OptionalMount,
    Request,
    Secrets,
    UnusableSecret,
    canonical_secret,
    config_maps,
    machine_os_build,
    original_name,
    pod,
    repository,
)
from lab.v1alpha1.builder_decisions import (
    ConfigChange,
    PodState,
    config_change,
    pod_is_of_build,
    pod_state,
    pool_starts_build,
)
from lab.v1alpha1.objects import (
    BUILD_POD_LABEL,
    BUILDER,
    BUILDS,
    CONFIG_MAPS,
    CONFIGS,
    MACHINE_CONFIGS,
    PODS,
    POOL_LABEL,
    POOLS,
    SECRETS,
    Object,
    build_name,
    config_for,
    containerfile_map,
    digest_map,
    machine_config_map,
    name_of,
    pod_name,
    pool_of,
    rendered_of,
)
from lab.v1alpha1.watching import follow_in_thread, in_thread
from lab.v1alpha1.work_queue import RetryLater, WorkQueue

log = logging.getLogger(__name__)

POD_DELAY = 5.0
"""Seconds after which a change of a build pod is worked on."""
TRIES = 6
PAUSE = 60.0
_CONDITIONS = {
    PodState.PENDING: build_status.PREPARED,
    PodState.RUNNING: build_status.BUILDING,
    PodState.SUCCEEDED: build_status.SUCCEEDED,
}
_INPUTS = ("baseImagePullSecret", "renderedImagePushSecret")


class Work(Enum):
    """What is done for a name."""

    LOOK = "MachineOSConfig"
    DELETE = "deleted MachineOSConfig"
    START = "MachineConfigPool"
    POD = "Pod"


Key = tuple[Work, str]


class Builder:
    """The builder, keyed by pool: one build for each rendered config.

    The events of watches only decide what has to be done; one thread does it.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._configs: dict[str, Object] = {}
        self._deleted: dict[str, Object] = {}
        self._pools: dict[str, Object] = {}
        self._queue = WorkQueue[Key](self._work, TRIES, PAUSE)

    def serve(self) -> None:
        """Watch and work, for ever."""
        follow_in_thread(self._api, POOLS, self._pool_set, self._pool_gone)
        follow_in_thread(self._api, CONFIGS, self._config_set, self._config_gone)
        follow_in_thread(self._api, PODS, self._pod_set, lambda pod: None, labelSelector=BUILD_POD_LABEL)
        self._queue.serve()

    def _config_set(self, config: Object) -> None:
        before = self._configs.get(name_of(config))
        self._configs[name_of(config)] = config
        if config_change(before, config) is ConfigChange.LOOK:
            self._queue.add((Work.LOOK, name_of(config)))

    def _config_gone(self, config: Object) -> None:
        self._configs.pop(name_of(config), None)
        self._deleted[name_of(config)] = config
        self._queue.add((Work.DELETE, name_of(config)))

    def _pool_set(self, pool: Object) -> None:
        name = name_of(pool)
        before, self._pools[name] = self._pools.get(name), pool
        if before is not None and pool_starts_build(before, pool, config_for(name, self._configs.values())):
            self._queue.add((Work.START, name))

    def _pool_gone(self, pool: Object) -> None:
        self._pools.pop(name_of(pool), None)

    def _pod_set(self, pod: Object) -> None:
        self._queue.add((Work.POD, name_of(pod)), POD_DELAY)

    def _work(self, key: Key) -> None:
        work, name = key
        {
            Work.LOOK: self._look_at,
            Work.DELETE: self._delete_build,
            Work.START: self._start_for_pool,
            Work.POD: self._book_pod,
        }[work](name)

    def _look_at(self, name: str) -> None:
        """Look at the build of a new or edited MachineOSConfig, and create it where it does not exist."""
        config = self._configs.get(name)
        if config is None:
            return
        pool = self._api.get(f"{POOLS}/{pool_of(config)}")
        rendered = rendered_of(pool)
        if not rendered:
            # The pool's next change starts the build.
            return
        build = self._api.find(BUILDS, build_name(name_of(pool), rendered))
        if build is None:
            self._start(config, rendered)
            return
        log.info("MachineOSConfig %s: MachineOSBuild %s exists already", name, name_of(build))
        self._write(build, build_status.observed(build.get("status", {}), _created(build), now()))

    def _start_for_pool(self, name: str) -> None:
        config, pool = config_for(name, self._configs.values()), self._api.find(POOLS, name)
        if config is None or pool is None or self._api.find(BUILDS, build_name(name, rendered_of(pool))) is not None:
            return
        self._start(config, rendered_of(pool))

    def _delete_build(self, name: str) -> None:
        """Delete the build of the pool's current rendered config with its MachineOSConfig."""
        config = self._deleted.pop(name)
        pool = self._api.find(POOLS, pool_of(config))
        build = self._api.find(BUILDS, build_name(pool_of(config), rendered_of(pool))) if pool is not None else None
        if pool is None or build is None:
            return
        rendered = rendered_of(pool)
        if self._api.remove(PODS, pod_name(rendered)):
            self._api.remove(CONFIG_MAPS, digest_map(rendered))
            self._write(build, build_status.interrupted(build.get("status", {}), _created(build), now()))
        self._api.remove(BUILDS, name_of(build))
        log.info("MachineOSBuild %s: deleted with MachineOSConfig %s", name_of(build), name)

    def _book_pod(self, name: str) -> None:
        """Book a build pod to the build of its pool's current rendered config. Raises RetryLater."""
        found = self._api.find(PODS, name)
        if found is None:
            return
        pool = str(found["metadata"]["labels"].get(POOL_LABEL, ""))
        rendered = rendered_of(self._api.get(f"{POOLS}/{pool}"))
        build = self._api.get(f"{BUILDS}/{build_name(pool, rendered)}")
        status, state = build.get("status", {}), pod_state(found)
        if state is PodState.FAILED:
            self._write(build, build_status.failed(status, pool, _created(build), now()))
            raise RetryLater(f"Pod {name} failed")
        if build_status.condition_is_true(status, _CONDITIONS[state]):
            return
        if state is PodState.SUCCEEDED:
            self._finish(build, rendered)
        elif state is PodState.RUNNING:
            self._write(build, build_status.building(status, _created(build), now()))
        else:
            self._write(build, build_status.prepared(status, rendered, _created(build), now()))

    def _start(self, config: Object, rendered: str) -> None:
        build = self._api.create(BUILDS, machine_os_build(config, rendered))
        log.info("MachineOSBuild %s: created", name_of(build))
        try:
            self._begin(config, build, rendered)
        except (ApiError, UnusableSecret) as error:
            # The retry finds the build, and is content with it.
            log.error("MachineOSBuild %s: could not start: %s", name_of(build), error)
            self._write(build, build_status.observed({}, _created(build), now()))

    def _begin(self, config: Object, build: Object, rendered: str) -> None:
        secrets = Secrets(*(self._mountable(str(config["spec"]["buildInputs"][key]["name"])) for key in _INPUTS))
        release = self._api.get(f"{CONFIG_MAPS}/machine-config-osimageurl")["data"]
        request = Request(
            config=config,
            rendered=self._api.get(f"{MACHINE_CONFIGS}/{rendered}"),
            base_image=release["baseOSContainerImage"],
            release=release["releaseVersion"],
            optional=tuple(mount for mount in OPTIONAL_MOUNTS if self._exists(mount)),
        )
        for body in config_maps(request):
            self._create_config_map(body)
        running = self._api.find(PODS, pod_name(rendered))
        if running is None or not pod_is_of_build(running):
            running = self._api.create(PODS, pod(request, secrets))
        self._add_source(pool_of(config), running)
        self._write(build, build_status.prepared({}, rendered, _created(build), now()))
        self._rewrite(config, secrets)

    def _create_config_map(self, body: Mapping[str, Any]) -> None:
        kind = "rendered MachineConfig" if name_of(body).startswith("mc-") else "Containerfile"
        try:
            self._api.create(CONFIG_MAPS, body)
        except ApiError as error:
            raise ApiError(error.status, f"could not load {kind} {name_of(body)} into configmap: {error}") from error

    def _mountable(self, name: str) -> str:
        """Return the name of the secret that the pod mounts: the secret, or a current copy of one of the old form."""
        secret = self._api.get(f"{SECRETS}/{name}")
        original = original_name(secret)
        if original != name:
            secret = self._api.get(f"{SECRETS}/{original}")
        copy = canonical_secret(secret)
        if copy is None:
            return name
        present = self._api.find(SECRETS, name_of(copy))
        if present is None:
            self._api.create(SECRETS, copy)
        elif present.get("data") != copy["data"]:
            self._api.patch(f"{SECRETS}/{name_of(copy)}", {"data": copy["data"]})
        return name_of(copy)

    def _exists(self, mount: OptionalMount) -> bool:
        return self._api.find(SECRETS if mount.is_secret else CONFIG_MAPS, mount.name) is not None

    def _add_source(self, pool: str, pod: Object) -> None:
        """Name the pod in the sources of the pool's configuration; the render controller removes it."""
        present = self._api.get(f"{POOLS}/{pool}")
        reference = {"name": name_of(pod), "namespace": OPERATOR_NAMESPACE, "uid": pod["metadata"]["uid"]}
        sources = [*present["spec"]["configuration"].get("source", []), reference]
        version = {"resourceVersion": present["metadata"]["resourceVersion"]}
        self._insist(
            lambda: self._api.patch(
                f"{POOLS}/{pool}", {"metadata": version, "spec": {"configuration": {"source": sources}}}
            )
        )

    def _insist(self, action: Callable[[], Any]) -> None:
        # A conflict: the pool was written meanwhile, and only its readers would miss the reference.
        try:
            action()
        except ApiError as error:
            if error.status != 409:
                raise
            log.warning("%s", error)

    def _rewrite(self, config: Object, secrets: Secrets) -> None:
        inputs = config["spec"]["buildInputs"]
        names = dict(zip(_INPUTS, (secrets.base, secrets.push), strict=True))
        changed = {key: {"name": name} for key, name in names.items() if inputs[key]["name"] != name}
        if changed:
            self._api.patch(f"{CONFIGS}/{name_of(config)}", {"spec": {"buildInputs": changed}})

    def _finish(self, build: Object, rendered: str) -> None:
        digest = self._api.get(f"{CONFIG_MAPS}/{digest_map(rendered)}")["data"]["digest"].strip()
        self._api.remove(PODS, pod_name(rendered))
        for name in (machine_config_map(rendered), containerfile_map(rendered), digest_map(rendered)):
            self._api.remove(CONFIG_MAPS, name)
        image = f"{repository(build['spec']['renderedImagePushspec'])}@{digest}"
        config = build["spec"]["machineOSConfig"]["name"]
        self._api.patch(f"{CONFIGS}/{config}/status", {"status": {"currentImagePullspec": image}})
        self._write(build, build_status.succeeded(build.get("status", {}), image, _created(build), now()))
        log.info("MachineOSBuild %s: succeeded with %s", name_of(build), image)

    def _write(self, build: Object, status: Mapping[str, Any]) -> None:
        if build_status.is_same(build.get("status", {}), status):
            return
        self._api.patch(f"{BUILDS}/{name_of(build)}/status", {"status": dict(status)})


def _run_with_its_pod(api: Api) -> None:
    """Build while a pod of the Deployment runs, and end this process with that pod."""
    serving = ""
    for event in api.follow(PODS, labelSelector=f"k8s-app={BUILDER}"):
        metadata = event.object["metadata"]
        ended = event.change is Change.GONE or "deletionTimestamp" in metadata
        if ended and metadata["uid"] == serving:
            log.info("Pod %s: deleted; ending with it", event.name)
            os._exit(0)
        if not ended and not serving and event.object.get("status", {}).get("phase") == "Running":
            serving = metadata["uid"]
            log.info("Pod %s: runs; starting", event.name)
            in_thread(Builder(api).serve, "builder")


def _created(build: Object) -> str:
    return str(build.get("status", {}).get("buildStart") or build["metadata"]["creationTimestamp"])


def main() -> None:
    """Run the builder of the lab whose folder is the first argument."""
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(levelname)s %(message)s")
    _run_with_its_pod(Api(Facts.load(sys.argv[1]).kubeconfigs.machine_os_builder))


if __name__ == "__main__":
    main()
