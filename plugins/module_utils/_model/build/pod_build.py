# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the current build where the operator builds in single pods, as OpenShift 4.16 and 4.17 do.

The operator builds each rendered config of a pool once. The build is named by both, and no edit starts another one.
See docs/operator-behavior.md ("Builds in single pods").
"""

from __future__ import annotations

import typing as t

from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import ANNOTATION_PREFIX, POOL_LABEL
from ..objects.timestamp import seconds_between
from ..objects.v1alpha1 import build_name, pool_in_build_name

POOL_LABELS = (ANNOTATION_PREFIX + "targetMachineConfigPool", POOL_LABEL)
"""Label of a build pod with the name of its pool: in 4.16, and in 4.17."""
CONFIG_LABELS = (ANNOTATION_PREFIX + "desiredConfig", ANNOTATION_PREFIX + "rendered-machine-config")
"""Label of a build pod with the name of its rendered config: in 4.16, and in 4.17."""


def is_built_by_pod(config: MachineOSConfig, builds: t.Iterable[MachineOSBuild]) -> bool:
    """Whether the operator builds a MachineOSConfig in single pods.

    The first z-streams of 4.18 serve v1alpha1 as well and already build with Jobs. Their builds have other names, and
    only they name a build in an annotation.
    """
    if not config.is_v1alpha1 or config.current_build:
        return False
    return all(build.is_pod_build for build in builds if build.config == config.name)


def pod_name(rendered_config: str) -> str:
    """Return the name of the pod that builds a rendered config."""
    return f"build-{rendered_config}"


def pod_build_of(
    config: MachineOSConfig, builds: t.Iterable[MachineOSBuild], rendered_config: str
) -> MachineOSBuild | None:
    """Return the one build of a rendered config, or None. All other builds of the pool belong to earlier ones."""
    name = build_name(config.pool, rendered_config)
    return next((build for build in builds if build.name == name), None)


def pod_of(build: MachineOSBuild) -> str:
    """Return the name of the pod of a build. A build whose start failed has none."""
    return build.pod or pod_name(build.rendered_config)


def pool_of(build: MachineOSBuild) -> str:
    """Return the name of the pool of a build, which a single pod makes."""
    return pool_in_build_name(build.name, build.rendered_config) or ""


def is_older_than_config(config: MachineOSConfig, build: MachineOSBuild) -> bool:
    """Whether a build belongs to a deleted MachineOSConfig of the same name.

    The operator creates a build after the MachineOSConfig, and does not delete it if it does not run at the deletion.
    """
    age = seconds_between(config.created, build.created)
    return age is not None and age < 0


def is_younger_than_edit(config: MachineOSConfig, build: MachineOSBuild) -> bool:
    """Whether a build was created after the last edit, by the times that the API server recorded."""
    age = seconds_between(config.spec_changed_at, build.created)
    return age is not None and age > 0  # both times have whole seconds
