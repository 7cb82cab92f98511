# SPDX-License-Identifier: GPL-3.0-or-later
"""Check for consent to node reboots before anything is written, because the operator reboots nodes without asking."""

from __future__ import annotations

from .._errors import OperationError
from .._model.objects.machineconfigpool import Pool

CONSENT = "Set allow_node_reboots=true"


def require_reboot_consent(
    what: str, pool: Pool, names: list[str], allowed: bool, remedy: str = f"{CONSENT}, or pause the pool first"
) -> list[str]:
    """Return the nodes that will drain and reboot. If the pool is paused, there are none.

    The pause of a rebuild ends with the rebuild, so it counts as none.

    :param names: nodes that the write would update
    :raises OperationError: nodes would reboot without consent
    """
    if pool.paused and not pool.paused_for_rebuild:
        return []
    if names and not allowed:
        raise OperationError(
            what,
            f"it would drain and reboot the nodes of MachineConfigPool {pool.name}: {', '.join(names)}",
            remedy,
            {"reboots": names},
        )
    return names
