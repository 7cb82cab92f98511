# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the rollout of a pool and print its progress."""

from __future__ import annotations

from ..plugin_utils._progress import WaitAction


class ActionModule(WaitAction):
    """Calls the module of the same name until the wait is over."""

    MODULE = "imagemode.openshift.machineconfigpool_wait"
