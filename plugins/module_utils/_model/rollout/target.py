# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the image and the rendered config that the nodes of a pool have to reach."""

from __future__ import annotations

from dataclasses import dataclass

from ..build.pending_build import BuildProgress
from ..findings import Finding
from ..objects.machineconfigpool import Pool
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..observation import Outcome
from .node_phase import Target


@dataclass(frozen=True)
class PoolTarget:
    """The target of a pool, or why it is not known yet."""

    target: Target | None
    findings: tuple[Finding, ...]
    line: str
    """Why the target is not known, in one line. Empty if it is known."""
    build: MachineOSBuild | None = None
    """The build of the image. None for a pool without a MachineOSConfig."""


def pool_target(pool: Pool, config: MachineOSConfig | None, build: BuildProgress | None) -> PoolTarget:
    """Return the target of a pool: the image of the current build, or only the rendered config.

    :param config: the MachineOSConfig of the pool, if it has one
    :param build: the progress of its current build; required with *config*
    """
    if config is None or build is None:
        target = Target(pool.rendered_config, "") if pool.rendered_config else None
        return PoolTarget(target, (), "" if target else "its configuration is not rendered yet")
    if build.outcome is not Outcome.SUCCEEDED:
        return PoolTarget(None, build.findings, build.line)
    return PoolTarget(Target(pool.rendered_config, config.current_image_pull_spec), (), "", build.build)
