# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject a pool with two MachineOSConfigs, which v1alpha1 accepts.

The operator builds only one of them, and its parts can take different ones.
Source: docs/operator-behavior.md ("Limits of v1alpha1").
"""

from __future__ import annotations

import typing as t

from ..text import listed
from .rejection import Rejection


def reject_second_config(pool: str, names: t.Sequence[str]) -> Rejection | None:
    """Return why the MachineOSConfigs of a pool cannot be used, or None.

    :param names: names of the MachineOSConfigs of the pool
    """
    if len(names) < 2:
        return None
    reason = f"MachineConfigPool {pool} has {len(names)} MachineOSConfigs ({listed(names)}), and only one can work"
    return Rejection(reason, "Delete the others (machineosconfig with state=absent and their name)")
