# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operator of a release does differently, by the version of ClusterVersion.

Source: docs/operator-behavior.md ("Differences by release").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .resources import Object

_FOLLOWS_CURRENT_BUILD = (4, 21)
_NEEDS_SETTLED_POOL = (4, 20)
_STARTS_AFTER_FAILED_BUILD = (4, 20)
_STOPS_AT_OLDER_BUILD = (4, 20)


@dataclass(frozen=True)
class Release:
    """How the operator of one release behaves."""

    follows_current_build: bool
    """Whether a rollout uses the build that the MachineOSConfig names (4.21 and later). Earlier releases use the first
    succeeded build by name. 4.20 then waits without end if the MachineOSConfig has the digest of another build."""
    stops_at_older_build: bool
    """Whether it is certain that a rollout never starts if the first succeeded build has another digest than the
    MachineOSConfig (4.20). Earlier releases differ from one z-stream to the next."""
    needs_settled_pool: bool
    """Whether the operator starts a build only for a pool whose status names a configuration (4.20 and later)."""
    needs_healthy_pool: bool
    """Whether the operator starts no build for a pool that is degraded for any reason (4.18 and 4.19). Later releases
    start one after a failed build, which degrades the pool too."""

    @classmethod
    def from_version(cls, version: str) -> Release:
        """Return the behavior of a release. A version that cannot be parsed counts as an old release."""
        numbers = re.match(r"(\d{1,9})\.(\d{1,9})", version)
        release = (int(numbers.group(1)), int(numbers.group(2))) if numbers else (0, 0)
        return cls(
            follows_current_build=release >= _FOLLOWS_CURRENT_BUILD,
            stops_at_older_build=release == _STOPS_AT_OLDER_BUILD,
            needs_settled_pool=release >= _NEEDS_SETTLED_POOL,
            needs_healthy_pool=numbers is not None and release < _STARTS_AFTER_FAILED_BUILD,
        )


def desired_version(cluster_version: Object) -> str:
    """Return the desired version of a ClusterVersion, or an empty string."""
    desired = (cluster_version.get("status") or {}).get("desired") or {}
    return str(desired.get("version", ""))
