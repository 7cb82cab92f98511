# SPDX-License-Identifier: GPL-3.0-or-later
"""Reject a new MachineOSConfig without the options that the API, or the operator, requires.

Source: docs/operator-behavior.md ("API versions", "Limits of v1alpha1").
"""

from __future__ import annotations

from ..objects.machineosconfig import WantedConfig
from .rejection import Rejection


def reject_missing_options(wanted: WantedConfig) -> Rejection | None:
    """Return which options are missing to create a MachineOSConfig, or None."""
    missing = wanted.missing_for_creation()
    if not missing:
        return None
    names = " and ".join(missing)
    is_older_only = missing == ["current_image_pull_secret"]
    why = ", and this cluster serves v1alpha1, which requires it" if is_older_only else ""
    return Rejection(f"{names} is not set{why}", f"Set {names}")
