# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject a rollout to a pool that is paused and stays so."""

from __future__ import annotations

import typing as t

from ..objects.machineconfigpool import find_other_manager
from ..text import listed
from .rejection import Rejection

NOT_OURS = "it is paused, and not by this collection alone"


def reject_paused_pool(
    pool: str, pause_kept_because: str, nodes: t.Sequence[str], allow_node_reboots: bool
) -> Rejection | None:
    """Return why nodes of a paused pool cannot get their image, or None.

    :param pause_kept_because: why this collection must not unpause the pool, or an empty string if it may
    :param nodes: the nodes of the pool, those that are going to join it included
    """
    if pause_kept_because:
        return Rejection(pause_kept_because, find_other_manager(pool))
    if allow_node_reboots:
        return None
    return Rejection(
        f"it is paused, and to unpause it reboots its nodes ({listed(nodes)})",
        "Set allow_node_reboots=true to unpause it",
    )
