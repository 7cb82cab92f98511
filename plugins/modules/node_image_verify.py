#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ..module_utils._cluster.session import open_session
from ..module_utils._errors import finish
from ..module_utils._model.verdict import Verdict
from ..module_utils._operation.select_nodes import Selection
from ..module_utils._operation.verify_nodes import Ask, verify_nodes
from ..module_utils._options import new_module


def main() -> None:
    module = new_module(
        {
            "pool": {"type": "str", "aliases": ["machine_config_pool"]},
            "nodes": {"type": "list", "elements": "str"},
            "label_selector": {"type": "str"},
            "expected_image": {"type": "str"},
            "transport": {"type": "str", "choices": ["auto", "pod_exec"], "default": "auto"},
            "concurrency": {"type": "int", "default": 50},
            "node_timeout": {"type": "int", "default": 60},
            "host_root": {"type": "path", "default": "/rootfs"},
            "fail_on": {
                "type": "list",
                "elements": "str",
                "choices": ["mismatch", "unknown"],
                "default": ["mismatch", "unknown"],
            },
        },
        mutually_exclusive=[("nodes", "label_selector")],
        required_one_of=[("pool", "nodes", "label_selector")],
    )
    asked = module.params
    ask = Ask(
        pool=asked["pool"] or "",
        selection=Selection(asked["nodes"] or [], asked["label_selector"] or ""),
        expected_image=asked["expected_image"] or "",
        concurrency=asked["concurrency"],
        node_timeout=asked["node_timeout"],
        host_root=asked["host_root"],
        fail_on=frozenset(map(Verdict, asked["fail_on"])),
    )
    finish(module, lambda: verify_nodes(open_session(asked), ask))


if __name__ == "__main__":
    main()
