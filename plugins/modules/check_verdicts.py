#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/check_verdicts.py

from __future__ import annotations

DOCUMENTATION = r"""
module: check_verdicts
short_description: Show verdicts and fail if a node is not verified
version_added: 1.0.0
description:
  - Prints one line per node, unproven nodes first, 20 at most, and fails if a node has one of the verdicts in
    O(fail_on). The error is one line that names the nodes.
  - The result of the verification stays in its variable, so that a report can be written after a failure.
options:
  registered:
    description:
      - Name of the variable with the result of M(imagemode.openshift.node_image_verify) or
        M(imagemode.openshift.node_image_summary).
    type: str
    default: verify_nodes_result
  fail_on:
    description:
      - Verdicts that fail the task, a list of V(mismatch) and V(unknown). An empty list only shows the verdicts.
    type: raw
    default: [mismatch, unknown]
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
  - module: imagemode.openshift.node_image_verify
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Verify booted images, without failing yet
  imagemode.openshift.node_image_verify:
    pool: layered
    fail_on: []
  register: verified

- name: Check that every node is verified
  imagemode.openshift.check_verdicts:
    registered: verified

- name: Accept nodes that cannot be read
  imagemode.openshift.check_verdicts:
    registered: verified
    fail_on: [mismatch]
"""

RETURN = r"""
changed:
  description: Always false.
  returned: always
  type: bool
  sample: false
"""
