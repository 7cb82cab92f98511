#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._operation.await_build import Ask, await_build
from ..module_utils._operation.window import Limits
from ..module_utils._options import POOL, WAIT, new_module


def main() -> None:
    module = new_module(POOL, WAIT, {"timeout": {"type": "int", "default": 3600}})
    asked = module.params
    ask = Ask(
        pool=asked["pool"],
        limits=Limits(timeout=asked["timeout"], window=asked["window"]),
        cursor=asked["cursor"] or "",
        check_mode=module.check_mode,
    )
    finish(module, lambda: await_build(open_session(asked), ask))


if __name__ == "__main__":
    main()
