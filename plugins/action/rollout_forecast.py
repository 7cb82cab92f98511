# SPDX-License-Identifier: GPL-3.0-or-later
"""Forecast the build and the rollout of an image."""

from __future__ import annotations

from ..plugin_utils._api_action import ApiAction


class ActionModule(ApiAction):
    """Run the module of the same name."""

    MODULE = "imagemode.openshift.rollout_forecast"
