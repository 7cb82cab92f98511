# SPDX-License-Identifier: GPL-3.0-or-later
"""What does this release of the operator do differently? One table, by ClusterVersion (operator.md 2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .resources import Object


@dataclass(frozen=True)
class Capabilities:
    """How the operator of one release behaves."""

    holds_older_build: bool
    """Whether a rollout takes the first build in list order and then waits for ever when the MachineOSConfig carries
    another one's digest. Seen on 4.20; 4.19 rolls out whatever the order, 4.21 follows the annotation."""


_BY_RELEASE = {(4, 20): Capabilities(holds_older_build=True)}
_OTHERS = Capabilities(holds_older_build=False)


def capabilities_of(version: str) -> Capabilities:
    """Return what the release does; one that is unknown or cannot be read needs no work-around."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    release = (int(numbers.group(1)), int(numbers.group(2))) if numbers else (0, 0)
    return _BY_RELEASE.get(release, _OTHERS)


def desired_version(cluster_version: Object) -> str:
    """Return the release that a ClusterVersion wants, or an empty text."""
    desired = (cluster_version.get("status") or {}).get("desired") or {}
    return str(desired.get("version", ""))
