# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide whether a node is done, updating or waiting.

A node is done if it has the rendered config and the image of its pool by the operator's own predicate, and if it is
also Ready and schedulable. Source: docs/operator-behavior.md ("Node annotations and states").
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ..objects.node import NodeState


class Phase(enum.Enum):
    """How far a node is."""

    DONE = "done"
    UPDATING = "updating"
    WAITING = "waiting"
    LEFT = "left"
    """The node left the pool during the rollout."""

    @property
    def is_final(self) -> bool:
        """Whether the rollout does not wait for the node any longer."""
        return self in (Phase.DONE, Phase.LEFT)


@dataclass(frozen=True)
class Target:
    """What every node of a pool has to reach."""

    rendered_config: str
    image: str
    """Pull spec of the image. Empty for a pool without a MachineOSConfig."""

    def phase_of(self, node: NodeState) -> Phase:
        """Return the phase of a node. It is waiting until the operator assigns the target to it."""
        is_assigned = node.desired_config == self.rendered_config and node.desired_image == self.image
        if is_assigned and node.settled and node.ready and not node.unschedulable:
            return Phase.DONE
        if is_assigned or node.state == "Working":
            return Phase.UPDATING
        return Phase.WAITING


def phases_of(nodes: t.Iterable[NodeState], target: Target | None) -> dict[str, Phase]:
    """Return the phase of each node by name. Without a target all nodes are waiting."""
    return {node.name: target.phase_of(node) if target else Phase.WAITING for node in nodes}


def count_phases(phases: t.Iterable[Phase]) -> dict[str, int]:
    """Return the counts ``total``, ``done``, ``updating``, ``waiting`` and ``left``."""
    all_phases = list(phases)
    return {"total": len(all_phases), **{phase.value: all_phases.count(phase) for phase in Phase}}
