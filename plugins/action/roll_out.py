# SPDX-License-Identifier: GPL-3.0-or-later
"""Roll out the image of a pool: add nodes, unpause the pool, and wait for every node."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ..module_utils._errors import OperationError
from ..plugin_utils._check_mode import changes_image, forecast_of
from ..plugin_utils._rollout_plan import plan_rollout
from ..plugin_utils._step import StepAction, StepFailed, with_header

display = Display()
_SIDES = ("before", "after")
_NODES = "labels of nodes"


class ActionModule(StepAction):
    """Reads the pool first, so that a paused pool is an error before a node is labelled."""

    ROLE = "roll_out"
    WHAT = "roll out the image"
    RESULTS = ("build",)

    def work(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        pool, nodes = options["pool"], options["nodes"]
        target = {"pool": pool, "build": options["build"]}
        current = self.call("machineconfigpool_wait", {**target, "progress": "none"}, check_mode=True)
        try:
            plan = plan_rollout(pool, current, nodes, options["allow_node_reboots"], bool(self._task.check_mode))
        except OperationError as error:
            raise StepFailed({"msg": str(error)}) from None
        if nodes:
            self._add(pool, nodes)
        if plan.unpause:
            self.call("machineconfigpool", {"pool": pool, "paused": False}, changes=f"MachineConfigPool {pool}")
        if self._task.check_mode and (self._changes or changes_image(self._task_vars)):
            # The present state of the nodes is the result of an earlier rollout, and no part of the forecast.
            return {"cluster": current.get("cluster"), "pool": current["pool"], "rollout": None, "nodes": []}
        if not plan.awaited:
            display.display(f"  pool {pool}: no nodes, so nothing to roll out")
            return current
        wait = {name: options[name] for name in ("timeout", "stall_timeout", "fail_on_findings", "progress")}
        # A node can leave the pool before the wait observes it.
        return {**self.call("machineconfigpool_wait", {**target, **wait}), "awaited": list(plan.awaited)}

    def _add(self, pool: str, nodes: t.Sequence[str]) -> None:
        forecast = forecast_of(self._task_vars) if self._task.check_mode else {}
        if forecast:
            self._forecast_labels(forecast["labels"])
            return
        added = self.call("machineconfigpool_nodes", {"pool": pool, "nodes": list(nodes)}, changes=_NODES)
        if _NODES in self._changes:
            self._changes.remove(_NODES)
            self._changes += [f"Node {node['name']}" for node in added["nodes"] if node["changed"]]

    def _forecast_labels(self, labels: t.Mapping[str, t.Mapping[str, t.Any]]) -> None:
        """Report the labels of the forecast: only it knows the selector of a pool that does not exist yet."""
        if labels:
            self._changes += [f"Node {name}" for name in labels]
            diff = {side: {name: change[side] for name, change in labels.items()} for side in _SIDES}
            self._diffs.append(with_header(diff, _NODES))
