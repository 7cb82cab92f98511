# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the objects of builds that single pods run (OpenShift 4.16 and 4.17), and list those to delete.

Each build has a pod, up to three ConfigMaps and a MachineOSBuild, all named after the rendered config. No object owns
another. What a failed build leaves keeps the operator from building this rendered config again. A failed pod also makes
it mark the builds of other rendered configs as failed. Source: docs/operator-behavior.md ("Rebuild in v1alpha1").
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ..objects.canonical_secret import original_name
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.resources import (
    ANNOTATION_PREFIX,
    CONFIG_MAP,
    MACHINE_OS_BUILD,
    OPERATOR_NAMESPACE,
    POD,
    Kind,
    Object,
    ObjectRef,
    labels_of,
    metadata_of,
)
from ..objects.spec_edit import REWRITTEN_SECRETS
from ..objects.v1alpha1 import PULL_SECRET_FIELD, build_name
from ..objects.values import mapping, mappings, number_in, text_in
from .attempts import CANNOT_START
from .pod_build import CONFIG_LABELS, POOL_LABELS, pod_name

COPY_LABEL = ANNOTATION_PREFIX + "canonicalizedSecret"
"""Label of a Secret that the operator created as a copy of another."""


class PodState(enum.Enum):
    """State of a build pod. Its phase stays Running when the builder fails, so its containers decide."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True)
class BuildPod:
    """A pod that builds the image for a rendered config."""

    name: str
    uid: str
    rendered_config: str
    state: PodState
    created: str
    is_deleted: bool
    """Whether it was deleted and still exists, up to its grace period."""

    @classmethod
    def from_api(cls, obj: Object) -> BuildPod:
        """Read a v1 Pod."""
        meta, labels = metadata_of(obj), labels_of(obj)
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            rendered_config=next((labels[name] for name in CONFIG_LABELS if name in labels), ""),
            state=_state(mapping(obj.get("status"))),
            created=meta.get("creationTimestamp") or "",
            is_deleted=bool(meta.get("deletionTimestamp")),
        )


@dataclass(frozen=True)
class Deletion:
    """An object to delete."""

    kind: Kind
    name: str
    namespace: str = ""
    uid: str = ""
    """Empty for an object that is deleted by its name alone, and that may not exist."""

    @property
    def ref(self) -> ObjectRef:
        """The object in messages and results."""
        return ObjectRef(self.kind.name, self.name, self.namespace)


def builds_of_pool(pool: str, builds: t.Iterable[MachineOSBuild]) -> tuple[MachineOSBuild, ...]:
    """Return the builds of a pool, which their names show, whatever MachineOSConfig they refer to."""
    return tuple(b for b in builds if b.is_pod_build and b.name == build_name(pool, b.rendered_config))


def pods_of_pool(pool: str, pods: t.Iterable[Object]) -> tuple[BuildPod, ...]:
    """Return the build pods of a pool, each once, sorted by name.

    A pod of a Job is none, and neither is a pod whose name is not the one of its rendered config.
    """
    found = {}
    for obj in pods:
        pod = BuildPod.from_api(obj)
        is_of_pool = any(labels_of(obj).get(name) == pool for name in POOL_LABELS)
        is_owned = any(owner.get("controller") for owner in metadata_of(obj).get("ownerReferences") or [])
        if is_of_pool and not is_owned and pod.rendered_config and pod.name == pod_name(pod.rendered_config):
            found[pod.name] = pod
    return tuple(found[name] for name in sorted(found))


def objects_to_rebuild(
    pool: str, rendered_config: str, builds: t.Iterable[MachineOSBuild], pods: t.Collection[BuildPod]
) -> tuple[Deletion, ...]:
    """Return what has to be deleted before the operator builds a rendered config again.

    The operator books each pod to the build of the pool's rendered config. So an unfinished build of another rendered
    config never ends, and its pod disturbs the new build. Builds of others that succeeded are kept.

    :param rendered_config: the rendered MachineConfig of the pool's spec
    :param builds: the builds of the pool
    :param pods: the build pods of the pool
    """
    current = build_name(pool, rendered_config)
    deleted = [b for b in builds if b.name == current or _is_unfinished(b)]
    names = {rendered_config, *(b.rendered_config for b in deleted), *(pod.rendered_config for pod in pods)}
    return _deletions(pods, names, deleted)


def objects_of_other_configs(
    pool: str, rendered_config: str, builds: t.Iterable[MachineOSBuild], pods: t.Iterable[BuildPod]
) -> tuple[Deletion, ...]:
    """Return what is left of the builds of a pool for other rendered configs than the one of its spec."""
    current = build_name(pool, rendered_config)
    others = [b for b in builds if b.name != current]
    left = [pod for pod in pods if pod.rendered_config != rendered_config]
    return _deletions(left, _names_with_config_maps(others, left), others)


def objects_of_failed_pods(
    rendered_config: str, builds: t.Iterable[MachineOSBuild], pods: t.Iterable[BuildPod]
) -> tuple[Deletion, ...]:
    """Return what is left of failed builds for other rendered configs, whose pods mark the current build as failed."""
    failed = [p for p in pods if p.state is PodState.FAILED and p.rendered_config != rendered_config]
    names = {pod.rendered_config for pod in failed}
    return _deletions(failed, names, [b for b in builds if b.rendered_config in names and _is_unfinished(b)])


def all_objects(
    rendered_config: str, builds: t.Collection[MachineOSBuild], pods: t.Collection[BuildPod]
) -> tuple[Deletion, ...]:
    """Return all that exists of the builds of a pool.

    :param rendered_config: the rendered MachineConfig of the pool's spec, or an empty text
    """
    names = _names_with_config_maps(builds, pods) | ({rendered_config} if rendered_config else set())
    return _deletions(pods, names, builds)


def copied_secrets(config: Object, others: t.Iterable[Object]) -> list[str]:
    """Return the Secrets that the operator may have created for a MachineOSConfig, and that no other one uses.

    A Secret with which nodes pull is never among them, because the pods of the machine-config-daemon mount it.

    :param others: all other MachineOSConfigs of the cluster
    """
    spec = config.get("spec") or {}
    named = {_secret_in(spec, field) for field in REWRITTEN_SECRETS}
    used = {_secret_in(spec, PULL_SECRET_FIELD)}
    for other in others:
        used |= {_secret_in(other.get("spec") or {}, field) for field in (*REWRITTEN_SECRETS, PULL_SECRET_FIELD)}
    return sorted(name for name in named - used if original_name(name) != name)


def _secret_in(spec: Object, field: str) -> str:
    return text_in(spec.get(field), "name")


def _is_unfinished(build: MachineOSBuild) -> bool:
    return build.state is not BuildState.SUCCEEDED


def _names_with_config_maps(builds: t.Iterable[MachineOSBuild], pods: t.Iterable[BuildPod]) -> set[str]:
    """Return the rendered configs whose ConfigMaps may exist. The operator deletes them when a build succeeds."""
    return {b.rendered_config for b in builds if not b.digested_image_push_spec} | {p.rendered_config for p in pods}


def _deletions(
    pods: t.Iterable[BuildPod], rendered_configs: t.Iterable[str], builds: t.Iterable[MachineOSBuild]
) -> tuple[Deletion, ...]:
    """Return objects in the order of their deletion. The builds are last: they tell a later run what is left."""
    maps = [f"{kind}-{name}" for name in sorted(rendered_configs) for kind in ("mc", "dockerfile", "digest")]
    return (
        *(Deletion(POD, pod.name, OPERATOR_NAMESPACE, pod.uid) for pod in pods),
        *(Deletion(CONFIG_MAP, name, OPERATOR_NAMESPACE) for name in maps),
        *(Deletion(MACHINE_OS_BUILD, build.name, uid=build.uid) for build in builds),
    )


def _state(status: Object) -> PodState:
    phase = text_in(status, "phase")
    states = [mapping(container.get("state")) for container in mappings(status.get("containerStatuses"))]
    has_failed = any(number_in(state.get("terminated"), "exitCode") for state in states)
    is_stuck = any(text_in(state.get("waiting"), "reason") in CANNOT_START for state in states)
    if has_failed or is_stuck or phase == "Failed":
        return PodState.FAILED
    return PodState.SUCCEEDED if phase == "Succeeded" else PodState.RUNNING
