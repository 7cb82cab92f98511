# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, change or delete a MachineOSConfig."""

from __future__ import annotations

from ..plugin_utils._api_action import ApiAction


class ActionModule(ApiAction):
    """Run the module of the same name."""

    MODULE = "imagemode.openshift.machineosconfig"
