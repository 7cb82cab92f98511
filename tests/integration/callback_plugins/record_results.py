# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the result of each task as a line of JSON, beside the usual output."""

from __future__ import annotations

import json
import os

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: record_results
type: aggregate
short_description: Write every task's result as a line of JSON
version_added: 1.0.0
author: Contributors to the imagemode.openshift collection (@imagemode)
description:
  - Writes a line of JSON for each result to the file that E(RECORD_RESULTS) names.
"""


class CallbackModule(CallbackBase):
    """Receive the result of each task, without the values that no_log hides."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record_results"

    def v2_runner_on_ok(self, result):
        """Record a task that succeeded."""
        self._record("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        """Record a task that failed."""
        self._record("failed", result)

    def v2_runner_on_unreachable(self, result):
        """Record a host that was unreachable."""
        self._record("unreachable", result)

    def v2_runner_on_skipped(self, result):
        """Record a task that a condition skipped."""
        self._record("skipped", result)

    def _record(self, outcome, result):
        # Since 2.19 these have names without an underscore, and the old ones warn.
        task = result.task if hasattr(result, "task") else result._task
        host = result.host if hasattr(result, "host") else result._host
        content = result.result if hasattr(result, "result") else result._result
        line = {
            "outcome": outcome,
            "task": task.name,
            "action": task.action,
            "host": host.get_name(),
            "result": content,
        }
        with open(os.environ["RECORD_RESULTS"], "a", encoding="utf-8") as record:
            record.write(json.dumps(line, default=str) + "\n")
