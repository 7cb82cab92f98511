# Copyright: Contributors to the imagemode.openshift collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a play, which are an error where no host is left to run on."""

from __future__ import annotations

DOCUMENTATION = r"""
name: play_hosts
short_description: Check that a host pattern matches a host
version_added: 1.0.0
description:
  - Returns a host pattern for the keyword C(hosts) of a play. A pattern that matches no host of the inventory is an
    error, where Ansible itself would skip the play and report success. So is C(--limit) if it leaves no host.
  - Options of C(ansible-playbook) that leave out tasks before any task can notice are errors too. They are
    C(--start-at-task), and C(--skip-tags) with C(always), C(all) or C(tagged).
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
  any_host:
    description:
      - Return one host, on which a play can run that needs no particular one, such as a play that reads the inventory
        again. It is C(localhost), or the first host that C(--limit) leaves. The pattern is ignored.
    type: bool
    default: false
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

from ansible import context
from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import InventoryManager
from ansible.plugins.lookup import LookupBase

from ..plugin_utils._variables.tags import skips_validation

LOCALHOST = "localhost"


class LookupModule(LookupBase):
    """Matches the pattern as the play will. Ansible evaluates the hosts of a play whatever tasks are selected."""

    def run(self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **options: t.Any) -> list[str]:
        self.set_options(var_options=variables, direct=options)
        variables = variables or {}
        _check_selected_tasks(variables)
        limit = variables.get("ansible_limit")
        inventory = self._inventory(variables.get("groups") or {})
        if self.get_option("any_host"):
            return [_any_host(inventory, limit)]
        pattern = ",".join(str(term) for term in terms if str(term).strip()) or LOCALHOST
        named = f"{self.get_option('variable')} ({pattern})"
        if not inventory.get_hosts(pattern):
            raise AnsibleLookupError(
                f"Could not start: no host of the inventory matches {named}. Correct the pattern or the inventory."
            )
        if limit:
            inventory.subset(limit)
        if not inventory.get_hosts(pattern):
            raise _limited(limit, f"host of {named}")
        return [pattern]

    def _inventory(self, groups: t.Mapping[str, t.Iterable[str]]) -> InventoryManager:
        """Return an inventory of the same groups and hosts, because a lookup does not have Ansible's own."""
        inventory = InventoryManager(self._loader, parse=False)
        for group, hosts in groups.items():
            inventory.add_group(group)
            for host in hosts:
                inventory.add_host(host, group=group)
        return inventory


def _any_host(inventory: InventoryManager, limit: t.Any) -> str:
    if limit:
        inventory.subset(limit)
    # localhost is no member of "all" unless the inventory names it.
    hosts = inventory.get_hosts(LOCALHOST) or inventory.get_hosts("all")
    if not hosts:
        raise _limited(limit, "host of the inventory")
    return str(hosts[0].name)


def _limited(limit: t.Any, what: str) -> AnsibleLookupError:
    return AnsibleLookupError(f"Could not start: --limit {limit} leaves no {what}. Correct --limit, or leave it out.")


def _check_selected_tasks(variables: t.Mapping[str, t.Any]) -> None:
    """Check options that leave out the task that validates, which would report them.

    :raises AnsibleLookupError: such an option is set
    """
    start = context.CLIARGS.get("start_at_task")
    if start:
        raise AnsibleLookupError(
            f"Could not start: --start-at-task {start} leaves out tasks, and without them nothing is proven. "
            "Leave --start-at-task out."
        )
    skipped = [str(tag) for tag in variables.get("ansible_skip_tags") or ()]
    if skips_validation(skipped):
        raise AnsibleLookupError(
            f"Could not start: --skip-tags {','.join(skipped)} leaves out the task that validates. "
            "Leave --skip-tags out."
        )
