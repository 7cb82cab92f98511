# SPDX-License-Identifier: GPL-3.0-or-later
"""Report an older build that the node controller uses instead of the current one.

Source: docs/operator-behavior.md ("Superseded builds").
"""

from __future__ import annotations

import typing as t

from ..build.superseded import superseded_builds
from ..findings import Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild
from ..objects.machineosconfig import MachineOSConfig
from ..objects.resources import MACHINE_OS_BUILD, ObjectRef

ASSIGNMENT_TIME = 60.0
"""Seconds within which the node controller assigns the image to the first node. It usually takes ten."""


def older_build(
    config: MachineOSConfig, builds: t.Collection[MachineOSBuild], rendered_config: str
) -> tuple[Finding, ...]:
    """Return the finding if there is a superseded build before the current one."""
    superseded = superseded_builds(config, builds, rendered_config)
    if not superseded:
        return ()
    name = superseded[0].name
    message = f"the node controller uses MachineOSBuild {name} instead of {config.current_build}, so it updates no node"
    return (Finding(FindingId.POOL_OLDER_BUILD_SELECTED, ObjectRef(MACHINE_OS_BUILD.name, name), message),)
