#!/usr/bin/python
# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This is only the documentation. What it documents runs where Ansible runs: plugins/action/validate_variables.py

from __future__ import annotations

DOCUMENTATION = r"""
module: validate_variables
short_description: Validate the variables of a playbook or a role of this collection
version_added: 1.0.0
description:
  - Checks all variables of one playbook, or all options of one role, against their specification, before anything is
    sent to the cluster. Files and environment variables that they name are read, and nothing of them is shown.
  - An empty text means that the variable is not set, because a survey sends it for a question without an answer.
  - A variable with the prefix C(image_mode_) that no playbook reads is an error, which names the variable with the most
    similar name.
  - An error is one line that names the variable of the user.
options:
  playbook:
    description:
      - The playbook whose variables are checked. Either this or O(role) is required, and they are mutually exclusive.
    type: str
    choices: [apply, verify, verify_hosts]
  role:
    description:
      - The role whose options are checked.
    type: str
    choices: [registry_access, build_image, roll_out, verify_nodes, evidence_report]
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
  - module: imagemode.openshift.build_image
author: Contributors to the imagemode.openshift collection (@imagemode)
"""

EXAMPLES = r"""
- name: Validate variables
  imagemode.openshift.validate_variables:
    playbook: apply

- name: Validate the options of a role
  imagemode.openshift.validate_variables:
    role: build_image
"""

RETURN = r"""
started_at:
  description: Time of the validation, in seconds since the epoch.
  returned: success
  type: int
  sample: 1795900000
"""
