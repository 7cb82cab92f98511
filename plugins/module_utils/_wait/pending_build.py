# SPDX-License-Identifier: GPL-3.0-or-later
"""How is the build of a pool's image to a wait, which remembers more of it than one look shows?

For how long an answer has been lacking in the same way counts as far as that was seen. Between two windows nothing is
seen: what the next one begins with is of the past, and may be over by now.
"""

from __future__ import annotations

import typing as t

from .._model.build.progress import REPLACEMENT_GRACE, BuildProgress, build_progress, remembered
from .._model.objects.machineosbuild import MachineOSBuild
from .._model.objects.machineosconfig import MachineOSConfig
from .window import Window


class Lack:
    """The lack of an answer, remembered from window to window."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._seen_at: float | None = None

    def _lasts(self, lack: str) -> float:
        """Take the lack of this look down, and return for how many seconds it is the same."""
        before, seconds = self._window.memory.get("lack") or ("", 0.0)
        now = self._window.watched
        passed = 0.0 if self._seen_at is None else max(0.0, now - self._seen_at)
        seconds = float(seconds) + passed if lack and lack == before else 0.0
        self._window.memory["lack"] = [lack, seconds]
        self._seen_at = now
        return seconds

    def progress(
        self,
        config: MachineOSConfig,
        builds: t.Collection[MachineOSBuild],
        rendered_config: str,
        pushed: str = "",
        grace: float = REPLACEMENT_GRACE,
    ) -> BuildProgress:
        """Judge the build at this look, once a look.

        :param grace: seconds that another build has to appear in the place of one that is no answer
        """
        before = self._window.memory.get("before_rebuild", "")
        seen = build_progress(config, builds, rendered_config, pushed, before)
        self._window.memory["before_rebuild"] = remembered(seen, before)
        return seen.after(self._lasts(seen.lack), grace)
