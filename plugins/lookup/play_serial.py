# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of the batches of a play, which is an error where Ansible would fail or put all hosts into one batch."""

from __future__ import annotations

DOCUMENTATION = r"""
name: play_serial
short_description: Check the size of the batches of a play
version_added: 1.0.0
description:
  - Returns a number or a percentage of hosts for the keyword C(serial) of a play. Another text and zero are errors,
    where Ansible itself would end with an unexpected exception, or handle all hosts at the same time.
  - An empty term means one batch with all hosts.
author: Contributors to the imagemode.openshift collection (@imagemode)
options:
  _terms:
    description: The number, or the percentage such as V(25%).
    type: list
    elements: raw
    required: true
  variable:
    description: Name of the variable that holds the size, for the error.
    type: str
    default: image_mode_serial
"""

EXAMPLES = r"""
- name: Verify pool after pool
  hosts: pools
  serial: "{{ lookup('imagemode.openshift.play_serial', image_mode_serial | default('')) }}"
  tasks:
    - name: Verify booted images
      imagemode.openshift.node_image_verify:
        pool: "{{ image_mode_pool }}"
"""

RETURN = r"""
_raw:
  description: The number or the percentage.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ..plugin_utils._variables.batches import ALL_HOSTS, check_batch_size
from ..plugin_utils._variables.problem import Problem
from ..plugin_utils._variables.values import is_empty


class LookupModule(LookupBase):
    """Checks the size before Ansible divides the hosts, which is before any task runs."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=options)
        size = terms[0] if terms else ""
        if is_empty(size):
            return [ALL_HOSTS]
        try:
            check_batch_size(size)
        except Problem as problem:
            name = self.get_option("variable")
            raise AnsibleLookupError(f"Could not use variable {name}: {problem}") from None
        return [str(size).strip()]
