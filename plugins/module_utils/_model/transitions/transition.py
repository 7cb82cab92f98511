# SPDX-License-Identifier: GPL-3.0-or-later
"""A transition of a pool, and the event that reports it.

An event contains names, numbers and one finding, never an object of the API. Its texts are printable, in one line and
limited in length, because a rulebook prints them and passes them to playbooks.
"""

from __future__ import annotations

import enum
import typing as t
from dataclasses import dataclass

from ..findings import Finding
from ..objects.resources import ObjectRef
from ..text import legible

SCHEMA_VERSION = "1.0"
"""Version of the structure of events."""
LONGEST_TEXT = 1000
"""Characters of a message or a remedy."""
LONGEST_NAME = 253
"""Characters of a name. The API server accepts no longer ones."""


class TransitionType(str, enum.Enum):
    """What happened. The values are public."""

    CONFIG_EDITED = "config_edited"
    BUILD_FAILED = "build_failed"
    BUILD_SUCCEEDED = "build_succeeded"
    NODE_JOINED = "node_joined"
    NODE_LEFT = "node_left"
    ROLLOUT_BLOCKED = "rollout_blocked"
    ROLLOUT_DONE = "rollout_done"
    IMAGE_DIFFERS = "image_differs"


@dataclass(frozen=True)
class Transition:
    """One transition of a pool."""

    type: TransitionType
    pool: str
    object: ObjectRef
    generation: int | None = None
    """Generation of the spec of the pool's MachineOSConfig. None if the pool has none."""
    finding: Finding | None = None
    """Why, if the transition is a problem."""


def event_of(transition: Transition, cluster: t.Mapping[str, str | None]) -> dict[str, t.Any]:
    """Return the event that reports a transition.

    :param cluster: ``api_url``, ``id`` and ``name`` of the cluster; None for what is not known
    """
    about, finding = transition.object, transition.finding
    return {
        "schema_version": SCHEMA_VERSION,
        "type": transition.type.value,
        "cluster": {name: _name(cluster.get(name)) for name in ("api_url", "id", "name")},
        "pool": _name(transition.pool),
        "object": {"kind": about.kind, "namespace": _name(about.namespace) or None, "name": _name(about.name)},
        "generation": transition.generation,
        "finding": _finding(finding) if finding else None,
    }


def _finding(finding: Finding) -> dict[str, t.Any]:
    return {
        "id": finding.id.value,
        "severity": finding.severity.value,
        "message": _line(finding.message),
        "remedy": _line(finding.remedy),
    }


def _name(text: t.Any) -> str | None:
    return None if text is None else legible(str(text), LONGEST_NAME)


def _line(text: str) -> str:
    return legible(" ".join(text[: 4 * LONGEST_TEXT].split()), LONGEST_TEXT)
