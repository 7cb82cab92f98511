# SPDX-License-Identifier: GPL-3.0-or-later
"""Which builds does the node controller take in place of the one that answers, and how is their removal recorded?

Up to 4.20 the node controller does not follow the MachineOSConfig: of the succeeded builds for the pool's rendered
config it takes the first by name, and waits for ever when that has another image than the MachineOSConfig carries
(operator.md 3.4, observed.md 3b).
"""

from __future__ import annotations

import typing as t
from itertools import takewhile

from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import SUPERSEDED_BUILDS, Object, annotations_of


def taken_instead(
    config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], rendered_config: str
) -> list[MachineOSBuild]:
    """Return the builds that come before the image of the MachineOSConfig, by name; the first of them is taken.

    A build of the same image is not among them, and none behind it, for with that one the rollout goes on.

    :param config: carries the image of the build that answers
    :param rendered_config: the rendered MachineConfig that the pool wants
    """
    fitting = [
        build
        for build in builds
        if build.config == config.name
        and build.rendered_config == rendered_config
        and build.state is BuildState.SUCCEEDED
    ]
    fitting.sort(key=lambda build: build.name)
    image = config.current_image_pull_spec
    return list(takewhile(lambda build: build.digested_image_push_spec != image, fitting))


def marked(pool: Object) -> list[str]:
    """Return the identities of the builds whose removal a run has begun and not ended."""
    return [identity for identity in annotations_of(pool).get(SUPERSEDED_BUILDS, "").split(",") if identity]


def mark_patch(identities: t.Collection[str]) -> dict[str, t.Any]:
    """Return the patch of a pool that says which builds are being removed; without any, that it is done."""
    return {"metadata": {"annotations": {SUPERSEDED_BUILDS: ",".join(sorted(identities)) or None}}}
