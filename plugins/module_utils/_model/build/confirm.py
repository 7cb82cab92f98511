# SPDX-License-Identifier: GPL-3.0-or-later
"""Confirm a build by a direct read before a wait relies on it.

Each kind has its own watch, and events of two watches arrive in no order. When the operator deletes a build to build it
again and then removes the rebuild request, the second event may arrive first.
"""

from __future__ import annotations

from ..objects.machineosbuild import MachineOSBuild
from ..objects.resources import MACHINE_OS_BUILD
from ..observation import ReadObject, Snapshot


def confirm_need(build: MachineOSBuild) -> ReadObject:
    """Return the need to read a build: exactly one request, by the permission to list."""
    return ReadObject(MACHINE_OS_BUILD, build.name, by_list=True, retried=False)


def confirmed(snapshot: Snapshot, build: MachineOSBuild) -> bool | None:
    """Whether the build still exists in the same state. None if it could not be read, or was not."""
    result = snapshot.result(confirm_need(build))
    if result is None or not result.known:
        return None
    if result.obj is None:
        return False
    now = MachineOSBuild.from_api(result.obj)
    return (now.identity, now.state) == (build.identity, build.state)
