# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject a rollout that an older build blocks, and warn of one that an older build may block.

Source: docs/operator-behavior.md ("Superseded builds").
"""

from __future__ import annotations

import typing as t

from ..objects.machineosbuild import MachineOSBuild
from ..text import listed
from .rejection import Rejection

_REMEDY = "Set delete_superseded=true to delete them"
_MOST_NAMES = 3


def reject_older_builds(blocking: t.Sequence[MachineOSBuild], version: str) -> Rejection | None:
    """Return why no node would get the image that is built already, or None.

    :param blocking: the builds that the node controller takes instead of the current one
    :param version: release of the cluster
    """
    if not blocking:
        return None
    reason = (
        f"OpenShift {version} uses the older {_listed(blocking)} instead of the current build, so no node would get "
        "the image"
    )
    return Rejection(reason, _REMEDY)


def doubt_about_older_builds(succeeded: t.Sequence[MachineOSBuild], version: str) -> str:
    """Return that older builds may block the image of the current or the next build, or an empty text."""
    if not succeeded:
        return ""
    return (
        f"OpenShift {version} may use the older {_listed(succeeded)} instead of the build of this spec, and then no "
        f"node gets the image. {_REMEDY}"
    )


def _listed(builds: t.Sequence[MachineOSBuild]) -> str:
    names = [build.name for build in builds]
    kind = "MachineOSBuild" if len(names) == 1 else "MachineOSBuilds"
    return f"{kind} {listed(names, _MOST_NAMES)}"
