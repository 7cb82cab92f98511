# SPDX-License-Identifier: GPL-3.0-or-later
"""What is true about a pool at one moment, as far as transitions follow from it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from ..findings import Finding
from ..objects.resources import ObjectRef


@dataclass(frozen=True)
class ConfigFacts:
    """The MachineOSConfig of a pool."""

    name: str
    uid: str
    generation: int


@dataclass(frozen=True)
class EndedBuild:
    """The current build of a pool, which has ended, or why there is none."""

    key: str
    """Identifies the result. Two results with different keys are two facts."""
    object: ObjectRef
    failure: Finding | None = None
    """Why it failed. None for a build that succeeded."""


@dataclass(frozen=True)
class PoolFacts:
    """The facts about a pool."""

    pool: str
    nodes: t.Mapping[str, str] = field(default_factory=dict)
    """Name of each node in the pool -> the configuration and the image that its daemon applied."""
    places: t.Mapping[str, str] = field(default_factory=dict)
    """Name of each node that is not in the pool -> where it is. A node without an entry was deleted."""
    config: ConfigFacts | None = None
    build: EndedBuild | None = None
    """None while the result is not known."""
    is_rolling: bool = False
    """Whether the nodes have a known target that one of them has not reached."""
    is_done: bool = False
    """Whether each node has reached the target, and is Ready and schedulable."""
    blockers: tuple[Finding, ...] = ()
    """What blocks the rollout now."""
    differences: tuple[Finding, ...] = ()
    """Nodes that report another image than the pool has, without an update that explains it."""

    @property
    def generation(self) -> int | None:
        """Generation of the spec of the MachineOSConfig. None if the pool has none."""
        return self.config.generation if self.config else None
