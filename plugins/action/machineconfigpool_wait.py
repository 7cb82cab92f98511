# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the rollout of a pool and print its progress."""

from __future__ import annotations

from ..plugin_utils._progress import WaitAction


class ActionModule(WaitAction):
    """The module of the same name, a window at a time."""

    MODULE = "imagemode.openshift.machineconfigpool_wait"
