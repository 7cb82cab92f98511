# SPDX-License-Identifier: GPL-3.0-or-later
"""May nodes be rebooted? The operator asks nobody, so the user is asked before anything is written."""

from __future__ import annotations

from .._errors import OperationError
from .._model.objects.machineconfigpool import Pool


def need_consent(what: str, pool: Pool, names: list[str], allowed: bool) -> list[str]:
    """Return the nodes that will drain and reboot: none while their pool is paused.

    :param names: the nodes that a write would move
    :raises OperationError: there are such nodes, and nobody has consented
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
