# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the record of an edit of a MachineOSConfig in the same patch as the edit.

See docs/operator-behavior.md ("Build identity").
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import EDIT, FIELD_MANAGER, Object, annotations_of, metadata_of
from ..objects.spec_edit import MAX_PROVEN, ProvenBuild, SpecEdit, merged, read_spec_edit, spec_hash
from ..objects.timestamp import seconds_between
from .current import Origin, is_settled, origin
from .pod_build import is_built_by_pod

REACTION_TIME = 15.0
"""Seconds after which the operator has reacted to a change, if it can react. It begins 5 s after the change and starts
the build 5 s later. See docs/operator-behavior.md ("Build identity")."""
POD_REACTION_TIME = 5.0
"""The same where single pods build. There it needs one second, or four if it is busy. See docs/operator-behavior.md
("Rebuild in v1alpha1")."""
SETTLING_TIME = 60.0
"""Seconds after which reactions that had failed have been repeated. The operator repeats each every 5 s."""


def edit_patch(
    current: Object,
    spec_patch: t.Mapping[str, t.Any],
    builds: t.Iterable[Object],
    now: str = "",
    has_orphans: bool = False,
) -> dict[str, t.Any]:
    """Return the merge patch of an edit: the spec and the record.

    The record is only valid for the version that was read, because the operator can start a build at any time. An
    operator that builds with single pods repeats no reaction with an old spec, so there every edit is settled.

    :param current: the MachineOSConfig as it was read
    :param spec_patch: merge patch of its spec
    :param builds: all its builds
    :param now: time of the API server. Empty if unknown
    :param has_orphans: whether a MachineOSConfig without its pool makes the operator repeat old reactions
    :raises ValueError: there are too many builds for the record
    """
    config = MachineOSConfig.from_api(current)
    own = [build for build in map(MachineOSBuild.from_api, builds) if build.is_of(config)]
    record = SpecEdit(
        generation=config.generation + 1,
        spec_hash=spec_hash(merged(current.get("spec") or {}, spec_patch)),
        builds=frozenset(build.identity for build in own),
        image=config.current_image_pull_spec,
        proven=_proven(config, own),
        config_uid=config.uid,
        is_settled=is_built_by_pod(config, own) or (not has_orphans and _has_reacted(config, own, now)),
    )
    version = {"resourceVersion": metadata_of(current)["resourceVersion"]}
    return {"metadata": {**version, "annotations": {EDIT: record.annotation()}}, "spec": dict(spec_patch)}


def pull_secret_patch(current: Object, spec_patch: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the merge patch of a change that starts no build.

    In v1alpha1 the Secret with which the nodes pull is a part of the spec, and no input of the build. The record keeps
    what it says, for the next generation. Otherwise nothing would prove the present build after the change.

    :param current: the MachineOSConfig as it was read
    :param spec_patch: merge patch of its spec
    """
    config = MachineOSConfig.from_api(current)
    record = config.edit
    if record is None and config.is_never_edited:
        record = SpecEdit(config.generation, config.spec_hash)
    metadata: dict[str, t.Any] = {"resourceVersion": metadata_of(current)["resourceVersion"]}
    if record is not None:
        record = replace(record, generation=config.generation + 1, config_uid=config.uid)
        metadata["annotations"] = {EDIT: record.annotation()}
    return {"metadata": metadata, "spec": dict(spec_patch)}


def reaction_left(current: Object, builds: t.Iterable[Object], now: str) -> float:
    """Return the seconds until the operator has had time to react to the last change of the spec.

    Each reaction builds the spec of its own change. A build that appears after the next change can therefore be one of
    the spec before it.

    :param now: time of the API server. Without it there is nothing to wait for
    """
    config = MachineOSConfig.from_api(current)
    own = [build for build in map(MachineOSBuild.from_api, builds) if build.is_of(config)]
    needed = POD_REACTION_TIME if own and is_built_by_pod(config, own) else REACTION_TIME
    passed = [seconds_between(time, now) for time in (config.spec_changed_at, *(build.created for build in own))]
    return max((needed - seconds for seconds in passed if seconds is not None), default=0.0)


def time_of_server(written: Object) -> str:
    """Return the time at which this collection last wrote an object, or an empty text.

    A dry run returns the time at which it was made. It is the time of the API server, as all times of objects are.
    """
    fields = metadata_of(written).get("managedFields") or []
    return max((str(f.get("time") or "") for f in fields if f.get("manager") == FIELD_MANAGER), default="")


def correction(written: Object, builds: t.Iterable[Object]) -> str:
    """Return the corrected record of an edit after it was written, or an empty text if it is right.

    Two things can differ from what was known before the patch: a build was created between the list of the builds and
    the patch, or the API server completed the spec.

    :param written: the MachineOSConfig as the API server returned it
    :param builds: all its builds, listed after the patch
    """
    record = read_spec_edit(annotations_of(written).get(EDIT, ""))
    if record is None:
        return ""
    config = MachineOSConfig.from_api(written)
    before = {
        build.identity
        for build, obj in ((MachineOSBuild.from_api(obj), obj) for obj in builds)
        if build.is_of(config) and _version(obj) < _version(written)
    }
    right = replace(record, spec_hash=config.spec_hash, builds=record.builds | before)
    return "" if right == record else right.annotation()


def has_record_of_its_spec(config: Object) -> bool:
    """Whether the record of the last edit is one of the present spec: no other client has changed the spec since."""
    record = read_spec_edit(annotations_of(config).get(EDIT, ""))
    return record is not None and record.generation == MachineOSConfig.from_api(config).generation


def _proven(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild]) -> tuple[ProvenBuild, ...]:
    """Return the builds that are proven for the present spec, and those that were proven for earlier ones."""
    existing = {build.identity: build for build in builds}
    recorded = config.last_record.proven if config.last_record else ()
    earlier = [
        replace(proven, image=existing[proven.build].digested_image_push_spec or proven.image)
        for proven in recorded
        if proven.build in existing
    ]
    known = {proven.build for proven in earlier}
    present = [
        ProvenBuild(config.spec_hash, build.identity, build.digested_image_push_spec)
        for build in existing.values()
        if build.identity not in known
        and origin(config, build) is Origin.AFTER_EDIT
        and (build.is_pod_build or is_settled(config))
    ]
    return (*earlier, *sorted(present, key=lambda proven: proven.build))[-MAX_PROVEN:]


def _has_reacted(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], now: str) -> bool:
    """Whether the operator has reacted to the present spec and to all specs before it.

    It has if there is a build of the present spec. If the record of that spec was not settled, the build must be old
    enough for all repeated reactions.
    """
    origins = {build: origin(config, build) for build in builds}
    after_edit = [build for build, known in origins.items() if known is Origin.AFTER_EDIT]
    if not is_settled(config):
        ages = (seconds_between(build.created, now) for build in after_edit)
        return any(age is not None and age >= SETTLING_TIME for age in ages)
    if config.edit is None and config.generation > 1:
        return bool(after_edit) or config.observed_generation == config.generation
    reused = (build for build, known in origins.items() if known is Origin.PROVEN_BEFORE)
    return bool(after_edit) or any(build.name == config.current_build for build in reused)


def _version(obj: Object) -> int:
    """Return the version of an object. The API server numbers the versions of all objects in one sequence."""
    version = str(metadata_of(obj).get("resourceVersion", ""))
    return int(version) if version.isdecimal() else 0
