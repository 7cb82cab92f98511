# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a MachineOSConfig, and compute the patch that makes it what the user wants.

Every change of the spec starts a build, also the change of a Secret's name only. So two specs that mean the same are
not written over each other. Source: docs/operator-behavior.md ("Build identity").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .resources import (
    ANNOTATION_PREFIX,
    BUILD_BEFORE,
    CREATED_BY,
    MACHINE_OS_CONFIG,
    OURS,
    Object,
    annotations_of,
    metadata_of,
    pruned,
)

CURRENT_BUILD = ANNOTATION_PREFIX + "current-machine-os-build"
REBUILD = ANNOTATION_PREFIX + "rebuild"
"""Requests a rebuild; the operator removes it when the new build has started.

Source: docs/operator-behavior.md ("Rebuild request").
"""
ALL_ARCHITECTURES = "NoArch"
"""The only entry of ``containerFile`` that the operator builds (docs/operator-behavior.md, "API versions")."""


@dataclass(frozen=True)
class MachineOSConfig:
    """A MachineOSConfig as the API serves it, read once."""

    name: str
    uid: str
    pool: str
    containerfile: str
    rendered_image_push_spec: str
    rendered_image_push_secret: str
    base_image_pull_secret: str
    generation: int
    observed_generation: int
    current_image_pull_spec: str
    current_build: str
    build_before: str
    spec_changed_at: str
    rebuild_requested: bool = False

    @classmethod
    def from_api(cls, obj: Object) -> MachineOSConfig:
        """Read a v1 MachineOSConfig."""
        spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, metadata_of(obj)
        notes = annotations_of(obj)
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            pool=(spec.get("machineConfigPool") or {}).get("name", ""),
            containerfile=_containerfile(spec),
            rendered_image_push_spec=spec.get("renderedImagePushSpec", ""),
            rendered_image_push_secret=(spec.get("renderedImagePushSecret") or {}).get("name", ""),
            base_image_pull_secret=(spec.get("baseImagePullSecret") or {}).get("name", ""),
            generation=meta.get("generation", 1),
            observed_generation=status.get("observedGeneration", 0),
            current_image_pull_spec=status.get("currentImagePullSpec", ""),
            current_build=notes.get(CURRENT_BUILD, ""),
            build_before=_build_before(obj),
            spec_changed_at=_spec_changed_at(obj),
            rebuild_requested=REBUILD in notes,
        )


@dataclass(frozen=True)
class WantedConfig:
    """What the user asks for. None leaves a field as it is; an empty text takes an optional field away."""

    pool: str
    containerfile: str | None = None
    rendered_image_push_spec: str | None = None
    rendered_image_push_secret: str | None = None
    base_image_pull_secret: str | None = None

    def missing_for_creation(self) -> list[str]:
        """Name the options without which the API can create none."""
        needed = ("rendered_image_push_spec", "rendered_image_push_secret")
        return [option for option in needed if not getattr(self, option)]

    def secrets(self) -> list[str]:
        """Name the Secrets that it refers to."""
        return [s for s in (self.rendered_image_push_secret, self.base_image_pull_secret) if s]


def that_serves(pool: str, configs: t.Iterable[Object]) -> Object | None:
    """Return the MachineOSConfig that the operator uses for a pool: the first in list order.

    Source: docs/operator-behavior.md ("API versions").
    """
    for config in configs:
        if ((config.get("spec") or {}).get("machineConfigPool") or {}).get("name") == pool:
            return config
    return None


def new_object(name: str, wanted: WantedConfig) -> dict[str, t.Any]:
    """Return the MachineOSConfig to create."""
    spec: dict[str, t.Any] = {
        "machineConfigPool": {"name": wanted.pool},
        "imageBuilder": {"imageBuilderType": "Job"},
        "renderedImagePushSpec": wanted.rendered_image_push_spec,
        "renderedImagePushSecret": {"name": wanted.rendered_image_push_secret},
    }
    if wanted.base_image_pull_secret:
        spec["baseImagePullSecret"] = {"name": wanted.base_image_pull_secret}
    if wanted.containerfile:
        spec["containerFile"] = [_entry(wanted.containerfile)]
    return {
        "apiVersion": MACHINE_OS_CONFIG.api_version,
        "kind": MACHINE_OS_CONFIG.name,
        "metadata": {"name": name, "annotations": {CREATED_BY: OURS}},
        "spec": spec,
    }


def spec_patch(current: Object, wanted: WantedConfig) -> dict[str, t.Any]:
    """Return the part of a merge patch that turns the current spec into the wanted one; empty when they mean the same.

    Line ends at the end of a Containerfile mean nothing: they come and go with the way it was quoted.
    """
    spec = current.get("spec") or {}
    now = MachineOSConfig.from_api(current)
    patch: dict[str, t.Any] = {}
    if wanted.rendered_image_push_spec is not None and wanted.rendered_image_push_spec != now.rendered_image_push_spec:
        patch["renderedImagePushSpec"] = wanted.rendered_image_push_spec
    push_secret = wanted.rendered_image_push_secret
    if push_secret is not None and push_secret != now.rendered_image_push_secret:
        patch["renderedImagePushSecret"] = {"name": push_secret}
    base_secret = wanted.base_image_pull_secret
    if base_secret is not None and base_secret != now.base_image_pull_secret:
        patch["baseImagePullSecret"] = {"name": base_secret} if base_secret else None
    if wanted.containerfile is not None and not same_containerfile(wanted.containerfile, now.containerfile):
        others = [e for e in spec.get("containerFile") or [] if not _is_for_all(e)]
        patch["containerFile"] = others + ([_entry(wanted.containerfile)] if wanted.containerfile else [])
    return patch


def same_containerfile(one: str, other: str) -> bool:
    """Whether two Containerfiles build the same."""
    return one.rstrip("\n") == other.rstrip("\n")


def shown(obj: Object | None) -> dict[str, t.Any]:
    """Return what a diff shows of a MachineOSConfig."""
    return {} if obj is None else {"metadata": {"name": metadata_of(obj).get("name")}, "spec": obj.get("spec") or {}}


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return what a wait reads of a MachineOSConfig, without the Containerfile."""
    kept = pruned(
        obj,
        "metadata.name",
        "metadata.uid",
        "metadata.generation",
        "spec.machineConfigPool",
        "spec.renderedImagePushSpec",
        "spec.renderedImagePushSecret",
        "spec.baseImagePullSecret",
        "status.observedGeneration",
        "status.currentImagePullSpec",
    )
    notes, mark, changed_at = annotations_of(obj), _build_before(obj), _spec_changed_at(obj)
    kept["metadata"]["annotations"] = {name: notes[name] for name in (CURRENT_BUILD, REBUILD) if name in notes}
    owned: dict[str, t.Any] = {"f:spec": {}}
    if mark:
        kept["metadata"]["annotations"][BUILD_BEFORE] = mark
        owned["f:metadata"] = {"f:annotations": {f"f:{BUILD_BEFORE}": {}}}
    kept["metadata"]["managedFields"] = [{"time": changed_at, "fieldsV1": owned}] if changed_at else []
    return kept


def _entry(content: str) -> dict[str, str]:
    return {"containerfileArch": ALL_ARCHITECTURES, "content": content}


def containerfile_of(config: Object) -> str:
    """Return the Containerfile that the operator builds; empty when there is none."""
    return _containerfile(config.get("spec") or {})


def _containerfile(spec: Object) -> str:
    for entry in spec.get("containerFile") or []:
        if _is_for_all(entry):
            return t.cast(str, entry.get("content", ""))
    return ""


def _is_for_all(entry: Object) -> bool:
    return bool(entry.get("containerfileArch", ALL_ARCHITECTURES) == ALL_ARCHITECTURES)


def _build_before(obj: Object) -> str:
    """Return the mark of our last edit; none when somebody else has edited since, for it says nothing of that edit."""
    mark = annotations_of(obj).get(BUILD_BEFORE, "")
    annotations = (
        (entry.get("time", ""), ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:annotations") or {})
        for entry in metadata_of(obj).get("managedFields") or []
    )
    marked_at = max((time for time, owned in annotations if f"f:{BUILD_BEFORE}" in owned), default="")
    return mark if marked_at >= _spec_changed_at(obj) else ""


def _spec_changed_at(obj: Object) -> str:
    """Return the time of the last change by a manager that owns fields of the spec, RFC 3339 with whole seconds.

    A manager's entry carries one time for all its fields, so this can be later than the spec's own change. It is
    earlier only when the change did nothing but take a field away, which the API server does not stamp.
    """
    times = [
        entry.get("time", "")
        for entry in metadata_of(obj).get("managedFields") or []
        if not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
    ]
    return max(times, default="")
