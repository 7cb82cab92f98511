# SPDX-License-Identifier: GPL-3.0-or-later
"""Hash the spec of a MachineOSConfig, and read and write the record of the last edit by this collection.

No field of the API says which spec a MachineOSBuild was built from. Each edit by this collection therefore records
what existed before it, in an annotation and in the same patch. See docs/operator-behavior.md ("Build identity").
"""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import dataclass

from ..json_text import read_json
from .canonical_secret import original_name
from .resources import Object
from .v1alpha1 import PULL_SECRET_FIELD

MAX_RECORD = 200_000
"""Maximum bytes of a record. The API server accepts 256 KiB for all annotations of an object."""
MAX_PROVEN = 50
"""Number of proven builds that a record keeps, the latest ones."""


@dataclass(frozen=True)
class ProvenBuild:
    """A build that was proven to be built from a spec."""

    spec_hash: str
    build: str
    """Identity of the build: its name and UID."""
    image: str = ""
    """Digested push spec of the build. Empty if it had none."""


@dataclass(frozen=True)
class SpecEdit:
    """What an edit of the spec records."""

    generation: int
    """Generation of the MachineOSConfig after the edit."""
    spec_hash: str
    """Hash of the spec that the edit wrote."""
    builds: frozenset[str] = frozenset()
    """Identities of all builds of the MachineOSConfig before the edit."""
    image: str = ""
    """Image in the status of the MachineOSConfig before the edit."""
    proven: tuple[ProvenBuild, ...] = ()
    """Builds of this and earlier specs that were proven before the edit."""
    config_uid: str = ""
    """UID of the MachineOSConfig. Empty in the record of its creation."""
    is_settled: bool = True
    """Whether the operator had reacted to all specs before. Otherwise a build after the edit can be one of an earlier
    spec."""

    def proven_for(self, spec_hash: str) -> tuple[ProvenBuild, ...]:
        """Return the builds that were proven for a spec."""
        return tuple(build for build in self.proven if build.spec_hash == spec_hash)

    def annotation(self) -> str:
        """Return the record as the value of an annotation.

        :raises ValueError: there are too many builds
        """
        record = {
            "generation": self.generation,
            "specHash": self.spec_hash,
            "builds": sorted(self.builds),
            "image": self.image,
            "proven": [{"specHash": b.spec_hash, "build": b.build, "image": b.image} for b in self.proven],
            "uid": self.config_uid,
            "settled": self.is_settled,
        }
        text = json.dumps(record, separators=(",", ":"))
        if len(text) > MAX_RECORD:
            raise ValueError(f"it has {len(self.builds)} builds, too many for the record of an edit")
        return text


def read_spec_edit(annotation: str) -> SpecEdit | None:
    """Return the record in an annotation, or None if there is none or it is not valid."""
    try:
        record = read_json(annotation)
        return SpecEdit(
            generation=_checked(record["generation"], int),
            spec_hash=_checked(record["specHash"], str),
            builds=frozenset(_checked(identity, str) for identity in _checked(record["builds"], list)),
            image=_checked(record["image"], str),
            proven=tuple(map(_proven, _checked(record["proven"], list))),
            config_uid=_checked(record["uid"], str),
            is_settled=_checked(record["settled"], bool),
        )
    except (ValueError, TypeError, KeyError):
        return None


def creation_record(spec: Object) -> str:
    """Return the record of a new MachineOSConfig as the value of its annotation."""
    return SpecEdit(generation=1, spec_hash=spec_hash(spec)).annotation()


def spec_hash(spec: Object) -> str:
    """Return a hash that is equal for two specs exactly if a build of both has the same content.

    Absent, null and empty fields are the same, and defaults of the API count as present. In v1alpha1 the operator
    replaces names of Secrets, and the Secret for the pull by the nodes is part of the spec.
    """
    fields = {**_DEFAULTS, **spec}
    if fields["imageBuilder"] == POD_BUILDER:
        fields = {name: value for name, value in fields.items() if name != PULL_SECRET_FIELD}
        fields.update({name: _with_original_name(fields[name]) for name in REWRITTEN_SECRETS if name in fields})
    text = json.dumps(_normal(fields), sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def merged(spec: Object, patch: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the spec after a merge patch (RFC 7386)."""
    result = dict(spec)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, t.Mapping):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, t.Mapping) else {}, value)
        else:
            result[name] = value
    return result


_DEFAULTS: t.Mapping[str, t.Any] = {"imageBuilder": {"imageBuilderType": "Job"}}
POD_BUILDER: t.Mapping[str, t.Any] = {"imageBuilderType": "PodImageBuilder"}
"""The builder of v1alpha1, and of no other version."""
REWRITTEN_SECRETS = ("renderedImagePushSecret", "baseImagePullSecret")
"""Fields in which the operator of v1alpha1 replaces the name of a Secret with the old layout."""
_ENTRY_DEFAULTS: t.Mapping[str, t.Any] = {"containerfileArch": "NoArch"}


def _normal(value: t.Any) -> t.Any:
    """Return a value without its empty fields."""
    if isinstance(value, t.Mapping):
        fields = {**_ENTRY_DEFAULTS, **value} if "content" in value else value
        kept = {name: _normal(field) for name, field in fields.items()}
        return {name: field for name, field in kept.items() if field not in (None, "", [], {})}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return value


def _with_original_name(reference: t.Any) -> t.Any:
    name = reference.get("name") if isinstance(reference, t.Mapping) else None
    return {**reference, "name": original_name(name)} if isinstance(name, str) else reference


T = t.TypeVar("T")


def _checked(value: t.Any, kind: type[T]) -> T:
    if not isinstance(value, kind):
        raise TypeError
    return value


def _proven(record: t.Any) -> ProvenBuild:
    spec, build, image = (_checked(record[name], str) for name in ("specHash", "build", "image"))
    return ProvenBuild(spec, build, image)
