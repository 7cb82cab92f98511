# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the image of a pool: create the pool, apply its MachineOSConfig, and wait for the build."""

from __future__ import annotations

import typing as t

from ..module_utils._options import CHECKED_BEFORE
from ..plugin_utils._check_mode import is_checked
from ..plugin_utils._controller_files import reader
from ..plugin_utils._step import StepAction, StepFailed
from ..plugin_utils._variables.containerfile import containerfile_text
from ..plugin_utils._variables.files import absolute
from ..plugin_utils._variables.problem import Problem

_WAIT_OPTIONS = ("timeout", "stall_timeout", "fail_on_findings", "replacement_grace", "max_build_attempts")


class ActionModule(StepAction):
    """Checks the nodes first, so that nothing is built for nodes that could not join the pool."""

    ROLE = "build_image"
    WHAT = "build the image"

    def work(self, options: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        pool = options["pool"]
        text = self._containerfile(options)
        if options["nodes"] and not is_checked(self._task_vars):
            self.call("machineconfigpool_nodes", {"pool": pool, "nodes": options["nodes"]}, check_mode=True)
        if options["create_pool"]:
            selection = {n: options[n] or None for n in ("node_selector", "max_unavailable")}
            self.call("machineconfigpool", {"pool": pool, **selection}, changes=f"MachineConfigPool {pool}")
        config = {
            "pool": pool,
            "containerfile": text,
            "rendered_image_push_spec": options["rendered_image_push_spec"],
            "rendered_image_push_secret": options["rendered_image_push_secret"],
            "base_image_pull_secret": options["base_image_pull_secret"] or None,
            "current_image_pull_secret": options["current_image_pull_secret"] or None,
            "allow_node_reboots": options["allow_node_reboots"],
            # The forecast shows that the run creates the pool and the Secrets. Warnings of it would confuse.
            CHECKED_BEFORE: True if self._task.check_mode and is_checked(self._task_vars) else None,
        }
        written = self.call("machineosconfig", config, changes=f"MachineOSConfig {pool}")
        if self._task.check_mode and f"MachineOSConfig {pool}" in self._changes:
            # The current build is the one of another spec, and no part of the forecast.
            return {"cluster": written.get("cluster"), "build": None, "machineosconfig": None, "findings": []}
        wait = {
            **{name: options[name] for name in _WAIT_OPTIONS},
            "pool": pool,
            "spec_hash": (written.get("machineosconfig") or {}).get("spec_hash"),
            "log_dir": absolute(options["log_dir"]) if options["log_dir"] else None,
            "progress": options["progress"],
        }
        result = self.call("machineosbuild_wait", wait)
        if options["delete_superseded"]:
            superseded = {"pool": pool, "state": "absent", "allow_node_reboots": options["allow_node_reboots"]}
            self.call("machineosbuild_superseded", superseded, changes="older MachineOSBuilds")
        return result

    def _containerfile(self, options: t.Mapping[str, t.Any]) -> str:
        names = ("containerfile", "containerfile_path")
        try:
            return containerfile_text(options[names[0]], options[names[1]], names, reader(self._loader))
        except Problem as problem:
            message = (
                f"Could not build the image of MachineConfigPool {options['pool']}: {problem.reason}. {problem.remedy}."
            )
            raise StepFailed({"msg": message}) from None
