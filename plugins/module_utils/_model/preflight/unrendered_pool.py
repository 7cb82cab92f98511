# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject a pool for which nothing can be built, because it has no rendered MachineConfig.

Source: docs/operator-behavior.md ("Build states").
"""

from __future__ import annotations

from ..objects.machineconfigpool import Pool
from .rejection import Rejection


def reject_unrendered_pool(pool: Pool) -> Rejection | None:
    """Return why no build would start for a pool, or None."""
    if pool.rendered_config:
        return None
    if pool.render_error:
        reason = f"MachineConfigPool {pool.name} cannot be rendered ({pool.render_error})"
        return Rejection(reason, "Correct its MachineConfigs")
    return Rejection(f"MachineConfigPool {pool.name} is not rendered", "Wait until it is rendered")
