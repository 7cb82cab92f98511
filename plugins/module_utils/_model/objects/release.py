# SPDX-License-Identifier: GPL-3.0-or-later
"""What does this release of the operator do differently? One table, by ClusterVersion (operator.md 2.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .resources import Object


@dataclass(frozen=True)
class Capabilities:
    """How the operator of one release behaves."""

    follows_annotation: bool
    """Whether a rollout takes the build that the MachineOSConfig names, as of 4.21. Before, it takes the first one in
    list order, and 4.20 then waits for ever when the MachineOSConfig carries another one's digest."""
    needs_settled_pool: bool
    """Whether a build starts only for a pool whose status names a configuration, as of 4.20: the operator compares that
    with the one that the pool wants (its ``pkg/controller/build/reconciler.go``, ``syncMachineOSBuild``)."""


_FOLLOWS_ANNOTATION = (4, 21)
_NEEDS_SETTLED_POOL = (4, 20)


def capabilities_of(version: str) -> Capabilities:
    """Return what the release does; one that cannot be read is taken for an old one."""
    numbers = re.match(r"(\d{1,9})\.(\d{1,9})", version)
    release = (int(numbers.group(1)), int(numbers.group(2))) if numbers else (0, 0)
    return Capabilities(
        follows_annotation=release >= _FOLLOWS_ANNOTATION,
        needs_settled_pool=release >= _NEEDS_SETTLED_POOL,
    )


def desired_version(cluster_version: Object) -> str:
    """Return the release that a ClusterVersion wants, or an empty text."""
    desired = (cluster_version.get("status") or {}).get("desired") or {}
    return str(desired.get("version", ""))
