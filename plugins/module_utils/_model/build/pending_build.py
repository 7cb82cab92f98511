# SPDX-License-Identifier: GPL-3.0-or-later
"""State of the current build, and why it is missing."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ..findings import Finding, FindingId
from ..objects.machineosbuild import BuildState, MachineOSBuild
from ..observation import Outcome

REPLACEMENT_GRACE = 120.0
"""Default of ``replacement_grace``: seconds to wait for a replacement build."""
_NO_BUILD = (FindingId.BUILD_NOT_STARTED, FindingId.BUILD_POOL_NAME_TOO_LONG, FindingId.BUILD_START_FAILED)
"""The pending reasons that mean that no build was started."""


@dataclass(frozen=True)
class PendingBuild:
    """Why the current build is missing. It stays equal for as long as the reason stays the same."""

    reason: FindingId
    """The finding that the reason becomes after the grace period."""
    subject: str = ""
    """What the reason is about: the identity of a build, the name of a deleted build, or a rendered MachineConfig."""


@dataclass(frozen=True)
class EditedBuild:
    """That a build was created after an edit. From then on no older build is the current one."""

    generation: int
    """Generation of the spec."""
    rendered_config: str


@dataclass(frozen=True)
class BuildProgress:
    """State of the current build."""

    outcome: Outcome
    state: BuildState
    build: MachineOSBuild | None
    findings: tuple[Finding, ...]
    line: str
    """The state in one line for the user."""
    pending: PendingBuild | None = None
    """Why the current build is missing. None if it runs or has ended."""
    if_it_lasts: Finding | None = None
    """The failure after the grace period. None if other limits end the wait."""
    after_edit: EditedBuild | None = None
    """The build that was created after the last edit, if it exists and has started."""
    longest_grace: float = math.inf
    """Seconds after which no other build can appear, or the state has changed if it was momentary."""

    @property
    def not_started(self) -> bool:
        """Whether the operator has not started a build."""
        return self.pending is not None and self.pending.reason in _NO_BUILD

    @property
    def awaits_rebuild_of(self) -> str:
        """Identity of the build that a requested rebuild has not replaced yet, or an empty text."""
        if self.pending is None or self.pending.reason is not FindingId.BUILD_REBUILD_NOT_STARTED:
            return ""
        return self.pending.subject

    def after(self, waited: float, grace: float = REPLACEMENT_GRACE) -> BuildProgress:
        """Return the progress after the current build was missing for *waited* of *grace* seconds."""
        if self.if_it_lasts is None or waited < min(grace, self.longest_grace):
            return self
        finding = self.if_it_lasts
        return replace(self, outcome=Outcome.FAILED, findings=(finding,), line=finding.message)


def pending_progress(
    state: BuildState, shown: MachineOSBuild | None, finding: Finding, line: str, existing: MachineOSBuild | None = None
) -> BuildProgress:
    """Return that the current build is missing.

    :param shown: the build for the result
    :param existing: the build that exists instead; another one is another pending reason
    """
    subject = existing.identity if existing else finding.object.name
    return BuildProgress(Outcome.WAITING, state, shown, (), line, PendingBuild(finding.id, subject), finding)
