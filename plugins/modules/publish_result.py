#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/publish_result.py

from __future__ import annotations

DOCUMENTATION = r"""
module: publish_result
short_description: Publish the result of a playbook of this collection
version_added: 0.1.0
description:
  - Collects what the steps of a playbook registered, writes the reports if a folder is set, and publishes the statistic
    C(image_mode_result), a list with one entry per host. An entry has 20 KB at most.
  - An entry has C(message), C(verdict), C(counts), C(failure), C(build), C(rollout), C(changed), C(seconds),
    C(reports), and up to 20 C(unproven_nodes). Everything else is in the report.
  - It does not fail if a step failed or a report could not be written, because Ansible drops the statistics of a failed
    task. M(imagemode.openshift.show_summary) does.
options:
  pool:
    description:
      - The MachineConfigPool.
    type: str
  fail_on:
    description:
      - Verdicts that are a failure, a list of V(mismatch) and V(unknown).
    type: raw
    default: [mismatch, unknown]
  report_dir:
    description:
      - Folder for the reports. Without it no report is written.
    type: str
  report_formats:
    description:
      - Files of a report, a list of V(html), V(json) and V(junit).
    type: raw
    default: [html, json, junit]
attributes:
  action:
    description:
      - Runs where Ansible runs.
    support: full
  async:
    description:
      - Can run in the background with C(async).
    support: none
  check_mode:
    description:
      - Can say what it would do without doing it.
    support: full
    details:
      - Runs in full, because nothing on the cluster is changed.
  diff_mode:
    description:
      - Shows what is changed, or would be, with C(--diff).
    support: N/A
  idempotent:
    description:
      - Changes nothing if the requested state exists already.
    support: full
    details:
      - Never changes anything.
seealso:
  - module: imagemode.openshift.show_summary
  - module: imagemode.openshift.evidence_report
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Publish image_mode_result
  imagemode.openshift.publish_result:
    pool: layered
    report_dir: reports
  register: published

- name: Publish the result without a report
  imagemode.openshift.publish_result:
    pool: layered
"""

RETURN = r"""
summary:
  description: Lines of the summary.
  returned: success
  type: list
  elements: str
  sample: ['Result: pool layered: 2 of 2 nodes match', 'Time: 2m20s']
failure:
  description:
    - Why nodes are not verified or a report was not written. Empty if nothing failed, and if a step failed, which fails
      the play itself.
  returned: success
  type: str
  sample: ''
"""
