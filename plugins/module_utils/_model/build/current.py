# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide which MachineOSBuild is the current build of a MachineOSConfig: the build of its present spec.

The operator names a build in an annotation of the MachineOSConfig. It writes the annotation when the build starts, so
between an edit and that moment the annotation still names the build before the edit. See docs/operator-behavior.md
("Build identity").
"""

from __future__ import annotations

import enum
import typing as t

from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig

NO_BUILD = "none"
"""Value of the annotation ``imagemode.openshift/build-before`` of an edit before which there was no build."""


class BuildMatch(enum.Enum):
    """Whether the build that the operator names was built from the present spec."""

    PROVEN = "proven"
    """The build was built from the present spec."""
    NONE_YET = "none_yet"
    """The operator has not named a build of the present spec."""
    UNPROVEN = "unproven"
    """A build is named, but it may be the build before the last edit."""


def current_build(
    config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], rendered_config: str
) -> tuple[BuildMatch, MachineOSBuild | None]:
    """Return how certain the current build is, and the build that the operator names if it exists.

    The first of these rules that applies decides:

    * The spec was never edited: the build is current.
    * The status of the MachineOSConfig has the digest of the build: the build is current if the status was written for
      this generation.
    * The last edit recorded the builds before it: the build is current if it is not one of them.
    * Otherwise the build is current if it is younger than the last change of the spec. The API server records no time
      for a change that only removes a field. The build before such an edit by another client is taken for the current
      build while it runs.

    :param rendered_config: the rendered MachineConfig of the pool's spec (``spec.configuration.name``)
    """
    named = next((b for b in builds if b.name == config.current_build and b.is_of(config)), None)
    if named is None:
        return BuildMatch.NONE_YET, None
    if named.rendered_config != rendered_config:
        return BuildMatch.NONE_YET, named
    if _is_proven(config, named):
        return BuildMatch.PROVEN, named
    return BuildMatch.UNPROVEN, named


def image_is_current(config: MachineOSConfig, match: BuildMatch, build: MachineOSBuild | None) -> bool:
    """Whether the image in the status of the MachineOSConfig was built from the present spec."""
    return (
        match is BuildMatch.PROVEN
        and build is not None
        and build.state is BuildState.SUCCEEDED
        and bool(config.current_image_pull_spec)
        and build.digested_image_push_spec == config.current_image_pull_spec
    )


def build_before_mark(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild]) -> str:
    """Return what our edit records: the build that the operator names now, and each build that it may still name."""
    before = [b.identity for b in builds if b.is_of(config) and (b.name == config.current_build or not b.state.ended)]
    return ",".join(sorted(before)) or NO_BUILD


def _is_proven(config: MachineOSConfig, build: MachineOSBuild) -> bool:
    if config.generation == 1:
        return True
    digest = build.digested_image_push_spec
    if digest and digest == config.current_image_pull_spec:
        return config.observed_generation == config.generation
    if config.build_before not in ("", NO_BUILD):
        return build.identity not in config.build_before.split(",")
    # Both times have whole seconds: within the same second the order is unknown.
    return bool(config.spec_changed_at) and build.created > config.spec_changed_at
