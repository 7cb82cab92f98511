#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/show_summary.py

from __future__ import annotations

DOCUMENTATION = r"""
module: show_summary
short_description: Show the summary of a playbook of this collection
version_added: 1.0.0
description:
  - Prints the lines of a summary where the playbook runs, and fails with the failure that
    M(imagemode.openshift.publish_result) found.
  - If the variable C(image_mode_report_dir) is set, the hosts of the play that failed without a report are added to the
    index of the reports, C(image-mode-index.html).
options:
  summary:
    description:
      - The lines.
    type: list
    elements: str
    required: true
  failure:
    description:
      - Why the run failed. Empty if it did not.
    type: str
    default: ''
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
  - module: imagemode.openshift.publish_result
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Show the summary
  imagemode.openshift.show_summary:
    summary: "{{ published.summary }}"
    failure: "{{ published.failure }}"

- name: Show the summary without failing
  imagemode.openshift.show_summary:
    summary: "{{ published.summary }}"
"""

RETURN = r"""
changed:
  description: Always false.
  returned: always
  type: bool
  sample: false
"""
