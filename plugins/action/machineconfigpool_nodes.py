# SPDX-License-Identifier: GPL-3.0-or-later
"""Add nodes to a MachineConfigPool or remove them."""

from __future__ import annotations

from ..plugin_utils._api_action import ApiAction


class ActionModule(ApiAction):
    """Run the module of the same name."""

    MODULE = "imagemode.openshift.machineconfigpool_nodes"
