# SPDX-License-Identifier: GPL-3.0-or-later
"""Report a seeded image: one that the operator took as it was, instead of a build from the Containerfile.

Source: docs/operator-behavior.md ("Build identity").
"""

from __future__ import annotations

from ..findings import Finding, FindingId
from ..objects.machineosbuild import MachineOSBuild
from ..objects.resources import MACHINE_OS_BUILD, ObjectRef


def seeded_findings(build: MachineOSBuild) -> tuple[Finding, ...]:
    """Return the finding of a seeded build, or none."""
    if not build.seeded:
        return ()
    message = (
        f"MachineOSBuild {build.name} was seeded with {build.digested_image_push_spec or 'an existing image'}; "
        f"nothing was built from the Containerfile of MachineOSConfig {build.config}"
    )
    return (Finding(FindingId.BUILD_SEEDED, ObjectRef(MACHINE_OS_BUILD.name, build.name), message),)
