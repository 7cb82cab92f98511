# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a build still what was heard of it?

Each kind is watched by itself, and what two watches say comes in no order: when the operator deletes a build in order
to make it again and then takes the request for that away, the second may be heard before the first.
"""

from __future__ import annotations

from .._cluster.api_error import ApiError, Unreachable
from .._cluster.session import Session, selectors
from .._model.objects.machineosbuild import MachineOSBuild
from .._model.objects.resources import MACHINE_OS_BUILD


def is_unchanged(session: Session, build: MachineOSBuild) -> bool | None:
    """Whether the build is there and in the state that is known of it; None when the API server does not say.

    One request, by the right to list, and never a second: who waits asks again at his next look.
    """
    query = selectors("", f"metadata.name={build.name}")
    try:
        found = session.pages(MACHINE_OS_BUILD.path(), query).items
    except (ApiError, Unreachable):
        return None
    now = [MachineOSBuild.from_api(obj) for obj in found]
    return (build.identity, build.state) in [(one.identity, one.state) for one in now]
