#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._operation.label_nodes import Ask, label_nodes
from ..module_utils._operation.select_nodes import Selection
from ..module_utils._options import POOL, STATE, new_module


def main() -> None:
    module = new_module(
        POOL,
        STATE,
        {"nodes": {"type": "list", "elements": "str"}, "label_selector": {"type": "str"}},
        mutually_exclusive=[("nodes", "label_selector")],
        required_one_of=[("nodes", "label_selector")],
    )
    asked = module.params
    ask = Ask(
        present=asked["state"] == "present",
        pool=asked["pool"],
        selection=Selection(asked["nodes"] or [], asked["label_selector"] or ""),
        check_mode=module.check_mode,
    )
    finish(module, lambda: label_nodes(open_session(asked), ask))


if __name__ == "__main__":
    main()
