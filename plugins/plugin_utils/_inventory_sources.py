# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources of the inventory cannot be read. Ansible itself only warns, and continues with the other sources."""

from __future__ import annotations

import os
import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager

from ..module_utils._errors import one_line

INCOMPLETE = "image_mode_inventory_errors"
"""Variable of all hosts with which imagemode.openshift.nodes states why nodes of clusters are not in the inventory."""


class _Sources(InventoryManager):
    """Reads the sources again and remembers those that no inventory plugin could read."""

    def __init__(self, loader: t.Any, sources: t.Sequence[str]) -> None:
        self.unread: list[str] = []
        super().__init__(loader, sources=list(sources), parse=False)

    def parse_source(self, source: str, cache: bool = False) -> bool:
        """Read one source. A folder calls this for each of its files."""
        parsed = bool(super().parse_source(source, cache=cache))
        if not parsed and not os.path.isdir(source):
            self.unread.append(str(source))
        return parsed


def inventory_problem(loader: t.Any, pattern: str, task_vars: t.Mapping[str, t.Any]) -> str:
    """Return why hosts of the inventory may be missing from a play, in one line, or an empty text.

    The sources are read once more, because Ansible does not state which of them it could read. A source that could not
    be read before and can be read now has hosts that are not in the play.

    :param loader: the DataLoader of an action plugin
    :param pattern: the hosts of the play
    """
    errors = [one_line(str(error)) for error in task_vars.get(INCOMPLETE) or ()]
    if errors:
        return f"the inventory does not contain all nodes. {errors[0]}."
    sources = _Sources(loader, task_vars.get("ansible_inventory_sources") or ())
    try:
        sources.parse_sources(cache=True)
    except AnsibleError as error:
        return f"the inventory could not be read: {one_line(str(error))}. Correct the inventory."
    if sources.unread:
        return (
            f"inventory source {', '.join(sources.unread)} could not be read, so its hosts would not be verified. "
            "Read the warning about it, and correct the source or leave it out."
        )
    if task_vars.get("ansible_limit"):
        sources.subset(task_vars["ansible_limit"])
    there = set(task_vars.get("ansible_play_hosts_all") or ())
    missing = sorted({str(host.name) for host in sources.get_hosts(pattern)} - there)
    if missing:
        return f"host {', '.join(missing[:10])} joined the inventory after it was read. Run the playbook again."
    return ""
