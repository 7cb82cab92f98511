#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.machineosconfig import WantedConfig
from ..module_utils._operation.apply_machineosconfig import Ask, apply_machineosconfig
from ..module_utils._options import POOL, STATE, new_module


def main() -> None:
    module = new_module(
        POOL,
        STATE,
        {
            "name": {"type": "str"},
            "containerfile": {"type": "str"},
            "rendered_image_push_spec": {"type": "str"},
            "rendered_image_push_secret": {"type": "str", "no_log": False},
            "base_image_pull_secret": {"type": "str", "no_log": False},
            "allow_node_reboots": {"type": "bool", "default": False},
        },
    )
    asked = module.params
    ask = Ask(
        present=asked["state"] == "present",
        name=asked["name"] or "",
        wanted=WantedConfig(
            pool=asked["pool"],
            containerfile=asked["containerfile"],
            rendered_image_push_spec=asked["rendered_image_push_spec"],
            rendered_image_push_secret=asked["rendered_image_push_secret"],
            base_image_pull_secret=asked["base_image_pull_secret"],
        ),
        allow_node_reboots=asked["allow_node_reboots"],
        check_mode=module.check_mode,
    )
    finish(module, lambda: apply_machineosconfig(open_session(asked), ask, module.warn))


if __name__ == "__main__":
    main()
