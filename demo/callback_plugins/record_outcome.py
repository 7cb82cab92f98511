# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the result of a playbook to a file. The output of the playbook stays as it is."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: record_outcome
type: aggregate
short_description: Write the recap and the statistics of a playbook as JSON
version_added: 1.0.0
author: Contributors to the imagemode.openshift collection (@imagemode)
description:
  - Writes the number of changed tasks of each host, and the statistics of the run, to the file that
    E(RECORD_OUTCOME) names.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible carries no types
    """Writes the file at the end of a playbook."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "record_outcome"

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Write the outcome."""
        outcome = {"changed": dict(stats.changed), **stats.custom.get("_run", {})}
        with open(os.environ["RECORD_OUTCOME"], "w", encoding="utf-8") as record:
            json.dump(outcome, record, default=str)
