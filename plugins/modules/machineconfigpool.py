#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.pool import WantedPool
from ..module_utils._operation.apply_pool import Ask, apply_pool
from ..module_utils._options import POOL, STATE, new_module


def main() -> None:
    module = new_module(
        POOL,
        STATE,
        {
            "node_selector": {"type": "dict"},
            "paused": {"type": "bool"},
            "max_unavailable": {"type": "str"},
        },
    )
    asked = module.params
    ask = Ask(
        present=asked["state"] == "present",
        wanted=WantedPool(asked["pool"], asked["node_selector"], asked["paused"], asked["max_unavailable"]),
        check_mode=module.check_mode,
    )
    finish(module, lambda: apply_pool(open_session(asked), ask))


if __name__ == "__main__":
    main()
