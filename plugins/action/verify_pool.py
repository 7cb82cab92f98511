# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify that every node of a pool booted its image. In check mode only if the earlier steps would change nothing."""

from __future__ import annotations

import typing as t

from ansible.utils.display import Display

from ..plugin_utils._step import StepAction

display = Display()
_OPTIONS = ("expected_image", "allowed_deviations", "transport", "node_timeout", "host_root", "fail_on")
_EARLIER_STEPS = ("build_image_result", "roll_out_result")
"""Variables with the results of the steps of playbook apply that decide which image the nodes boot."""


class ActionModule(StepAction):
    """Decides itself whether there is something to verify, so that the task of a playbook needs no condition."""

    ROLE = "verify_nodes"
    WHAT = "verify the pool"
    RESULTS = ("build",)

    def work(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        reason = self._reason_to_wait() if self._task.check_mode else ""
        if reason:
            display.display(f"  check mode: no node is verified, because {reason}")
            return {"nodes": []}
        given = {name: options[name] for name in ("pool", "build", *_OPTIONS) if options[name] != ""}
        allowed = {"allow_empty_pool": options["allow_empty_pool"]}
        arguments = {**given, **allowed, "awaited_nodes": self._awaited() or None}
        return {**self.call("node_image_verify", arguments), **allowed}

    def _awaited(self) -> list[str]:
        """Return the names of the nodes of the rollout, those included that left before the wait observed them."""
        rollout = self._task_vars.get("roll_out_result") or {}
        observed = {str(node["name"]) for node in rollout.get("nodes") or ()}
        return sorted(observed.union(map(str, rollout.get("awaited") or ())))

    def _reason_to_wait(self) -> str:
        """Return why the nodes do not have the image of this run yet, or an empty text."""
        build, rollout = (self._task_vars.get(name) or {} for name in _EARLIER_STEPS)
        if build.get("changes") or rollout.get("changes"):
            return "the run would change objects before"
        if build and (build.get("build") or {}).get("state") != "succeeded":
            return "the build has not succeeded"
        nodes = rollout.get("rollout") or {}
        return "the rollout is not done" if nodes.get("done") != nodes.get("total") else ""
