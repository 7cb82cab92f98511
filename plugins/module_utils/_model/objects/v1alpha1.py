# SPDX-License-Identifier: GPL-3.0-or-later
"""Translate MachineOSConfigs and MachineOSBuilds of the API version v1alpha1 to the form of v1, and back.

OpenShift 4.16 and 4.17 serve v1alpha1 only, later releases v1 only. Only the session knows which one is served: all
other code reads and writes the form of v1. The translation changes names and places of fields. It loses nothing, and
``apiVersion`` still names the served version. See docs/operator-behavior.md ("API versions").
"""

from __future__ import annotations

import typing as t

from .resources import (
    CONFIG_LABEL,
    MACHINE_OS_BUILD,
    MACHINE_OS_CONFIG,
    POOL_LABEL,
    V1ALPHA1,
    Kind,
    Object,
    labels_of,
    metadata_of,
)
from .values import mapping

_OLDER: t.Mapping[Kind, Kind] = {
    kind: Kind(kind.name, kind.plural, V1ALPHA1) for kind in (MACHINE_OS_CONFIG, MACHINE_OS_BUILD)
}
PULL_SECRET_FIELD = "currentImagePullSecret"  # noqa: S105 - the name of a field
"""Field of v1alpha1 that is no input of a build, so that a change of it starts none."""
_OUTSIDE_INPUTS = ("machineConfigPool", PULL_SECRET_FIELD)
"""Fields of the spec in the form of v1 that are not below ``buildInputs`` in v1alpha1."""
_NAMES: t.Mapping[str, str] = {"renderedImagePushspec": "renderedImagePushSpec"}
_STATUS_NAMES: t.Mapping[str, str] = {"currentImagePullspec": "currentImagePullSpec"}
_BUILD_NAMES: t.Mapping[str, str] = {**_NAMES, "desiredConfig": "machineConfig"}
_BUILD_STATUS_NAMES: t.Mapping[str, str] = {"finalImagePullspec": "digestedImagePushSpec"}
_ARCHITECTURES: t.Mapping[str, str] = {
    "noarch": "NoArch",
    "arm64": "ARM64",
    "amd64": "AMD64",
    "ppc64le": "PPC64LE",
    "s390x": "S390X",
}
"""Spelling in v1alpha1 -> in v1. v1 has no ``aarch64`` and no ``x86_64``."""


def older_kind(kind: Kind) -> Kind | None:
    """Return the kind in v1alpha1, or None if the kind is not one of image mode."""
    return _OLDER.get(kind)


def build_name(pool: str, rendered_config: str) -> str:
    """Return the name of the MachineOSBuild that builds a rendered config of a pool in a single pod."""
    return f"{pool}-{rendered_config}-builder"


def pool_in_build_name(name: str, rendered_config: str) -> str | None:
    """Return the name of the pool in the name of a MachineOSBuild, or None if no single pod builds it."""
    end = build_name("", rendered_config)
    return name[: -len(end)] if name.endswith(end) else None


def as_v1(obj: Object) -> Object:
    """Return an object that the API server returned as v1alpha1 in the form of v1."""
    is_build = "desiredConfig" in mapping(obj.get("spec"))
    translated = _build_as_v1(obj) if is_build else _config_as_v1(obj)
    return {**translated, "apiVersion": V1ALPHA1}


def as_v1alpha1(body: Object) -> dict[str, t.Any]:
    """Return a MachineOSConfig, or a merge patch of one, as v1alpha1. The body has the form of v1."""
    translated = dict(body)
    if "apiVersion" in body:
        translated["apiVersion"] = V1ALPHA1
    if "spec" in body:
        translated["spec"] = _spec_as_v1alpha1(mapping(body["spec"]))
    if "status" in body:
        translated["status"] = _renamed(mapping(body["status"]), _inverse(_STATUS_NAMES))
    return translated


def as_served(obj: Object) -> Object:
    """Return an object in the form of v1 as the API server returned it."""
    return as_v1alpha1(obj) if obj.get("apiVersion") == V1ALPHA1 else obj


def _config_as_v1(obj: Object) -> dict[str, t.Any]:
    spec = mapping(obj.get("spec"))
    inputs, outputs = mapping(spec.get("buildInputs")), mapping(spec.get("buildOutputs"))
    translated = {name: value for name, value in spec.items() if name not in ("buildInputs", "buildOutputs")}
    translated.update(_renamed(inputs, _NAMES))
    translated.update(outputs)
    if "containerFile" in inputs:
        translated["containerFile"] = _entries(inputs["containerFile"], _ARCHITECTURES)
    changed: dict[str, t.Any] = {"spec": translated}
    if "status" in obj:
        changed["status"] = _renamed(mapping(obj["status"]), _STATUS_NAMES)
    return {**obj, **changed}


def _spec_as_v1alpha1(spec: Object) -> dict[str, t.Any]:
    inputs = _renamed({n: v for n, v in spec.items() if n not in _OUTSIDE_INPUTS}, _inverse(_NAMES))
    if inputs.get("containerFile"):
        inputs["containerFile"] = _entries(inputs["containerFile"], _inverse(_ARCHITECTURES))
    translated: dict[str, t.Any] = {}
    if "machineConfigPool" in spec:
        translated["machineConfigPool"] = spec["machineConfigPool"]
    if inputs:
        translated["buildInputs"] = inputs
    if PULL_SECRET_FIELD in spec:
        translated["buildOutputs"] = {PULL_SECRET_FIELD: spec[PULL_SECRET_FIELD]}
    return translated


def _build_as_v1(obj: Object) -> dict[str, t.Any]:
    """Return a MachineOSBuild with the labels of later releases, by which builds are selected."""
    spec, meta = _renamed(mapping(obj.get("spec")), _BUILD_NAMES), metadata_of(obj)
    labels = {**_labels_of_build(str(meta.get("name", "")), spec), **labels_of(obj)}
    changed: dict[str, t.Any] = {"metadata": {**meta, "labels": labels}, "spec": spec}
    if "status" in obj:
        changed["status"] = _renamed(mapping(obj["status"]), _BUILD_STATUS_NAMES)
    return {**obj, **changed}


def _labels_of_build(name: str, spec: Object) -> dict[str, str]:
    """Return the labels that follow from the reference and from the name, ``POOL-RENDERED-builder``."""
    config = mapping(spec.get("machineOSConfig")).get("name")
    rendered = mapping(spec.get("machineConfig")).get("name")
    labels = {CONFIG_LABEL: config} if isinstance(config, str) else {}
    pool = pool_in_build_name(name, str(rendered))
    return labels if pool is None else {**labels, POOL_LABEL: pool}


def _entries(entries: t.Any, architectures: t.Mapping[str, str]) -> t.Any:
    """Return the Containerfiles with the other spelling of their architectures."""
    if not isinstance(entries, list):
        return entries
    return [
        {**entry, "containerfileArch": architectures.get(arch, arch)}
        if isinstance(entry, t.Mapping) and isinstance(arch := entry.get("containerfileArch"), str)
        else entry
        for entry in entries
    ]


def _renamed(fields: Object, names: t.Mapping[str, str]) -> dict[str, t.Any]:
    return {names.get(name, name): value for name, value in fields.items()}


def _inverse(names: t.Mapping[str, str]) -> dict[str, str]:
    return {later: earlier for earlier, later in names.items()}
