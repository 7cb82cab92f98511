# SPDX-License-Identifier: GPL-3.0-or-later
"""Find superseded builds that the node controller uses instead of the current one, and record their deletion.

Up to 4.20 the node controller does not follow the MachineOSConfig. Of the succeeded builds for the pool's rendered
config it uses the first by name. If that one has another image than the MachineOSConfig, the rollout never starts.
Source: docs/operator-behavior.md ("Superseded builds").
"""

from __future__ import annotations

import typing as t
from itertools import takewhile

from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import SUPERSEDED_BUILDS, Object, annotations_of


def superseded_builds(
    config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], rendered_config: str
) -> list[MachineOSBuild]:
    """Return the builds before the first one with the image of the MachineOSConfig, sorted by name.

    The node controller uses the first of them.

    :param config: has the image of the current build
    :param rendered_config: the rendered MachineConfig of the pool's spec
    """
    usable = [
        build
        for build in builds
        if build.config == config.name
        and build.rendered_config == rendered_config
        and build.state is BuildState.SUCCEEDED
    ]
    usable.sort(key=lambda build: build.name)
    image = config.current_image_pull_spec
    return list(takewhile(lambda build: build.digested_image_push_spec != image, usable))


def builds_being_deleted(pool: Object) -> list[str]:
    """Return the identities of the builds whose deletion a run started and did not finish, from the annotation."""
    return [identity for identity in annotations_of(pool).get(SUPERSEDED_BUILDS, "").split(",") if identity]


def deletion_patch(identities: t.Collection[str]) -> dict[str, t.Any]:
    """Return the patch of a pool that records the builds being deleted, or removes the record."""
    return {"metadata": {"annotations": {SUPERSEDED_BUILDS: ",".join(sorted(identities)) or None}}}
