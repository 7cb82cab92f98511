# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which MachineOSBuild is the current build of a MachineOSConfig: the build of its present spec.

No field of the API names it. The annotation of the operator names the build before an edit for up to 12 s after the
edit, and can return to an older build later. The generation in the status is the generation of the moment. So a build
is matched by what existed before the last edit. See docs/operator-behavior.md ("Build identity").

OpenShift 4.16 and 4.17 have neither the annotation nor the generation, and the name of the build decides
(``pod_build.py``).
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.timestamp import seconds_between
from .pod_build import is_built_by_pod, is_older_than_config, is_younger_than_edit, pod_build_of

REACTION_DELAY = 5.0
"""Seconds from a change of the spec to the reaction of the operator."""
SURVIVAL_TIME = 20.0
"""Seconds after a change in which the operator deletes the unfinished build of the spec before it."""


class BuildMatch(enum.Enum):
    """Whether a build was built from the present spec."""

    PROVEN = "proven"
    """The build was built from the present spec."""
    NONE_YET = "none_yet"
    """No build of the present spec has been started."""
    UNPROVEN = "unproven"
    """The build that the operator names is older than the last edit of another client, or its age is not known."""
    UNSETTLED = "unsettled"
    """The build is younger than our edit, but can be one of an earlier spec, to which the operator reacted late."""
    OLDER_IMAGE = "older_image"
    """The build is younger than the last edit, but has the image of a build before it."""


class Origin(enum.Enum):
    """What is known of the spec that a build was built from."""

    AFTER_EDIT = "after_edit"
    """It was created after the last edit of the spec."""
    PROVEN_BEFORE = "proven_before"
    """It existed before the last edit, and was proven for the same spec then."""
    OLDER = "older"
    """It existed before the last edit, or its order is not known."""


@dataclass(frozen=True)
class CurrentBuild:
    """The current build, and how certain it is."""

    match: BuildMatch
    build: MachineOSBuild | None = None
    """The current build. If it is not proven, the build that the operator names, if it exists."""
    created_after_edit: bool = False
    """Whether it was created after the last edit and has started."""


def current_build(
    config: MachineOSConfig,
    builds: t.Iterable[MachineOSBuild],
    rendered_config: str,
    observed_after_edit: bool = False,
) -> CurrentBuild:
    """Return the current build.

    It is the youngest build that was created after the last edit. If there is none, it is the build that the operator
    names, provided that it was proven for this very spec before the edit. Where the operator builds in single pods, it
    is the one build of the rendered config.

    :param rendered_config: the rendered MachineConfig of the pool's spec (``spec.configuration.name``)
    :param observed_after_edit: whether a build created after the last edit was observed before; it may be deleted since
    """
    builds = list(builds)
    if is_built_by_pod(config, builds):
        return _current_pod_build(config, pod_build_of(config, builds, rendered_config))
    own = [build for build in builds if build.is_of(config) and not build.is_pod_build]
    named = next((build for build in own if build.name == config.current_build), None)
    usable = [build for build in own if build.rendered_config == rendered_config]
    youngest = _youngest(config, usable)
    if youngest is not None and not _is_started(config, youngest):
        return CurrentBuild(BuildMatch.NONE_YET, youngest)
    if youngest is not None:
        return CurrentBuild(_match(config, youngest, own), youngest, created_after_edit=True)
    if named not in usable or named is None:
        return CurrentBuild(BuildMatch.NONE_YET, named)
    if origin(config, named) is Origin.PROVEN_BEFORE and not observed_after_edit:
        return CurrentBuild(BuildMatch.PROVEN, named)
    return CurrentBuild(BuildMatch.NONE_YET if config.edit else BuildMatch.UNPROVEN, named)


def _current_pod_build(config: MachineOSConfig, build: MachineOSBuild | None) -> CurrentBuild:
    if build is None:
        return CurrentBuild(BuildMatch.NONE_YET)
    known = origin(config, build) if build.is_of(config) else Origin.OLDER
    match = BuildMatch.UNPROVEN if known is Origin.OLDER else BuildMatch.PROVEN
    return CurrentBuild(match, build, created_after_edit=known is Origin.AFTER_EDIT)


def origin(config: MachineOSConfig, build: MachineOSBuild) -> Origin:
    """Return what is known of the spec that a build of a MachineOSConfig was built from.

    The API server records no time for a change that only removes fields of another client. A build before such a
    change is taken for a younger one.
    """
    if any(proven.build == build.identity for proven in config.proven_builds):
        return Origin.PROVEN_BEFORE
    if build.is_pod_build and is_older_than_config(config, build):
        return Origin.OLDER
    if config.edit:
        is_older = build.identity in config.edit.builds
    elif build.is_pod_build:
        is_older = not config.is_never_edited and not is_younger_than_edit(config, build)
    elif config.generation == 1:
        is_older = False
    else:
        is_older = not _is_younger(build, config.spec_changed_at)
    return Origin.OLDER if is_older else Origin.AFTER_EDIT


def is_settled(config: MachineOSConfig) -> bool:
    """Whether the operator had reacted to all earlier specs when we wrote the present one."""
    return config.edit is None or config.edit.is_settled


def _is_younger(build: MachineOSBuild, changed_at: str) -> bool:
    """Whether a build is younger than a change of another client, and not one of the spec before it.

    The operator reacts 5 s after a change, to the spec of that change. A build that was created earlier can be the
    reaction to the change before. If it still exists when it has ended later, it is none, because the operator deletes
    such a build when it reacts to the change.
    """
    created = seconds_between(changed_at, build.created)
    if created is None or created <= 0:  # both times have whole seconds
        return False
    if not build.state.ended or created > REACTION_DELAY:
        return True
    ended = seconds_between(changed_at, build.finished)
    return ended is not None and ended >= SURVIVAL_TIME


def image_is_current(config: MachineOSConfig, current: CurrentBuild) -> bool:
    """Whether the image in the status of the MachineOSConfig was built from the present spec."""
    build = current.build
    return (
        current.match is BuildMatch.PROVEN
        and build is not None
        and build.state is BuildState.SUCCEEDED
        and build.is_published_by(config)
    )


def _match(config: MachineOSConfig, build: MachineOSBuild, builds: t.Iterable[MachineOSBuild]) -> BuildMatch:
    """Return whether the youngest build after the last edit was built from the present spec.

    If only times show its age, the status with its image must be one of this generation, because a change that only
    removes fields has no time.
    """
    if _has_older_image(config, build, builds):
        return BuildMatch.OLDER_IMAGE
    if build.state.ended and not is_settled(config):
        return BuildMatch.UNSETTLED
    has_only_times = config.edit is None and config.generation > 1
    if has_only_times and build.is_published_by(config) and config.observed_generation != config.generation:
        return BuildMatch.UNPROVEN
    return BuildMatch.PROVEN


def _youngest(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild]) -> MachineOSBuild | None:
    """Return the youngest build after the last edit. Of several in one second, it is the one that is named.

    All builds of a spec that was never edited are builds of this spec, so there the one that is named is taken.
    """
    after = [build for build in builds if origin(config, build) is Origin.AFTER_EDIT]
    named = [build for build in after if build.name == config.current_build]
    if config.generation == 1 and named:
        return named[0]
    return max(after, key=lambda build: (build.created, build.name == config.current_build), default=None)


def _is_started(config: MachineOSConfig, build: MachineOSBuild) -> bool:
    """Whether the operator has begun with a build. It creates a build some seconds before its Job."""
    return build.name == config.current_build or build.state is not BuildState.PENDING


def _has_older_image(config: MachineOSConfig, build: MachineOSBuild, builds: t.Iterable[MachineOSBuild]) -> bool:
    """Whether a build has the image of another spec.

    For a rendered config that needs no new image the operator creates a build with the image in the status, whatever
    spec that image was built from.
    """
    older = {b.digested_image_push_spec for b in builds if origin(config, b) is Origin.OLDER}
    older |= {config.edit.image} if config.edit else set()
    proven = {b.image for b in config.proven_builds}
    return bool(build.digested_image_push_spec) and build.digested_image_push_spec in older - proven
