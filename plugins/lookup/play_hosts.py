# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a play, which are an error where no host is left to run on."""

from __future__ import annotations

DOCUMENTATION = r"""
name: play_hosts
short_description: Check that a host pattern matches a host
version_added: 0.1.0
description:
  - Returns a host pattern for the keyword C(hosts) of a play. A pattern that matches no host of the inventory is an
    error, where Ansible itself would skip the play and report success. So is C(--limit) if it leaves no host.
  - An empty pattern means C(localhost).
author: Contributors to the imagemode.openshift collection (@imagemode)
options:
  _terms:
    description: The host pattern.
    type: list
    elements: str
    required: true
  variable:
    description: Name of the variable that holds the pattern, for the error.
    type: str
    default: image_mode_hosts
"""

EXAMPLES = r"""
- name: Verify pools
  hosts: "{{ lookup('imagemode.openshift.play_hosts', image_mode_hosts | default('')) }}"
  tasks:
    - name: Verify booted images
      imagemode.openshift.node_image_verify:
        pool: "{{ image_mode_pool }}"
"""

RETURN = r"""
_raw:
  description: The host pattern.
  type: list
  elements: str
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import InventoryManager
from ansible.plugins.lookup import LookupBase

LOCALHOST = "localhost"


class LookupModule(LookupBase):
    """Matches the pattern as the play will."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=options)
        variables = variables or {}
        pattern = ",".join(str(term) for term in terms if str(term).strip()) or LOCALHOST
        limit = variables.get("ansible_limit")
        inventory = InventoryManager(self._loader, parse=False)
        for group, hosts in (variables.get("groups") or {}).items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group=group)
        named = f"{self.get_option('variable')} ({pattern})"
        if not inventory.get_hosts(pattern):
            raise AnsibleLookupError(
                f"Could not start: no host of the inventory matches {named}. Correct the pattern or the inventory."
            )
        if limit:
            inventory.subset(limit)
        if not inventory.get_hosts(pattern):
            raise AnsibleLookupError(
                f"Could not start: --limit {limit} leaves no host of {named}. Correct --limit, or leave it out."
            )
        return [pattern]
