# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Document the options that all waits share."""

from __future__ import annotations


class ModuleDocFragment:
    """The options of progress, findings and windows."""

    DOCUMENTATION = r"""
options:
  fail_on_findings:
    description:
      - IDs of the findings that end the wait with a failure. V(fatal) means all fatal findings, which are those that
        cannot clear by themselves.
      - The list replaces the default. With V([fatal, node.degraded]) one more finding ends the wait. Without V(fatal)
        only the listed findings end it. With an empty list only O(timeout) and O(stall_timeout) end it, even after a
        failed build, which a user can still correct.
      - All findings are in RV(findings) in any case.
    type: list
    elements: str
    default: [fatal]
  progress:
    description:
      - Whether the wait prints progress lines.
      - V(lines) prints a line when the state changes, and at the end of a O(window) without a change, to the terminal
        of the playbook. V(none) prints nothing. With C(-v) findings with their remedies, and changes of nodes, are
        printed as well.
    type: str
    choices: [lines, none]
    default: lines
  window:
    description:
      - Maximum duration of a single call of the module, in seconds. The action plugin calls the module until the wait
        ends. A call ends early when there is progress to print.
      - Lower it only if a jump host between Ansible and the module ends silent connections earlier.
    type: int
    default: 300
  cursor:
    description:
      - The state of the wait at the end of the previous call, from RV(cursor). Its content is opaque. If it cannot be
        read, or is of another cluster or pool, the module warns and reads everything again.
      - Do not set it in a playbook. The action plugin sets it when it calls the module again until RV(finished=true).
        It is for callers that run the module without the action plugin.
    type: str
  waited:
    description:
      - Duration of the whole wait before this call, in seconds. With it O(timeout) is exact even if O(cursor) cannot be
        read. If the cursor has a longer duration, that one counts.
      - Do not set it in a playbook. The action plugin sets it.
    type: int
    default: 0
"""
