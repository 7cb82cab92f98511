# SPDX-License-Identifier: GPL-3.0-or-later
"""Is the build that a wait is about to end with still there?

Each kind is watched by itself, and what two watches say comes in no order: when the operator deletes a build in order
to make it again and then takes the request for that away, the second may be heard before the first.
"""

from __future__ import annotations

from .._cluster.session import Session
from .._model.machineosbuild import MachineOSBuild
from .._model.resources import MACHINE_OS_BUILD


def is_there_still(session: Session, build: MachineOSBuild) -> bool:
    """Whether the build is there, asked for after what was heard: one request, by the right to list."""
    found = session.list(MACHINE_OS_BUILD, field_selector=f"metadata.name={build.name}").items
    return build.identity in [MachineOSBuild.from_api(obj).identity for obj in found]
