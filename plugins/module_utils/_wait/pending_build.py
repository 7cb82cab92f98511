# SPDX-License-Identifier: GPL-3.0-or-later
"""Track the current build from one module call to the next."""

from __future__ import annotations

import typing as t

from .._model.build.progress import REPLACEMENT_GRACE, BuildProgress, BuildTracking, PendingBuild, build_progress
from .._model.findings import FindingId
from .._model.objects.machineosbuild import MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig
from .window import Window


class Lack:
    """The pending reason, kept in the state of the window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._resumed = True

    def progress(
        self,
        config: MachineOSConfig,
        builds: t.Collection[MachineOSBuild],
        rendered_config: str,
        pushed: str = "",
        grace: float = REPLACEMENT_GRACE,
    ) -> BuildProgress:
        """Evaluate the build, once for each observation."""
        memory = self._window.memory
        reason, subject, seconds, at = memory.get("lack") or ("", "", 0.0, 0.0)
        pending = PendingBuild(FindingId(reason), subject) if reason else None
        before = BuildTracking(pending, seconds, at, memory.get("before_rebuild", ""))
        found = build_progress(config, builds, rendered_config, pushed, before.before_rebuild)
        now = before.after(found, self._window.watched, self._resumed)
        self._resumed = False
        waiting = (now.pending.reason.value, now.pending.subject) if now.pending else ("", "")
        memory["lack"] = [*waiting, now.pending_seconds, now.observed_at]
        memory["before_rebuild"] = now.before_rebuild
        return found.after(now.pending_seconds, grace)
