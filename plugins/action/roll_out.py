# SPDX-License-Identifier: GPL-3.0-or-later
"""Roll out the image of a pool: add nodes, unpause the pool, and wait for every node."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ..module_utils._errors import OperationError
from ..plugin_utils._rollout_plan import plan_rollout
from ..plugin_utils._step import StepAction, StepFailed

display = Display()


class ActionModule(StepAction):
    """Reads the pool first, so that a paused pool is an error before a node is labelled."""

    ROLE = "roll_out"
    WHAT = "roll out the image"

    def work(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        pool, nodes = options["pool"], options["nodes"]
        current = self.call("machineconfigpool_wait", {"pool": pool, "progress": "none"}, check_mode=True)
        try:
            plan = plan_rollout(pool, current, nodes, options["allow_node_reboots"], bool(self._task.check_mode))
        except OperationError as error:
            raise StepFailed({"msg": str(error)}) from None
        if nodes:
            self._add(pool, nodes)
        if plan.unpause:
            self.call("machineconfigpool", {"pool": pool, "paused": False}, changes=f"MachineConfigPool {pool}")
        if not plan.awaited:
            display.display(f"  pool {pool}: no nodes, so nothing to roll out")
            return current
        wait = {name: options[name] for name in ("timeout", "stall_timeout", "fail_on_findings", "progress")}
        return self.call("machineconfigpool_wait", {"pool": pool, **wait})

    def _add(self, pool: str, nodes: t.Sequence[str]) -> None:
        added = self.call("machineconfigpool_nodes", {"pool": pool, "nodes": list(nodes)}, changes="nodes")
        if "nodes" in self._changes:
            self._changes.remove("nodes")
            self._changes += [f"Node {node['name']}" for node in added["nodes"] if node["changed"]]
