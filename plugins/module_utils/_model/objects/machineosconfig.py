# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a MachineOSConfig, and compute the patch that makes it what the user wants.

Every change of the spec starts a build, also the change of a Secret's name only. So two specs that mean the same are
not written over each other. Source: docs/operator-behavior.md ("Build identity").
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .canonical_secret import original_name
from .resources import (
    ANNOTATION_PREFIX,
    CREATED_BY,
    EDIT,
    FIELD_MANAGER,
    MACHINE_OS_CONFIG,
    OURS,
    V1ALPHA1,
    Object,
    annotations_of,
    metadata_of,
    pruned,
)
from .spec_edit import (
    POD_BUILDER,
    REWRITTEN_SECRETS,
    ProvenBuild,
    SpecEdit,
    creation_record,
    merged,
    read_spec_edit,
    spec_hash,
)
from .v1alpha1 import PULL_SECRET_FIELD, as_served

CURRENT_BUILD = ANNOTATION_PREFIX + "current-machine-os-build"
REBUILD = ANNOTATION_PREFIX + "rebuild"
"""Requests a rebuild; the operator removes it when the new build has started.

Source: docs/operator-behavior.md ("Rebuild request").
"""
GLOBAL_PULL_SECRET_COPY = "global-pull-secret-copy"  # noqa: S105 - the name of a Secret
"""Copy of the global pull secret in the operator namespace. Later releases create it and use it for the base image. In
v1alpha1 the documentation has the user create it (docs/operator-behavior.md, "Secrets").
"""
MAX_CHARACTERS = 4096
"""Characters of a Containerfile that the API accepts. It counts Unicode code points, not bytes.

Source: docs/operator-behavior.md ("API versions").
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
    spec_hash: str
    spec_changed_at: str
    """Time of the last change that the API server recorded, RFC 3339 with whole seconds."""
    spec_changed_by: str
    """Field manager of that change."""
    last_record: SpecEdit | None = None
    """Record of the last edit by this collection. Use :attr:`edit`."""
    rebuild_requested: bool = False
    current_image_pull_secret: str = ""
    """Secret with which the nodes pull the image. v1 has no such field."""
    is_v1alpha1: bool = False
    """Whether the API server serves it as v1alpha1."""
    secrets_rewritten: bool = False
    """Whether the operator replaced names of Secrets in the spec, which is one generation."""
    created: str = ""
    """Creation time, RFC 3339 with whole seconds."""

    @property
    def secrets(self) -> list[str]:
        """Names of the Secrets that it refers to, sorted."""
        named = {self.rendered_image_push_secret, self.base_image_pull_secret, self.current_image_pull_secret}
        return sorted(named - {""})

    @property
    def is_never_edited(self) -> bool:
        """Whether the spec is the one of its creation."""
        return self.generation <= 1 + self.secrets_rewritten

    @property
    def edit(self) -> SpecEdit | None:
        """The record of the edit that wrote the present spec. None if another client changed the spec since."""
        record = self._own_record
        if record is None or record.spec_hash != self.spec_hash:
            return None
        is_same = record.generation in (self.generation, self.generation - self.secrets_rewritten)
        return record if is_same else None

    @property
    def _own_record(self) -> SpecEdit | None:
        """The record, unless it was copied from another object of this name. A creation knows no UID yet."""
        record = self.last_record
        if record is None:
            return None
        is_creation = record.generation == 1 and not record.config_uid
        return record if is_creation or record.config_uid == self.uid else None

    @property
    def proven_builds(self) -> tuple[ProvenBuild, ...]:
        """The builds that an edit by this collection recorded as proven for the present spec."""
        record = self._own_record
        return record.proven_for(self.spec_hash) if record else ()

    @classmethod
    def from_api(cls, obj: Object) -> MachineOSConfig:
        """Read a MachineOSConfig in the form of v1."""
        spec, status, meta = obj.get("spec") or {}, obj.get("status") or {}, metadata_of(obj)
        notes = annotations_of(obj)
        changed_at, changed_by = _last_change(obj)
        is_v1alpha1 = obj.get("apiVersion") == V1ALPHA1
        secrets = {name: (spec.get(name) or {}).get("name", "") for name in REWRITTEN_SECRETS}
        names = {n: original_name(secret) if is_v1alpha1 else secret for n, secret in secrets.items()}
        return cls(
            name=meta["name"],
            uid=meta.get("uid", ""),
            pool=(spec.get("machineConfigPool") or {}).get("name", ""),
            containerfile=_containerfile(spec),
            rendered_image_push_spec=spec.get("renderedImagePushSpec", ""),
            rendered_image_push_secret=names["renderedImagePushSecret"],
            base_image_pull_secret=names["baseImagePullSecret"],
            generation=meta.get("generation", 1),
            observed_generation=status.get("observedGeneration", 0),
            current_image_pull_spec=status.get("currentImagePullSpec", ""),
            current_build=notes.get(CURRENT_BUILD, ""),
            spec_hash=obj.get(_REDUCED_HASH) or spec_hash(spec),
            spec_changed_at=changed_at,
            spec_changed_by=changed_by,
            last_record=read_spec_edit(notes[EDIT]) if EDIT in notes else None,
            rebuild_requested=REBUILD in notes,
            current_image_pull_secret=(spec.get(PULL_SECRET_FIELD) or {}).get("name", ""),
            is_v1alpha1=is_v1alpha1,
            secrets_rewritten=names != secrets,
            created=meta.get("creationTimestamp") or "",
        )


@dataclass(frozen=True)
class WantedConfig:
    """What the user asks for. None leaves a field as it is; an empty text takes an optional field away."""

    pool: str
    containerfile: str | None = None
    rendered_image_push_spec: str | None = None
    rendered_image_push_secret: str | None = None
    base_image_pull_secret: str | None = None
    current_image_pull_secret: str | None = None
    """Secret with which the nodes pull the image. Only v1alpha1 has such a field."""
    is_v1alpha1: bool = False
    """Whether the API server serves v1alpha1."""

    def for_version(self, is_v1alpha1: bool) -> WantedConfig:
        """Return the options in fields of the served version.

        In v1alpha1 the Secret for the base image is required. The default of v1 has the same name there.
        """
        if not is_v1alpha1:
            return replace(self, current_image_pull_secret=None)
        base = GLOBAL_PULL_SECRET_COPY if self.base_image_pull_secret == "" else self.base_image_pull_secret
        pull = self.current_image_pull_secret or None
        return replace(self, base_image_pull_secret=base, current_image_pull_secret=pull, is_v1alpha1=True)

    def for_creation(self) -> WantedConfig:
        """Return what a new one has, with the defaults of the operator that v1alpha1 does not have."""
        if not self.is_v1alpha1 or self.base_image_pull_secret:
            return self
        return replace(self, base_image_pull_secret=GLOBAL_PULL_SECRET_COPY)

    def missing_for_creation(self) -> list[str]:
        """Name the options without which the API, or the operator, accepts none."""
        needed = ["rendered_image_push_spec", "rendered_image_push_secret"]
        needed += ["current_image_pull_secret"] if self.is_v1alpha1 else []
        return [option for option in needed if not getattr(self, option)]

    def secrets(self) -> list[str]:
        """Name the Secrets that it refers to."""
        named = (self.rendered_image_push_secret, self.base_image_pull_secret, self.current_image_pull_secret)
        return list(dict.fromkeys(name for name in named if name))


def all_that_serve(pool: str, configs: t.Iterable[Object]) -> list[Object]:
    """Return the MachineOSConfigs of a pool, in list order."""
    return [c for c in configs if ((c.get("spec") or {}).get("machineConfigPool") or {}).get("name") == pool]


def that_serves(pool: str, configs: t.Iterable[Object]) -> Object | None:
    """Return the MachineOSConfig that the operator uses for a pool: the first in list order.

    Source: docs/operator-behavior.md ("API versions").
    """
    return next(iter(all_that_serve(pool, configs)), None)


def new_object(name: str, wanted: WantedConfig) -> dict[str, t.Any]:
    """Return the MachineOSConfig to create."""
    spec: dict[str, t.Any] = {
        "machineConfigPool": {"name": wanted.pool},
        "imageBuilder": dict(POD_BUILDER) if wanted.is_v1alpha1 else {"imageBuilderType": "Job"},
        "renderedImagePushSpec": wanted.rendered_image_push_spec,
        "renderedImagePushSecret": {"name": wanted.rendered_image_push_secret},
    }
    if wanted.base_image_pull_secret:
        spec["baseImagePullSecret"] = {"name": wanted.base_image_pull_secret}
    if wanted.current_image_pull_secret:
        spec[PULL_SECRET_FIELD] = {"name": wanted.current_image_pull_secret}
    if wanted.containerfile:
        spec["containerFile"] = [_entry(wanted.containerfile)]
    return {
        "apiVersion": MACHINE_OS_CONFIG.api_version,
        "kind": MACHINE_OS_CONFIG.name,
        "metadata": {"name": name, "annotations": {CREATED_BY: OURS, EDIT: creation_record(spec)}},
        "spec": spec,
    }


def spec_patch(current: Object, wanted: WantedConfig) -> dict[str, t.Any]:
    """Return the part of a merge patch that turns the current spec into the wanted one; empty when they mean the same.

    Line ends at the end of a Containerfile mean nothing: they come and go with the way it was quoted. In v1alpha1 a
    Secret and its copy by the operator are the same.
    """
    now = MachineOSConfig.from_api(current)
    same_name = original_name if now.is_v1alpha1 else str
    patch: dict[str, t.Any] = {}
    if wanted.rendered_image_push_spec is not None and wanted.rendered_image_push_spec != now.rendered_image_push_spec:
        patch["renderedImagePushSpec"] = wanted.rendered_image_push_spec
    push_secret = wanted.rendered_image_push_secret
    if push_secret is not None and same_name(push_secret) != now.rendered_image_push_secret:
        patch["renderedImagePushSecret"] = {"name": push_secret}
    base_secret = wanted.base_image_pull_secret
    if base_secret is not None and same_name(base_secret) != now.base_image_pull_secret:
        patch["baseImagePullSecret"] = {"name": base_secret} if base_secret else None
    pull_secret = wanted.current_image_pull_secret
    if now.is_v1alpha1 and pull_secret and pull_secret != now.current_image_pull_secret:
        patch[PULL_SECRET_FIELD] = {"name": pull_secret}
    if wanted.containerfile is not None and not same_containerfile(wanted.containerfile, now.containerfile):
        patch["containerFile"] = entries_with(current, wanted.containerfile)
    return patch


def patched(current: Object, patch: t.Mapping[str, t.Any]) -> MachineOSConfig:
    """Return a MachineOSConfig as it is after a merge patch of its spec."""
    return MachineOSConfig.from_api({**current, "spec": merged(current.get("spec") or {}, patch)})


def starts_build(patch: t.Mapping[str, t.Any]) -> bool:
    """Whether a merge patch of the spec changes inputs of the build."""
    return bool(patch.keys() - {PULL_SECRET_FIELD})


def secrets_to_check(current: Object, patch: t.Mapping[str, t.Any]) -> list[str]:
    """Name the Secrets that a merge patch of the spec brings, and the one with which its build pushes.

    In v1alpha1 a build is deleted before it is started again, so that all Secrets of the spec are needed then.
    """
    spec = merged(current.get("spec") or {}, patch)
    if current.get("apiVersion") != V1ALPHA1:
        brought = [patch[field]["name"] for field in REWRITTEN_SECRETS if patch.get(field)]
        push = (spec.get("renderedImagePushSecret") or {}).get("name")
        return list(dict.fromkeys([*brought, push] if push else brought))
    fields = (*REWRITTEN_SECRETS, PULL_SECRET_FIELD) if starts_build(patch) else (PULL_SECRET_FIELD,)
    return list(dict.fromkeys(original_name(spec[field]["name"]) for field in fields if spec.get(field)))


def same_containerfile(one: str, other: str) -> bool:
    """Whether two Containerfiles build the same."""
    return one.rstrip("\n") == other.rstrip("\n")


def shown(obj: Object | None) -> dict[str, t.Any]:
    """Return what a diff shows of a MachineOSConfig, as the API server returned it: each Containerfile as its lines."""
    if obj is None:
        return {}
    spec = dict(as_served(obj).get("spec") or {})
    place = spec
    if "buildInputs" in spec:
        place = spec["buildInputs"] = dict(spec["buildInputs"])
    if place.get("containerFile"):
        place["containerFile"] = [
            {**entry, "content": str(entry.get("content", "")).splitlines()} for entry in place["containerFile"]
        ]
    return {"metadata": {"name": metadata_of(obj).get("name")}, "spec": spec}


def reduced(obj: Object) -> dict[str, t.Any]:
    """Return what a wait reads of a MachineOSConfig, without the Containerfile."""
    kept = pruned(
        obj,
        "apiVersion",
        "metadata.name",
        "metadata.uid",
        "metadata.generation",
        "metadata.creationTimestamp",
        "spec.machineConfigPool",
        "spec.renderedImagePushSpec",
        "spec.renderedImagePushSecret",
        "spec.baseImagePullSecret",
        f"spec.{PULL_SECRET_FIELD}",
        "status.observedGeneration",
        "status.currentImagePullSpec",
    )
    notes, (changed_at, changed_by) = annotations_of(obj), _last_change(obj)
    kept[_REDUCED_HASH] = spec_hash(obj.get("spec") or {})
    kept["metadata"]["annotations"] = {name: notes[name] for name in (CURRENT_BUILD, REBUILD, EDIT) if name in notes}
    owner = {"manager": changed_by, "time": changed_at, "fieldsV1": {"f:spec": {}}}
    kept["metadata"]["managedFields"] = [owner] if changed_at else []
    return kept


_REDUCED_HASH = "specHash"
"""Field of a reduced object, which has no Containerfile, with the hash of its whole spec."""


def _entry(content: str) -> dict[str, str]:
    return {"containerfileArch": ALL_ARCHITECTURES, "content": content}


def entries_with(config: Object, content: str) -> list[Object]:
    """Return the entries of ``containerFile`` with another Containerfile for all architectures; empty for none."""
    others = [e for e in (config.get("spec") or {}).get("containerFile") or [] if not _is_for_all(e)]
    return [*others, *([_entry(content)] if content else [])]


def containerfile_of(config: Object) -> str:
    """Return the Containerfile that the operator builds; empty when there is none."""
    return _containerfile(config.get("spec") or {})


def _containerfile(spec: Object) -> str:
    for entry in spec.get("containerFile") or []:
        if _is_for_all(entry):
            content = entry.get("content")
            return content if isinstance(content, str) else ""
    return ""


def _is_for_all(entry: Object) -> bool:
    return bool(entry.get("containerfileArch", ALL_ARCHITECTURES) == ALL_ARCHITECTURES)


_BUILD_CONTROLLER = "machine-os-builder"
"""Field manager of the operator's build controller."""


def _last_change(obj: Object) -> tuple[str, str]:
    """Return the time of the last change by a manager that owns fields of the spec, and the manager.

    In v1alpha1 the operator replaces names of Secrets when it starts a build, and the spec has a part that is not
    built. Both are no change of what is built.

    An entry of a manager has one time for all its fields, so this can be later than the change of the spec. It is
    earlier if the last change only removed fields of another manager, which the API server does not record.
    """
    changes = [
        (entry.get("time") or "", entry.get("manager") or "")
        for entry in metadata_of(obj).get("managedFields") or []
        if not entry.get("subresource") and _owns_spec(entry, obj.get("apiVersion") == V1ALPHA1)
    ]
    # Of two changes in one second, a change of another client is reported: this collection knows its own.
    return max(changes, default=("", ""), key=lambda change: (change[0], change[1] != FIELD_MANAGER))


def _owns_spec(entry: Object, is_v1alpha1: bool) -> bool:
    """Whether the manager of an entry set fields of the spec that are built."""
    spec = (entry.get("fieldsV1") or {}).get("f:spec")
    if spec is None or not is_v1alpha1:
        return spec is not None
    return entry.get("manager") != _BUILD_CONTROLLER and (not spec or "f:buildInputs" in spec)
