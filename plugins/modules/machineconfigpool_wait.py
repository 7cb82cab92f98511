#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._operation.await_rollout import Ask, await_rollout
from ..module_utils._operation.window import Limits
from ..module_utils._options import POOL, WAIT, new_module


def main() -> None:
    module = new_module(
        POOL, WAIT, {"nodes": {"type": "list", "elements": "str"}, "timeout": {"type": "int", "default": 0}}
    )
    asked = module.params
    ask = Ask(
        pool=asked["pool"],
        nodes=asked["nodes"] or [],
        limits=Limits(timeout=asked["timeout"], window=asked["window"]),
        cursor=asked["cursor"] or "",
        check_mode=module.check_mode,
    )
    finish(module, lambda: await_rollout(open_session(asked), ask))


if __name__ == "__main__":
    main()
