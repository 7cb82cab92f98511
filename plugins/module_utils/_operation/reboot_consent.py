# SPDX-License-Identifier: GPL-3.0-or-later
"""Check for consent to node reboots before anything is written, because the operator reboots nodes without asking."""

from __future__ import annotations

from .._errors import OperationError
from .._model.objects.machineconfigpool import Pool


def require_reboot_consent(what: str, pool: Pool, names: list[str], allowed: bool) -> list[str]:
    """Return the nodes that will drain and reboot. If the pool is paused, there are none.

    :param names: nodes that the write would update
    :raises OperationError: nodes would reboot without consent
    """
    if pool.paused:
        return []
    if names and not allowed:
        raise OperationError(
            what,
            f"it would drain and reboot the nodes of MachineConfigPool {pool.name}: {', '.join(names)}",
            "Set allow_node_reboots=true, or pause the pool first",
            {"reboots": names},
        )
    return names
